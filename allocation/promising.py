"""Available to promise: what can still be sold of one SKU at one place, by the day it is there. Pure arithmetic.

Periods t = 1..n, S supply that is due in a period, D units promised for it, H on hand and available before the first.

    discrete      H + S_1 - the promises until the next supply; then each supply less the promises until the next one.
                  A shortage is carried back to earlier periods; what none of them covers shows below 0 where it arose
    cumulative    C_t = C_(t-1) + S_t - D_t
    look-ahead    min over u >= t of C_u: what can be sold in t without taking it from a promise made for later

A date is given by the look-ahead, so that no promise ever breaks an earlier one. Supply that should have come and has
not is no supply: nobody knows its day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Dated:
    """Units that come, or are promised, on a day."""

    day: date
    units: int


@dataclass(frozen=True, slots=True)
class Period:
    """A day on which something comes or goes, up to the day before the next one."""

    day: date
    supply: int
    demand: int
    discrete: int
    cumulative: int
    look_ahead: int


def discrete(on_hand: int, supply: Sequence[int], demand: Sequence[int]) -> list[int]:
    """What each supply has left for new promises, after shortages are carried back."""
    return carried_back(uncarried(on_hand, supply, demand))


def uncarried(on_hand: int, supply: Sequence[int], demand: Sequence[int]) -> list[int]:
    """What each supply has left, or lacks: the promises until the next one are its own."""
    found = [0] * len(supply)
    of = 0
    for t, (comes, goes) in enumerate(zip(supply, demand, strict=True)):
        if comes:
            of = t
        found[of] += comes - goes + (on_hand if t == 0 else 0)
    return found


def carried_back(periods: Sequence[int]) -> list[int]:
    """Each shortage taken from the periods before it, the latest first; what none covers stays where it arose."""
    left = list(periods)
    for t, units in enumerate(left):
        for earlier in range(t - 1, -1, -1):
            if units >= 0:
                break
            taken = min(max(0, left[earlier]), -units)
            left[earlier] -= taken
            units += taken
        left[t] = units
    return left


def accumulated(supply: Sequence[int], demand: Sequence[int]) -> list[int]:
    """Each period's own rest after shortages are carried back, summed; a shortage that stays is not carried on."""
    left = carried_back([comes - goes for comes, goes in zip(supply, demand, strict=True)])
    sums = accumulate(max(0, units) for units in left)
    return [units if units < 0 else total for units, total in zip(left, sums, strict=True)]


def cumulative(on_hand: int, supply: Sequence[int], demand: Sequence[int]) -> list[int]:
    """All that came less all that was promised, by period; it may fall again later."""
    changes = (comes - goes for comes, goes in zip(supply, demand, strict=True))
    return list(accumulate(changes, initial=on_hand))[1:]


def look_ahead(running: Sequence[int]) -> list[int]:
    """The lowest that a cumulative number ever falls to from each period on."""
    return list(accumulate(reversed(running), min))[::-1]


def periods(
    available: int, supplies: Iterable[Dated], commitments: Iterable[Dated], today: date
) -> list[Period]:
    """Every day from today on with something that comes or goes.

    available      on hand and free now; below 0 where more was sold than there is
    commitments    promised and not committed; what should have gone before today goes today
    """
    comes, goes = Counter[date](), Counter[date]()
    for each in supplies:
        if each.day >= today:
            comes[each.day] += each.units
    for each in commitments:
        goes[max(each.day, today)] += each.units
    days = sorted({today, *comes, *goes})
    supply, demand = [comes[day] for day in days], [goes[day] for day in days]
    running = cumulative(available, supply, demand)
    rows = zip(
        days, supply, demand, discrete(available, supply, demand), running, look_ahead(running),
        strict=True,
    )  # fmt: skip
    return [Period(*row) for row in rows]


def earliest(
    available: int,
    supplies: Iterable[Dated],
    commitments: Iterable[Dated],
    units: int,
    today: date,
    horizon: date,
) -> date | None:
    """The first day on which so many units can be promised without breaking an earlier promise.

    horizon    the last day that is promised; None when there is none by then
    """
    for period in periods(available, supplies, commitments, today):
        if period.look_ahead >= units and period.day <= horizon:
            return period.day
    return None


def most(
    available: int, supplies: Iterable[Dated], commitments: Iterable[Dated], today: date
) -> int:
    """The most that can be promised for any day; 0 when less than nothing is left."""
    return max(0, periods(available, supplies, commitments, today)[-1].look_ahead)


def uncovered(
    available: int, supplies: Iterable[Dated], commitments: Sequence[Dated], today: date
) -> list[int]:
    """Units of each promise, in the order given, that nothing covers by its day: those must come sooner.

    The earliest day is served first, and on one day the first of the sequence.
    """
    coming = sorted((each.day, each.units) for each in supplies if each.day >= today)
    found = [0] * len(commitments)
    left, arrived = available, 0
    for place in sorted(range(len(commitments)), key=lambda at: max(commitments[at].day, today)):
        promise = commitments[place]
        while arrived < len(coming) and coming[arrived][0] <= max(promise.day, today):
            left += coming[arrived][1]
            arrived += 1
        found[place] = min(promise.units, max(0, promise.units - left))
        left -= promise.units
    return found
