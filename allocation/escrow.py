"""Numbers on their way: one rises only after what it takes has been let go elsewhere.

Theorem. Let no unit of a zone be shown twice (quotas, shares of the file, one channel alone), and every channel's
*hold* be the most it may be showing: what was last seen or confirmed, what is on its way to it, and the target it has.
If the sum of holds is at most the units there are, it stays so under any order of sales, pushes, failures and repeats:
a sale lowers a hold and the stock alike; a drop lowers a hold when it is confirmed; a rise is set only within what is
left of the units above the sum of holds. A reading that finds less than was believed has seen sales before the book:
those units stay *missing*, and nobody's, until their orders are heard, and the SKU is computed again before anything
rises. So it is when quotas begin: once the drops are through, the premise holds, though sales of before are still
unheard.

Outside of it is what takes units without any number paying for them: write-offs, counts, transfers, orders typed in,
EDI orders above the partner's own part. Until the drops that follow are seen, so many are shown too much.

What it asks of a vendor: that a write fails which does not know of a sale (compare-and-set, or counts dated by their
reading). Where a write is plain, as on Amazon, a unit sold while a number is on its way may be shown again.

Source: O'Neil 1986, "The escrow transactional method", TODS 11(4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from allocation.division import Division, sees_the_same
from allocation.engine import Allotment, drawn_on, shown_at
from allocation.types import Rules, Show, Target

Place: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bound:
    """Places (channel, location) whose numbers together may not be above the units there are.

    leaving      places that are to show nothing of it any more, and hold what they show until they are seen at 0
    locations    where the units are
    scarce       all of it is divided into quotas, so that a bundle made of it shows nothing
    """

    places: frozenset[Place]
    units: int
    leaving: frozenset[Place] = frozenset()
    locations: frozenset[str] = frozenset()
    scarce: bool = True


def bounds(allotment: Allotment, rules: Rules, told: Collection[Place] = ()) -> list[Bound]:
    """Groups of places of whose stock no unit is shown twice: divided into quotas, by the file, or one channel's alone.

    Places whose numbers draw on the same zone are in one group. A group of which a part is deep has no bound: there,
    buffers decide.

    rules    as they are in force now
    told     places where the channel holds the stock itself: what they show is not of these units
    """
    if not any(division.units > 0 and _disjoint(division) for division in allotment.divisions):
        return []
    groups: list[tuple[set[Place], list[Division]]] = []
    for division in allotment.divisions:
        names = _numbers(division)
        joined = [group for group in groups if group[0] & names]
        groups = [group for group in groups if not group[0] & names]
        names = names.union(*(others for others, _ in joined))
        groups.append((names, [*(d for _, of in joined for d in of), division]))
    places = [(target.channel, target.location) for target in allotment.targets]
    leaving = {
        (t.channel, t.location): drawn_by(rules, (t.channel, t.location))
        for t in allotment.targets
        if (t.rule is None or t.rule.excluded) and (t.channel, t.location) not in told
    }
    found = []
    for names, divisions in groups:
        if all(_disjoint(division) for division in divisions):
            locations = frozenset(at for division in divisions for at in division.zone.locations)
            bound = Bound(
                frozenset(p for p in places if p in names or (p[0], "") in names).difference(
                    leaving, told
                ),
                sum(division.units for division in divisions),
                frozenset(place for place, drawn in leaving.items() if drawn & locations),
                locations,
                all(division.scarce or division.units <= 0 for division in divisions),
            )
            if bound.units > 0 and len(bound.places) + len(bound.leaving) > 1:
                found.append(bound)
    return found


def drawn_by(rules: Rules, place: Place) -> frozenset[str]:
    """The locations whose units a place may be showing, whether the rules still serve it or not.

    Of a channel that the rules do not know any more it may be any.
    """
    name, location = place
    channel = next((each for each in rules.channels if each.name == name), None)
    if channel is None:
        return frozenset((*rules.locations, location))
    if location in shown_at(channel) or channel.show is Show.PER_LOCATION:
        return frozenset(drawn_on(channel, location))
    return frozenset((*channel.locations, location))


def _numbers(division: Division) -> set[Place]:
    """The numbers that draw on a zone: of a channel that shows each location by itself only the one of that location.

    returns    (channel, location), or (channel, "") for all places of a channel with one number
    """
    zone = division.zone
    return {(m.channel, zone.locations[0] if m.alone else "") for m in zone.members}


def _disjoint(division: Division) -> bool:
    """Whether no unit of it is shown twice."""
    return division.scarce or division.units <= 0 or not sees_the_same(division.zone)


@dataclass(frozen=True, slots=True)
class Hold:
    """The most a place may be showing.

    shown      last seen or confirmed, or on its way to it; None is unknown, and taken to be its target
    queued     the target that waits to be sent, and may be sent before a new one is written
    missing    units that a reading found gone and no order has told of: sold, it must be feared
    target     what it is to show, as of before
    """

    shown: int | None = 0
    queued: int = 0
    missing: int = 0
    target: int = 0


_NOTHING = Hold()


@dataclass(frozen=True, slots=True)
class Taken:
    """Units that a bundle made of the SKU may be showing at a place.

    locations    whose units they may be
    excess       units of them that its own target does not ask for any more
    """

    locations: frozenset[str]
    units: int
    excess: int


def hold_rises(
    targets: Iterable[Target],
    limits: Sequence[Bound],
    holds: Mapping[Place, Hold],
    taken: Sequence[Taken] = (),
) -> list[Target]:
    """The targets, none above what its group has left.

    holds      a place that is missing shows nothing yet
    taken      what bundles made of it show
    returns    the same targets, with `held` units less where something must be let go first
    """
    by_place = {(target.channel, target.location): target for target in targets}
    for limit in limits:
        rows = [by_place[place] for place in sorted(limit.places) if place in by_place]
        held = [holds.get((row.channel, row.location), _NOTHING) for row in rows]
        leaving = [holds.get(place, _NOTHING) for place in limit.leaving]
        shown = [
            max(0, row.units if h.shown is None else h.shown)
            for row, h in zip(rows, held, strict=True)
        ]
        # What a channel keeps of its quota covers its own sales, and nothing that was found missing elsewhere.
        units = limit.units - sum(row.exposed for row in rows if row.quota)
        units -= sum(h.missing for h in (*held, *leaving))
        rows = _without(rows, [h.missing for h in held], units)
        # What leaves lowers nobody: it is on its way out. It only keeps others from rising before it is.
        units -= sum(max(0, h.shown or 0, h.queued) for h in leaving)
        units -= _taken_of(limit, taken)
        # Above what is shown, and then above what may still go out: neither may take more than is left.
        rows = _within(rows, shown, units)
        waiting = [max(n, h.queued) for n, h in zip(shown, held, strict=True)]
        for row in _within(rows, waiting, units):
            by_place[row.channel, row.location] = row
    return list(by_place.values())


def _taken_of(limit: Bound, taken: Sequence[Taken]) -> int:
    """What bundles show that nobody else may: of scarce parts all of it, elsewhere what is too much."""
    return sum(
        each.units if limit.scarce else each.excess
        for each in taken
        if each.locations & limit.locations
    )


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
