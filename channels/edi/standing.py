"""An order as it stands between a partner and us: what was asked for, what we promised, what has gone and been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from channels.edi.documents import Party, ProductId
from channels.edi.promise import Promise, Wanted
from channels.names import Part


@dataclass(frozen=True, slots=True)
class StandingLine:
    """A line of an order, or one store's part of it. Quantities are in its own unit of measure.

    line           the buyer's number of it; its place in the first order where the buyer gave none
    store          the buyer's store (SDQ); "" where the line is not split
    item           the partner's number that we know it by, "" for none
    parts          what one of the measure takes from our stock
    noticed        told in ship notices
    shipped        gone by the ledger, in whole numbers of the measure
    is_whole       whether that is all that has gone of it
    promised_for   when the backordered rest is promised
    """

    line: str
    store: str
    place: int
    item: str
    products: tuple[ProductId, ...]
    parts: tuple[Part, ...]
    measure: str
    price: Decimal | None = None
    ordered: int = 0
    accepted: int = 0
    backordered: int = 0
    rejected: int = 0
    noticed: int = 0
    shipped: int = 0
    is_whole: bool = True
    promised_for: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(line, store)."""
        return self.line, self.store

    def wants(self, quantity: int) -> Wanted:
        """The line asked for in another quantity."""
        return Wanted(self.line, self.store, quantity, self.parts, self.accepted, self.shipped)

    def after(self, promise: Promise, promised_for: date) -> StandingLine:
        """The line once a promise was made for it; a day that was told for the rest stays."""
        return replace(
            self,
            ordered=promise.ordered,
            accepted=promise.accepted,
            backordered=promise.backordered,
            rejected=promise.rejected,
            promised_for=(self.promised_for or promised_for) if promise.backordered else None,
        )

    def with_shipped(self, units: Mapping[str, int]) -> StandingLine:
        """The line with what the ledger shipped of it: as many of its measure as have gone whole.

        units    shipped, by the ledger's line
        """
        gone = [(units.get(name, 0), part.units) for name, part in self.ledger_lines()]
        shipped = max(0, min((count // of_one for count, of_one in gone), default=0))
        is_whole = all(count == shipped * of_one for count, of_one in gone)
        return replace(self, shipped=shipped, is_whole=is_whole)

    def ledger_lines(self) -> list[tuple[str, Part]]:
        """The ledger's lines of it: one a SKU; a bundle's carry the SKU in their name."""
        name = f"{self.line}@{self.store}" if self.store else self.line
        if len(self.parts) == 1:
            return [(name, self.parts[0])]
        return [(f"{name}#{part.sku}", part) for part in self.parts]


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as it stands.

    location        ours, that serves it
    document_id     the 850 it came with
    changes_seen    BCH05 of the newest change that was applied
    revision        time of the newest promise
    """

    number: str
    release: str
    kind: str
    day: date
    location: str
    document_id: int
    content_hash: str
    ordered_at: datetime
    revision: datetime
    parties: tuple[Party, ...] = ()
    changes_seen: int = 0
    is_cancelled: bool = False
    lines: tuple[StandingLine, ...] = ()

    @property
    def order_id(self) -> str:
        """The ledger's name of the order."""
        return order_id(self.number, self.release)

    def line(self, key: tuple[str, str]) -> StandingLine | None:
        """The line of this (line, store)."""
        return next((each for each in self.lines if each.key == key), None)

    def by_key(self) -> dict[tuple[str, str], StandingLine]:
        """Its lines by (line, store), for who looks many of them up."""
        return {each.key: each for each in self.lines}

    def by_number(self) -> dict[str, list[StandingLine]]:
        """Its lines by their number: one, or one a store."""
        found: dict[str, list[StandingLine]] = {}
        for each in self.lines:
            found.setdefault(each.line, []).append(each)
        return found

    def with_lines(self, changed: tuple[StandingLine, ...]) -> Standing:
        """The order with these lines put in or added, in their places."""
        merged = {each.key: each for each in (*self.lines, *changed)}
        return replace(self, lines=tuple(sorted(merged.values(), key=lambda each: each.place)))


def order_id(number: str, release: str) -> str:
    """The ledger's name of a purchase order: its number, and the release of a blanket order."""
    return f"{number}/{release}" if release else number
