"""Orders of Amazon as facts of the ledger.

Theory. Both the notification and the order API tell an order as it stands. A line says how many units were ordered
and how many have left; whether the others are still to be shipped follows from the order's status, because a cancelled
order keeps its quantities. Of each snapshot we book, per line,

    Order   units = shipped + still to be shipped, revision = the time of the change
    Ship    one for each unit that has left: the first, the second, ...

The newest snapshot decides the units, an older one posts nothing. The n-th shipped unit is the same fact in whatever
document says that n or more have left, so that what has left is the most that anybody said. Committed is then
shipped + open - shipped = open, in whatever order the documents come, late, twice or not at all.

PENDING takes the units at once: Amazon has taken them off the offer already. CANCELLED gives back what has not left,
by a snapshot like any other: a document that comes late cannot bring a cancelled line back.

A notification does not say which of several lines a partial cancel took; it only counts what is unshipped in all.
Where that leaves a doubt, the line is booked as it was when it was placed: whoever knows better has a newer revision,
and the order API, which tells every line, is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from channels.amazon.wire import FBA, MERCHANT
from channels.names import Names, Part, Unmapped
from ledger.events import AnyFact, Order, Ship

#: Units of one line that are booked one by one; no order of a buyer comes near it.
MOST_SHIPPED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order as one document tells it, in Amazon's units.

    open_units    still to be shipped; None where the document leaves that in doubt
    location      the vendor's: FBA, DEFAULT or a supply source
    """

    item: str
    sku: str
    ordered: int
    shipped: int
    open_units: int | None
    location: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An order as one document tells it; lines without a SKU of the seller are services and not among them."""

    order: str
    placed_at: datetime
    changed_at: datetime
    lines: tuple[Line, ...]

    @property
    def is_in_doubt(self) -> bool:
        """Some line may have lost units to a cancel that the document does not place."""
        return any(line.open_units is None for line in self.lines)

    @property
    def mentioned(self) -> frozenset[str]:
        """The SKUs and vendor locations that booking asks `Names` for."""
        return frozenset(line.sku for line in self.lines) | frozenset(
            line.location for line in self.lines
        )


def facts(snapshot: Snapshot, *, source: str, channel: str, names: Names) -> list[AnyFact]:
    """What the order says about stock. Raises Unmapped with everything that has no name of ours yet."""
    placed = {line.item: _place(line.location, names) for line in snapshot.lines}
    unknown = {line.sku: line.sku for line in snapshot.lines if not names.parts(line.sku)}
    nowhere = frozenset(line.location for line in snapshot.lines if not placed[line.item])
    if unknown or nowhere:
        raise Unmapped(channel=channel, variants=unknown, locations=nowhere)
    booked: list[AnyFact] = []
    for line in snapshot.lines:
        for part, suffix in names.marked(line.sku):
            one = _Part(snapshot, line, part, suffix, source, channel)
            booked.append(one.order(placed[line.item]))
            booked.extend(one.ships())
    return booked


def still_open(lines: Sequence[tuple[int, int]], told: int | None) -> list[int | None]:
    """Units still to be shipped per line of an order that is not at its end.

    lines    (ordered, shipped) of each;  told  unshipped units of the whole order, None where it does not say
    """
    most = [max(0, ordered - shipped) for ordered, shipped in lines]
    if told is None or told >= sum(most):
        return list(most)
    with_some = [place for place, units in enumerate(most) if units]
    if len(with_some) == 1:
        return [max(0, told) if units else 0 for units in most]
    # Fewer are unshipped than the lines have left: a cancel took some, and nobody says where, unless it took all.
    return [0 if told <= 0 or units == 0 else None for units in most]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one line takes of one SKU of ours."""

    snapshot: Snapshot
    line: Line
    part: Part
    suffix: str
    source: str
    channel: str

    def order(self, location: str) -> Order:
        line, snapshot = self.line, self.snapshot
        in_doubt = line.open_units is None
        revision = (snapshot.placed_at if in_doubt else snapshot.changed_at).astimezone(UTC)
        units = line.ordered if line.open_units is None else line.shipped + line.open_units
        # Of two documents of one moment, the one that knows the place is news.
        at = "" if line.location in (FBA, MERCHANT) else f"@{line.location}"
        return Order(
            source=self.source,
            id=f"order:{snapshot.order}:{line.item}:{revision.isoformat()}{at}{self.suffix}",
            channel=self.channel,
            order=snapshot.order,
            line=f"{line.item}{self.suffix}",
            sku=self.part.sku,
            location=location,
            # The order API knows no supply sources, and a notification only where the seller has some.
            location_is_guess=line.location == MERCHANT,
            units=units * self.part.units,
            revision=revision,
            occurred_at=snapshot.placed_at,
        )

    def ships(self) -> Iterator[Ship]:
        for number in range(1, self.line.shipped + 1):
            yield Ship(
                source=self.source,
                id=f"ship:{self.snapshot.order}:{self.line.item}:{number}{self.suffix}",
                channel=self.channel,
                order=self.snapshot.order,
                line=f"{self.line.item}{self.suffix}",
                units=self.part.units,
                occurred_at=self.snapshot.changed_at,
            )


def _place(vendor_location: str, names: Names) -> str:
    """Ours for where a line is served; only what the seller ships has a usual place."""
    known = names.locations.get(vendor_location)
    if known is None and vendor_location == MERCHANT:
        return names.default_location
    return known or ""


def location_of(*, by_amazon: bool, supply_source: str = "") -> str:
    """The vendor's location that serves a line."""
    return FBA if by_amazon else supply_source or MERCHANT
