"""Disjoint quotas of a scarce zone, never above what the same channel is shown just above the threshold.

That bound makes more stock never lower a number, also where quotas end. Units that a channel cannot show go to the
others where that keeps it so: what is above its limits, what it leaves to better channels, what its cut-off hides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from allocation.webster import Party, apportion
from allocation.zones import Member, Zone


class Now(NamedTuple):
    """What holds of a member at this moment, beside its rule.

    left       units it may still sell of a limit in a window; None: there is none
    guarded    units it leaves to better channels
    bundled    it lists a bundle made of the SKU, whose sales do not lower its number
    """

    left: int | None = None
    guarded: int = 0
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class Scarcity:
    """What the quotas of a zone depend on beside its units; each of a member, in order.

    threshold    most units that are divided so
    weights      how the units are divided
    buffers      units at risk while the zone is deep;  own: those of them that cover the member's own sales
    above        its share just above the threshold
    now          empty where there is nothing to say of any
    """

    zone: Zone
    threshold: int
    weights: tuple[int, ...]
    buffers: tuple[int, ...]
    own: tuple[int, ...]
    above: tuple[int, ...]
    now: tuple[Now, ...] = ()


def nothing(zone: Zone) -> tuple[Now, ...]:
    """Nothing to say of any member."""
    return (Now(),) * len(zone.members)


def limit_of(member: Member, now: Now, *, spreads: bool) -> int | None:
    """Most units it may show, as far as others may have the rest; None is no limit."""
    limits = [member.cap] if member.cap is not None else []
    if now.left is not None and spreads:
        limits.append(now.left)
    return min(limits, default=None)


def room_for(limit: int | None, kept: int) -> int | None:
    """Units it needs to show as many as its limit, where so many of them are kept back; None is no limit."""
    return limit + kept if limit else limit


@lru_cache(maxsize=65_536)
def quotas_of(scarcity: Scarcity, units: int) -> tuple[int, ...]:
    """The quota of each member.

    units    at most the threshold
    """
    zone = scarcity.zone
    told = [any(at in member.told for at in zone.locations) for member in zone.members]
    if any(told):
        # Who holds the stock shows all of it; nothing of it is left for anybody else.
        return tuple(units if shows_all else 0 for shows_all in told)
    parties = [_party(scarcity, place) for place in range(len(zone.members))]
    return tuple(_guarded(scarcity, units, _without_hidden(scarcity, units, parties)))


def _party(scarcity: Scarcity, place: int) -> Party:
    member, own = scarcity.zone.members[place], scarcity.own[place]
    now = scarcity.now[place] if scarcity.now else Now()
    floor = member.floor if now.left is None else min(member.floor, now.left)
    most = min(scarcity.threshold - scarcity.buffers[place], scarcity.above[place])
    room = room_for(limit_of(member, now, spreads=True), max(member.buffer, own))
    most = most if room is None else min(most, room)
    return Party(scarcity.weights[place], floor, max(floor, most))


def _without_hidden(scarcity: Scarcity, units: int, parties: list[Party]) -> list[Party]:
    """Who is under its cut-off shows nothing: the others have its part, up to what they have where it comes back."""
    zone = scarcity.zone
    hidden = [
        whole and units < member.cut_off
        for member, whole in zip(zone.members, zone.whole, strict=True)
    ]
    if not any(hidden):
        return parties
    back = min(m.cut_off for m, is_hidden in zip(zone.members, hidden, strict=True) if is_hidden)
    bounds: Sequence[int | None] = [None] * len(parties)
    if back <= scarcity.threshold:
        bounds = quotas_of(scarcity, back)
    return [
        Party(0, 0, 0) if is_hidden else _bounded(party, bound)
        for party, is_hidden, bound in zip(parties, hidden, bounds, strict=True)
    ]


def _bounded(party: Party, bound: int | None) -> Party:
    if bound is None:
        return party
    most = bound if party.most is None else min(party.most, bound)
    return replace(party, least=min(party.least, most), most=most)


def _guarded(scarcity: Scarcity, units: int, parties: Sequence[Party]) -> list[int]:
    """The quotas; those that leave units to better channels have together no more than the rest.

    A member that draws on other zones, too, leaves them of its whole pool: of that one zone nothing follows. Where some
    leave more than others the least is what all of them leave here.
    """
    found = apportion(units, parties)
    leaves = (
        [
            now.guarded if whole else 0
            for now, whole in zip(scarcity.now, scarcity.zone.whole, strict=True)
        ]
        if scarcity.now
        else []
    )
    if not any(leaves) or all(leaves):
        return found
    most = max(0, units - min(guarded for guarded in leaves if guarded))
    if sum(quota for quota, guarded in zip(found, leaves, strict=True) if guarded) <= most:
        return found
    lesser = iter(
        apportion(most, [p for p, guarded in zip(parties, leaves, strict=True) if guarded])
    )
    better = iter(
        apportion(
            units - most, [p for p, guarded in zip(parties, leaves, strict=True) if not guarded]
        )
    )
    return [next(lesser) if guarded else next(better) for guarded in leaves]
