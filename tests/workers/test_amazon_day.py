"""Days of a seller on Amazon: from the pipe over the relay into the book, and from the book to the offers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels import bindings
from channels.amazon.lane import LANE
from channels.base import Binding
from channels.simulators.amazon.serving import AmazonRunning
from ledger import inbox
from ledger.db import connect, transaction
from tests.builders import a_house as drain_house
from tests.builders import may_write
from tests.channels.amazon_rig import CHANNEL, AmazonRig, an_account, skus
from tests.console.door import a_door
from tests.reconcile.house import rows
from tests.servers import Database
from tests.workers.shelf import apply, list_skus
from workers.flows import orders
from workers.flows import reconcile as reconciling
from workers.flows.allocate import allocate
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import PushReport, push
from workers.flows.receipts import ReceiptReport, work_receipts
from workers.flows.reconcile import RunReport, Terms
from workers.flows.verify import VerifyReport, verify
from workers.settings import Settings

RULES = """\
[locations.OSLO]
[locations."FBA-US"]
[channels.{channel}]
kind = "amazon"
base_url = "https://sellingpartnerapi-na.amazon.com"
locations = ["OSLO"]
[channels.{channel}.vendor_locations]
DEFAULT = "OSLO"
"""
SKUS = ("SKU-A", "SKU-B", "SKU-C")


@dataclass
class SellerHouse:
    """The house; its clock is the account's."""

    database: Database
    rig: AmazonRig

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.database.engine, statement, **values)

    def open(self, units: dict[str, int]) -> None:
        """Listings of the seller, their SKUs known and bound, so many units of each in stock."""
        self.rig.listed({sku: 0 for sku in units if sku not in SKUS})
        now = self.rig.now()
        with transaction(self.database.engine) as connection:
            list_skus(connection, units)
            found = [binding for sku in units for binding in self.bound(sku)]
            bindings.bind(connection, found, now=now)
            may_write(connection)
            openings = [
                {"kind": "opening", "id": sku, "sku": sku, "location": "OSLO", "units": n}
                for sku, n in units.items()
            ]
            said = {"source": "wms", "occurred_at": now.isoformat()}
            inbox.keep(
                connection,
                [
                    inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(said | fact).encode())
                    for fact in openings
                ],
                now=now,
            )
        self.drain()

    def bound(self, sku: str) -> list[Binding]:
        return [Binding(CHANNEL, sku, "OSLO", sku, "DEFAULT", sku)]

    def drain(self) -> None:
        drain(drain_house(self.database.engine), now=self.rig.now())

    @property
    def lane(self) -> Lane:
        names = iter(f"key-{self.rig.now().isoformat()}-{n}" for n in range(10_000))
        return Lane(
            engine=self.database.engine,
            client=self.rig.channel,
            now=self.rig.now,
            chance=lambda: 0.5,
            new_key=lambda: next(names),
            rise_wait_s=0,
            verify_after_s=2.0,
        )

    def show(self) -> PushReport:
        """Compute the targets and push what is due now."""
        self.rig.advance(1)
        allocate(self.database.engine, now=self.rig.now, rise_wait_s=0)
        return push(self.lane)

    def settle(self) -> VerifyReport:
        """Let writes be applied, and read them back."""
        self.rig.advance(self.rig.channel.settle_s + 1)
        return verify(self.lane)

    def answers(self) -> ReceiptReport:
        return work_receipts(self.lane)

    def listen(self) -> None:
        """Notifications in, and everything booked."""
        assert self.rig.running.simulator.agenda.settle(), "notifications are still on their way"
        self.drain()

    def poll(self) -> orders.PollReport:
        report = orders.poll_orders(
            self.database.engine,
            self.rig.channel,
            channel=CHANNEL,
            now=self.rig.now,
            overlap_s=60,
            lag_s=LANE.orders_lag_s,
        )
        self.drain()
        return report

    def reconcile(self) -> RunReport:
        engine = self.database.engine
        reconciling.open_windows(engine, now=self.rig.now(), window_s=900)
        ((window_at,),) = self.rows("SELECT max(window_at) FROM run WHERE job = 'reconcile'")
        return reconciling.reconcile(
            engine,
            self.rig.channel,
            channel=CHANNEL,
            window_at=window_at,
            now=self.rig.now,
            terms=Terms(),
        )

    def book(self, sku: str, location: str = "OSLO") -> dict[str, int]:
        """State -> units, without the zeros."""
        found = self.rows(
            "SELECT state, units FROM balance WHERE sku = :sku AND location = :place AND units <> 0",
            sku=sku,
            place=location,
        )
        return {state: int(units) for state, units in found}


