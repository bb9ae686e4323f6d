"""How far demand strays from its forecast, learned from what forecasts of the past missed by.

Theory. A reorder point is mean + k x deviation. Which k keeps its word is not read from a table of the normal, since
demand comes in lumps and forecasts err beside it: it is the quantile, over all moments of the past of all series of a
kind, of (came - 1 - mean) / deviation. The unit is there because the point is a whole number: came <= ceil(s) just when
s > came - 1. Where nothing came any point was enough. Source: the idea of conformal prediction (Vovk, Gammerman, Shafer
2005, "Algorithmic learning in a random world"), scaled by each series' own deviation.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from allocation.planning import powers
from allocation.planning.classes import pattern
from allocation.planning.mixing import Pool, Trials, mixed, trials, weights
from allocation.planning.past import LEAST_TO_LEARN, Past, moments, spread_of

#: Chances that are learned; others lie between, on the scale of the normal.
SERVICES: Final = (0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.98, 0.99, 0.995)
#: Periods ahead for which it is learned; of others the nearest holds.
HORIZONS: Final = (1, 2, 4, 8)
#: Fewer misses say nothing of a kind: then all kinds together, and without those the tables of `chances.py`.
LEAST_MISSES: Final = 500
ANY: Final = "any"
#: Moments of a series that misses are taken from. They overlap: what moves all series at once (a season, a market) is
#: seen at few moments, and each more of them tells more than each more series.
_MISSES_OF: Final = 10
_NORMAL: Final = NormalDist()
_NOTHING_CAME: Final = -math.inf


@dataclass(frozen=True, slots=True)
class Spread:
    """Deviations above the mean that were enough, by SERVICES; never falling."""

    k: tuple[float, ...]

    def at(self, service: float) -> float:
        """Deviations that are enough with a chance of `service` (0 to 1, both excluded)."""
        z = _NORMAL.inv_cdf(service)
        if service <= SERVICES[0]:
            return self.k[0]
        if service >= SERVICES[-1]:
            return self.k[-1] * max(1.0, z / _Z[-1])
        at = bisect_right(SERVICES, service)
        part = (z - _Z[at - 1]) / (_Z[at] - _Z[at - 1])
        return self.k[at - 1] + part * (self.k[at] - self.k[at - 1])

    def chance(self, k: float) -> float:
        """The chance that so many deviations are enough: the other way round, within what is learned."""
        if k <= self.k[0]:
            return SERVICES[0]
        for (low, high), (z_low, z_high) in zip(pairwise(self.k), pairwise(_Z), strict=True):
            if k < high:
                return _NORMAL.cdf(z_low + (z_high - z_low) * (k - low) / (high - low))
        return SERVICES[-1]


_Z: Final = tuple(_NORMAL.inv_cdf(service) for service in SERVICES)


@dataclass(frozen=True, slots=True)
class Learned:
    """What all series together teach.

    pools      what is said of models, by horizon in periods
    spreads    by horizon and kind of demand (`any`: all of them)
    series     how many it was learned from
    """

    pools: Mapping[int, Pool]
    spreads: Mapping[int, Mapping[str, Spread]]
    series: int

    def pool(self, horizon: float) -> Pool:
        """Of the nearest horizon; what is believed of models where nothing was learned."""
        return self.pools[_nearest(horizon, self.pools)] if self.pools else Pool()

    def spread(self, horizon: float, kind: str | None) -> Spread | None:
        """Of the nearest horizon and this kind; None where too little was learned."""
        if not self.spreads:
            return None
        found = self.spreads[_nearest(horizon, self.spreads)]
        return found.get(kind or ANY) or found.get(ANY)


NOTHING_LEARNED: Final = Learned({}, {}, 0)


def _nearest(horizon: float, of: Mapping[int, object]) -> int:
    return min(of, key=lambda each: (abs(each - horizon), each))


def kind_at(of: Past, place: int) -> str | None:
    """The class of the demand before a moment."""
    found = pattern(of.periods[:place])
    return found.kind.value if found else None


def misses(of: Past, known: Trials, pool: Pool) -> list[tuple[str | None, float]]:
    """Kind, and by how many deviations less one unit a lead time's demand missed its forecast, at each moment."""
    found = []
    until, horizon = known.until, known.horizon
    places = moments(
        of, until, horizon, least=LEAST_TO_LEARN, folds=_MISSES_OF, apart=max(1, horizon // 2)
    )
    for place in places:
        actual = [units for units in of.periods[place : place + horizon] if units is not None]
        if not actual:
            continue
        by = weights(known.before(place), pool)
        mean = mixed(of, place, horizon, by)
        came = math.fsum(actual)
        deviation = math.sqrt(spread_of(of, place, mean) * len(actual))
        miss = (came - 1 - mean * len(actual)) / deviation if came > 0 else _NOTHING_CAME
        found.append((kind_at(of, place), miss))
    return found


def spread_of_misses(found: Sequence[float]) -> Spread:
    """The least deviations that were enough in so many cases of all."""
    ordered = sorted(found)
    count = len(ordered)
    k: list[float] = []
    for service in SERVICES:
        enough = ordered[min(count - 1, math.ceil(service * count) - 1)]
        # Where mostly nothing came, no deviation was ever too little.
        k.append(max(enough, k[-1] if k else -3.0))
    return Spread(tuple(k))


def learn(
    of_all: Sequence[Past],
    until: Sequence[int] | None = None,
    horizons: Sequence[int] = HORIZONS,
) -> Learned:
    """Learn from these series.

    until    of each: the period from which on nothing is known yet; all of it is known if left out
    """
    ends = [len(of.periods) for of in of_all] if until is None else until
    pools: dict[int, Pool] = {}
    spreads: dict[int, Mapping[str, Spread]] = {}
    for horizon in horizons:
        tried_on = [trials(of, end, horizon) for of, end in zip(of_all, ends, strict=True)]
        pool = powers.pool(of_all, tried_on)
        if pool is None:
            continue
        pools[horizon] = pool
        by_kind: dict[str, list[float]] = {}
        for of, known in zip(of_all, tried_on, strict=True):
            for kind, miss in misses(of, known, pool):
                by_kind.setdefault(ANY, []).append(miss)
                if kind is not None:
                    by_kind.setdefault(kind, []).append(miss)
        enough = {
            kind: spread_of_misses(each)
            for kind, each in by_kind.items()
            if len(each) >= LEAST_MISSES
        }
        if enough:
            spreads[horizon] = enough
    return Learned(pools, spreads, len(of_all))
