"""A shop sells without a pause while it is read back: what is on its way is no drift, and stops nothing.

The shop is the simulator behind HTTP, under a clock that is held; the flows are the workers'. Notifications come one to
four seconds late, one in fifty never (the poll finds the order), one order in twenty is cancelled and restocked.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from channels import bindings
from channels.base import Binding, Reading
from channels.shopify import orders, wire
from channels.simulators.clock import Clock
from channels.simulators.serve import Running, start
from ledger import inbox
from ledger.db import transaction
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Database
from tests.workers.shelf import list_skus
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows import early_reads
from workers.flows import reconcile as reconciling
from workers.flows.allocate import allocate
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.reconcile import Terms
from workers.flows.verify import verify
from workers.settings import Settings

ORDERS_A_SECOND = 20
DESK_A_SECOND = 3
STOCK = 30_000
SKUS = tuple(f"LINE-{n:02}" for n in range(40))
PLACES = ("Oslo", "Bergen")


@pytest.fixture(scope="module")
def large_shop() -> Iterator[Running]:
    """A shop on the plan of one that sells so much."""
    running = start("shopify", clock=Clock.held(), bucket_size=20_000, restore_rate=1000)
    yield running
    running.stop()


@pytest.fixture
def rig(large_shop: Running) -> Iterator[ShopifyRig]:
    rig = ShopifyRig(large_shop)
    rig.channel = rig.client(large_shop.facts.token, sizes=orders.SIZES)
    yield rig
    rig.close()


@dataclass
class Day:
    """The shop, the house, and the notifications that are on their way."""

    house: ShopHouse
    dice: random.Random
    terms: Terms
    lane: Lane
    on_their_way: list[tuple[datetime, str, str]] = field(default_factory=list)
    placed: int = 0
    desk: int = 0
    runs: int = 0
    looked: int = 0

    def second(self) -> None:
        """One second of it: buyers, notifications, book, targets, pushes, read-backs."""
        rig = self.house.rig
        rig.advance(1)
        self.buyers()
        self.hear()
        self._desk()
        engine = self.house.database.engine
        allocate(engine, now=rig.now, rise_wait_s=1.0)
        push(self.lane)
        verify(self.lane)

    def buyers(self) -> None:
        rig = self.house.rig
        wanted = [
            {
                # A few sell all the time, most now and then.
                "lines": [
                    {
                        "sku": SKUS[min(39, int(self.dice.expovariate(0.2)))],
                        "units": 1 + self.placed % 3,
                    }
                ],
                "location": self.dice.choice(PLACES),
            }
            for _ in range(ORDERS_A_SECOND)
        ]
        for order in rig.do("orders", orders=wanted)["orders"]:
            assert "refused" not in order
            self.placed += 1
            self._notify(str(order["id"]), "orders/create")
            if self.dice.random() < 0.05:
                rig.do("cancel_order", order=order["id"], restock=True)
                self._notify(str(order["id"]), "orders/cancelled")

    def _notify(self, order: str, topic: str) -> None:
        if self.dice.random() >= 0.02:
            late_s = self.dice.uniform(1, 4)
            at = self.house.rig.now().timestamp() + late_s
            self.on_their_way.append((datetime.fromtimestamp(at).astimezone(), order, topic))

    def hear(self) -> None:
        now = self.house.rig.now()
        come = [each for each in self.on_their_way if each[0] <= now]
        self.on_their_way = [each for each in self.on_their_way if each[0] > now]
        deliveries = []
        for at, order, topic in come:
            body = self.house.rig.document(str(wire.number_of(order)))
            deliveries.append(inbox.Delivery(CHANNEL, f"{topic} {order} {at}", topic, body))
        with transaction(self.house.database.engine) as connection:
            inbox.keep(connection, deliveries, now=now)
        self.house.drain()

    def _desk(self) -> None:
        """Sales elsewhere, from the same stock."""
        now = self.house.rig.now()
        deliveries = []
        for _ in range(DESK_A_SECOND):
            self.desk += 1
            fact = {
                "source": "desk", "kind": "order", "id": f"desk-{self.desk}", "occurred_at": now.isoformat(),
                "sku": self.dice.choice(SKUS), "location": self.dice.choice(PLACES).upper(), "units": 1,
                "channel": "desk", "order": f"d{self.desk}", "line": "1",
            }  # fmt: skip
            deliveries.append(
                inbox.Delivery("desk", str(fact["id"]), "fact", json.dumps(fact).encode())
            )
        with transaction(self.house.database.engine) as connection:
            inbox.keep(connection, deliveries, now=now)

    def window(self) -> None:
        """The orders are polled and everything is read back, as at every window."""
        engine, now = self.house.database.engine, self.house.rig.now
        windows = reconciling.open_windows(engine, now=now(), window_s=self.terms.window_s)
        for channel, window_at in windows.opened:
            self.house.poll()
            report = reconciling.reconcile(
                engine,
                Busy(self),  # type: ignore[arg-type]  # a run only reads
                channel=channel,
                window_at=window_at,
                now=now,
                terms=self.terms,
                hear=self.house.poll,
            )
            assert report.state == "done", report.error
            self.runs += 1

    def early(self) -> None:
        """What the clock looks for every few seconds."""
        engine, now = self.house.database.engine, self.house.rig.now
        for channel in early_reads.waiting(engine, now=now()):
            report = early_reads.go(
                engine,
                self.house.rig.channel,
                channel=channel,
                now=now,
                terms=self.terms,
                hear=self.house.poll,
            )
            self.looked += report.looked


@dataclass
class Busy:
    """The shop, which goes on selling between the poll of its orders and the reading."""

    day: Day
    settle_s: float = 0.0

    def snapshot(self, listed: Sequence[Binding]) -> Iterator[Reading]:
        self.day.house.rig.advance(1)
        self.day.buyers()
        yield from self.day.house.rig.channel.snapshot(listed)


def a_day(rig: ShopifyRig, database: Database, *, window_s: int) -> Day:
    house = a_shop_house(rig, database)
    stock = dict.fromkeys(PLACES, 10)
    rig.do("products", products=[{"variants": [{"sku": sku, "stock": stock}]} for sku in SKUS])
    mapped = {rig.places[place]: place.upper() for place in PLACES}
    listed, at = list(rig.channel.bindings(mapped)), rig.now()
    with transaction(database.engine) as connection:
        list_skus(connection, SKUS)
        bindings.bind(connection, listed, now=at)
        facts = [
            {
                "source": "wms", "kind": "opening", "id": f"{sku}@{place}", "occurred_at": at.isoformat(),
                "sku": sku, "location": place.upper(), "units": STOCK,
            }
            for sku in SKUS
            for place in PLACES
        ]  # fmt: skip
        deliveries = [
            inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(fact).encode())
            for fact in facts
        ]
        inbox.keep(connection, deliveries, now=at)
    house.drain()
    house.show()
    rig.advance(30)
    house.poll()
    keys = iter(range(10**9))
    lane = Lane(
        engine=database.engine,
        client=rig.channel,
        now=rig.now,
        chance=lambda: 0.5,
        new_key=lambda: f"key-{next(keys)}",
        rise_wait_s=1.0,
        verify_after_s=2.0,
    )
    terms = replace(Terms.of(Settings(reconcile_s=window_s)), orders_lag_s=5.0)
    return Day(house, random.Random(7), terms, lane)


def sell(day: Day, seconds: int, each: Callable[[Day, int], None] = lambda day, n: None) -> None:
    for second in range(seconds):
        day.second()
        each(day, second)
        day.window()
        if second % 3 == 2:
            day.early()


def settle(day: Day) -> None:
    """Nobody buys any more; what is on its way arrives."""
    for _ in range(3):
        day.house.rig.advance(10)
        day.hear()
        day.house.poll()
        day.house.drain()
        allocate(day.house.database.engine, now=day.house.rig.now, rise_wait_s=1.0)
        day.house.rig.advance(2)
        push(day.lane)
        verify(day.lane)
        day.early()


def assert_calm(day: Day) -> None:
    rows = day.house.rows
    assert rows("SELECT sku, location, expected, actual, cause, evidence FROM drift") == []
    assert rows("SELECT sku, reason FROM halt") == []
    shown = {
        (sku, place.upper()): day.house.rig.level(sku, place)["available"]
        for sku in SKUS
        for place in PLACES
    }
    available = rows(
        "SELECT sku, location, units FROM balance WHERE state = 'available' AND location IN ('OSLO', 'BERGEN')"
        " AND sku LIKE 'LINE-%'"
    )
    assert {(sku, location): units for sku, location, units in available} == shown


def test_selling_twenty_orders_a_second_is_no_drift(rig: ShopifyRig, database: Database) -> None:
    day = a_day(rig, database, window_s=5)

    sell(day, 15)
    settle(day)

    assert day.placed >= 15 * ORDERS_A_SECOND
    assert day.runs >= 3
    assert day.looked > 0, "nothing was ever ahead of its orders"
    assert_calm(day)


@pytest.mark.battery
@pytest.mark.timeout(3600)
def test_selling_twenty_orders_a_second_for_fifteen_minutes_is_no_drift(
    rig: ShopifyRig, database: Database
) -> None:
    day = a_day(rig, database, window_s=60)

    sell(day, 900)
    settle(day)

    assert day.placed >= 18_000
    assert day.runs >= 15
    assert_calm(day)
