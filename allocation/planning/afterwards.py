"""What came after forecasts that were kept: the only judge that nobody could have asked before.

A forecast is held against whole weeks that began after the last day it knew, up to its horizon. Weeks are those of the
newest run, masked as it read them: a week of which nothing can be said judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from allocation.planning.accuracy import Score, score, together
from allocation.planning.models import Periods, known

ALL: Final = "all"
NO_KIND: Final = "none"
#: The chance whose units are held against what came.
CHANCE: Final = 0.95
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Kept:
    """A forecast of a place as a run kept it, and the weeks as the newest run read them.

    until_day    the first day that the forecast did not know;  weeks_until  the first after `weeks`, which end there
    per_day      mean units of a day in `horizon_days`;  enough  units that are enough in them with CHANCE
    """

    place: tuple[str, str]
    kind: str | None
    until_day: date
    horizon_days: float
    per_day: float
    enough: float
    weeks: Periods
    weeks_until: date


@dataclass(frozen=True, slots=True)
class Held:
    """A forecast with what came.

    came, said    units of the weeks it is judged by
    was_enough    whether `enough` was; None: not every week of its horizon is over and known
    """

    score: Score
    came: float
    said: float
    was_enough: bool | None


def held(of: Kept, since: date, until: date) -> Held | None:
    """Hold a forecast against its weeks within [since, until); None where there is none to judge it by."""
    begin = [of.weeks_until - _WEEK * (len(of.weeks) - at) for at in range(len(of.weeks))]
    train = [
        units for units, day in zip(of.weeks, begin, strict=True) if day + _WEEK <= of.until_day
    ]
    horizon = math.ceil(of.horizon_days / _WEEK.days)
    ahead = [at for at, day in enumerate(begin) if day >= of.until_day][:horizon]
    judged = [of.weeks[at] for at in ahead if begin[at] >= since and begin[at] + _WEEK <= until]
    week = of.per_day * _WEEK.days
    found = score(train, judged, [week] * len(judged)) if judged else None
    if found is None:
        return None
    units = known(judged)
    is_whole = len(units) == horizon
    came = math.fsum(units)
    part = of.horizon_days / (horizon * _WEEK.days)
    return Held(found, came, week * len(units), came * part <= of.enough if is_whole else None)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How forecasts of one kind of demand stood afterwards.

    kind         `all`: of every kind
    units_off    units that came less units forecast, of those that came; None where none came
    reached      part of the horizons in which the units that are enough with CHANCE were; None where none was whole
    """

    kind: str
    places: int
    forecasts: int
    rmsse: float
    bias: float
    sum_error: float
    units_off: float | None
    reached: float | None


@dataclass(slots=True)
class _Sums:
    places: set[tuple[str, str]] = field(default_factory=set)
    held: list[Held] = field(default_factory=list)


def foreseen(kept: Iterable[Kept], since: date, until: date) -> list[Foreseen]:
    """How these forecasts stood within [since, until): all of them, and by kind, the most places first."""
    sums: dict[str, _Sums] = {}
    for one in kept:
        found = held(one, since, until)
        if found is not None:
            for kind in (ALL, one.kind or NO_KIND):
                of_kind = sums.setdefault(kind, _Sums())
                of_kind.places.add(one.place)
                of_kind.held.append(found)
    rows = [_row(kind, of.held, len(of.places)) for kind, of in sums.items()]
    return sorted(rows, key=lambda row: (row.kind != ALL, -row.places, row.kind))


def _row(kind: str, of: Sequence[Held], places: int) -> Foreseen:
    scores = together([each.score for each in of])
    came, said = (math.fsum(getattr(each, name) for each in of) for name in ("came", "said"))
    whole = [each.was_enough for each in of if each.was_enough is not None]
    return Foreseen(
        kind, places, len(of), scores.rmsse, scores.bias, scores.sum_error,
        (came - said) / came if came else None, sum(whole) / len(whole) if whole else None,
    )  # fmt: skip


def apart(days: Sequence[date], since: date) -> list[date]:
    """Of days on which runs ended, sorted: the last one up to `since` and those four weeks or more after one another.

    A run a night says nearly the same as the one before it; four weeks judge each week once, or nearly.
    """
    before = [day for day in days if day <= since and day > since - 4 * _WEEK]
    found = before[-1:]
    for day in days:
        if day > since and (not found or day >= found[-1] + 4 * _WEEK):
            found.append(day)
    return found
