"""How a SKU stands in somebody else's network: days of supply, excess, sell-through, age, what to take out of it.

Everything is in units of ours. What the network holds ages by FIFO over all its buildings (`ageing`).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from allocation.planning import ageing, removing
from allocation.planning.ageing import Aged, Layer, Removal
from allocation.planning.removal_fees import NoFees
from allocation.planning.removing import Unit, Worth
from allocation.planning.surcharges import NoSurcharges

#: The day of each month on which what is aged is charged (Seller Central, aged inventory surcharge).
SNAPSHOT_DAY: Final = 15
#: What was shipped and what lay is looked at over so many days, and between them every so many.
SELL_DAYS: Final = 90
STEP_DAYS: Final = 30
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one SKU in the network.

    on_hand      that could be sold, orders and what is in transfer included
    available    that can be sold now;  inbound  announced or on its way
    arrivals     by day; what is not among them came before anything is known of
    shipped      in `SELL_DAYS`;  recently_shipped  in the last 60 days
    snapshots    on hand now and every `STEP_DAYS` back, as far as the book follows the SKU, at most four
    per_day      forecast of what will be sold a day
    stranded     nobody can buy them; None: not known
    cubic_feet   of one unit; None: not known
    charged      whether the dated tables of `surcharges` hold there
    in_stock     part of the last 30 days (0 to 1) in which there was any to sell; None: nothing is known of them
    known_since  every arrival since then is among `arrivals`; None: that is not known
    storage_type of which kind of storage it is;  removal_fee  dollars for taking one out; None: not known
    """

    on_hand: int
    available: int
    inbound: int
    arrivals: Sequence[Layer]
    shipped: int
    recently_shipped: int
    snapshots: Sequence[int]
    per_day: float
    stranded: int | None = None
    cubic_feet: Decimal | None = None
    charged: bool = True
    in_stock: float | None = None
    known_since: date | None = None
    storage_type: str = "standard"
    removal_fee: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands.

    days_of_supply    None: nothing sells
    layers, aged      by arrival, oldest first: the same units, as old as they are at least (`at_least`)
    surcharge         dollars of the next snapshot if nothing were sold until then; None: no size, or no table holds
    removal           what is to be taken out; None: nothing
    worth             what that saves and costs; None: it cannot be said
    stays             why what will be aged unsold is not taken out, or less of it; empty: nothing of the kind
    """

    held: Held
    days_of_supply: float | None
    excess_units: int
    sell_through: float | None
    layers: Sequence[Layer]
    aged: Sequence[Aged]
    aged_units: int
    surcharge: Decimal | None
    removal: Removal | None
    worth: Worth | None = None
    stays: str = ""

    @property
    def oldest_days(self) -> int | None:
        """Age of the oldest unit; None: nothing is there, or it came before anything is known of."""
        is_known = self.layers and self.layers[0].came_on is not None
        return self.aged[0].days if is_known else None

    @property
    def first_surcharge(self) -> Decimal | None:
        """Dollars of the first surcharge that the removal saves; None where it cannot be said."""
        if self.removal is None or self.surcharge is None:
            return None
        return self.removal.saved.quantize(_CENT)

    @property
    def why(self) -> str:
        """Why so much is to be taken out, and no more; empty where nothing is said of it."""
        return "; ".join(
            said for said in (self.removal.why if self.removal else "", self.stays) if said
        )


def next_snapshot(today: date) -> date:
    """The day of the next snapshot, today if it is one."""
    if today.day <= SNAPSHOT_DAY:
        return today.replace(day=SNAPSHOT_DAY)
    days = calendar.monthrange(today.year, today.month)[1]
    later = date.fromordinal(today.replace(day=1).toordinal() + days)
    return later.replace(day=SNAPSHOT_DAY)


def snapshots(today: date, how_many: int) -> list[date]:
    """The next snapshots, today's if it is one."""
    found = [next_snapshot(today)]
    while len(found) < how_many:
        found.append(next_snapshot(found[-1] + timedelta(days=1)))
    return found


def at_least(layers: Sequence[Layer], known_since: date | None, on: date) -> list[Aged]:
    """How old each layer is on a day, at least: what came before arrivals are known came by then at the latest.

    So nothing is charged or removed for an age that nobody knows.
    """
    return [
        Aged(max(0, (on - (layer.came_on or known_since or on)).days), layer.units)
        for layer in layers
    ]


