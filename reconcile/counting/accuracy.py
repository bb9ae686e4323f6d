"""Inventory record accuracy, and shrinkage: how far the book can be believed, and what it cost where it could not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Records:
    """Counted records of a week, a location and a tier, and how many were within tolerance."""

    week: datetime
    location: str
    tier: str
    counted: int
    within: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """IRA of a week, and of the weeks that end with it: records within tolerance / records counted, as parts of 1.

    Too much in one place never makes up for too little in another. None where nothing was counted.
    """

    week: datetime
    location: str
    tier: str
    counted: int
    within: int
    ira: float | None
    rolling_counted: int
    rolling_within: int
    rolling_ira: float | None


def ira(within: int, counted: int) -> float | None:
    """Records within tolerance / records counted; None of none."""
    return round(within / counted, 6) if counted else None


def accuracy(records: Iterable[Records], weeks: Sequence[datetime], rolling: int) -> list[Accuracy]:
    """Week by week, for each location and tier, each location, each tier, and all.

    weeks      beginnings of the weeks asked for, oldest first
    rolling    weeks that the rolling figure spans; `records` go back so far before the first
    """
    sums: dict[tuple[str, str], dict[datetime, tuple[int, int]]] = {}
    for one in records:
        for scope in {
            (one.location, one.tier), (one.location, ALL), (ALL, one.tier), (ALL, ALL)
        }:  # fmt: skip
            of_week = sums.setdefault(scope, {})
            counted, within = of_week.get(one.week, (0, 0))
            of_week[one.week] = counted + one.counted, within + one.within
    return [
        _accuracy(week, scope, sums[scope], rolling)
        for week in weeks
        for scope in sorted(sums, key=lambda scope: (scope != (ALL, ALL), scope))
    ]


def _accuracy(
    week: datetime,
    scope: tuple[str, str],
    of_week: dict[datetime, tuple[int, int]],
    rolling: int,
) -> Accuracy:
    counted, within = of_week.get(week, (0, 0))
    since = week - (rolling - 1) * timedelta(days=7)
    spanned = [sums for at, sums in of_week.items() if since <= at <= week]
    all_counted, all_within = sum(c for c, _ in spanned), sum(w for _, w in spanned)
    return Accuracy(
        week, *scope, counted, within, ira(within, counted),
        all_counted, all_within, ira(all_within, all_counted),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What was lost and found of one location for one reason, in a quarter.

    lost, found       units; a reversed booking counts for nothing
    cost              of lost less found, of units whose cost is known;  uncosted  units (net) without a cost
    """

    location: str
    reason: str
    lost: int
    found: int
    cost: Decimal
    uncosted: int

    @property
    def units(self) -> int:
        """Lost less found."""
        return self.lost - self.found


@dataclass(frozen=True, slots=True)
class Sold:
    """Net sales of a location in the quarter: units, and money of those whose price is known."""

    location: str
    units: int
    sales: Decimal
    unpriced: int


def percent(part: Decimal | int, whole: Decimal | int) -> float | None:
    """part / whole in percent; None where there is no whole."""
    return round(float(100 * Decimal(part) / Decimal(whole)), 4) if whole > 0 else None


def quarter_of(at: datetime) -> str:
    """The quarter of a moment in UTC, as `quarter` reads it."""
    at = at.astimezone(UTC)
    return f"{at.year}Q{(at.month - 1) // 3 + 1}"


def quarter(said: str) -> tuple[datetime, datetime]:
    """The first moment of a quarter such as 2026Q4 and the first after it, in UTC.

    raises    ValueError when it is none
    """
    year, mark, number = said.upper().partition("Q")
    if not (mark and year.isdecimal() and len(year) == 4 and number in ("1", "2", "3", "4")):
        raise ValueError(f"{said!r} is no quarter: write 2026Q4")
    first = 3 * int(number) - 2
    since = datetime(int(year), first, 1, tzinfo=UTC)
    until = datetime(int(year) + first // 10, (first + 2) % 12 + 1, 1, tzinfo=UTC)
    return since, until
