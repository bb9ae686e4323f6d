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


def divide(zone: Zone, units: int, exposure: Exposure, outlook: Outlook) -> Division:
    """Divide the units of a zone among its members."""
    if not outlook.paces and not outlook.rivals:
        lags = tuple([outlook.lags.get(member.channel) for member in zone.members])
        return _never_sold(zone, units, exposure, lags, zone.name in outlook.scarce)
    return _divide(zone, units, exposure, outlook)


@lru_cache(maxsize=262_144)
def _never_sold(
    zone: Zone, units: int, exposure: Exposure, lags: tuple[Lag | None, ...], was_scarce: bool
) -> Division:
    """Most SKUs of a house sell seldom: of those, the same few units in the same zone come out the same."""
    known = {m.channel: lag for m, lag in zip(zone.members, lags, strict=True) if lag is not None}
    scarce = frozenset((zone.name,)) if was_scarce else frozenset()
    return _divide(zone, units, exposure, Outlook(lags=known, scarce=scarce))


def _divide(zone: Zone, units: int, exposure: Exposure, outlook: Outlook) -> Division:
    shares = _shares(zone, units)
    others = _NOBODY
    if outlook.rivals:
        others = together([outlook.rivals[at] for at in zone.locations if at in outlook.rivals])
    if not exposure.on or not (sees_the_same(zone) or others.lines_per_s > 0):
        return Division(zone, units, tuple(Part(share, share) for share in shares))
    seen = members_seen(zone, outlook, exposure)
    exposed = risks(zone, seen, exposure, others)
    buffers = [risk.buffer for risk in exposed]
    least = threshold(zone, buffers, exposure, was_scarce=zone.name in outlook.scarce)
    if units > least:
        parts = tuple(
            Part(share, max(0, units - buffer))
            for share, buffer in zip(shares, buffers, strict=True)
        )
        return Division(zone, units, parts, least, False, exposed)
    quotas = _quotas(zone, units, quota_weights(zone, seen), tuple(buffers), least)
    parts = tuple(
        Part(quota, max(0, quota - risk.own)) for quota, risk in zip(quotas, exposed, strict=True)
    )
    return Division(zone, units, parts, least, units > 0, exposed)


def sees_the_same(zone: Zone) -> bool:
    """Whether a unit of the zone can be on display on two channels at once."""
    return len(zone.members) > 1 and any(not member.divides for member in zone.members)


def _shares(zone: Zone, units: int) -> tuple[int, ...]:
    """What each member has while the zone is deep: its share, or all of it."""
    if any(member.divides for member in zone.members):
        return _divided(zone, units)
    return (units,) * len(zone.members)


@lru_cache(maxsize=65_536)
def _divided(zone: Zone, units: int) -> tuple[int, ...]:
    dividing = [member for member in zone.members if member.divides]
    parties = [Party(m.claim, m.floor, m.room) for m in dividing]
    shares = iter(apportion(units, [*parties, Party(zone.held)]))
    return tuple(next(shares) if member.divides else units for member in zone.members)


@lru_cache(maxsize=65_536)
def _quotas(
    zone: Zone, units: int, weights: tuple[int, ...], buffers: tuple[int, ...], threshold: int
) -> tuple[int, ...]:
    """Disjoint quotas, never above what the same channel is shown just above the threshold.

    That bound makes more stock never lower a number, also where quotas end.
    """
    told = [any(at in member.told for at in zone.locations) for member in zone.members]
    if any(told):
        # Who holds the stock shows all of it; nothing of it is left for anybody else.
        return tuple(units if shows_all else 0 for shows_all in told)
    above = _shares(zone, threshold)
    parties = [
        Party(weight, member.floor, _most(member, min(threshold - buffer, share)))
        for member, weight, buffer, share in zip(zone.members, weights, buffers, above, strict=True)
    ]
    return tuple(apportion(units, parties))


def _most(member: Member, units: int) -> int:
    most = units if member.room is None else min(units, member.room)
    return max(member.floor, most)
