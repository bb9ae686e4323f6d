"""Days in two shops with Square tills: from the till over the relay into the book, and from the book to the till."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from channels import bindings
from channels.simulators.square.serving import SquareRunning
from channels.square.lane import LANE
from ledger import inbox
from ledger.db import connect, transaction
from tests.builders import a_house as drain_house
from tests.builders import may_write
from tests.channels.square_rig import CHANNEL, SquareRig, an_account
from tests.console.door import a_door
from tests.reconcile.house import rows
from tests.servers import Database
from tests.waits import channels_of
from tests.workers.shelf import apply, list_skus
from workers.flows import orders
from workers.flows.allocate import allocate
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import PushReport, push
from workers.flows.verify import verify
from workers.settings import Settings

RULES = """\
[locations.OSLO]
[locations.BERGEN]
[channels.{channel}]
kind = "square"
base_url = "https://connect.squareup.com"
locations = ["OSLO", "BERGEN"]
show = "per_location"
options = {{ notification_url = "{url}" }}
[channels.{channel}.vendor_locations]
"{oslo}" = "OSLO"
"{bergen}" = "BERGEN"
"""
SKUS = ("SKU-A", "SKU-B", "SKU-C")


@dataclass
class TillHouse:
    """The house; its clock is the account's."""

    database: Database
    rig: SquareRig

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.database.engine, statement, **values)

    def deliver(self, fact: dict[str, Any]) -> None:
        """A fact of the warehouse."""
        said = {"source": "wms", "occurred_at": self.rig.now().isoformat(), **fact}
        delivery = inbox.Delivery("wms", fact["id"], "fact", json.dumps(said).encode())
        with transaction(self.database.engine) as connection:
            inbox.keep(connection, [delivery], now=self.rig.now())

    def drain(self) -> None:
        drain(drain_house(self.database.engine), now=self.rig.now())

    def listen(self) -> None:
        """What a window does: notifications in, orders asked for if one of them said so, everything booked."""
        self.rig.delivered()
        self.rig.advance(10)
        self.drain()
        with transaction(self.database.engine) as connection:
            asked = channels_of(connection, "asked", self.rig.now())
        for channel in asked:
            report = orders.poll_orders(
                self.database.engine,
                self.rig.channel,
                channel=channel,
                now=self.rig.now,
                overlap_s=60,
            )
            assert report.state == "done", report.error
        self.drain()

    def show(self) -> PushReport:
        """Compute the targets, push them and read them back."""
        allocate(self.database.engine, now=self.rig.now, rise_wait_s=0)
        self.rig.advance(1)
        names = iter(f"key-{self.rig.now().isoformat()}-{n}" for n in range(10_000))
        lane = Lane(
            engine=self.database.engine,
            client=self.rig.channel,
            now=self.rig.now,
            chance=lambda: 0.5,
            new_key=lambda: next(names),
            rise_wait_s=0,
            verify_after_s=2.0,
        )
        report = push(lane)
        self.rig.advance(3)
        verify(lane)
        return report

    def on_shelf(self, sku: str, place: str = "Oslo") -> int:
        """What Square says is in stock."""
        return int(self.rig.level(sku, place)["quantity"])

    def book(self, sku: str, location: str = "OSLO") -> dict[str, int]:
        """State -> units, without the zeros."""
        found = self.rows(
            "SELECT state, units FROM balance WHERE sku = :sku AND location = :place AND units <> 0",
            sku=sku,
            place=location,
        )
        return {state: int(units) for state, units in found}


