"""Apportionment by Webster (Sainte-Lague): the next unit goes where weight / (2 * units + 1) is greatest.

Theory. Giving out units one by one by that quotient means that a further unit of stock never takes one from anybody;
the method of largest remainders lacks this ("Alabama paradox") and would push numbers down because stock went up.
The first P units one by one are also the roundings of weight * level for some common level, so most of them can be
computed at once: the greatest level whose roundings do not exceed P is found by bisection, and the few units left are
given out one by one. Exact whole-number arithmetic; O(parties * log(total)) however large the total.

Source: M. L. Balinski and H. P. Young, Fair Representation, chapter 8 and appendix A (divisor methods, minimums).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with a claim on the total.

    weight    relative claim, at least 0; a weight of 0 gets its `least` and no more
    least     units served before any weight counts, in the order of the parties while they last
    most      units that are never exceeded; None is no limit
    """

    weight: int
    least: int = 0
    most: int | None = None


def apportion(total: int, parties: Sequence[Party]) -> list[int]:
    """Divide `total` units among the parties.

    total      units, at least 0
    returns    units a party, in order; their sum is `total`, less only where every party has reached its `most`
    raises     ValueError when a party's most is below its least
    """
    for party in parties:
        if party.most is not None and party.most < party.least:
            raise ValueError(f"most {party.most} is below least {party.least}")
    units = _leasts(total, parties)
    if sum(units) == total:
        return units
    level = _level(total, parties)
    units = _at(level, parties)
    _give_out(total - sum(units), units, parties)
    return units


def _leasts(total: int, parties: Sequence[Party]) -> list[int]:
    units = []
    for party in parties:
        given = min(party.least, total)
        units.append(given)
        total -= given
    return units


def _level(total: int, parties: Sequence[Party]) -> int:
    """The greatest level at which the roundings do not exceed the total, or one at which nobody gains any more."""
    weights = [party.weight for party in parties if party.weight]
    if not weights:
        return 0
    low, high = 0, (total + 1) * sum(weights) // min(weights) + sum(weights)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(_at(middle, parties)) <= total:
            low = middle
        else:
            high = middle - 1
    return low


def _at(level: int, parties: Sequence[Party]) -> list[int]:
    """Units at a level: weight * level / (sum of weights), rounded (halves down), between least and most."""
    scale = sum(party.weight for party in parties) or 1
    units = []
    for party in parties:
        rounded = -((scale - 2 * party.weight * level) // (2 * scale))
        bounded = max(party.least, rounded)
        units.append(bounded if party.most is None else min(bounded, party.most))
    return units


def _give_out(left: int, units: list[int], parties: Sequence[Party]) -> None:
    """Give the units that are left one by one; of equal quotients the earlier party goes first."""

    def quotient(index: int) -> tuple[Fraction, int]:
        return Fraction(-parties[index].weight, 2 * units[index] + 1), index

    def open_to(index: int) -> bool:
        most = parties[index].most
        return parties[index].weight > 0 and (most is None or units[index] < most)

    queue = [quotient(index) for index in range(len(parties)) if open_to(index)]
    heapify(queue)
    while left and queue:
        _, index = heappop(queue)
        units[index] += 1
        left -= 1
        if open_to(index):
            heappush(queue, quotient(index))
