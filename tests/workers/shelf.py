"""A vendor in memory with compare-and-set, and a house with one SKU list in front of it: what push tests stand on."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

from allocation import store
from allocation.document import read
from channels.base import (
    Accepted,
    Binding,
    ChannelOrder,
    Confirmed,
    Known,
    Level,
    NotSent,
    Outcome,
    Reading,
    Refused,
    Rejected,
    Stale,
    Subscription,
    Throttled,
    nothing_known,
)
from tests.builders import may_write
from tests.servers import Clock
from workers.flows.allocate import allocate
from workers.flows.lane import Lane
from workers.flows.push import push

RULES = """\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
"""
HIDING = RULES + "hide_at_zero = true\n"

SHOWN = "SELECT units, number, read_units FROM shown"
LOG = "SELECT sku, units, expected, outcome FROM push ORDER BY id"
HALT = "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at) VALUES ('shop', 'A', 'r', 'ann', :at, :at)"


@dataclass
class Shelf:
    """A channel that keeps its numbers in memory.

    numbers     units shown by SKU; a SKU that is missing shows no number
    failures    errors of the next calls, in order; `after` ones are raised when the call has taken effect,
                `sale_failures` and `sale_after` by the next calls about sale
    swallow     SKUs whose updates are confirmed and forgotten
    refuse      SKUs that are rejected by row
    poison      SKUs that make every call they are part of fail with this error
    untellable  SKUs for which the vendor refuses every read-back they are part of
    sales       SKUs on sale; `stop_sale` takes them out
    during      called inside `push`, before anything takes effect;  reading  called inside `snapshot`
    takes_in    calls of more rows than `direct_rows` are accepted and answered later, by `says`
    says        receipt -> what became of its rows, by SKU; a receipt that is not there is not known yet
    dry_after   rows of a call after which the limit runs out;  tells  readings of a call after which it does
    """

    clock: Clock
    numbers: dict[str, int] = field(default_factory=dict)
    name: str = "shop"
    push_rows: int = 250
    direct_rows: int = 250
    settle_s: float = 0.0
    failures: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    sale_failures: list[Exception] = field(default_factory=list)
    sale_after: list[Exception] = field(default_factory=list)
    swallow: set[str] = field(default_factory=set)
    refuse: set[str] = field(default_factory=set)
    poison: dict[str, Exception] = field(default_factory=dict)
    untellable: set[str] = field(default_factory=set)
    off_sale: dict[str, str] = field(default_factory=dict)
    calls: list[dict[str, tuple[int, int | None]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    reads: list[list[str]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    during: Callable[[Sequence[Level]], None] = lambda levels: None
    reading: Callable[[], None] = lambda: None
    takes_in: bool = False
    says: dict[str, dict[str, type[Confirmed] | type[Rejected] | type[NotSent]]] = field(
        default_factory=dict
    )
    dry_after: int | None = None
    tells: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def vendor_time(self) -> datetime | None:
        return self.clock.now

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        self.during(levels)
        with self.lock:
            self.calls.append({lv.binding.sku: (lv.units, lv.expected) for lv in levels})
            self.keys.append(key)
            if self.failures:
                raise self.failures.pop(0)
            for level in levels:
                if level.binding.sku in self.poison:
                    raise self.poison[level.binding.sku]
            if self.takes_in and len(levels) > self.direct_rows:
                return [Accepted(level, f"receipt-{len(self.calls)}") for level in levels]
            outcomes = [
                NotSent(level, 2.0)
                if self.dry_after is not None and place >= self.dry_after
                else self._take(level)
                for place, level in enumerate(levels)
            ]
            if self.after:
                raise self.after.pop(0)
            return outcomes

    def _take(self, level: Level) -> Outcome:
        sku = level.binding.sku
        if sku in self.refuse:
            return Rejected(level, "INVALID_INVENTORY_ITEM", "The item could not be found.")
        if level.expected is not None and self.numbers.get(sku) != level.expected:
            return Stale(level)
        if sku not in self.swallow:
            self.numbers[sku] = level.units
        self.log.append(f"show {sku} {level.units}")
        return Confirmed(level)

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        if self.failures:
            raise self.failures.pop(0)
        said = self.says.get(receipt)
        return None if said is None else [self._said(level, said) for level in levels]

    def _said(
        self, level: Level, said: Mapping[str, type[Confirmed] | type[Rejected] | type[NotSent]]
    ) -> Outcome:
        outcome = said[level.binding.sku]
        if outcome is NotSent:
            return NotSent(level, 1.0)
        return Rejected(level, "8541", "no such SKU") if outcome is Rejected else self._take(level)

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        with self.lock:
            self.reads.append([binding.sku for binding in bindings])
            self.reading()
            if self.failures:
                raise self.failures.pop(0)
            if any(binding.sku in self.untellable for binding in bindings):
                raise Refused("no such item", code="INVALID")
            for place, binding in enumerate(bindings):
                if place == self.tells:
                    raise Throttled("429", retry_after_s=2.0)
                units = self.numbers.get(binding.sku)
                yield Reading(binding, units, None, None, self.clock.now)

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        if self.sale_failures:
            raise self.sale_failures.pop(0)
        before = self.sale_state(binding)
        self.log.append(f"stop {binding.sku}")
        self.off_sale[binding.sku] = "CONTINUE"
        if self.sale_after:
            raise self.sale_after.pop(0)
        return before

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        return {"policy": "DENY" if binding.sku in self.off_sale else "CONTINUE"}

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        if self.sale_failures:
            raise self.sale_failures.pop(0)
        self.log.append(f"resume {binding.sku} {undo['policy']}")
        del self.off_sale[binding.sku]

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        return iter(())

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        return iter(())

    def subscriptions(self) -> list[Subscription]:
        return []

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        return []


@dataclass
class House:
    """A database with rules, listings and stock, and a lane to the shelf."""

    engine: Engine
    clock: Clock
    shelf: Shelf
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def lane(self) -> Lane:
        return Lane(
            engine=self.engine,
            client=self.shelf,
            now=lambda: self.clock.now,
            chance=lambda: 0.5,
            new_key=lambda: f"key-{next(self.numbers)}",
            rise_wait_s=1.0,
            verify_after_s=2.0,
        )

    def stock(self, **units: int) -> None:
        """Book a new number of available units and mark the SKUs due, as the ledger does: in one transaction."""
        with self.engine.begin() as connection:
            write_stock(connection, self.clock.now, units)

    def allocate(self) -> set[str]:
        return allocate(self.engine, now=lambda: self.clock.now, rise_wait_s=1.0)

    def set(self, **units: int) -> None:
        """New stock, and the targets that follow from it."""
        self.stock(**units)
        self.allocate()

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def queue(self) -> dict[str, tuple[int, bool, int]]:
        """Priority, parked and attempts by SKU."""
        found = self.rows("SELECT sku, priority, parked, attempts FROM push_due ORDER BY sku")
        return {sku: (priority, parked, attempts) for sku, priority, parked, attempts in found}

    def later(self, seconds: float) -> datetime:
        return self.clock.now + timedelta(seconds=seconds)


def a_house(
    engine: Engine, clock: Clock, *skus: str, rules: str = RULES, shown: int | None = 0
) -> House:
    """A house whose channel lists `skus`; the vendor shows `shown` of each (None: nothing); no SKU is due."""
    shelf = Shelf(clock, {} if shown is None else dict.fromkeys(skus, shown))
    house = House(engine, clock, shelf)
    with engine.begin() as connection:
        list_skus(connection, skus)
        apply(connection, rules, clock.now)
        connection.execute(text("DELETE FROM due"))
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
                SELECT c.channel, s.sku, 'WH', 'item-' || s.sku, 'gid://1' FROM sku s CROSS JOIN channel c
            """)
        )
    return house


