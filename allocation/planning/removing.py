"""Whether units are worth taking out: what they cost while they lie there, against the fee for taking them out.

The oldest are sold first and the oldest are taken out, so that without them what is left is sold sooner. A unit more
saves what the unit at its place in the queue would be charged at each snapshot until it is sold. A younger unit is
never charged more than an older one, so each unit more saves no more than the one before, and the best number is the
last that saves more than its fee.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from allocation.planning.ageing import Aged, surcharge
from allocation.planning.removal_fees import storage_fee

#: Snapshots that are looked at: what does not sell for longer has paid for its removal, or never will (own choice).
SNAPSHOTS: Final = 12
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is charged for one of them.

    cubic_feet, storage_type    as of its size
    fee                         dollars for taking it out; None: its weight is not known
    """

    cubic_feet: Decimal
    storage_type: str
    fee: Decimal | None


@dataclass(frozen=True, slots=True)
class Worth:
    """What is worth taking out, in dollars for all of them.

    saved    storage and surcharges of the next `SNAPSHOTS` months, less as they would be sold
    fee      None: not known, and nothing was left in for it
    """

    units: int
    saved: Decimal
    fee: Decimal | None

    @property
    def net(self) -> Decimal | None:
        """What is left of what is saved."""
        return None if self.fee is None else self.saved - self.fee


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One day on which is charged: units sold by then, and the queue by price, oldest first."""

    sold: int
    queue: Sequence[tuple[int, Decimal]]

    def price_at(self, place: int) -> Decimal:
        """Dollars for the unit at this place of the queue, counted from 1; 0 behind its end."""
        for units, price in self.queue:
            if place <= units:
                return price
            place -= units
        return Decimal(0)

    def cost(self, gone: int) -> Decimal:
        """Dollars for all but so many of the oldest."""
        dollars = Decimal(0)
        for units, price in self.queue:
            stays = max(0, units - gone)
            gone -= units - stays
            dollars += stays * price
        return dollars


def worth(
    there: Sequence[Aged],
    per_day: float,
    unit: Unit,
    most: int,
    today: date,
    snapshots: Sequence[date],
) -> Worth:
    """How many of the oldest `most` units to take out, and what that saves and costs.

    there        by age today, oldest first;  snapshots  the days on which is charged, from today on
    returns      units 0 where no unit saves more than its fee; all of `most` where the fee is not known
    raises       NoFees, NoSurcharges before the first tables
    """
    charged = [_snapshot(there, per_day, unit, today, day) for day in snapshots[:SNAPSHOTS]]
    units = most if unit.fee is None else _worthwhile(charged, unit.fee, most)
    saved = sum((s.cost(s.sold) - s.cost(s.sold + units) for s in charged), Decimal(0))
    fee = None if unit.fee is None else (units * unit.fee).quantize(_CENT)
    return Worth(units, saved.quantize(_CENT), fee)


def _worthwhile(charged: Sequence[_Snapshot], fee: Decimal, most: int) -> int:
    """The last unit that saves more than the fee, by halving: each saves no more than the one before."""
    low, high = 0, most
    while low < high:
        place = (low + high + 1) // 2
        if sum((each.price_at(each.sold + place) for each in charged), Decimal(0)) > fee:
            low = place
        else:
            high = place - 1
    return low


def _snapshot(
    there: Sequence[Aged], per_day: float, unit: Unit, today: date, day: date
) -> _Snapshot:
    later = (day - today).days
    storage = storage_fee(unit.cubic_feet, unit.storage_type, day)
    queue = []
    for layer in there:
        then = Aged(None if layer.days is None else layer.days + later, 1)
        queue.append((layer.units, storage + surcharge([then], unit.cubic_feet, day)))
    return _Snapshot(math.floor(round(per_day * later, 9)), queue)
