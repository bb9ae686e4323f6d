"""Quotas on their way: a number rises only after what it takes has been let go elsewhere.

Theorem. Let a zone be divided into quotas, and every channel's *hold* be the most it may be showing: what was last seen
or confirmed, what is on its way to it, and the target it has. If the sum of holds is at most the units there are, it
stays so under any order of sales, pushes, failures and repeats: a sale lowers a hold and the stock alike; a drop lowers
a hold when it is confirmed; a rise is set only within what is left of the units above the sum of holds. A reading that
finds less than was believed has seen sales before the book: those units stay *missing*, and nobody's, until their
orders are heard, and the SKU is computed again before anything rises. So it is when quotas begin: once the drops are
through, the premise holds, though sales of before are still unheard.

What it asks of a vendor: that a write fails which does not know of a sale (compare-and-set, or counts dated by their
reading). Where a write is plain, as on Amazon, a unit sold while a number is on its way may be shown again.

Source: O'Neil 1986, "The escrow transactional method", TODS 11(4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from allocation.division import Division
from allocation.engine import Allotment
from allocation.types import Target

Place: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bound:
    """Places (channel, location) whose numbers together may not be above the units there are."""

    places: frozenset[Place]
    units: int


def bounds(allotment: Allotment) -> list[Bound]:
    """Groups of places whose stock is all divided into quotas.

    Places whose numbers draw on the same zone are in one group. A group of which a part is deep has no bound: there,
    buffers decide.
    """
    if not any(division.scarce for division in allotment.divisions):
        return []
    groups: list[tuple[set[Place], list[Division]]] = []
    for division in allotment.divisions:
        names = _numbers(division)
        joined = [group for group in groups if group[0] & names]
        groups = [group for group in groups if not group[0] & names]
        names = names.union(*(others for others, _ in joined))
        groups.append((names, [*(d for _, of in joined for d in of), division]))
    places = [(target.channel, target.location) for target in allotment.targets]
    return [
        Bound(
            frozenset(p for p in places if p in names or (p[0], "") in names),
            sum(division.units for division in divisions),
        )
        for names, divisions in groups
        if any(d.scarce for d in divisions) and all(_disjoint(d) for d in divisions)
    ]


def _numbers(division: Division) -> set[Place]:
    """The numbers that draw on a zone: of a channel that shows each location by itself only the one of that location.

    returns    (channel, location), or (channel, "") for all places of a channel with one number
    """
    zone = division.zone
    return {(m.channel, zone.locations[0] if m.alone else "") for m in zone.members}


def _disjoint(division: Division) -> bool:
    """Whether no unit of it is shown twice."""
    return division.threshold is None or division.scarce or division.units <= 0


@dataclass(frozen=True, slots=True)
class Hold:
    """The most a place may be showing.

    shown      last seen or confirmed, or on its way to it; None is unknown, and taken to be its target
    queued     the target that waits to be sent, and may be sent before a new one is written
    missing    units that a reading found gone and no order has told of: sold, it must be feared
    """

    shown: int | None = 0
    queued: int = 0
    missing: int = 0


_NOTHING = Hold()


def hold_rises(
    targets: Iterable[Target], limits: Sequence[Bound], holds: Mapping[Place, Hold]
) -> list[Target]:
    """The targets, none above what its group has left.

    holds      a place that is missing shows nothing yet
    returns    the same targets, with `held` units less where something must be let go first
    """
    by_place = {(target.channel, target.location): target for target in targets}
    for limit in limits:
        rows = [by_place[place] for place in sorted(limit.places) if place in by_place]
        held = [holds.get((row.channel, row.location), _NOTHING) for row in rows]
        shown = [
            max(0, row.units if h.shown is None else h.shown)
            for row, h in zip(rows, held, strict=True)
        ]
        units = limit.units - sum(h.missing for h in held)
        rows = _without(rows, [h.missing for h in held], units)
        # Above what is shown, and then above what may still go out: neither may take more than is left.
        rows = _within(rows, shown, units)
        waiting = [max(n, h.queued) for n, h in zip(shown, held, strict=True)]
        for row in _within(rows, waiting, units):
            by_place[row.channel, row.location] = row
    return list(by_place.values())


def _without(rows: Sequence[Target], missing: Sequence[int], units: int) -> list[Target]:
    """The rows, together not above the units, also where none of them rises: what is missing is taken from who sold it.

    What it sold above its own number comes from the others.
    """
    over = max(0, sum(row.units for row in rows) - units)
    left = []
    for row, sold in zip(rows, missing, strict=True):
        taken = min(over, row.units, sold)
        over -= taken
        left.append(_less(row, taken))
    for place, row in enumerate(left):
        taken = min(over, row.units)
        over -= taken
        left[place] = _less(row, taken)
    return left


def _less(row: Target, units: int) -> Target:
    return replace(row, units=row.units - units, held=row.held + units) if units else row


def _within(rows: Sequence[Target], bases: Sequence[int], units: int) -> list[Target]:
    """Each row as far above its base as the units above all bases last, in order."""
    left = max(0, units - sum(bases))
    fitted = []
    for row, base in zip(rows, bases, strict=True):
        wanted = max(0, row.units - base)
        raised = min(wanted, left)
        left -= raised
        fitted.append(_less(row, wanted - raised))
    return fitted
