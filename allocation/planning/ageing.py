"""How long units have lain, and which of them are too many: FIFO over the whole network, as Amazon counts it.

What is sold or removed is taken off the oldest arrival, whichever unit left and from whichever building. So what is
there is always the newest arrivals, and an age needs only the arrivals and the units on hand.

Source: seller-forum.com/t/reminder-aged-inventory-surcharge/4700 (snapshot on the 15th, FIFO over the network).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from allocation.planning.surcharges import BY_DATE, Band, bands_on

#: Stock for more days than this at the forecast pace is excess (Seller Central, Inventory Performance Index).
EXCESS_DAYS: Final = 90
#: A surcharge begins after so many days; from `LOOK_FROM_DAYS` on a removal is thought of (own rule, a month before).
AGED_DAYS: Final = 181
LOOK_FROM_DAYS: Final = 150
#: A sell-through of 90 days below this is slow (own rule).
SLOW_SELL_THROUGH: Final = 0.5


@dataclass(frozen=True, slots=True)
class Layer:
    """Units that came on one day; None: before anything is known of."""

    came_on: date | None
    units: int


@dataclass(frozen=True, slots=True)
class Aged:
    """Units of one age in days; None: older than anything known."""

    days: int | None
    units: int

    def is_at_least(self, days: int) -> bool:
        """Whether they have lain so long; what is older than anything known has."""
        return self.days is None or self.days >= days


def layers(arrivals: Iterable[Layer], on_hand: int) -> list[Layer]:
    """The arrivals that are still there, oldest first: the newest that come to `on_hand`.

    arrivals    in any order; those of a day count together
    on_hand     more than all that came: the rest came before anything is known of
    """
    days: dict[date, int] = {}
    for arrival in arrivals:
        if arrival.came_on is not None:
            days[arrival.came_on] = days.get(arrival.came_on, 0) + arrival.units
    left, found = max(0, on_hand), []
    for day in sorted(days, reverse=True):
        if left <= 0:
            break
        units = min(left, days[day])
        if units > 0:
            found.append(Layer(day, units))
            left -= units
    if left > 0:
        found.append(Layer(None, left))
    return found[::-1]


def ages(there: Sequence[Layer], on: date) -> list[Aged]:
    """How long each layer has lain on a day, oldest first."""
    return [
        Aged(None if layer.came_on is None else (on - layer.came_on).days, layer.units)
        for layer in there
    ]


def units_aged(there: Sequence[Aged], days: int) -> int:
    """Units that have lain for so many days or longer."""
    return sum(layer.units for layer in there if layer.is_at_least(days))


def excess_units(available: int, inbound: int, per_day: float) -> int:
    """Units beyond `EXCESS_DAYS` of supply; all of them where nothing sells."""
    return max(0, available + inbound - math.ceil(round(EXCESS_DAYS * per_day, 9)))


def days_of_supply(available: int, inbound: int, per_day: float) -> float | None:
    """Days that what is there and coming lasts; None where nothing sells."""
    return (available + inbound) / per_day if per_day > 0 else None


def sell_through(shipped: int, on_hand: Sequence[int]) -> float | None:
    """Amazon's: units shipped in 90 days over the mean on hand of snapshots now and 30, 60, 90 days ago."""
    mean = sum(on_hand) / len(on_hand) if on_hand else 0.0
    return shipped / mean if mean > 0 else None


def weeks_of_cover(on_hand: int, inbound: int, per_week: float) -> float | None:
    """Weeks that what is there and coming lasts; None where nothing sells."""
    return (on_hand + inbound) / per_week if per_week > 0 else None


def storage_weeks(volume: float, shipped_volume_per_day: float) -> float | None:
    """Amazon's storage utilisation ratio: mean daily volume over mean daily shipped volume of 13 weeks, in weeks.

    source    sellercentral.amazon.com/help/hub/reference/external/GJ9NNG7RK4TU6E3Z (a surcharge above 22 weeks)
    """
    return volume / shipped_volume_per_day / 7 if shipped_volume_per_day > 0 else None


def surcharge(there: Sequence[Aged], cubic_feet: Decimal, on: date) -> Decimal:
    """Dollars that a snapshot on this day costs these units of one SKU.

    cubic_feet    of one unit
    raises        NoSurcharges before the first table; what is older than anything known is charged as the oldest
    """
    bands = bands_on(on, BY_DATE)
    return sum((_charge(layer, bands, cubic_feet) for layer in there), Decimal(0))


def _charge(layer: Aged, bands: Sequence[Band], cubic_feet: Decimal) -> Decimal:
    for band in reversed(bands):
        if layer.is_at_least(band.from_days):
            # Where a band names two prices, the greater is charged.
            return layer.units * max(band.per_cubic_foot * cubic_feet, band.per_unit)
    return Decimal(0)


@dataclass(frozen=True, slots=True)
class Removal:
    """Units to take out of the network, and why; `saved` is the next surcharge they would cost, in dollars."""

    units: int
    why: str
    saved: Decimal


def removal(
    there: Sequence[Aged],
    per_day: float,
    sold_through: float | None,
    cubic_feet: Decimal,
    on: date,
    most: int | None = None,
) -> Removal | None:
    """What to remove of one SKU before it is charged as aged; None where nothing is.

    there           by age, oldest first
    sold_through    of 90 days; None: not known
    most            no more than so many, above 0, the oldest of them; None: all

    Units of `LOOK_FROM_DAYS` and more are looked at when stock lasts more than `EXCESS_DAYS` or sells slowly: those
    that will not be sold before their `AGED_DAYS`, the oldest being sold first.
    """
    units = sum(layer.units for layer in there)
    lasts = days_of_supply(units, 0, per_day)
    long = lasts is None or lasts > EXCESS_DAYS
    slow = sold_through is not None and sold_through < SLOW_SELL_THROUGH
    old = [layer for layer in there if layer.is_at_least(LOOK_FROM_DAYS)]
    if not old or not (long or slow):
        return None
    stays = _unsold(old, per_day)
    count = sum(layer.units for layer in stays)
    if not count:
        return None
    cover = "nothing sells" if lasts is None else f"{lasts:.0f} days of supply"
    why = f"{count} of {units} will pass {AGED_DAYS - 1} days unsold; {cover}"
    goes = _oldest(stays, count if most is None else most)
    then = [Aged(None if s.days is None else max(s.days, AGED_DAYS), s.units) for s in goes]
    return Removal(sum(layer.units for layer in goes), why, surcharge(then, cubic_feet, on))


def _oldest(there: Sequence[Aged], units: int) -> list[Aged]:
    """So many of these, oldest first."""
    found: list[Aged] = []
    for layer in there:
        if units > 0:
            found.append(Aged(layer.days, min(units, layer.units)))
            units -= layer.units
    return found


def _unsold(old: Sequence[Aged], per_day: float) -> list[Aged]:
    """What of these, oldest first, is left when each has reached the age of the surcharge."""
    left: list[Aged] = []
    sold = 0
    for layer in old:
        days = 0 if layer.days is None else max(0, AGED_DAYS - 1 - layer.days)
        # By the time this layer is aged so much is sold in all, and the older ones have had their part.
        can_go = max(0, math.floor(round(per_day * days, 9)) - sold)
        goes = min(layer.units, can_go)
        sold += goes
        if layer.units > goes:
            left.append(Aged(layer.days, layer.units - goes))
    return left
