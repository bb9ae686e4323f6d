"""A forecast mixed of several, each weighing the more the better it was: on all series together, and on its own.

Theory. Of six moments of one past the best of ten models is mostly chosen by luck, and a choice by luck is worse than
none. What thousands of series say together is not luck. So a part weighs by its pooled error, to a high power (there is
much evidence), and by its error on the series itself, to a lower one that grows with the moments it was tried at. Mixed
forecasts err less than those they are mixed of, where their errors differ.

Sources: Bates, Granger 1969, "The combination of forecasts", Oper. Res. Q. 20 (weights by inverse error); Timmermann
2006, "Forecast combinations", Handbook of Economic Forecasting 1 (shrinkage to the pooled). The powers were chosen on
nine months of a gift-ware seller and four years of car parts, and are judged on later moments (`rehearsal.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from allocation.planning.accuracy import Score, together
from allocation.planning.models import PARTS
from allocation.planning.past import (
    FOLDS,
    LEAST_TO_LEARN,
    Past,
    has,
    judge,
    judged,
    mean_ahead,
    moments,
)

#: What is mixed; the seasonal one where a year and more is known.
MIXED: Final = (*PARTS, "seasonal")
MIX: Final = "mix"
_OWN_POWER: Final = 24.0
_POOLED_POWER: Final = 24.0
#: So many moments of its own count as much as what is pooled.
_HALF: Final = 6.0
#: A part that was right by chance does not take it all.
_LEAST: Final = 0.01


@dataclass(frozen=True, slots=True)
class Tried:
    """How the parts did on one series: by part, the error at each moment it was tried at, newest first."""

    errors: Mapping[str, Sequence[float]]
    folds: int

    @property
    def means(self) -> dict[str, float]:
        """Mean error of each part that was tried at every moment; empty where nothing was."""
        return {
            name: math.fsum(of) / self.folds
            for name, of in self.errors.items()
            if self.folds and len(of) == self.folds
        }


def relative(means: Mapping[str, float]) -> dict[str, float]:
    """Errors in means of all; empty where there is none at all."""
    usual = math.fsum(means.values()) / len(means) if means else 0.0
    return {name: error / usual for name, error in means.items()} if usual else {}


@dataclass(frozen=True, slots=True)
class Trials:
    """How the parts did on one series, from moments a horizon apart, the newest first.

    errors    place -> part -> RMSSE + error of the sum
    """

    horizon: int
    errors: Mapping[int, Mapping[str, float]]

    def before(self, place: int) -> Tried:
        """What was known of it at `place`, one of the moments or their end: of those whose future was before it."""
        known = [each for each in self.errors if each + self.horizon <= place][:FOLDS]
        found: dict[str, list[float]] = {}
        for each in known:
            for name, error in self.errors[each].items():
                found.setdefault(name, []).append(error)
        return Tried(found, len(known))


def trials(
    of: Past, until: int, horizon: int, parts: Sequence[str] = MIXED, folds: int = 2 * FOLDS
) -> Trials:
    """Try the parts at moments of the past whose future was before `until`: enough to know what was known then."""
    errors: dict[int, dict[str, float]] = {}
    for place in moments(of, until, horizon, least=LEAST_TO_LEARN, folds=folds):
        found = {}
        for name in parts:
            score = judge(of, name, place, horizon) if has(of, name, place) else None
            if score is not None:
                found[name] = score.rmsse + score.sum_error
        if found:
            errors[place] = found
    return Trials(horizon, errors)


def tried(of: Past, until: int, horizon: int, parts: Sequence[str] = MIXED) -> Tried:
    """How the parts did at the last moments of the past whose future was before `until`."""
    return trials(of, until, horizon, parts, FOLDS).before(until)


def pooled(of_all: Iterable[Tried]) -> dict[str, float]:
    """Error of each part on all series that it was tried on, over what the parts came to on these on average.

    A part that was never tried is missing. Errors are summed before they are divided: series that are hard to forecast
    decide, because it is there that parts differ.
    """
    sums: dict[str, float] = {}
    usual: dict[str, float] = {}
    for one in of_all:
        means = one.means
        each = math.fsum(means.values()) / len(means) if means else 0.0
        for name, error in means.items():
            sums[name] = sums.get(name, 0.0) + error
            usual[name] = usual.get(name, 0.0) + each
    return {name: total / usual[name] for name, total in sums.items() if usual[name]}


def weights(of: Tried, pool: Mapping[str, float], parts: Sequence[str] = MIXED) -> dict[str, float]:
    """How much each part weighs, all together 1; parts of which nothing is known weigh nothing, unless none is."""
    own = relative(of.means)
    trust = of.folds / (of.folds + _HALF)
    named = [name for name in parts if name in (own or pool)] or list(PARTS)
    raw = {
        name: math.exp(
            -_OWN_POWER * trust * math.log(max(_LEAST, own.get(name, 1.0)))
            - _POOLED_POWER * math.log(max(_LEAST, pool.get(name, 1.0)))
        )
        for name in named
        if name in PARTS or name in own
    }
    total = math.fsum(raw.values())
    return {name: weight / total for name, weight in raw.items()}


def mixed(of: Past, place: int, horizon: int, by: Mapping[str, float]) -> float:
    """Mean units of a period, of the `horizon` ones from `place` on."""
    return math.fsum(weight * mean_ahead(of, name, place, horizon) for name, weight in by.items())


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a series is forecast with.

    model      the part that weighs most
    weights    of the parts
    scores     of each model and of the mix, at moments of the past; empty: the past is too short
    folds      how many moments those are
    """

    model: str
    weights: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, Score] = field(default_factory=dict)
    folds: int = 0


def choose(of: Past, horizon: int, pool: Mapping[str, float], beside: Sequence[str] = ()) -> Chosen:
    """Weigh the parts by all that is known, and tell how each and the mix of them did.

    beside    models to be told of that are not mixed
    """
    end = len(of.periods)
    known = trials(of, end, horizon)
    found = known.before(end)
    by = weights(found, pool)
    scores: dict[str, list[Score]] = {}
    for place in moments(of, end, horizon, least=LEAST_TO_LEARN):
        for name in (*beside, *MIXED):
            one = judge(of, name, place, horizon) if has(of, name, place) else None
            if one is not None:
                scores.setdefault(name, []).append(one)
        # What the mix would have been then, knowing no more of the series than then.
        then = weights(known.before(place), pool)
        level = mixed(of, place, horizon, then)
        one = judged(of, place, (level,) * horizon)
        if one is not None:
            scores.setdefault(MIX, []).append(one)
    most = max(by, key=lambda name: round(by[name], 9))
    return Chosen(most, by, {name: together(each) for name, each in scores.items()}, found.folds)
