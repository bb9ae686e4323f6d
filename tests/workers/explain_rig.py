"""A house whose stock comes through the drain, and the question why a number is what it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.builders import a_fact, book
from tests.workers.shelf import House
from workers.flows.explain import Explanation, explain


@dataclass
class Desk:
    """A house whose stock comes through the drain, and the question."""

    house: House
    facts: int = 0

    def book(self, kind: str, units: int | None = None, sku: str = "A", **more: Any) -> None:
        """Book a fact of this minute; a minute later it is computed with."""
        self.facts += 1
        said = {"id": f"{kind}:{self.facts}", "occurred_at": self.house.clock.now} | more
        if kind != "reversal":
            said |= {"sku": sku, "location": "WH", "units": units, **more}
        if kind == "order":
            said |= {"order": str(self.facts), "channel": "shop"}
        done = book(self.house.engine, a_fact(kind, **said), now=self.house.clock.now)
        assert done.applied == 1
        self.house.clock.advance(60)

    def allocate(self) -> datetime:
        """Compute what is due; the moment it was done, and a minute later."""
        at = self.house.clock.now
        self.house.allocate()
        self.house.clock.advance(60)
        return at

    def contents(self) -> dict[str, tuple[int, int]]:
        """Of each table that was ever written: how many rows, and the newest transaction that wrote one."""
        names = [
            row[0]
            for row in self.house.rows(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        ]
        found = {}
        for name in sorted(names):
            asked = f"SELECT count(*), max(xmin::text::bigint) FROM {name}"  # noqa: S608 -- a table of ours
            ((rows, newest),) = self.house.rows(asked)
            found[name] = rows, newest or 0
        return found

    def explain(self, at: datetime | None = None, **more: Any) -> Explanation:
        found = explain(self.house.engine, "A", "shop", at=at, **more)
        assert found.adds_up
        assert found.explained is not None
        assert found.kept is not None
        assert sum(term.units for term in found.explained.terms) == found.kept.units
        return found


def kinds(found: Explanation) -> dict[str, tuple[int, int]]:
    (account,) = found.accounts
    return {moved.kind: (moved.units, moved.events) for moved in account.kinds}


def terms(found: Explanation) -> dict[str, int]:
    assert found.explained is not None
    return {term.name: term.units for term in found.explained.terms}
