"""A store whose sheets are filled by a test: what is on its shelves, and how a sheet goes into the book."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from allocation import alarms
from allocation.alarms import Alarm
from ledger.db import transaction
from reconcile import count_orders
from reconcile.count_orders import Open
from reconcile.counting.file import read
from reconcile.counting.types import Terms
from tests.builders import NOON, a_fact, a_house, book, stock_the_house
from tests.servers import Database
from workers.flows import counts
from workers.flows.count_sheets import Submitted, name_of, submit

DAY = timedelta(days=1)


@dataclass
class Store:
    """A house with one store; `now` is its clock."""

    engine: Engine
    now: datetime = NOON
    terms: Terms = field(default_factory=Terms)
    number: int = 0

    def receive(self, units: int, *skus: str, location: str = "OSLO") -> None:
        """The same units of each come in now."""
        self.say(*(("receipt", {"sku": sku, "location": location, "units": units}) for sku in skus))

    def sell(self, units: int, sku: str = "MUG-RED", location: str = "OSLO") -> None:
        self.say(("ship", {"sku": sku, "location": location, "units": units, "channel": "till"}))

    def say(self, *said: tuple[str, Mapping[str, Any]]) -> None:
        """Book these facts as of now."""
        facts = []
        for kind, more in said:
            self.number += 1
            name = f"{kind}:{self.number}"
            facts.append(a_fact(kind, **{"id": name, "occurred_at": self.now, **more}))
        book(self.engine, *facts, now=self.now)

    def submit(
        self,
        *rows: tuple[object, ...],
        columns: Sequence[str] = ("sku", "location", "counted", "reason"),
        at: datetime | None = None,
        reason: str = "",
    ) -> Submitted:
        """Hand in a sheet of these rows."""
        content = sheet(columns, rows)
        return submit(
            a_house(self.engine),
            read(content),
            name=name_of(content.encode(), at or self.now),
            at=at,
            by="ann",
            terms=self.terms,
            now=lambda: self.now,
            reason=reason,
        )

    def look(self) -> list[str]:
        """Look at what was booked; the alarms that are new."""
        raised = counts.look(self.engine, self.terms, now=self.now)
        return [f"{each.rule} {each.what}" for each in raised]

    def alarms(self) -> dict[str, Alarm]:
        """Alarms that are on, by rule and object."""
        with transaction(self.engine) as connection:
            return {f"{a.rule} {a.object}": a for a in alarms.open_alarms(connection)}

    def orders(self) -> list[Open]:
        with transaction(self.engine) as connection:
            return list(count_orders.open_orders(connection))

    def ordered(self) -> list[tuple[str, str]]:
        """Rule and SKU of the recounts that are open."""
        return [(order.rule, order.sku) for order in self.orders()]

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def waits(self) -> bool:
        with transaction(self.engine) as connection:
            return counts.waits(connection, self.now)


def sheet(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """A filled sheet as text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [columns, *(row + ("",) * (len(columns) - len(row)) for row in rows)]
    )
    return out.getvalue()


def a_store(database: Database, *skus: str) -> Store:
    """A store of these SKUs, with nothing on its shelves."""
    stock_the_house(database.engine, skus or ("MUG-RED", "MUG-BLUE"))
    return Store(database.engine)
