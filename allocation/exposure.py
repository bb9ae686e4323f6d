"""Units at risk: what others may sell of a zone before a channel hears of it, and when a zone is too scarce to share.

While a zone is deep its channels see the same units, each less its buffer. When it falls to the sum of the buffers it
is divided into disjoint quotas: then the sum of what is shown is at most what there is, whatever happens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from allocation.risk import buffer_units
from allocation.types import Exposure, Lag, Outlook, Pace
from allocation.zones import WHOLE, Member, Zone

#: Quotas follow demand in steps of a twentieth, so that they do not move with every sale.
_STEPS = 20
_DAY_S = 86_400.0

#: Sales, and the seconds in which they count.
Stream: TypeAlias = tuple[Pace, float]


@dataclass(frozen=True, slots=True)
class Rival:
    """One member of a zone as the others see it.

    assumed    its pace or its lag was never measured: the safe side is taken
    """

    pace: Pace
    lag: Lag
    assumed: bool


@dataclass(frozen=True, slots=True)
class Risk:
    """What one member of a zone is exposed to.

    lines     order lines expected on the other channels until this one shows what follows from them
    buffer    units that cover them; risk: the chance left that they do not
    own       units of them that cover its own sales, which its vendor lets a late number write over
    """

    lines: float
    buffer: int
    risk: float
    assumed: bool
    own: int = 0


def members_seen(zone: Zone, outlook: Outlook, exposure: Exposure) -> tuple[Rival, ...]:
    """Pace and lag of every member of a zone, in order."""
    return tuple(_seen(member, zone, outlook, exposure) for member in zone.members)


@lru_cache(maxsize=4096)
def _never_sold(member: Member, zone: Zone, lag: Lag | None, exposure: Exposure) -> Rival:
    part = sum(location in member.locations for location in zone.locations)
    lines = exposure.per_day / _DAY_S * part / len(member.locations)
    return Rival(Pace(lines), lag or _assumed_lag(exposure), assumed=True)


def _seen(member: Member, zone: Zone, outlook: Outlook, exposure: Exposure) -> Rival:
    lag = outlook.lags.get(member.channel)
    paces = [
        pace
        for location in zone.locations
        if (pace := outlook.paces.get((member.channel, location))) is not None
    ]
    if not paces:
        # What it sells elsewhere says nothing of here.
        return _never_sold(member, zone, lag, exposure)
    pace = paces[0] if len(paces) == 1 else together(paces)
    return Rival(pace, lag or _assumed_lag(exposure), assumed=lag is None)


def _assumed_lag(exposure: Exposure) -> Lag:
    return Lag(exposure.lag_s / 2, exposure.lag_s / 2)


def together(paces: Sequence[Pace]) -> Pace:
    """Several streams of order lines as one."""
    lines = sum(pace.lines_per_s for pace in paces)
    if lines <= 0:
        return Pace(0.0)
    return Pace(
        lines,
        sum(pace.units_per_s for pace in paces) / lines,
        sum(pace.lines_per_s * pace.square_per_line for pace in paces) / lines,
    )


def risks(
    zone: Zone,
    seen: tuple[Rival, ...],
    exposure: Exposure,
    others: Pace,
    bundled: tuple[bool, ...] = (),
) -> tuple[Risk, ...]:
    """What each member of a zone is exposed to, in order.

    seen       pace and lag of each member
    others     sales that take from the same units and lower no member's own number, as those of a bundle's parts do
    bundled    of each member, whether it sells the units in a bundle as well; empty where none does. How many is not
               known apart: all it sells of them is taken, which is the safe side
    """
    allowed = [exposure.risk if m.risk is None else m.risk for m in zone.members]
    plain = [member.plain for member in zone.members]
    return _risks(seen, tuple(allowed), tuple(plain), others, bundled)


@lru_cache(maxsize=16_384)
def _risks(
    seen: tuple[Rival, ...],
    allowed: tuple[float, ...],
    plain: tuple[bool, ...],
    others: Pace,
    bundled: tuple[bool, ...],
) -> tuple[Risk, ...]:
    assumed = any(rival.assumed for rival in seen)
    twice = bundled or (False,) * len(seen)
    return tuple(
        _risk(
            _streams(index, seen, others, plain[index] or twice[index]),
            _own(seen[index], plain[index]),
            risk,
            assumed,
        )
        for index, risk in enumerate(allowed)
    )


def _streams(index: int, seen: Sequence[Rival], others: Pace, also_own: bool) -> list[Stream]:
    """What sells of the same units before member `index` shows it, each with the seconds in which it does."""
    show_s = seen[index].lag.show_s
    streams = [
        (rival.pace, rival.lag.hear_s + show_s) for at, rival in enumerate(seen) if at != index
    ]
    if others.lines_per_s > 0:
        streams.append((others, max(rival.lag.hear_s for rival in seen) + show_s))
    return [*streams, *_own(seen[index], also_own)]


def _own(rival: Rival, counts: bool) -> list[Stream]:
    """The member's own sales, where a number on its way writes over them until they are heard of."""
    return [(rival.pace, rival.lag.hear_s + rival.lag.show_s)] if counts else []


def _risk(streams: Sequence[Stream], own: Sequence[Stream], risk: float, assumed: bool) -> Risk:
    lines, buffer = _covered(streams, risk)
    return Risk(lines, buffer, risk, assumed, _covered(own, risk)[1])


def _covered(streams: Sequence[Stream], risk: float) -> tuple[float, int]:
    """(lines expected, units that cover them)"""
    lines = sum(pace.lines_per_s * seconds for pace, seconds in streams)
    if lines <= 0:
        return 0.0, 0
    units = sum(pace.units_per_s * seconds for pace, seconds in streams) / lines
    squares = sum(p.lines_per_s * p.square_per_line * seconds for p, seconds in streams) / lines
    return lines, buffer_units(lines, units, squares, risk)


def threshold(zone: Zone, buffers: Sequence[int], exposure: Exposure, *, was_scarce: bool) -> int:
    """The units at or below which a zone is divided into quotas; higher while it is, so that it does not flutter.

    Floors count: what does not reach for all of them must be divided, or each channel would show the same last units.
    """
    units = max(sum(buffers), sum(member.floor for member in zone.members))
    if was_scarce and units:
        return max(units + 1, math.ceil(units * (1 + exposure.hysteresis)))
    return units


def quota_weights(zone: Zone, seen: Sequence[Rival]) -> tuple[int, ...]:
    """How a scarce zone is divided: percents and weights as the file says, the rest by demand.

    returns    a weight a member, in hundredths; each at least 1
    """
    claimed = sum(member.claim for member in zone.members)
    free = [i for i, member in enumerate(zone.members) if not member.divides]
    lines = [rival.pace.units_per_s for rival in seen]
    demand, of_free = sum(lines), sum(lines[i] for i in free)
    base = WHOLE if all(m.percent for m in zone.members if m.divides) else max(claimed, 1)
    rest = max(0, base - claimed) if claimed else base

    def weight(index: int) -> int:
        if zone.members[index].divides:
            return max(1, zone.members[index].claim)
        by_rest = _step(lines[index], of_free, len(free)) * rest // _STEPS
        by_demand = _step(lines[index], demand, len(zone.members)) * base // _STEPS
        return max(1, by_rest, by_demand)

    return tuple(weight(index) for index in range(len(zone.members)))


def _step(part: float, whole: float, count: int) -> int:
    """A part of the whole in twentieths, at least one; equal parts where nothing is known."""
    share = part / whole if whole > 0 else 1 / count
    return max(1, round(share * _STEPS))