@pytest.fixture
def account() -> Iterator[AmazonRunning]:
    # The relay's clock is the wall's, and what happens in its future is not booked.
    with an_account(datetime.now(UTC) - timedelta(hours=6)) as running:
        yield running


@pytest.fixture
def house(account: AmazonRunning, database: Database) -> Iterator[SellerHouse]:
    rig = AmazonRig(account, apply_s=5)
    secrets = {
        CHANNEL: {
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "webhook_secrets": [account.facts.hook_secret],
        }
    }
    settings = Settings.model_validate({"channel_secrets": json.dumps(secrets)})
    engine = connect(database.app_url)
    with a_door(settings, engine, database, channels_s=0) as door:
        with transaction(database.engine) as connection:
            apply(connection, RULES.format(channel=CHANNEL), rig.now())
        made = SellerHouse(database, rig)
        made.open(dict.fromkeys(SKUS, 10))
        rig.channel.subscribe(sorted(LANE.topics), f"{door.url}/hooks/amazon")
        rig.do("pipe", url=f"{door.url}/hooks/amazon", wrapped=True)
        yield made
        rig.do("pipe", url=None)
        rig.close()
    engine.dispose()


def test_an_order_is_booked_by_its_notification_and_shipped_and_cancelled(
    house: SellerHouse,
) -> None:
    order = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}], paid=False)["orderId"]
    house.listen()
    pending = house.book("SKU-A")

    house.rig.advance(1)
    house.rig.do("pay_order", order=order)
    house.rig.advance(1)
    house.rig.do("ship_order", order=order, lines=[{"sku": "SKU-A", "units": 2}])
    house.listen()
    shipped = house.book("SKU-A")
    house.rig.advance(1)
    house.rig.do("cancel_order", order=order)
    house.listen()

    assert pending == {"available": 7, "committed": 3}
    assert shipped == {"available": 7, "committed": 1}
    assert house.book("SKU-A") == {"available": 8}
    assert house.rows("SELECT DISTINCT state FROM inbox") == [("applied",)]


def test_what_no_notification_told_is_found_by_the_poll_and_booked_once(
    house: SellerHouse,
) -> None:
    house.poll()
    house.rig.do("fault", kind="webhook_drop", topic="ORDER_CHANGE", count=1)
    house.rig.advance(1)
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])
    house.rig.advance(1)
    house.rig.do("order", lines=[{"sku": "SKU-B", "units": 2}])
    house.listen()
    lost, told = house.book("SKU-A"), house.book("SKU-B")

    early = house.poll()
    house.rig.advance(900)
    late = house.poll()

    assert (lost, told) == ({"available": 10}, {"available": 8, "committed": 2})
    assert (early.orders, late.orders) == (0, 2)
    assert house.book("SKU-A") == {"available": 7, "committed": 3}
    assert house.book("SKU-B") == {"available": 8, "committed": 2}


def test_a_cancel_that_the_notification_does_not_place_asks_the_order_api_once(
    house: SellerHouse,
) -> None:
    lines = [{"sku": "SKU-A", "units": 3}, {"sku": "SKU-B", "units": 2}]
    order = house.rig.do("order", lines=lines)["orderId"]
    house.poll()
    house.rig.advance(60)
    house.rig.do("cancel_order", order=order, skus=["SKU-B"])
    house.listen()
    with transaction(house.database.engine) as connection:
        at_once = orders.asked(connection, house.rig.now())

    house.rig.advance(130)
    with transaction(house.database.engine) as connection:
        later = orders.asked(connection, house.rig.now())
    house.poll()

    assert (at_once, later) == ([], [CHANNEL])
    assert house.book("SKU-A") == {"available": 7, "committed": 3}
    assert house.book("SKU-B") == {"available": 10}


