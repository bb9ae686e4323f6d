"""From the units of a zone to the part of each of its members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from allocation.exposure import (
    Risk,
    members_seen,
    quota_weights,
    risks,
    threshold,
    together,
)
from allocation.quotas import Now, Scarcity, limit_of, nothing, quotas_of, room_for
from allocation.types import Exposure, Lag, Outlook, Pace
from allocation.webster import Party, apportion
from allocation.zones import Member, Zone

_NOBODY = Pace(0.0)


class Part(NamedTuple):
    """What one member has of a zone.

    units    its share, its quota, or all of the zone where it sees what others see
    limit    most of it that may be shown now; less than `units` where others may sell the same
    """

    units: int
    limit: int


@dataclass(frozen=True, slots=True)
class Division:
    """A zone divided.

    units        what there is
    parts        of each member, in order
    threshold    units at or below which it is divided into quotas; None where its members never see the same units
    scarce       it is divided into quotas now
    risks        what each member is exposed to; empty without a threshold
    """

    zone: Zone
    units: int
    parts: tuple[Part, ...]
    threshold: int | None = None
    scarce: bool = False
    risks: tuple[Risk, ...] = ()


def divide(
    zone: Zone, units: int, exposure: Exposure, outlook: Outlook, now: tuple[Now, ...] = ()
) -> Division:
    """Divide the units of a zone among its members.

    now    of each member, in order; empty where there is nothing to say of any
    """
    if not outlook.paces and not outlook.rivals:
        lags = tuple([outlook.lags.get(member.channel) for member in zone.members])
        return _never_sold(zone, units, exposure, lags, now, zone.name in outlook.scarce)
    return _divide(zone, units, exposure, outlook, now)


@lru_cache(maxsize=262_144)
def _never_sold(
    zone: Zone,
    units: int,
    exposure: Exposure,
    lags: tuple[Lag | None, ...],
    now: tuple[Now, ...],
    was_scarce: bool,
) -> Division:
    """Most SKUs of a house sell seldom: of those, the same few units in the same zone come out the same."""
    known = {m.channel: lag for m, lag in zip(zone.members, lags, strict=True) if lag is not None}
    scarce = frozenset((zone.name,)) if was_scarce else frozenset()
    return _divide(zone, units, exposure, Outlook(lags=known, scarce=scarce), now)


def _divide(
    zone: Zone, units: int, exposure: Exposure, outlook: Outlook, now: tuple[Now, ...]
) -> Division:
    shares = _shares(zone, units, now)
    others = _NOBODY
    if outlook.rivals:
        others = together([outlook.rivals[at] for at in zone.locations if at in outlook.rivals])
    bundled = tuple([at.bundled for at in now]) if any(at.bundled for at in now) else ()
    if not exposure.on or not (sees_the_same(zone) or others.lines_per_s > 0 or bundled):
        return Division(zone, units, tuple(Part(share, share) for share in shares))
    seen = members_seen(zone, outlook, exposure)
    exposed = risks(zone, seen, exposure, others, bundled)
    buffers = [risk.buffer for risk in exposed]
    least = threshold(zone, buffers, exposure, was_scarce=zone.name in outlook.scarce)
    if units > least:
        parts = tuple(
            Part(share, max(0, units - buffer))
            for share, buffer in zip(shares, buffers, strict=True)
        )
        return Division(zone, units, parts, least, False, exposed)
    own = tuple(risk.own for risk in exposed)
    above = _shares(zone, least, now, own)
    scarcity = Scarcity(zone, least, quota_weights(zone, seen), tuple(buffers), own, above, now)
    parts = tuple(
        Part(quota, max(0, quota - kept))
        for quota, kept in zip(quotas_of(scarcity, units), own, strict=True)
    )
    return Division(zone, units, parts, least, units > 0, exposed)


def sees_the_same(zone: Zone) -> bool:
    """Whether a unit of the zone can be on display on two channels at once."""
    return len(zone.members) > 1 and any(not member.divides for member in zone.members)


def _shares(
    zone: Zone, units: int, now: tuple[Now, ...], own: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """What each member has while the zone is deep: its share, or all of it.

    own    units of its quota that each keeps back for its own sales
    """
    if any(member.divides for member in zone.members):
        return _divided(zone, units, now, own)
    return (units,) * len(zone.members)


@lru_cache(maxsize=65_536)
def _divided(zone: Zone, units: int, now: tuple[Now, ...], own: tuple[int, ...]) -> tuple[int, ...]:
    parties = [
        _party(member, at, kept)
        for member, at, kept in zip(
            zone.members, now or nothing(zone), own or (0,) * len(zone.members), strict=True
        )
        if member.divides
    ]
    shares = iter(apportion(units, [*parties, Party(zone.held)]))
    return tuple(next(shares) if member.divides else units for member in zone.members)


def _party(member: Member, now: Now, own: int) -> Party:
    floor = member.floor
    if now.left is not None and member.spreads:
        floor = min(floor, now.left)
    room = room_for(limit_of(member, now, spreads=member.spreads), max(member.buffer, own))
    return Party(member.claim, floor, room if room is None else max(floor, room))