def stand(held: Held, today: date) -> Standing:
    """How a SKU stands as of today."""
    layers = ageing.layers(held.arrivals, held.on_hand)
    aged = at_least(layers, held.known_since, today)
    sold_through = ageing.sell_through(held.shipped, held.snapshots)
    charge = _charge(held, layers, next_snapshot(today))
    removal, worth, stays = _taken_out(held, aged, sold_through, today)
    return Standing(
        held,
        ageing.days_of_supply(held.available, held.inbound, held.per_day),
        ageing.excess_units(held.available, held.inbound, held.per_day),
        sold_through,
        layers,
        aged,
        ageing.units_aged(aged, ageing.AGED_DAYS),
        charge,
        removal,
        worth,
        stays,
    )


def _charge(held: Held, layers: Sequence[Layer], on: date) -> Decimal | None:
    if held.cubic_feet is None or not held.charged:
        return None
    try:
        then = at_least(layers, held.known_since, on)
        return ageing.surcharge(then, held.cubic_feet, on).quantize(_CENT)
    except NoSurcharges:
        return None


def _taken_out(
    held: Held, aged: Sequence[Aged], sold_through: float | None, today: date
) -> tuple[Removal | None, Worth | None, str]:
    """What to take out, what that is worth, and why not more: nothing that costs more than it saves."""
    feet = held.cubic_feet
    try:
        # Without a size the units are the same, only what they cost is not known.
        removal = ageing.removal(aged, held.per_day, sold_through, feet or Decimal(0), today)
        if removal is None or feet is None or not held.charged:
            return removal, None, ""
        unit = Unit(feet, held.storage_type, held.removal_fee)
        days = snapshots(today, removing.SNAPSHOTS)
        worth = removing.worth(aged, held.per_day, unit, removal.units, today, days)
    except (NoSurcharges, NoFees):
        return None, None, ""
    if worth.units == removal.units:
        return removal, worth, ""
    fee = f"{unit.fee:.2f}"
    stays = (
        f"{removal.units - worth.units} stay: taking one out costs {fee} dollars, keeping it less"
    )
    if not worth.units:
        return None, None, f"{removal.why}; {stays}"
    less = ageing.removal(aged, held.per_day, sold_through, feet, today, most=worth.units)
    return less, worth, stays


@dataclass(frozen=True, slots=True)
class Factors:
    """What Amazon says its index is made of, over all SKUs; None: nothing is known to compute it from.

    excess_ratio      of units that can be sold or are on their way, those in excess
    sell_through      units shipped in 90 days over mean units on hand
    stranded_ratio    of units on hand, those nobody can buy
    in_stock_ratio    mean of the SKUs that sold in 60 days, each weighted by what it sold
    storage_weeks     mean volume over volume shipped a week, of SKUs whose size is known
    """

    skus: int
    on_hand: int
    excess_ratio: float | None
    sell_through: float | None
    stranded_ratio: float | None
    in_stock_ratio: float | None
    storage_weeks: float | None


def factors(standings: Iterable[Standing]) -> Factors:
    """The factors of all of these together.

    source    Seller Central, Inventory Performance Index: excess, sell-through, stranded, in-stock rate
    """
    every = list(standings)
    held = [each.held for each in every]
    on_hand = sum(each.on_hand for each in held)
    supply = sum(each.available + each.inbound for each in held)
    mean = sum(_mean(each.snapshots) for each in held)
    told = [each for each in held if each.stranded is not None]
    sellers = [each for each in held if each.in_stock is not None and each.recently_shipped > 0]
    sized = [(each, float(each.cubic_feet)) for each in held if each.cubic_feet is not None]
    return Factors(
        len(every),
        on_hand,
        _ratio(sum(each.excess_units for each in every), supply),
        _ratio(sum(each.shipped for each in held), mean),
        _ratio(sum(each.stranded or 0 for each in told), sum(each.on_hand for each in told)),
        _ratio(
            sum((each.in_stock or 0.0) * each.recently_shipped for each in sellers),
            sum(each.recently_shipped for each in sellers),
        ),
        ageing.storage_weeks(
            sum(_mean(each.snapshots) * feet for each, feet in sized),
            sum(each.shipped * feet for each, feet in sized) / SELL_DAYS,
        ),
    )


def _mean(units: Sequence[int]) -> float:
    return sum(units) / len(units) if units else 0.0


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