def test_offers_show_the_book_and_their_own_sales_are_not_taken_off_twice(
    house: SellerHouse,
) -> None:
    house.show()
    house.settle()
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])
    house.listen()

    house.show()
    house.settle()

    assert (house.rig.shown("SKU-A"), house.book("SKU-A")["available"]) == (7, 7)


def test_a_swallowed_write_is_found_seconds_later_and_repaired(house: SellerHouse) -> None:
    house.show()
    house.settle()
    receive(house, "SKU-A", 5)
    house.rig.do("fault", kind="swallow", sku="SKU-A", count=1)
    house.show()

    found = house.settle()
    house.rig.advance(60)
    house.show()
    house.settle()

    assert (found.read, found.wrong) == (1, 1)
    assert house.rig.shown("SKU-A") == 15


def receive(house: SellerHouse, sku: str, units: int) -> None:
    """Goods come in."""
    fact = {
        "kind": "receipt",
        "id": f"receipt:{house.rig.now().isoformat()}",
        "source": "wms",
        "occurred_at": house.rig.now().isoformat(),
        "sku": sku,
        "location": "OSLO",
        "units": units,
    }
    with transaction(house.database.engine) as connection:
        delivery = inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(fact).encode())
        inbox.keep(connection, [delivery], now=house.rig.now())
    house.drain()


def test_a_whole_assortment_goes_up_in_one_feed(house: SellerHouse) -> None:
    names = skus(400)
    house.open(dict.fromkeys(names, 7))

    sent = house.show()
    for _ in range(8):
        house.rig.advance(15)
        house.answers()
    house.rig.advance(10)

    assert sent.accepted == 403
    assert len(house.rig.called("createFeed")) == 1
    assert {house.rig.shown(sku) for sku in names} == {7}
    assert house.rows("SELECT state FROM receipt") == [("answered",)]


def test_a_feed_that_is_stuck_gives_its_rows_back_and_they_go_one_by_one(
    house: SellerHouse,
) -> None:
    names = skus(30)
    house.rig.channel.direct_rows = 20
    house.open(dict.fromkeys(names, 7))
    house.rig.do("fault", kind="stuck_feed", count=1)
    house.show()
    for _ in range(35):
        house.rig.advance(60)
        house.answers()

    rounds = 0
    while house.rows("SELECT 1 FROM push_due LIMIT 1") and rounds < 50:
        rounds += 1
        house.rig.advance(2)
        push(house.lane)
    house.rig.advance(10)

    assert house.rows("SELECT state FROM receipt") == [("stuck",)]
    assert {house.rig.shown(sku) for sku in names} == {7}
    assert len(house.rig.called("createFeed")) == 1


def test_a_window_reads_an_assortment_back_in_many_attempts(house: SellerHouse) -> None:
    names = skus(130)
    house.rig.channel.direct_rows = 100
    house.open(dict.fromkeys(names, 7))
    house.show()
    for _ in range(8):
        house.rig.advance(15)
        house.answers()
    for _ in range(4):
        house.rig.advance(120)
        house.settle()
    house.rig.drift(names[-1], 4)
    house.rig.advance(900)
    house.listen()

    reports = [house.reconcile()]
    while reports[-1].state == "later":
        house.rig.advance(2)
        reports.append(house.reconcile())

    assert len(reports) > 1
    assert reports[-1].state == "done"
    assert reports[-1].counts.read == 133
    assert reports[-1].counts.drifted == 1


def test_a_forged_notification_is_turned_away(house: SellerHouse) -> None:
    house.rig.do("fault", kind="webhook_bad_hmac", count=10)
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])

    house.listen()

    assert house.book("SKU-A") == {"available": 10}


def test_notifications_that_come_twice_late_and_mixed_up_book_once(house: SellerHouse) -> None:
    for kind in ("webhook_duplicate", "webhook_reorder"):
        house.rig.do("fault", kind=kind, rate=0.7, seed=3)
    placed = []
    for units in (1, 2, 3):
        placed.append(house.rig.do("order", lines=[{"sku": "SKU-A", "units": units}])["orderId"])
        house.rig.advance(2)
    house.rig.do("ship_order", order=placed[1])
    house.rig.do("cancel_order", order=placed[2])

    for _ in range(3):
        house.rig.advance(120)
        house.listen()

    assert house.book("SKU-A") == {"available": 7, "committed": 1}
