"""Demand as it would have been: units of each day, without what says nothing about what people want.

Left out, and why:
- *Cancelled.* An order line counts for what was ordered and not cancelled, as of its own time (`allocation.demand`): an
  order of 80,995 and its cancel twelve minutes later are nothing.
- *Closed.* While a channel shows nothing of a SKU, or is halted, nobody can want it there: neither demand nor its
  absence. A day counts for the part of it that was open; less than half a day, and nothing is said of it.
- *One-off bulk.* A line of more than `BULK_TIMES` times the largest usual line of the SKU on its channel will not come
  again: it counts for nothing. Usual are all lines but the largest twentieth, at least one.

What is not known masks nothing: a channel whose numbers we do not set, and days before its numbers are on record, count
as open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple, TypeAlias

from allocation.planning.models import Periods

#: Own choices: a line is called bulk from so many times the usual on, and only beside so many others.
BULK_TIMES: Final = 10
BULK_BESIDE: Final = 4
#: Of a period at least this part must have been open for anything to be said of it.
OPEN_AT_LEAST: Final = 0.5
DAY: Final = timedelta(days=1)
DAY_S: Final = 86_400.0

#: (SKU, channel, location served from); "" is a channel that is not told
Place: TypeAlias = tuple[str, str, str]


class Bought(NamedTuple):
    """Order lines of one SKU and size on one day, as they count now.

    day      UTC, of the order
    units    of each line;  lines  how many there were
    """

    sku: str
    channel: str
    location: str
    day: date
    units: int
    lines: int


class Closed(NamedTuple):
    """A stretch in which a channel could not sell a SKU.

    location    None: at all of its locations
    why         `nothing shown` or `halted`
    """

    sku: str
    channel: str
    location: str | None
    since: datetime
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Series:
    """Days of a SKU on a channel at a location, from `first` on (UTC).

    units     of each day, bulk left out
    open      part of each day (0 to 1) in which it could be bought
    bulk      lines left out as one-off, largest first
    """

    place: Place
    first: date
    units: tuple[int, ...]
    open: tuple[float, ...]
    bulk: tuple[Bought, ...] = ()

    @property
    def per_day(self) -> float | None:
        """Units of a day that is open throughout; None where too little was."""
        return per_day(self.units, self.open)


def per_day(units: Sequence[int], open_parts: Sequence[float]) -> float | None:
    """Units of a day open throughout, by the days of which something can be said; None without any."""
    sold, opened = _said(units, open_parts)
    return sold / opened if opened else None


def _said(units: Sequence[int], open_parts: Sequence[float]) -> tuple[int, float]:
    """Units of the days of which something can be said, and how many days those come to."""
    said = [(of, part) for of, part in zip(units, open_parts, strict=True) if part >= OPEN_AT_LEAST]
    return sum(of for of, _ in said), math.fsum(part for _, part in said)


def bulk_limit(sizes: Mapping[int, int]) -> float:
    """Units above which a line is one-off; infinite where too few lines are known.

    sizes    units of a line -> lines
    """
    count = sum(sizes.values())
    if count <= BULK_BESIDE:
        return math.inf
    beyond = count - min(math.ceil(0.95 * count), count - 1)
    for units in sorted(sizes, reverse=True):
        beyond -= sizes[units]
        if beyond < 0:
            return float(BULK_TIMES * units)
    raise AssertionError("one line is the largest usual one")


def series(
    bought: Iterable[Bought],
    closed: Iterable[Closed],
    first: date,
    until: date,
) -> list[Series]:
    """The days of [first, until) of every place that anything was bought at, by place.

    bought    of those days; lines of other days are not to be among them
    closed    of the same SKUs; stretches may overlap each other
    """
    by_place: dict[Place, list[Bought]] = {}
    sizes: dict[tuple[str, str], dict[int, int]] = {}
    for row in bought:
        by_place.setdefault(row[:3], []).append(row)
        of = sizes.setdefault(row[:2], {})
        of[row.units] = of.get(row.units, 0) + row.lines
    limits = {key: bulk_limit(of) for key, of in sizes.items()}
    shut: dict[tuple[str, str], list[Closed]] = {}
    for stretch in closed:
        shut.setdefault(stretch[:2], []).append(stretch)
    return [
        _series(place, by_place[place], limits[place[:2]], shut.get(place[:2], []), first, until)
        for place in sorted(by_place)
    ]


def _series(
    place: Place,
    bought: Sequence[Bought],
    limit: float,
    shut: Sequence[Closed],
    first: date,
    until: date,
) -> Series:
    days = (until - first).days
    units = [0] * days
    bulk = []
    for row in bought:
        if row.units > limit:
            bulk.append(row)
        else:
            units[(row.day - first).days] += row.units * row.lines
    here = [(c.since, c.until) for c in shut if c.location in (None, place[2])]
    bulk.sort(key=lambda row: (-row.units, row.day))
    return Series(place, first, tuple(units), tuple(open_parts(here, first, days)), tuple(bulk))


def open_parts(closed: Iterable[tuple[datetime, datetime]], first: date, days: int) -> list[float]:
    """Part of each day that lies in no closed stretch; they may overlap."""
    left_s = [DAY_S] * days
    begin = datetime.combine(first, time(), UTC)
    end = begin + days * DAY
    for since, until in _merged(closed):
        at, stop = max(since, begin), min(until, end)
        while at < stop:
            day = (at - begin) // DAY
            next_day = min(stop, begin + (day + 1) * DAY)
            left_s[day] -= (next_day - at).total_seconds()
            at = next_day
    return [max(0.0, left / DAY_S) for left in left_s]


def _merged(stretches: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for since, until in sorted(stretches):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def together(parts: Sequence[Series]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Units and open part of each day of several places as one; at least one, of the same days.

    A day counts as open for the part that the places which sell most were open: by their units a day.
    """
    weights = [of.per_day or 0.0 for of in parts]
    total = math.fsum(weights)
    units = tuple(sum(day) for day in zip(*(of.units for of in parts), strict=True))
    if not total:
        return units, tuple(max(day) for day in zip(*(of.open for of in parts), strict=True))
    opened = tuple(
        min(1.0, math.fsum(w * part for w, part in zip(weights, day, strict=True)) / total)
        for day in zip(*(of.open for of in parts), strict=True)
    )
    return units, opened


def periods(units: Sequence[int], open_parts: Sequence[float], length: int = 7) -> Periods:
    """Units of each whole period of `length` days, as if it had been open throughout; the last day ends the newest one.

    returns    None for a period of which nothing can be said of half; days over at the old end are left out
    """
    over = len(units) % length
    found: list[float | None] = []
    for at in range(over, len(units), length):
        sold, opened = _said(units[at : at + length], open_parts[at : at + length])
        found.append(sold * length / opened if opened >= OPEN_AT_LEAST * length else None)
    return found


def per_day_spread(units: Sequence[int], open_parts: Sequence[float]) -> float:
    """Standard deviation of a day's units over the days of which something can be said; 0 of fewer than two."""
    said = [of / part for of, part in zip(units, open_parts, strict=True) if part >= OPEN_AT_LEAST]
    if len(said) < 2:
        return 0.0
    mean = math.fsum(said) / len(said)
    return math.sqrt(math.fsum((of - mean) ** 2 for of in said) / (len(said) - 1))
