"""Three channels that divide one warehouse by percents, with the book, the allocator and the look at weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from allocation.document import read
from allocation.fit import WEEK
from tests.builders import a_fact, book, stock_the_house
from tests.servers import Clock
from workers.flows import drafts
from workers.flows.allocate import allocate

#: The Monday on which the story begins.
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = {"web": 60, "market": 25, "wholesale": 15}

CHANNEL = """\
[channels.{name}]
kind = "shopify"
base_url = "https://{name}.example"
locations = ["WH"]
vendor_locations = {{ "gid://{name}" = "WH" }}
percent = {percent}
why = "its part of what we sell"
"""


def rule_text(percents: Mapping[str, object]) -> str:
    """A rule file with a channel for each percent."""
    channels = (CHANNEL.format(name=name, percent=each) for name, each in percents.items())
    return "[locations.WH]\n" + "".join(channels)


@dataclass
class Trade:
    """The house, at the time of its clock; its story begins on a Monday."""

    engine: Engine
    clock: Clock
    monday: datetime = MONDAY
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def apply(self, percents: Mapping[str, object]) -> None:
        """What a person does with a rule file."""
        source = rule_text(percents)
        drafts.put_in_force(self.engine, source, read(source), "ann", "test", self.clock.now)
        self.run("UPDATE channel SET writes = true")
        self.allocate()

    def receive(self, units: int, sku: str = "MUG") -> None:
        """Units come in."""
        self.book("receipt", sku, units=units)

    def sell(self, channel: str, units: int, sku: str = "MUG") -> str:
        """An order of one line; its number."""
        order = f"o{next(self.numbers)}"
        self.book("order", sku, units=units, channel=channel, order=order)
        return order

    def book(self, kind: str, sku: str, **said: Any) -> None:
        """A fact of this moment goes through the inbox and the drain, and its numbers are computed."""
        place = {} if kind in {"order_cancel", "reversal"} else {"sku": sku, "location": "WH"}
        said = {"id": f"{kind}:{next(self.numbers)}", "occurred_at": self.clock.now} | place | said
        fact = a_fact(kind, **said)
        book(self.engine, fact, now=self.clock.now)
        self.allocate()

    def allocate(self) -> None:
        allocate(self.engine, now=lambda: self.clock.now, rise_wait_s=0)

    def shows(self, sku: str = "MUG") -> dict[str, int]:
        """What each channel should show."""
        rows = self.rows("SELECT channel, units FROM target WHERE sku = :sku", sku=sku)
        return dict(rows)

    def at(self, week: int, hours: float = 0.0) -> None:
        """Go to a moment of a week, the first of which is 0."""
        self.clock.now = self.monday + week * WEEK
        self.clock.advance(hours * 3600)

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]


def a_trade(engine: Engine, clock: Clock, *skus: str, monday: datetime = MONDAY) -> Trade:
    """SKUs listed on every channel, rules in force from the Sunday before the story begins."""
    trade = Trade(engine, clock, monday)
    trade.at(0, hours=-12)
    skus = skus or ("MUG",)
    stock_the_house(engine, skus, ("WH",))
    trade.apply(FIRST)
    trade.run("""
        INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
        SELECT c.channel, s.sku, 'WH', 'item-' || s.sku, 'gid://' || c.channel FROM sku s CROSS JOIN channel c
    """)
    return trade