def settled(house: House) -> House:
    """A, B and C are shown as they should be: 10 each."""
    house.set(A=10, B=10, C=10)
    push(house.lane)
    house.shelf.calls.clear()
    house.shelf.log.clear()
    house.clock.advance(1)
    return house


def list_skus(connection: Connection, skus: Iterable[str]) -> None:
    connection.execute(
        text("INSERT INTO sku (sku) SELECT unnest(CAST(:skus AS text[]))"), {"skus": list(skus)}
    )


def apply(connection: Connection, rules: str, now: datetime) -> int:
    version = store.apply_rules(connection, rules, read(rules), "ann", "test", now)
    may_write(connection)
    return version


def write_stock(connection: Connection, now: datetime, units: Mapping[str, int]) -> None:
    values = {"skus": list(units), "units": list(units.values()), "now": now}
    connection.execute(
        text("""
            INSERT INTO balance AS b (sku, location, state, units, version)
            SELECT sku, 'WH', 'available', units, 1
            FROM unnest(CAST(:skus AS text[]), CAST(:units AS bigint[])) AS given (sku, units) ORDER BY sku
            ON CONFLICT (sku, location, state) DO UPDATE SET units = excluded.units, version = b.version + 1
        """),
        values,
    )
    connection.execute(
        text("""
            INSERT INTO due (sku, since) SELECT sku, :now FROM (
                SELECT unnest(CAST(:skus AS text[])) AS sku
                UNION SELECT sku FROM bundle WHERE component = ANY(CAST(:skus AS text[]))
            ) AS moved ORDER BY sku
            ON CONFLICT (sku) DO UPDATE SET since = least(due.since, excluded.since)
        """),
        values,
    )