@pytest.fixture(scope="module")
def account() -> Iterator[SquareRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def house(account: SquareRunning, database: Database) -> Iterator[TillHouse]:
    rig = SquareRig(account)
    rig.advance(1)
    secrets = {CHANNEL: {"token": "t", "webhook_secrets": [account.facts.signature_key]}}
    settings = Settings.model_validate({"channel_secrets": json.dumps(secrets)})
    engine = connect(database.app_url)
    with a_door(settings, engine, database, channels_s=0) as door:
        url = f"{door.url}/hooks/square"
        oslo, bergen = (rig.places[name] for name in ("Oslo", "Bergen"))
        rules = RULES.format(channel=CHANNEL, oslo=oslo, bergen=bergen, url=url)
        with transaction(database.engine) as connection:
            list_skus(connection, SKUS)
            apply(connection, rules, rig.now())
            mapped = {oslo: "OSLO", bergen: "BERGEN"}
            bindings.bind(connection, rig.channel.bindings(mapped), now=rig.now())
            may_write(connection)
        made = TillHouse(database, rig)
        for sku in SKUS:
            for location, units in (("OSLO", 10), ("BERGEN", 20)):
                made.deliver(
                    {
                        "kind": "opening",
                        "id": f"{sku}@{location}",
                        "sku": sku,
                        "location": location,
                        "units": units,
                    }
                )
        made.drain()
        made.show()
        rig.listen(url, LANE.topics)
        rig.advance(30)
        yield made
        rig.close()
    engine.dispose()


def test_a_sale_at_the_till_is_in_the_book_though_its_notification_tells_no_lines(
    house: TillHouse,
) -> None:
    house.rig.order("SKU-A", 3)

    house.listen()

    assert house.book("SKU-A") == {"available": 7}
    assert house.book("SKU-A", "BERGEN") == {"available": 20}
    applied = house.rows("SELECT topic, state FROM inbox WHERE source = :c ORDER BY id", c=CHANNEL)
    assert {state for _, state in applied} == {"applied"}
    assert sorted({topic for topic, _ in applied}) == [
        "inventory.count.updated",
        "order.created",
        "order.read",
        "order.updated",
    ]


def test_what_square_took_off_its_own_count_is_not_taken_off_again(house: TillHouse) -> None:
    house.rig.order("SKU-A", 3)
    house.listen()

    house.show()

    assert (house.on_shelf("SKU-A"), house.book("SKU-A")["available"]) == (7, 7)


def test_a_count_alone_never_changes_the_book(house: TillHouse) -> None:
    house.rig.do("external_edit", sku="SKU-A", location="Oslo", in_stock=4)

    house.listen()

    assert house.book("SKU-A") == {"available": 10}


def test_a_pickup_is_committed_until_it_is_fetched_in_its_own_shop(house: TillHouse) -> None:
    line = {"sku": "SKU-A", "units": 2}
    order = house.rig.pickup(line, place="Bergen")
    house.listen()
    house.show()
    waiting, shown = house.book("SKU-A", "BERGEN"), house.on_shelf("SKU-A", "Bergen")

    for state in ("RESERVED", "PREPARED", "COMPLETED"):
        house.rig.do("fulfil", order=order, state=state)
        house.listen()

    assert waiting == {"available": 18, "committed": 2}
    assert shown == 18, "what is put aside is not sold at the till"
    assert house.book("SKU-A", "BERGEN") == {"available": 18}
    assert house.book("SKU-A") == {"available": 10}


def test_what_square_takes_off_for_a_fetched_pickup_is_put_right(house: TillHouse) -> None:
    """It was taken off the shown number when it was ordered; Square takes it off once more when it is fetched."""
    order = house.rig.pickup({"sku": "SKU-A", "units": 2})
    house.listen()
    house.show()
    house.rig.do("fulfil", order=order, state="COMPLETED")
    too_little = house.on_shelf("SKU-A")
    house.listen()

    for _ in range(3):
        house.deliver(receipt(house, "SKU-A", 1))
        house.drain()
        house.show()

    assert too_little == 6
    assert house.on_shelf("SKU-A") == house.book("SKU-A")["available"] == 11


def receipt(house: TillHouse, sku: str, units: int) -> dict[str, Any]:
    """Goods that come in at Oslo."""
    name = f"receipt:{house.rig.now().isoformat()}"
    return {"kind": "receipt", "id": name, "sku": sku, "location": "OSLO", "units": units}


@pytest.mark.parametrize("state", ["CANCELED", "FAILED"])
def test_a_pickup_nobody_fetched_is_on_sale_again(house: TillHouse, state: str) -> None:
    order = house.rig.pickup({"sku": "SKU-A", "units": 2})
    house.listen()

    house.rig.do("fulfil", order=order, state=state)
    house.listen()

    assert house.book("SKU-A") == {"available": 10}


def test_what_comes_back_is_for_sale_only_where_the_clerk_put_it_back(house: TillHouse) -> None:
    order = house.rig.order("SKU-A", 4)
    line = {"sku": "SKU-A", "units": 1}
    house.rig.do("give_back", order=order, lines=[line], restock=True, location="Bergen")
    house.rig.do("give_back", order=order, lines=[line], restock=False)
    house.rig.do("refund", order=order, amount=100)

    house.listen()

    assert house.book("SKU-A") == {"available": 6, "unavailable": 1}
    assert house.book("SKU-A", "BERGEN") == {"available": 21}


def test_a_halt_takes_a_sku_out_of_one_shop_and_puts_it_back(house: TillHouse) -> None:
    binding = house.rig.bindings()["SKU-A"]

    undo = house.rig.channel.stop_sale(binding)
    sold_in_oslo = house.rig.sellable("SKU-A")
    house.rig.channel.resume_sale(binding, undo)

    assert not sold_in_oslo
    assert house.rig.sellable("SKU-A")


def test_a_forged_notification_is_turned_away(house: TillHouse) -> None:
    house.rig.do("fault", kind="webhook_bad_hmac", count=10)
    house.rig.order("SKU-A", 3)

    house.listen()

    assert house.rows("SELECT count(*) FROM inbox WHERE source = :c", c=CHANNEL) == [(0,)]
    assert house.book("SKU-A") == {"available": 10}


def test_notifications_that_come_twice_late_and_mixed_up_book_once(house: TillHouse) -> None:
    for kind in ("webhook_duplicate", "webhook_reorder"):
        house.rig.do("fault", kind=kind, rate=0.7, seed=3)
    for units in (1, 2, 3):
        house.rig.order("SKU-A", units)
        house.rig.advance(2)

    house.rig.advance(120)
    house.listen()
    house.listen()

    assert house.book("SKU-A") == {"available": 4}
    assert house.rows("SELECT count(*) FROM event WHERE source = :c", c=CHANNEL) == [(6,)]


def test_a_silent_200_is_found_seconds_later_and_repaired(house: TillHouse) -> None:
    house.deliver({"kind": "receipt", "id": "r", "sku": "SKU-A", "location": "OSLO", "units": 40})
    house.drain()
    house.show()
    less = {"kind": "write_off", "sku": "SKU-A", "location": "OSLO", "units": 20, "reason": "wet"}
    house.deliver({"id": "w", **less})
    house.drain()
    house.rig.fault("swallow", sku="SKU-A", count=1)

    house.show()
    assert house.on_shelf("SKU-A") == 50
    assert house.rows("SELECT cause FROM drift WHERE resolved_at IS NULL") == [
        ("swallowed_update",)
    ]
    house.show()

    assert house.on_shelf("SKU-A") == 30
    assert not house.rig.online("SKU-A", 45)
