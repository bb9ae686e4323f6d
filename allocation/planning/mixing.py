"""A forecast mixed of several, each weighing the more the better it was: on all series together, and on its own.

Theory. Of six moments of one past the best of ten models is mostly chosen by luck, and a choice by luck is worse than
none. What thousands of series say together is not luck. So a part weighs by its pooled error and by its error on the
series itself, the latter the more the more moments it was tried at. How much each of both is to be believed differs:
demand that only strays about its mean says little by its own past, demand that moves says much. So these powers are
learned, too (`powers.py`), and so is the share of the textbook model that was best on all series, which keeps the mix
from being worse than that one. Mixed forecasts err less than those they are mixed of, where their errors differ.

Sources: Bates, Granger 1969, "The combination of forecasts", Oper. Res. Q. 20 (weights by inverse error); Timmermann
2006, "Forecast combinations", Handbook of Economic Forecasting 1 (shrinkage to the pooled).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from allocation.planning.accuracy import Score, together
from allocation.planning.models import PARTS, SEASONAL, SINGLE
from allocation.planning.past import (
    FOLDS,
    LEAST_TO_LEARN,
    Past,
    ahead,
    came,
    has,
    judge,
    judged,
    mean_ahead,
    moments,
)

#: What is mixed; the seasonal one where a season and more is known.
MIXED: Final = (*PARTS, "seasonal")
#: What is tried on each past: the parts, and the textbook models beside them.
TRIED: Final = tuple(dict.fromkeys((*MIXED, *SINGLE)))
MIX: Final = "mix"
#: So many moments of its own count as much as what is pooled.
_HALF: Final = 6.0
#: A part that was right by chance does not take it all.
_LEAST: Final = 0.01
#: What is believed of models before anything was tried, as so many series would say it: errors in means of the parts,
#: the geometric mean over shops and made series of every kind of demand, by day, week and month.
_BELIEVED_AS: Final = 10
BELIEVED: Final[Mapping[str, float]] = MappingProxyType(
    {
        "moving_average": 0.96, "moving_average_4": 1.0, "moving_average_26": 1.0, "mean": 1.07,
        "naive": 1.21, "warm_ses_05": 0.99, "warm_ses_12": 0.95, "warm_ses_20": 0.95,
        "warm_ses_30": 0.97, "warm_tsb_05": 0.96, "warm_tsb_10": 0.96,
        "warm_tsb_20": 0.95, "warm_tsb_30": 0.96, "seasonal": 1.14,
        "ses": 1.01, "tsb": 1.02, "sba": 1.34, "croston": 1.36,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Powers:
    """How much is believed of errors.

    pooled, own    power that a part's error on all series, and on the series itself, is raised to
    share          part of the forecast that the best textbook model takes
    """

    pooled: float
    own: float
    share: float


#: Where nothing could be tried.
USUAL: Final = Powers(24.0, 12.0, 0.25)


@dataclass(frozen=True, slots=True)
class Pool:
    """What all series together say of models.

    errors    of each, in means of the parts
    """

    errors: Mapping[str, float] = field(default_factory=lambda: BELIEVED)
    powers: Powers = USUAL

    def error(self, name: str) -> float:
        """Of a model; what is believed of it where it was never tried."""
        return max(_LEAST, self.errors.get(name, BELIEVED[name]))

    @property
    def textbook(self) -> str:
        """The textbook model that was best."""
        return min(SINGLE, key=self.error)


@dataclass(frozen=True, slots=True)
class Tried:
    """How models did on one series: by name, the error at each moment it was tried at, newest first."""

    errors: Mapping[str, Sequence[float]]
    folds: int

    @property
    def means(self) -> dict[str, float]:
        """Mean error of each model that was tried at every moment; empty where nothing was."""
        return {
            name: math.fsum(of) / self.folds
            for name, of in self.errors.items()
            if self.folds and len(of) == self.folds
        }


def relative(means: Mapping[str, float], parts: Sequence[str] = MIXED) -> dict[str, float]:
    """Errors of the parts in means of them; empty where there is none at all."""
    found = {name: means[name] for name in parts if name in means}
    usual = math.fsum(found.values()) / len(found) if found else 0.0
    return {name: error / usual for name, error in found.items()} if usual else {}


@dataclass(frozen=True, slots=True)
class Trials:
    """How models did on one series, from moments a horizon apart, the newest first.

    until     what came from here on was not known
    errors    place -> model -> RMSSE + error of the sum
    """

    horizon: int
    until: int
    errors: Mapping[int, Mapping[str, float]]

    def before(self, place: int) -> Tried:
        """What was known of it at `place`, one of the moments or their end: of those whose future was before it."""
        known = [each for each in self.errors if each + self.horizon <= place][:FOLDS]
        found: dict[str, list[float]] = {}
        for each in known:
            for name, error in self.errors[each].items():
                found.setdefault(name, []).append(error)
        return Tried(found, len(known))


def trials(of: Past, until: int, horizon: int, folds: int = 2 * FOLDS) -> Trials:
    """Try models at moments of the past whose future was before `until`: enough to know what was known then."""
    errors: dict[int, dict[str, float]] = {}
    for place in moments(of, until, horizon, least=LEAST_TO_LEARN, folds=folds):
        held = came(of, place, horizon)
        if held is None:
            continue
        found = {}
        for name in TRIED:
            if name not in SEASONAL:
                found[name] = math.fsum(held.off(of.levels[name][of.before[place]]))
            elif has(of, name, place):
                score = judge(of, name, place, horizon)
                assert score is not None
                found[name] = score.rmsse + score.sum_error
        errors[place] = found
    return Trials(horizon, until, errors)


def tried(of: Past, until: int, horizon: int) -> Tried:
    """How models did at the last moments of the past whose future was before `until`."""
    return trials(of, until, horizon, FOLDS).before(until)


def pooled(of_all: Iterable[Tried]) -> dict[str, float]:
    """Error of each model on all series that it was tried on, over what the parts came to on these on average.

    What is believed of models counts as a few series more. Errors are summed before they are divided: series that are
    hard to forecast decide, because it is there that models differ.
    """
    sums: dict[str, float] = {}
    usual: dict[str, float] = {}
    total, series = 0.0, 0
    for one in of_all:
        means = one.means
        parts = [means[name] for name in MIXED if name in means]
        each = math.fsum(parts) / len(parts) if parts else 0.0
        total, series = total + each, series + bool(parts)
        for name, error in means.items():
            sums[name] = sums.get(name, 0.0) + error
            usual[name] = usual.get(name, 0.0) + each
    weight = _BELIEVED_AS * total / series if total else 1.0
    return {
        name: (sums.get(name, 0.0) + weight * believed) / (usual.get(name, 0.0) + weight)
        for name, believed in BELIEVED.items()
    }


def trust(of: Tried) -> float:
    """How much the own past counts beside what is pooled: from 0 without any to nearly 1."""
    return of.folds / (of.folds + _HALF)


def weights(of: Tried, pool: Pool, parts: Sequence[str] = MIXED) -> dict[str, float]:
    """How much each part weighs, and the best textbook model beside them; all together 1.

    A seasonal part that the series was not tried with weighs nothing.
    """
    own = relative(of.means, parts)
    powers = pool.powers
    power = powers.own * trust(of)
    raw = {
        name: math.exp(
            -power * math.log(max(_LEAST, own.get(name, 1.0)))
            - powers.pooled * math.log(pool.error(name))
        )
        for name in parts
        if name in PARTS or name in own
    }
    total = math.fsum(raw.values())
    by = {name: (1 - powers.share) * weight / total for name, weight in raw.items()}
    if powers.share:
        by[pool.textbook] = by.get(pool.textbook, 0.0) + powers.share
    return by


def mixed(of: Past, place: int, horizon: int, by: Mapping[str, float]) -> float:
    """Mean units of a period, of the `horizon` ones from `place` on."""
    return math.fsum(weight * mean_ahead(of, name, place, horizon) for name, weight in by.items())


def mixed_ahead(of: Past, place: int, horizon: int, by: Mapping[str, float]) -> list[float]:
    """Units of each of these periods."""
    level = math.fsum(
        weight * mean_ahead(of, name, place, horizon)
        for name, weight in by.items()
        if name not in SEASONAL
    )
    found = [level] * horizon
    for name in SEASONAL:
        if by.get(name):
            said = ahead(of, name, place, horizon)
            found = [units + by[name] * each for units, each in zip(found, said, strict=True)]
    return found


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


def choose(of: Past, horizon: int, pool: Pool) -> Chosen:
    """Weigh the parts by all that is known, and tell how each, textbook models and the mix did."""
    end = len(of.periods)
    known = trials(of, end, horizon)
    found = known.before(end)
    by = weights(found, pool)
    scores: dict[str, list[Score]] = {}
    for place in moments(of, end, horizon, least=LEAST_TO_LEARN):
        for name in TRIED:
            one = judge(of, name, place, horizon) if has(of, name, place) else None
            if one is not None:
                scores.setdefault(name, []).append(one)
        # What the mix would have been then, knowing no more of the series than then.
        then = weights(known.before(place), pool)
        one = judged(of, place, mixed_ahead(of, place, horizon, then))
        if one is not None:
            scores.setdefault(MIX, []).append(one)
    most = max(by, key=lambda name: round(by[name], 9))
    return Chosen(most, by, {name: together(each) for name, each in scores.items()}, found.folds)
