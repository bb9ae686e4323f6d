"""What a strategy came to: what was sold, oversold and lost, and how that compares with the best possible."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal


@dataclass(slots=True)
class Tally:
    """Running sums of one strategy; see `Score` for the words."""

    demanded_lines: int = 0
    demanded_units: int = 0
    accepted_lines: int = 0
    accepted_units: int = 0
    sold_lines: int = 0
    sold_units: int = 0
    oversold_lines: int = 0
    oversold_units: int = 0
    refused_lines: int = 0
    stranded_units: int = 0
    unserved_units: int = 0
    starvation_s: float = 0.0
    revenue: Decimal = Decimal(0)

    def line(self, units: int, accepted: int, sold: int, there: int, price: Decimal | None) -> None:
        """Count one order line.

        units       wanted
        accepted    by the channel; `sold` of them could be shipped
        there       units that its eligible locations had when it was decided
        """
        self.demanded_lines += 1
        self.demanded_units += units
        self.accepted_units += accepted
        self.sold_units += sold
        if accepted:
            self.accepted_lines += 1
        if sold == units:
            self.sold_lines += 1
        if sold < accepted:
            self.oversold_lines += 1
            self.oversold_units += accepted - sold
        if accepted < units:
            self.refused_lines += 1
            self.stranded_units += max(0, min(units, there) - accepted)
        if price is not None:
            self.revenue += price * sold

    def __iadd__(self, other: Tally) -> Tally:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self


@dataclass(frozen=True, slots=True)
class Score:
    """What one strategy came to.

    demanded              what customers wanted, whether or not a channel offered it
    accepted              order lines that a channel took, in full or in part, and their units
    sold                  lines shipped in full; units shipped
    oversold              lines of which a unit was not there when the channel took it, and those units
    oversold_rate         oversold lines / accepted lines
    lost_units            demanded - sold: refused, or taken and not there
    stranded_units        refused although a location that may serve the line had them at that moment
    unserved_units        wanted where the channel shows nothing by the rules
    starvation_minutes    a channel showed 0 of a SKU while its pool had some, summed over channels and SKUs
    revenue               units sold at their prices; None where the source has no prices
    best_units            units that a seller who knew all at every moment would have sold, first come first served
    short_of_best         (best_units - sold_units) / best_units
    """

    strategy: str
    sold_units: int
    oversold_units: int
    oversold_lines: int
    lost_units: int
    demanded_lines: int
    demanded_units: int
    accepted_lines: int
    accepted_units: int
    sold_lines: int
    oversold_rate: float
    stranded_units: int
    unserved_units: int
    starvation_minutes: float
    revenue: Decimal | None
    best_units: int
    short_of_best: float


def score(strategy: str, tally: Tally, best: Tally, *, priced: bool) -> Score:
    """The score of a strategy against the best possible one."""
    return Score(
        strategy=strategy,
        sold_units=tally.sold_units,
        oversold_units=tally.oversold_units,
        oversold_lines=tally.oversold_lines,
        lost_units=tally.demanded_units - tally.sold_units,
        demanded_lines=tally.demanded_lines,
        demanded_units=tally.demanded_units,
        accepted_lines=tally.accepted_lines,
        accepted_units=tally.accepted_units,
        sold_lines=tally.sold_lines,
        oversold_rate=round(tally.oversold_lines / max(1, tally.accepted_lines), 6),
        stranded_units=tally.stranded_units,
        unserved_units=tally.unserved_units,
        starvation_minutes=round(tally.starvation_s / 60, 1),
        revenue=tally.revenue if priced else None,
        best_units=best.sold_units,
        short_of_best=round((best.sold_units - tally.sold_units) / max(1, best.sold_units), 6),
    )
