"""How a count comes about: adjustments since the last physical count, in the order in which things happened.

"Square tracks inventory by adding up all adjustments since the last physical count. If a seller has never done a
physical count, Square starts from zero. Because inventory adjustments and physical counts can arrive in any order, each
update needs a client-generated timestamp" (developer.squareup.com/docs/inventory-api/how-it-works). So a count dated
before a sale that is known already has the sale taken off again, and an adjustment dated before the last count changes
nothing.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

Kind = Literal["PHYSICAL_COUNT", "ADJUSTMENT"]
Key = tuple[str, str, str]
"""Variation, location, state."""

UNTRACKED: Final = frozenset({"NONE", "SOLD", "UNLINKED_RETURN", "UNTRACKED"})
"""States without a count: what is in them is no longer, or not yet, in Square's books."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history.

    quantity      counted, or moved; moved is never negative for API callers
    from_, to_    where from and where to; a count has the same place on both sides
    seq           order of arrival; decides between changes of one moment
    occurred_at   when it happened, as the caller says;  created_at: when it arrived
    shown         False for drift, which the history does not know of
    """

    id: str
    kind: Kind
    seq: int
    variation_id: str
    quantity: Decimal
    from_state: str
    from_location: str
    to_state: str
    to_location: str
    occurred_at: datetime
    created_at: datetime
    source: dict[str, str]
    reference_id: str | None = None
    reason_id: dict[str, str] | None = None
    team_member_id: str | None = None
    transaction_id: str | None = None
    refund_id: str | None = None
    total_price: int | None = None
    shown: bool = True

    def touches(self) -> tuple[Key, ...]:
        """The tracked levels it touches, the one before first."""
        before = (self.variation_id, self.from_location, self.from_state)
        after = (self.variation_id, self.to_location, self.to_state)
        found = (before,) if before == after else (before, after)
        return tuple(key for key in found if key[2] not in UNTRACKED)

    def moves_places(self) -> bool:
        return self.kind == "ADJUSTMENT" and self.from_location != self.to_location

    def apply(self, key: Key, quantity: Decimal) -> Decimal:
        """What a level holds after it."""
        if self.kind == "PHYSICAL_COUNT":
            return self.quantity
        if key[1:] == (self.from_location, self.from_state):
            quantity -= self.quantity
        if key[1:] == (self.to_location, self.to_state):
            quantity += self.quantity
        return quantity


def _moment(change: Change) -> tuple[datetime, int]:
    return change.occurred_at, change.seq


@dataclass(slots=True)
class Level:
    """One variation at one location in one state. There is none before something was counted or moved."""

    key: Key
    quantity: Decimal = Decimal(0)
    calculated_at: datetime | None = None
    changes: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        """Put a change in its place in time and count anew."""
        newest = not self.changes or _moment(self.changes[-1]) <= _moment(change)
        insort(self.changes, change, key=_moment)
        self.quantity = (
            change.apply(self.key, self.quantity) if newest else _total(self.key, self.changes)
        )
        if change.shown or self.calculated_at is None:
            self.calculated_at = change.created_at

    def if_added(self, change: Change) -> Decimal:
        """What `add` would make of the quantity."""
        changes = list(self.changes)
        insort(changes, change, key=_moment)
        return _total(self.key, changes)

    def as_of(self, moment: datetime) -> Decimal | None:
        """The quantity of a moment by what is known now; None when nothing had happened by then."""
        known = [change for change in self.changes if change.occurred_at <= moment]
        return _total(self.key, known) if known else None


def _total(key: Key, changes: Sequence[Change]) -> Decimal:
    start = max(
        (at for at, change in enumerate(changes) if change.kind == "PHYSICAL_COUNT"), default=0
    )
    return _sum(key, changes[start:])


def _sum(key: Key, changes: Iterable[Change]) -> Decimal:
    quantity = Decimal(0)
    for change in changes:
        quantity = change.apply(key, quantity)
    return quantity


def decimal_string(quantity: Decimal) -> str:
    """As the vendor writes a quantity: `10`, `2.5`, `-3`."""
    text = format(quantity.normalize(), "f")
    return "0" if text == "-0" else text


def source(product: str, name: str, application_id: str | None = None) -> dict[str, Any]:
    """A SourceApplication."""
    body = {"product": product, "name": name}
    return body if application_id is None else {**body, "application_id": application_id}
