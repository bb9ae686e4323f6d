"""The poll of a channel's orders: what no webhook brought is found, once, and the mark says how far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from allocation import sightings
from channels import base
from channels.base import ChannelError, ChannelOrder, Refused, Throttled, Unauthorised, Unavailable
from channels.simulators.clock import Clock as HeldClock
from channels.simulators.serve import start
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.reconcile.house import MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows import jobs, orders
from workers.flows.orders import LAG_S, PollReport, poll_orders
from workers.flows.sweep import jobs_to_do, sweep


@dataclass
class Told(MemoryChannel):
    """A channel that tells these orders, and breaks off with `error` before the one of this place."""

    told: list[ChannelOrder] = field(default_factory=list)
    error: ChannelError | None = None
    breaks_at: int = 0
    asked: list[datetime] = field(default_factory=list)

    def orders_since(
        self, mark: datetime, known: base.Known = base.nothing_known
    ) -> Iterator[ChannelOrder]:
        self.asked.append(mark)
        for place, order in enumerate(o for o in self.told if o.updated_at >= mark):
            if self.error is not None and place == self.breaks_at:
                raise self.error
            yield order
        if self.error is not None:
            raise self.error


def an_order(number: int, at: datetime, body: bytes = b"{}") -> ChannelOrder:
    return ChannelOrder(str(number), at, f"order:{number}:{at.isoformat()}", "orders/updated", body)


@pytest.fixture
def told(database: Database, clock: Clock) -> Told:
    furnish(database.engine, {"TEA-1": 1}, clock=clock)
    return Told(clock)


def poll(database: Database, told: Told, *, window_at: datetime | None = None) -> PollReport:
    return poll_orders(
        database.engine,
        told,
        channel="shopify",
        now=lambda: told.clock.now,
        overlap_s=60,
        window_at=window_at,
    )


def the_mark(database: Database) -> object:
    return rows(database.engine, "SELECT orders_mark FROM channel")[0][0]


def kept(database: Database) -> list[str]:
    return [
        str(row[0]) for row in rows(database.engine, "SELECT delivery_id FROM inbox ORDER BY id")
    ]


def a_window(database: Database, at: datetime) -> datetime:
    jobs.open_windows(database.engine, now=at, window_s=900, truth_hour=3)
    (window_at,) = rows(database.engine, "SELECT max(window_at) FROM run WHERE job = 'orders'")[0]
    assert isinstance(window_at, datetime)
    return window_at


def test_a_poll_puts_orders_in_the_inbox_and_moves_the_mark_to_its_beginning(
    database: Database, told: Told
) -> None:
    began = told.clock.now
    told.told = [an_order(n, began - timedelta(minutes=5 - n)) for n in range(3)]

    report = poll(database, told)

    assert (report.state, report.orders, report.fresh) == ("done", 3, 3)
    assert kept(database) == [o.delivery_id for o in told.told]
    assert the_mark(database) == report.mark == began - timedelta(seconds=LAG_S)


def test_the_next_poll_begins_a_little_before_the_mark_and_keeps_nothing_twice(
    database: Database, told: Told
) -> None:
    told.told = [an_order(1, told.clock.now - timedelta(seconds=20))]
    first = poll(database, told)
    told.clock.advance(30)

    again = poll(database, told)

    assert first.mark is not None
    assert told.asked[1] == first.mark - timedelta(seconds=60)
    assert (again.orders, again.fresh) == (1, 0)
    assert len(kept(database)) == 1


def test_an_order_that_changed_within_the_same_second_is_another_delivery(
    database: Database, told: Told
) -> None:
    at = told.clock.now - timedelta(seconds=20)
    told.told = [an_order(1, at, b'{"units": 1}')]
    poll(database, told)
    told.told = [an_order(1, at, b'{"units": 2}')]

    assert poll(database, told).fresh == 1
    assert poll(database, told).fresh == 0

    bodies = [bytes(row[0]) for row in rows(database.engine, "SELECT body FROM inbox ORDER BY id")]  # type: ignore[call-overload]  # a bytea column
    assert bodies == [b'{"units": 1}', b'{"units": 2}']


@pytest.mark.parametrize(
    ("error", "waits_s"),
    [(Throttled("full", retry_after_s=7), 7.0), (Unavailable("away"), 10.0)],
    ids=["throttled", "unavailable"],
)
def test_a_poll_that_breaks_off_keeps_what_it_has_and_comes_back(
    database: Database, told: Told, error: ChannelError, waits_s: float
) -> None:
    began = told.clock.now
    told.told = [an_order(n, began - timedelta(minutes=50 - n)) for n in range(5)]
    told.error, told.breaks_at = error, 3
    window_at = a_window(database, began)

    report = poll(database, told, window_at=window_at)

    assert (report.state, report.fresh) == ("later", 3)
    assert report.again_at == began + timedelta(seconds=waits_s)
    assert the_mark(database) == told.told[2].updated_at, "as far as it came, orders are in"
    assert jobs_to_do(database.engine, now=told.clock.now) == [
        row for row in jobs_to_do(database.engine, now=told.clock.now) if row[0] != "orders"
    ]
    told.clock.advance(waits_s)
    told.error = None
    assert ("orders", "shopify", window_at) in jobs_to_do(database.engine, now=told.clock.now)
    assert poll(database, told, window_at=window_at).state == "done"
    assert len(kept(database)) == 5


def test_a_poll_that_gets_nothing_leaves_the_mark(database: Database, told: Told) -> None:
    first = poll(database, told)
    told.clock.advance(900)
    told.error = Throttled("full", retry_after_s=7)

    report = poll(database, told)

    assert (report.state, report.mark) == ("later", None)
    assert the_mark(database) == first.mark


def test_orders_that_do_not_come_by_their_change_do_not_move_the_mark(
    database: Database, told: Told
) -> None:
    began = told.clock.now
    told.told = [an_order(n, began - timedelta(minutes=n + 1)) for n in range(120)]
    told.error, told.breaks_at = Unavailable("away"), 110
    poll(database, told)

    assert the_mark(database) is None or the_mark(database) <= told.told[0].updated_at  # type: ignore[operator]  # a time


def test_a_window_is_polled_once(database: Database, told: Told) -> None:
    window_at = a_window(database, told.clock.now)

    assert poll(database, told, window_at=window_at).state == "done"
    assert poll(database, told, window_at=window_at).state == "skipped"
    assert len(told.asked) == 1


def test_a_refused_poll_leaves_the_window_failed_and_pauses_nothing(
    database: Database, told: Told
) -> None:
    told.error = Refused("no such field", code="undefinedField")
    window_at = a_window(database, told.clock.now)

    report = poll(database, told, window_at=window_at)

    assert report.state == "failed"
    assert rows(database.engine, "SELECT state, error FROM run WHERE job = 'orders'") == [
        ("failed", "refused undefinedField: no such field")
    ]
    assert rows(database.engine, "SELECT paused FROM channel") == [(False,)]


def test_a_channel_that_knows_us_no_more_is_paused_and_says_why(
    database: Database, told: Told
) -> None:
    told.error = Unauthorised("the token is not known")

    assert poll(database, told).state == "failed"

    assert rows(database.engine, "SELECT paused, paused_by, paused_why FROM channel") == [
        (True, "orders", "unauthorised: the token is not known")
    ]
    assert rows(database.engine, "SELECT actor, action, object FROM audit") == [
        ("lockstep", "channel.pause", "channel:shopify")
    ]


class TestAskedFor:
    def ask(self, database: Database, at: datetime) -> None:
        with database.engine.begin() as connection:
            sightings.ask_for_orders(connection, ["shopify"], at)

    def test_the_sweep_rings_until_a_poll_has_begun_well_after_the_asking(
        self, database: Database, told: Told
    ) -> None:
        self.ask(database, told.clock.now)
        assert sweep(database.engine, now=told.clock.now).asked == ("shopify",)

        poll(database, told)
        assert sweep(database.engine, now=told.clock.now).asked == ("shopify",)
        told.clock.advance(3)
        poll(database, told)

        assert sweep(database.engine, now=told.clock.now).asked == ()

    def test_who_asks_for_a_later_moment_is_not_answered_by_the_poll_of_an_earlier_one(
        self, database: Database, told: Told
    ) -> None:
        for after_s in (120, 180):
            self.ask(database, told.clock.now + timedelta(seconds=after_s))

        for seconds in (125, 60):
            told.clock.advance(seconds)
            assert sweep(database.engine, now=told.clock.now).asked == ("shopify",)
            poll(database, told)
            assert sweep(database.engine, now=told.clock.now).asked == ()
        assert sweep(database.engine, now=told.clock.advance(600)).asked == ()

    def test_a_channel_that_is_away_is_asked_later(self, database: Database, told: Told) -> None:
        self.ask(database, told.clock.now)
        told.error = Throttled("full", retry_after_s=40)

        poll(database, told)

        assert sweep(database.engine, now=told.clock.now).asked == ()
        assert sweep(database.engine, now=told.clock.advance(40)).asked == ("shopify",)


class TestTheShop:
    @pytest.fixture
    def house(self, rig: ShopifyRig, database: Database) -> ShopHouse:
        return a_shop_house(rig, database)

    def test_an_order_nobody_told_us_of_is_booked_where_it_is_served(
        self, house: ShopHouse
    ) -> None:
        house.rig.do("order", lines=[{"sku": "SKU-A", "units": 15}])
        house.rig.advance(10)

        assert house.poll(windowed=True).fresh == 1
        house.drain()

        assert house.balance("SKU-A") == {
            ("OSLO", "available"): 10,
            ("BERGEN", "available"): 5,
            ("BERGEN", "committed"): 15,
        }

    def test_a_webhook_and_a_poll_book_an_order_once_at_its_place(self, house: ShopHouse) -> None:
        number = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 15}])["id"].rpartition("/")[
            2
        ]
        house.deliver("orders/create", house.rig.document(number))
        assert house.balance("SKU-A")["OSLO", "committed"] == 15, "nobody has said where"
        house.rig.advance(10)

        house.poll()
        done = house.drain()

        assert done.parked == 0
        assert house.balance("SKU-A") == {
            ("OSLO", "available"): 10,
            ("BERGEN", "available"): 5,
            ("BERGEN", "committed"): 15,
        }

    def test_and_the_shop_is_not_told_to_change_what_it_knows(self, house: ShopHouse) -> None:
        number = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 15}])["id"].rpartition("/")[
            2
        ]
        house.deliver("orders/create", house.rig.document(number))
        house.rig.advance(10)
        house.poll()
        house.drain()

        house.show()

        assert house.rig.level("SKU-A", "Oslo")["available"] == 10
        assert house.rig.level("SKU-A", "Bergen")["available"] == 5

    def test_a_till_s_order_is_committed_at_the_till(self, house: ShopHouse) -> None:
        order = house.rig.do(
            "order", lines=[{"sku": "SKU-B", "units": 2}], location="Bergen", source="pos"
        )
        house.deliver("orders/create", house.rig.document(order["id"].rpartition("/")[2]))

        assert house.balance("SKU-B")["BERGEN", "committed"] == 2

    def test_an_order_to_be_fetched_is_committed_where_it_is_fetched(
        self, house: ShopHouse
    ) -> None:
        rig = house.rig
        order = rig.do("order", lines=[{"sku": "SKU-B", "units": 2}], location="Bergen")
        document = rig.document(order["id"].rpartition("/")[2]).replace(
            b'"location_id": ' + rig.places["Bergen"].rpartition("/")[2].encode(),
            b'"location_id": null',
        )
        house.deliver("orders/create", document)
        house.deliver("fulfillment_orders/line_items_prepared_for_pickup", b"{}", name="prepared")
        rig.advance(10)
        house.poll()
        house.drain()

        assert house.balance("SKU-B") == {
            ("OSLO", "available"): 10,
            ("BERGEN", "available"): 18,
            ("BERGEN", "committed"): 2,
        }

    def test_goods_of_a_return_are_booked_once_whatever_comes_first(self, house: ShopHouse) -> None:
        rig = house.rig
        order = rig.do("order", lines=[{"sku": "SKU-C", "units": 3}], location="Oslo")["id"]
        rig.do("fulfil", order=order)
        rig.advance(10)
        line = {
            "sku": "SKU-C",
            "units": 1,
            "disposition": "restocked",
            "location": "Bergen",
        }
        rig.do("bring_back", order=order, lines=[line])
        number = order.rpartition("/")[2]
        house.deliver("orders/updated", rig.document(number))
        house.deliver("reverse_fulfillment_orders/dispose", b"{}", name="disposed")
        assert sweep(house.database.engine, now=rig.now()).asked == (CHANNEL,)

        for _ in range(2):
            rig.advance(10)
            house.poll()
            house.drain()

        assert house.balance("SKU-C") == {("OSLO", "available"): 7, ("BERGEN", "available"): 21}


def test_an_app_that_was_thrown_out_is_paused_with_that_reason(database: Database) -> None:
    running = start("shopify", clock=HeldClock.held())
    try:
        house = a_shop_house(ShopifyRig(running), database)
        house.rig.do("uninstall")
        house.deliver("app/uninstalled", b'{"id": 548380009}')
        assert sweep(database.engine, now=house.rig.now()).asked == (CHANNEL,)

        house.poll()

        ((paused, why),) = house.rows("SELECT paused, paused_why FROM channel")
        assert paused
        assert why.startswith("the app was uninstalled at the vendor")
        house.rig.close()
    finally:
        running.stop()


def test_a_body_that_only_claims_the_app_is_gone_pauses_nothing(
    rig: ShopifyRig, database: Database
) -> None:
    house = a_shop_house(rig, database)
    house.deliver("app/uninstalled", b'{"id": 548380009}')

    assert house.poll().state == "done"

    assert house.rows("SELECT paused FROM channel") == [(False,)]


def test_the_first_poll_looks_back_an_hour_and_no_further(database: Database, told: Told) -> None:
    poll(database, told)

    assert told.asked == [told.clock.now - timedelta(seconds=orders.LOOK_BACK_S + 60)]
    assert told.clock.now.tzinfo is UTC or told.clock.now.utcoffset() == timedelta(0)
