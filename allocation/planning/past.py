"""A series with everything that was known of it at each moment, computed once; and the moments it can be tried at."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from allocation.planning.accuracy import Score, from_first_sale
from allocation.planning.models import (
    PARTS,
    SEASONAL,
    SINGLE,
    YEAR_WEEKS,
    Levels,
    Periods,
    known,
    smoothed,
)

#: Periods with something to say that a train needs: to learn from how a model did, and to be judged.
LEAST_TO_LEARN: Final = 8
LEAST_TRAIN: Final = 12
FOLDS: Final = 6
#: Errors of so many periods say how far off the next one may be.
ERRORS_OF: Final = 52
#: Of demand that is counted the variance is seldom below half its mean; a short past that says so is not believed.
_LEAST_OF_MEAN: Final = 0.5
_LEAST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Past:
    """What a series was, from its first demand on.

    periods    None: nothing can be said
    before     how many known periods there were before each period, and before the next
    levels     by model: after none, one, two ... known periods
    steps      mean squared step from one known period to the next, of so many known periods
    means      mean of them;  errors  mean squared error of one period ahead, of the newest ones
    season     periods after which a season comes again
    """

    periods: Periods
    before: Sequence[int]
    levels: Mapping[str, Sequence[float]]
    steps: Sequence[float]
    means: Sequence[float]
    errors: Sequence[float]
    season: int = YEAR_WEEKS

    @property
    def known(self) -> int:
        """Periods of which something can be said."""
        return self.before[-1]


_ALL: Final[Mapping[str, Levels]] = {**SINGLE, **PARTS}


def past(periods: Periods, season: int = YEAR_WEEKS) -> Past:
    """What is known of these periods at each moment; a season is so many of them long."""
    begun = from_first_sale(periods)
    values = known(begun)
    sums = [0.0, *accumulate(values)]
    squares = [0.0, *accumulate((b - a) ** 2 for a, b in pairwise(values))]
    base = smoothed(values, 0.2, warm=True)
    # The first period is no surprise: the series begins with it.
    off = [0.0, 0.0, *accumulate((values[at] - base[at]) ** 2 for at in range(1, len(values)))]
    count = len(values) + 1
    return Past(
        begun,
        [0, *accumulate(int(units is not None) for units in begun)],
        {name: array("d", level(values)) for name, level in _ALL.items()},
        array("d", [squares[at - 1] / (at - 1) if at > 1 else 0.0 for at in range(count)]),
        array("d", [sums[at] / at if at else 0.0 for at in range(count)]),
        array("d", [_recent(off, at) for at in range(count)]),
        season,
    )


def _recent(off: Sequence[float], at: int) -> float:
    """Mean of the newest squared errors; `off` are their sums, of which the first period has none."""
    since = max(1, at - ERRORS_OF)
    return (off[at] - off[since]) / (at - since) if at > since else 0.0


def has(of: Past, model: str, place: int) -> bool:
    """Whether a model can say anything that others do not: a season must have been there before."""
    return model not in SEASONAL or of.before[place] >= of.season + LEAST_TRAIN


def ahead(of: Past, model: str, place: int, horizon: int) -> Sequence[float]:
    """What a model says at a moment of the periods from `place` on."""
    if model in SEASONAL:
        return SEASONAL[model](of.periods[:place], horizon, of.season)
    return (of.levels[model][of.before[place]],) * horizon


def mean_ahead(of: Past, model: str, place: int, horizon: int) -> float:
    """The mean of these periods."""
    if model in SEASONAL:
        return math.fsum(ahead(of, model, place, horizon)) / horizon
    return of.levels[model][of.before[place]]


def spread_of(of: Past, place: int, mean: float) -> float:
    """Variance of a period's demand about what is forecast of it."""
    return max(of.errors[of.before[place]], _LEAST_OF_MEAN * mean, _LEAST)


def moments(
    of: Past, until: int, horizon: int, *, least: int, folds: int = FOLDS, apart: int | None = None
) -> list[int]:
    """Places to forecast from, newest first, each with all its future before `until`.

    least    known periods that must have been before
    apart    periods from one to the next; `horizon` if left out
    """
    found: list[int] = []
    for place in range(until - horizon, 0, -(apart or horizon)):
        train = of.before[place]
        if train < least or len(found) == folds:
            break
        if of.steps[train] > 0:
            found.append(place)
    return found


def judged(of: Past, place: int, said: Sequence[float]) -> Score | None:
    """How good it was to say this of the periods from `place` on; None where none of them is known."""
    actual = of.periods[place : place + len(said)]
    errors = [came - units for came, units in zip(actual, said, strict=True) if came is not None]
    train = of.before[place]
    if not errors or not of.steps[train] or not of.means[train]:
        return None
    bias = math.fsum(errors) / len(errors) / of.means[train]
    squared = math.fsum(error * error for error in errors) / len(errors)
    return Score(math.sqrt(squared / of.steps[train]), bias, abs(bias))


@dataclass(frozen=True, slots=True)
class Came:
    """What came in the periods after a moment, with what it is measured by: to hold many levels against it.

    units      mean of a period;  variance  about it
    step       root of the mean squared step before;  usual  mean before
    """

    units: float
    variance: float
    step: float
    usual: float

    def off(self, level: float) -> tuple[float, float]:
        """RMSSE and error of the sum of the same level said of every period."""
        error = level - self.units
        return math.sqrt(self.variance + error * error) / self.step, abs(error) / self.usual


def came(of: Past, place: int, horizon: int) -> Came | None:
    """What came of the periods from `place` on; None where nothing can be said of it or measured by."""
    actual = known(of.periods[place : place + horizon])
    train = of.before[place]
    if not actual or not of.steps[train] or not of.means[train]:
        return None
    mean = math.fsum(actual) / len(actual)
    variance = math.fsum((units - mean) ** 2 for units in actual) / len(actual)
    return Came(mean, variance, math.sqrt(of.steps[train]), of.means[train])


def judge(of: Past, model: str, place: int, horizon: int) -> Score | None:
    """The same of a model."""
    return judged(of, place, ahead(of, model, place, horizon))
