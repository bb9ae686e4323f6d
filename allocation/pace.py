"""How fast each SKU sells where: sums that fade with time, and the rates that follow from them.

An order line counts once, as it stands now and at the time of its order: a newer snapshot replaces what it counted for,
and a cancel takes that back as of the order's own time. So an order and its cancel leave nothing, and the order in
which things are told does not matter. A sum fades by exp(-t / tau): that of a steady rate r comes to r * tau.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp
from typing import NamedTuple

from allocation.types import Pace

#: Time constants of the two memories.
FAST_S = 600.0
SLOW_S = 28 * 86_400.0
#: The fast rate counts from so many lines on; a spike is one of so many, so many times as fast as the slow rate.
FAST_LINES = 2.0
SPIKE_LINES = 3.0
SPIKE_TIMES = 3.0
#: A SKU that first sold a moment ago counts as known for so long.
YOUNGEST_S = 86_400.0
#: Less than this of a line is what rounding leaves of nothing: it never sold.
NOTHING = 1e-9
#: A fast rate in use is looked at again after so long, so that buffers shrink though nothing moves.
LOOK_AGAIN = timedelta(seconds=300)


class Sold(NamedTuple):
    """An order line as it counts, or with `lines` -1 no longer counts. A tuple, because drains make thousands a second.

    channel    "" where none is told
    location   served from
    at         when it was ordered
    """

    sku: str
    channel: str
    location: str
    at: datetime
    units: int
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Sums:
    """What is remembered of one SKU on one channel at one location, as of `at`.

    fast_lines      order lines, fading within minutes
    slow_lines, slow_units, slow_squares    lines, their units and the squares of these, fading within weeks
    since           the first sale; None when only takings back are known
    """

    sku: str
    channel: str
    location: str
    at: datetime
    since: datetime | None
    fast_lines: float = 0.0
    slow_lines: float = 0.0
    slow_units: float = 0.0
    slow_squares: float = 0.0

    def faded(self, at: datetime) -> Sums:
        """The same as of a later moment; an earlier one changes nothing."""
        age_s = (at - self.at).total_seconds()
        if age_s <= 0:
            return self
        fast, slow = exp(-age_s / FAST_S), exp(-age_s / SLOW_S)
        return replace(
            self,
            at=at,
            fast_lines=self.fast_lines * fast,
            slow_lines=self.slow_lines * slow,
            slow_units=self.slow_units * slow,
            slow_squares=self.slow_squares * slow,
        )

    def __add__(self, other: Sums) -> Sums:
        """Both together, as of the newer moment."""
        at = max(self.at, other.at)
        mine, its = self.faded(at), other.faded(at)
        first = [since for since in (self.since, other.since) if since is not None]
        return replace(
            mine,
            since=min(first, default=None),
            fast_lines=mine.fast_lines + its.fast_lines,
            slow_lines=mine.slow_lines + its.slow_lines,
            slow_units=mine.slow_units + its.slow_units,
            slow_squares=mine.slow_squares + its.slow_squares,
        )


def gathered(sold: Iterable[Sold]) -> list[Sums]:
    """What these lines come to, for each SKU, channel and location, sorted by them."""
    places: dict[tuple[str, str, str], list[Sold]] = {}
    for line in sold:
        places.setdefault(line[:3], []).append(line)
    return [_gathered(*key, places[key]) for key in sorted(places)]


def _gathered(sku: str, channel: str, location: str, sold: list[Sold]) -> Sums:
    at = sold[0].at if len(sold) == 1 else max(line.at for line in sold)
    fast = slow = units = squares = 0.0
    since: datetime | None = None
    for _, _, _, ordered_at, of_line, lines in sold:
        age_s = (at - ordered_at).total_seconds() if ordered_at is not at else 0.0
        weight = lines * exp(-age_s / SLOW_S)
        fast += lines * exp(-age_s / FAST_S)
        slow += weight
        units += weight * of_line
        squares += weight * of_line * of_line
        if lines > 0 and (since is None or ordered_at < since):
            since = ordered_at
    return Sums(sku, channel, location, at, since, fast, slow, units, squares)


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast one SKU sells on one channel from one location.

    slow, fast    of the last weeks and the last minutes
    in_use        the one that buffers are computed with
    spike         it sells several times as fast as it used to
    """

    slow: Pace
    fast: Pace
    in_use: Pace
    spike: bool

    @property
    def is_fast(self) -> bool:
        """Whether the last minutes are what counts."""
        return self.in_use is self.fast


def rates(sums: Sums, now: datetime) -> Rates | None:
    """The rates at `now`; None when it never sold, or so long ago that nothing is left of it.

    The slow sum of a SKU that is on sale for an age t has only reached r * tau * (1 - exp(-t / tau)): it is divided by
    that, and an age of less than a day counts as a day.
    """
    faded = sums.faded(now)
    if faded.slow_lines < NOTHING or faded.slow_units <= 0:
        return None
    age_s = max(YOUNGEST_S, (now - (sums.since or sums.at)).total_seconds())
    units_per_line = max(1.0, faded.slow_units / faded.slow_lines)
    square_per_line = max(units_per_line**2, faded.slow_squares / faded.slow_lines)
    slow = Pace(
        faded.slow_lines / (SLOW_S * (1 - exp(-age_s / SLOW_S))), units_per_line, square_per_line
    )
    fast = replace(slow, lines_per_s=max(0.0, faded.fast_lines / FAST_S))
    hurries = faded.fast_lines >= FAST_LINES and fast.lines_per_s > slow.lines_per_s
    spike = faded.fast_lines >= SPIKE_LINES and fast.lines_per_s > SPIKE_TIMES * slow.lines_per_s
    return Rates(slow, fast, fast if hurries else slow, spike)


def pace_of(rows: Iterable[Sums], now: datetime) -> Mapping[tuple[str, str], Pace]:
    """The pace in use by (channel, location served from), of one SKU; what never sold is missing."""
    return {
        (sums.channel, sums.location): found.in_use
        for sums in rows
        if (found := rates(sums, now)) is not None
    }


def look_again_at(rows: Iterable[Sums], now: datetime) -> datetime | None:
    """When these paces will have changed by themselves: a fast one slows down; None when all are slow."""
    for sums in rows:
        found = rates(sums, now)
        if found is not None and found.is_fast:
            return now + LOOK_AGAIN
    return None
