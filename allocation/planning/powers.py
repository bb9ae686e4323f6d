"""How much a mix is to believe of errors, learned from what would have been best at moments of the past.

At each of the last moments the mix is made anew by every choice, with errors of the moments before it only, and held
against what came. The choice that was best on all series holds. So nothing that is chosen has seen what it is judged
by, and a house whose series say little by their own past gets a mix that listens to all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Final, TypeAlias

from allocation.planning.mixing import (
    MIXED,
    USUAL,
    Pool,
    Powers,
    Trials,
    Tried,
    pooled,
    relative,
    trust,
)
from allocation.planning.past import FOLDS, Came, Past, came, mean_ahead

_POOLED: Final = (0.0, 24.0, 96.0)
_OWN: Final = (0.0, 6.0, 12.0, 24.0, 36.0)
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
CHOICES: Final = tuple(Powers(*each) for each in product(_POOLED, _OWN, _SHARES))

#: Of one moment of one series: what each part and the textbook model said, logs of errors, what came.
_Case: TypeAlias = tuple[list[float], float, list[float], list[float], Came]
_LEAST: Final = 0.01


def pool(of_all: Sequence[Past], tried_on: Sequence[Trials]) -> Pool | None:
    """What all series say of models, and how much of it to believe; None where nothing could be tried.

    tried_on    of each series, with moments enough to know what was known at the last ones
    """
    now = [each.before(each.until) for each in tried_on]
    if not any(each.folds for each in now):
        return None
    sums = [[0.0, 0.0] for _ in CHOICES]
    cases = 0
    for back in range(1, FOLDS + 1):
        cases += _at(of_all, tried_on, back, sums)
    return Pool(pooled(now), _best(sums) if cases else USUAL)


def _best(sums: Sequence[Sequence[float]]) -> Powers:
    """RMSSE and error of the sum count alike: each over the least that any choice reached."""
    least = [min(each[measure] for each in sums) or 1.0 for measure in (0, 1)]
    off = [each[0] / least[0] + each[1] / least[1] for each in sums]
    return CHOICES[min(range(len(CHOICES)), key=lambda at: (round(off[at], 9), at))]


def _at(
    of_all: Sequence[Past], tried_on: Sequence[Trials], back: int, sums: list[list[float]]
) -> int:
    """Add what each choice would have been off by at one moment of all series; how many there were."""
    places = [each.until - back * each.horizon for each in tried_on]
    then = [each.before(place) for each, place in zip(tried_on, places, strict=True)]
    known = Pool(pooled(then))
    cases = 0
    for of, each, place, found in zip(of_all, tried_on, places, then, strict=True):
        held = came(of, place, each.horizon) if place in each.errors else None
        if held is not None:
            _hold(_case(of, place, each.horizon, known, found, held), sums)
            cases += 1
    return cases


def _case(of: Past, place: int, horizon: int, known: Pool, found: Tried, held: Came) -> _Case:
    own = relative(found.means)
    parts = [name for name in MIXED if name in own or name != "seasonal"]
    return (
        [mean_ahead(of, name, place, horizon) for name in parts],
        mean_ahead(of, known.textbook, place, horizon),
        [math.log(known.error(name)) for name in parts],
        [trust(found) * math.log(max(_LEAST, own.get(name, 1.0))) for name in parts],
        held,
    )


def _hold(case: _Case, sums: list[list[float]]) -> None:
    said, textbook, of_all, of_own, held = case
    at = 0
    for by_all, by_own in product(_POOLED, _OWN):
        raw = [
            math.exp(-by_all * all_say - by_own * it_says)
            for all_say, it_says in zip(of_all, of_own, strict=True)
        ]
        mean = sum(map(float.__mul__, raw, said)) / sum(raw)
        for share in _SHARES:
            rmsse, sum_error = held.off(mean + share * (textbook - mean))
            sums[at][0] += rmsse
            sums[at][1] += sum_error
            at += 1
