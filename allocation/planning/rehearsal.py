"""What forecasts and reorder points would have been worth: rolling-origin, each moment knowing no more than was known.

From each of the last moments, a horizon apart, everything is done anew that a run does (learn from all series, weigh,
forecast, set a reorder point), with the periods before it only, and held against what came. A reorder point reaches
its service where no more came in the lead time than it: of a hundred replenishment cycles that begin at it, so many end
with stock. Series count from `LEAST_TRAIN` known periods on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from allocation.planning.accuracy import Score, together
from allocation.planning.library import Beside
from allocation.planning.mixing import MIX, mixed, mixed_ahead, tried, weights
from allocation.planning.models import MODELS, PARTS, SINGLE, known
from allocation.planning.past import (
    LEAST_TRAIN,
    Past,
    has,
    judge,
    judged,
    mean_ahead,
    spread_of,
)
from allocation.planning.replenishment import whole
from allocation.planning.spread import Learned, kind_at, learn

TARGETS: Final = (0.9, 0.95, 0.98)
#: The mix may be worse than what turns out to be its best part by this, which nobody knew before.
HINDSIGHT: Final = 0.01
MEASURES: Final = ("rmsse", "sum_error")
#: Standard errors by which two models must differ for it to be told from chance.
_TOLD_APART: Final = 2.0
#: Services reached may be off by so much.
OFF_BY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Cycles:
    """Replenishment cycles that began at a reorder point.

    reached    part of them in which no more was wanted than it
    units      mean of the reorder points
    count      how many there were
    """

    target: float
    reached: float
    units: float
    count: int

    @property
    def is_kept(self) -> bool:
        """Whether the service was reached within OFF_BY, or as near as so few cycles can tell."""
        by_chance = _TOLD_APART * math.sqrt(self.target * (1 - self.target) / self.count)
        return abs(self.reached - self.target) <= max(OFF_BY, by_chance)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came out.

    scores     of the mix and of each model by itself; models of a season only where there was one
    doubt      model -> measure -> by how much the mix may seem better or worse than it by chance: two standard errors
               of the difference, moments of one series taken together
    units_off  of each: units that came less units forecast, of all that came; above 0 too little was forecast
    cycles     by target;  by_kind  the same by class of demand and target
    series, moments, forecasts    how many
    """

    horizon: int
    series: int
    moments: int
    forecasts: int
    scores: Mapping[str, Score] = field(default_factory=dict)
    doubt: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    units_off: Mapping[str, float] = field(default_factory=dict)
    cycles: Sequence[Cycles] = ()
    by_kind: Mapping[str, Sequence[Cycles]] = field(default_factory=dict)

    @property
    def best_single(self) -> Mapping[str, str]:
        """By measure, the textbook model that turned out best."""
        named = [name for name in SINGLE if name in self.scores]
        return {
            measure: min(named, key=lambda name: getattr(self.scores[name], measure))
            for measure in MEASURES
            if named
        }

    def above(self, name: str, measure: str) -> float:
        """By how much the mix is worse than a model; below 0: better."""
        ours, its = (getattr(self.scores[each], measure) for each in (MIX, name))
        return float(ours - its)

    def _error(self, name: str) -> float:
        """What the mix is learned by."""
        return self.scores[name].rmsse + self.scores[name].sum_error

    def goals(self) -> dict[str, bool]:
        """Goal, in words -> whether it was reached."""
        if not self.forecasts:
            return {"there is a past to forecast from": False}
        found: dict[str, bool] = {}
        for measure, name in self.best_single.items():
            goal = f"{measure} no worse than the best textbook model ({name}) as far as chance lets tell"
            found[goal] = self.above(name, measure) <= self.doubt[name][measure]
        best = min(PARTS, key=self._error)
        off = self._error(MIX) - self._error(best)
        margin = max(HINDSIGHT * self._error(best), math.fsum(self.doubt[best].values()))
        goal = f"both together within {HINDSIGHT:.0%} of the best part in hindsight, or chance"
        found[goal] = off <= margin
        for each in self.cycles:
            found[f"service {each.target:.0%} reached within {OFF_BY:.0%}, or chance"] = (
                each.is_kept
            )
        return found


@dataclass(slots=True)
class _Sums:
    scores: dict[str, list[Score]] = field(default_factory=dict)
    #: The series that each forecast was of.
    series: list[int] = field(default_factory=list)
    #: model -> units that came, and those forecast
    units: dict[str, list[float]] = field(default_factory=dict)
    #: (kind, target) -> cycles, those that were enough, units of their reorder points
    cycles: dict[tuple[str, float], list[float]] = field(default_factory=dict)


