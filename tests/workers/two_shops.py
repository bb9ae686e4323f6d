"""A house with two shops in memory that sell the same few units, each SKU scarce from the first unit on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from channels.base import Unavailable
from tests.builders import a_fact, deliver
from tests.builders import a_house as an_inbox_house
from tests.servers import Clock, Database
from tests.workers.shelf import Shelf, apply
from workers.flows.allocate import allocate
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.sweep import sweep
from workers.flows.verify import verify

SHOPS = ("shop", "mall")
_SHOP = """
[channels.{name}]
kind = "shopify"
base_url = "https://{name}.example"
account = "{name}"
locations = ["WH"]
vendor_locations = {{ "gid://1" = "WH" }}
"""
#: Sold so fast that a buffer is some 23 units: below 46 there are quotas.
RULES = (
    '[locations.WH]\n[exposure]\nper_day = 20000\nwhy = "a busy day"\n'
    + _SHOP.format(name="shop")
    + _SHOP.format(name="mall")
)


@dataclass
class TwoShops:
    """Both shops list every SKU; what they sold waits in `unheard` until it is heard."""

    database: Database
    clock: Clock
    shelves: dict[str, Shelf] = field(default_factory=dict)
    unheard: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.shelves = {name: Shelf(self.clock, name=name) for name in SHOPS}
        self.unheard = {name: [] for name in SHOPS}
        with self.database.engine.begin() as connection:
            apply(connection, RULES, self.clock.now)

    def apply(self, more: str) -> None:
        """Put the rules in force with something added."""
        with self.database.engine.begin() as connection:
            apply(connection, RULES + more, self.clock.now)

    def lane(self, shop: str) -> Lane:
        return Lane(
            engine=self.database.engine,
            client=self.shelves[shop],
            now=lambda: self.clock.now,
            chance=lambda: 0.0,
            new_key=lambda: f"key-{next(self.numbers)}",
            rise_wait_s=1.0,
            verify_after_s=2.0,
        )

    def open(self, sku: str, units: int) -> None:
        """Put units of a new SKU on the shelf and let both shops show their quotas."""
        self.stock_up(sku, units)
        self.calculate()
        for shop in SHOPS:
            self.push(shop)

    def stock_up(self, sku: str, units: int) -> None:
        """Put units of a new SKU on the shelf and list it in both shops."""
        self.stock[sku] = units
        with self.database.engine.begin() as connection:
            connection.execute(text("INSERT INTO sku (sku) VALUES (:sku)"), {"sku": sku})
            connection.execute(
                text("""
                    INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
                    SELECT channel, :sku, 'WH', 'item-' || :sku, 'gid://1' FROM channel
                """),
                {"sku": sku},
            )
        for shelf in self.shelves.values():
            shelf.numbers[sku] = 0
        if units:
            self._deliver(a_fact("receipt", sku=sku, location="WH", units=units))

    def settle(self, seconds: float = 0.0) -> None:
        """Nothing happens for a while; then all that waits is done, a few times over."""
        self.clock.advance(seconds)
        for _ in range(4):
            sweep(self.database.engine, now=self.clock.now)
            self.calculate()
            for shop in SHOPS:
                self.push(shop)

    def take(self, sku: str, units: int) -> None:
        """Units are gone: broken."""
        self.stock[sku] -= units
        self._deliver(a_fact("write_off", sku=sku, location="WH", units=units))

    def bring(self, sku: str, units: int) -> None:
        """Units come in."""
        self.stock[sku] += units
        self._deliver(a_fact("receipt", sku=sku, location="WH", units=units))

    def sell(self, shop: str, sku: str, units: int) -> int:
        """As many as the shop shows; the book hears of it later."""
        shelf = self.shelves[shop]
        sold = min(units, shelf.numbers[sku])
        if sold:
            shelf.numbers[sku] -= sold
            self.stock[sku] -= sold
            name = str(next(self.numbers))
            fact = a_fact("order", order=name, sku=sku, location="WH", units=sold, channel=shop)
            self.unheard[shop].append(fact | {"occurred_at": self.clock.now.isoformat()})
        return sold

    def order(self, shop: str, name: str, lines: dict[str, tuple[str, int]]) -> None:
        """An order is heard at once: line -> SKU and units."""
        for line, (sku, units) in lines.items():
            self.stock[sku] -= units
            fact = a_fact("order", order=name, line=line, sku=sku, location="WH", units=units)
            self._deliver(fact | {"channel": shop, "occurred_at": self.clock.now.isoformat()})

    def hear(self, shop: str) -> None:
        """The oldest sale reaches the book."""
        if self.unheard[shop]:
            self._deliver(self.unheard[shop].pop(0))

    def calculate(self) -> None:
        allocate(self.database.engine, now=lambda: self.clock.now, rise_wait_s=1.0)

    def push(self, shop: str, *, lost: bool = False, cut: bool = False) -> None:
        """lost: the call never arrives; cut: it does, and its answer is lost."""
        self.clock.advance(3)
        shelf = self.shelves[shop]
        if lost:
            shelf.failures.append(Unavailable("connection refused"))
        if cut:
            shelf.after.append(Unavailable("connection reset"))
        push(self.lane(shop))
        shelf.failures.clear()
        shelf.after.clear()

    def verify(self, shop: str) -> None:
        self.clock.advance(3)
        verify(self.lane(shop))

    def shown(self, sku: str) -> dict[str, int]:
        return {name: shelf.numbers[sku] for name, shelf in self.shelves.items()}

    def holds(self, sku: str) -> bool:
        return sum(self.shown(sku).values()) <= self.stock[sku]

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def _deliver(self, fact: dict[str, Any]) -> None:
        fact |= {"id": f"{fact['kind']}:{next(self.numbers)}"}
        if fact["kind"] != "order":
            fact |= {"occurred_at": self.clock.now.isoformat()}
        deliver(self.database.engine, fact, now=self.clock.now)
        done = drain(an_inbox_house(self.database.engine), now=self.clock.now)
        assert not done.parked
