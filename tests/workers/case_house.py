"""A house whose shops sell more than there is: what tests of oversold lines stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from allocation.plays import Response
from channels.base import HoldsOrders, Refused
from channels.registry import LANES
from ledger.db import transaction
from reconcile.oversold import store
from reconcile.oversold.types import Case
from tests.builders import a_fact, book, stock_the_house
from tests.servers import Clock
from tests.workers.shelf import apply
from workers.flows import case_steps, cases
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE, Acted, Outside
from workers.flows.cases import Looked, Means

SHOPS = """\
[locations.OSLO]
[locations.BERGEN]
[tags]
limited = ["MUG-BLUE"]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["OSLO", "BERGEN"]
show_at = "OSLO"
cost_oversell = 12
margin = 3
vendor_locations = { "gid://1" = "OSLO" }
why = "as accounted"
[channels.till]
kind = "square"
base_url = "https://till.example"
locations = ["OSLO"]
vendor_locations = { "L1" = "OSLO" }
"""
HOLDING = (
    SHOPS + '[[playbook]]\nchannel = "shop"\nresponse = "hold"\nwhy = "a receipt may be late"\n'
)


class Shop:
    """A shop that holds orders in memory; `failures` are raised by the next calls, `after` when they took effect."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.after: list[Exception] = []

    def hold_order(self, order: str, line: str, *, key: str, note: str) -> dict[str, str]:
        self.calls.append(f"hold {order}/{line} {key}")
        if self.failures:
            raise self.failures.pop(0)
        self.held[key] = order
        if self.after:
            raise self.after.pop(0)
        return {"hold": f"work of {order}"}

    def release_order(self, order: str, *, key: str) -> None:
        self.calls.append(f"release {order} {key}")
        if self.failures:
            raise self.failures.pop(0)
        self.held.pop(key, None)


@dataclass
class CaseHouse:
    """The house; nothing is looked at or done before the test says so."""

    engine: Engine
    clock: Clock
    shop: Shop = field(default_factory=Shop)
    means: Means = field(default_factory=lambda: Means(LANES, ("slack",)))

    @property
    def outside(self) -> Outside:
        return Outside(holder=self._holder, sender="service@shop.example")

    def _holder(self, channel: str) -> HoldsOrders:
        if channel != "shop":
            raise Refused(f"{channel} holds no orders", code="NO_HOLDS")
        return self.shop

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    def fact(self, kind: str, **said: Any) -> None:
        """Book a fact of now; of an order by `order`, `channel` and `at_s` seconds from now."""
        at = self.clock.now + timedelta(seconds=said.pop("at_s", 0))
        name = said.pop(
            "id", f"{kind}:{said.get('order', '')}:{at.isoformat()}:{len(said)}:{self.count()}"
        )
        book(self.engine, a_fact(kind, id=name, occurred_at=at, **said), now=self.clock.now)

    def count(self) -> int:
        return int(self.rows("SELECT count(*) FROM event")[0][0])

    def order(self, order: str, channel: str = "shop", units: int = 1, **said: Any) -> None:
        self.fact("order", order=order, channel=channel, units=units, **said)

    def stock(self, units: int, location: str = "OSLO", sku: str = "MUG-RED") -> None:
        self.fact("receipt", units=units, location=location, sku=sku)

    def look(self, after_s: float = 0.0) -> Looked:
        if after_s:
            self.clock.advance(after_s)
        return cases.look(self.engine, self.means, now=self.clock.now)

    def act(self, **more: Any) -> Acted:
        return case_steps.act(
            self.engine, more.pop("outside", self.outside), now=lambda: self.clock.now,
            kinds=more.pop("kinds", (*AT_CHANNEL, *ELSEWHERE)), **more,
        )  # fmt: skip

    def cases(self, *, all_: bool = True) -> list[Case]:
        with transaction(self.engine) as connection:
            return sorted(store.cases(connection, all_=all_), key=lambda case: case.id)

    def states(self) -> dict[str, str]:
        """order -> state of its case."""
        return {case.order_id: case.state for case in self.cases()}

    def steps(self) -> dict[str, str]:
        """kind -> state of the steps that were not dropped."""
        found = self.rows(
            "SELECT kind, state FROM case_step WHERE state <> 'dropped' ORDER BY position"
        )
        return dict(found)

    def alarms(self) -> list[str]:
        found = self.rows(
            "SELECT object FROM alarm WHERE rule = 'oversold.line' AND resolved_at IS NULL ORDER BY id"
        )
        return [what for (what,) in found]

    def trail(self) -> list[str]:
        return [
            action
            for (action,) in self.rows(
                "SELECT action FROM audit WHERE action LIKE 'case.%' ORDER BY id"
            )
        ]

    def rules(self, source: str) -> None:
        with self.engine.begin() as connection:
            apply(connection, source, self.clock.now)


def a_case_house(engine: Engine, clock: Clock, rules: str = SHOPS, stock: int = 1) -> CaseHouse:
    """Two shops, two SKUs, `stock` units of MUG-RED in Oslo."""
    stock_the_house(engine)
    house = CaseHouse(engine, clock)
    house.rules(rules)
    if stock:
        house.stock(stock)
    house.look()
    clock.advance(1)
    return house


def oversold(engine: Engine, clock: Clock, response: str = "") -> CaseHouse:
    """A house in which order 2 was accepted for nothing; `response` is chosen for it."""
    house = a_case_house(engine, clock)
    house.order("1")
    house.order("2", at_s=1)
    house.look(2)
    if response:
        choose(house, response)
    return house


def choose(house: CaseHouse, response: str, case_id: int = 1, by: str = "ann") -> None:
    cases.choose(
        house.engine, house.means, case_id, Response(response), by=by, reason="asked", now=house.clock.now
    )  # fmt: skip


def close(house: CaseHouse, *, keep_hold: bool = False) -> bool:
    return cases.close(
        house.engine, 1, by="ann", reason="settled", keep_hold=keep_hold, now=house.clock.now
    )