def rehearse(
    series: Sequence[Past],
    horizon: int,
    *,
    moments: int = 4,
    beside: Beside | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Rehearsed:
    """Forecast `horizon` periods from the last `moments` moments of these series, which all end with the same period.

    beside      models of others, to be told with ours
    progress    told of moments done, and how many there are
    """
    sums = _Sums()
    for fold in range(moments, 0, -1):
        ends = [max(0, len(of.periods) - fold * horizon) for of in series]
        learned = learn(series, ends, [horizon])
        long = [
            number
            for number, (of, place) in enumerate(zip(series, ends, strict=True))
            if of.before[place] >= LEAST_TRAIN and of.steps[of.before[place]] > 0
        ]
        others = _others(
            beside, [series[number] for number in long], [ends[number] for number in long], horizon
        )
        for at, number in enumerate(long):
            theirs = {name: said[at] for name, said in others.items()}
            if _hold(series[number], ends[number], horizon, learned, theirs, sums):
                sums.series.append(number)
        progress(moments - fold + 1, moments)
    kinds = sorted({kind for kind, _ in sums.cycles})
    by_kind = {kind: [_cycles(sums, [kind], target) for target in TARGETS] for kind in kinds}
    return Rehearsed(
        horizon,
        len(series),
        moments,
        len(sums.series),
        {name: together(each) for name, each in sums.scores.items()},
        {name: _doubt(sums, name) for name in sums.scores if name in SINGLE or name in PARTS},
        {name: (came - said) / came for name, (came, said) in sums.units.items() if came},
        [_cycles(sums, kinds, target) for target in TARGETS] if kinds else (),
        by_kind,
    )


def _others(
    beside: Beside | None, of_all: Sequence[Past], places: Sequence[int], horizon: int
) -> Mapping[str, Sequence[Sequence[float]]]:
    if beside is None or not of_all:
        return {}
    trains = [known(of.periods[:place]) for of, place in zip(of_all, places, strict=True)]
    return beside(trains, horizon, of_all[0].season)


def _hold(
    of: Past,
    place: int,
    horizon: int,
    learned: Learned,
    others: Mapping[str, Sequence[float]],
    sums: _Sums,
) -> bool:
    """Whether there was anything to hold it against."""
    by = weights(tried(of, place, horizon), learned.pool(horizon))
    mean = mixed(of, place, horizon, by)
    one = judged(of, place, mixed_ahead(of, place, horizon, by))
    actual = [units for units in of.periods[place : place + horizon] if units is not None]
    if one is None:
        return False
    said = {MIX: (one, mean)}
    for name in MODELS:
        score = judge(of, name, place, horizon) if has(of, name, place) else None
        if score is not None:
            said[name] = (score, mean_ahead(of, name, place, horizon))
    for name, ahead in others.items():
        score = judged(of, place, ahead)
        if score is not None:
            said[name] = (score, math.fsum(ahead) / horizon)
    for name, (score, level) in said.items():
        sums.scores.setdefault(name, []).append(score)
        units = sums.units.setdefault(name, [0.0, 0.0])
        units[0] += math.fsum(actual)
        units[1] += level * len(actual)
    if len(actual) == horizon:
        _hold_cycle(of, place, horizon, math.fsum(actual), mean, learned, sums)
    return True


def _doubt(sums: _Sums, name: str) -> dict[str, float]:
    found = {}
    count = len(sums.series)
    for measure in MEASURES:
        apart: dict[int, list[float]] = {}
        pairs = zip(sums.series, sums.scores[MIX], sums.scores[name], strict=True)
        for number, ours, its in pairs:
            apart.setdefault(number, []).append(getattr(ours, measure) - getattr(its, measure))
        mean = math.fsum(math.fsum(each) for each in apart.values()) / count
        off = math.fsum((math.fsum(each) - len(each) * mean) ** 2 for each in apart.values())
        found[measure] = _TOLD_APART * math.sqrt(off) / count
    return found


def _hold_cycle(
    of: Past, place: int, horizon: int, came: float, mean: float, learned: Learned, sums: _Sums
) -> None:
    kind = kind_at(of, place)
    spread = learned.spread(horizon, kind)
    if spread is None or kind is None:
        return
    deviation = math.sqrt(spread_of(of, place, mean) * horizon)
    for target in TARGETS:
        point = max(0, whole(mean * horizon + spread.at(target) * deviation))
        row = sums.cycles.setdefault((kind, target), [0, 0, 0])
        row[0] += 1
        row[1] += came <= point
        row[2] += point


def _cycles(sums: _Sums, kinds: Sequence[str], target: float) -> Cycles:
    rows = [sums.cycles[kind, target] for kind in kinds]
    count = sum(row[0] for row in rows)
    reached, units = (sum(row[place] for row in rows) / count for place in (1, 2))
    return Cycles(target, reached, units, int(count))
