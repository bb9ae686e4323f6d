"""What to order of a SKU at a location, how soon, and why: one line of the reorder list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Final

from allocation.planning.chances import Shape, Wanted
from allocation.planning.need import LEARNED, WEEK_DAYS, Forecast, Need, need
from allocation.planning.replenishment import (
    Standing,
    economic_lot,
    min_max,
    rounded,
    whole,
)
from allocation.planning.spread import NOTHING_LEARNED, Learned
from allocation.planning.tiers import Tier

#: So many receipts make a lead time known.
LEAST_RECEIPTS: Final = 3
#: Stock that lasts longer than this has no day on which it runs out.
_FOREVER_DAYS: Final = 3650
_YEAR_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Lead:
    """Days from an order to its receipt: mean, standard deviation, and how many receipts tell so (0: assumed)."""

    days: float
    sd_days: float = 0.0
    receipts: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody stated of a supplier, a SKU or the house; None: nothing.

    service      part of replenishment cycles (0 to 1) that must not run out
    order_cost   money an order costs, whatever is in it;  holding  of a unit's cost, a year
    """

    supplier: str | None = None
    pack: int | None = None
    minimum: int | None = None
    lead_days: float | None = None
    lead_sd_days: float | None = None
    review_days: float | None = None
    service: float | None = None
    order_cost: float | None = None
    holding: float | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What is planned with.

    service        part of replenishment cycles (0 to 1) that must not run out
    lead           where too few receipts are known
    review_days    days between two looks at the list
    pack, minimum  of the supplier
    order_cost, holding    both, with a unit's cost, make an economic lot
    """

    service: float = 0.95
    lead: Lead = field(default_factory=lambda: Lead(14.0))
    review_days: float = 7.0
    pack: int = 1
    minimum: int = 0
    supplier: str | None = None
    order_cost: float | None = None
    holding: float | None = None


def terms_of(*said: Said) -> Terms:
    """The first that states something holds, field by field; the house's own defaults after all of them."""
    found = Said()
    for one in said:
        for each in fields(Said):
            if getattr(found, each.name) is None:
                found = replace(found, **{each.name: getattr(one, each.name)})
    usual = Terms()
    return Terms(
        usual.service if found.service is None else found.service,
        Lead(
            usual.lead.days if found.lead_days is None else found.lead_days,
            found.lead_sd_days or 0.0,
        ),
        usual.review_days if found.review_days is None else found.review_days,
        usual.pack if found.pack is None else found.pack,
        usual.minimum if found.minimum is None else found.minimum,
        found.supplier,
        found.order_cost,
        found.holding,
    )


def learned_lead(receipts: Sequence[tuple[float, int]], assumed: Lead) -> Lead:
    """The lead time that receipts took, each weighted by its units; what is assumed where there are too few.

    receipts    days from when it was expected first to when it came, and units
    """
    if len(receipts) < LEAST_RECEIPTS:
        return assumed
    units = sum(of for _, of in receipts)
    mean = math.fsum(days * of for days, of in receipts) / units
    variance = math.fsum(of * (days - mean) ** 2 for days, of in receipts) / units
    return Lead(mean, math.sqrt(variance), len(receipts))


@dataclass(frozen=True, slots=True)
class Level:
    """When to order of a place, and up to how much, whatever is there now.

    wanted_units    mean, until an order of today is there;  wanted_sd  its deviation;  shape  how it is spread
    reorder_point   order at this position or below;  order_up_to  to this
    lot_units       order at least so many, because an order costs too; 0 where costs are not known
    lost_per_hour   money an hour without it costs; None: its price is not known
    tier            A the few that lose most
    """

    sku: str
    location: str
    terms: Terms
    lead: Lead
    per_day: float
    wanted_units: float
    wanted_sd: float
    shape: str
    kind: str | None
    model: str
    folds: int
    reorder_point: int
    order_up_to: int
    lot_units: int
    lost_per_hour: float | None = None
    tier: Tier = Tier.C

    @property
    def safety(self) -> float:
        """Of the reorder point, what is not the mean."""
        return self.reorder_point - self.wanted_units


def level(
    spot: tuple[str, str],
    of: Forecast,
    lead: Lead,
    terms: Terms,
    learned: Learned = NOTHING_LEARNED,
    *,
    price: float | None = None,
    cost: float | None = None,
) -> Level:
    """The level of a SKU and location; `price` and `cost` of a unit, where they are known."""
    until_there = need(of, lead.days, lead.sd_days, learned=learned)
    longer = need(of, lead.days, lead.sd_days, terms.review_days, learned)
    point = max(0, whole(until_there.enough(terms.service)))
    return Level(
        *spot,
        terms,
        lead,
        of.per_day,
        until_there.demand.mean,
        until_there.deviation,
        until_there.called,
        of.kind.value if of.kind else None,
        of.chosen.model,
        of.chosen.folds,
        point,
        max(point, whole(longer.enough(terms.service))),
        _lot(terms, of.per_day, cost),
        None if price is None else price * of.per_day / 24,
    )


def _lot(terms: Terms, per_day: float, cost: float | None) -> int:
    if not (terms.order_cost and terms.holding and cost and per_day > 0):
        return 0
    return round(economic_lot(terms.order_cost, terms.holding * cost, per_day * _YEAR_DAYS).units)


def chance_of(of: Level, units: int, learned: Learned = NOTHING_LEARNED) -> float:
    """The chance that so many units last until an order of today is there."""
    demand = Wanted(of.wanted_units, of.wanted_sd**2)
    if of.shape == LEARNED:
        spread = learned.spread(of.lead.days / WEEK_DAYS, of.kind)
        return Need(demand, Shape.NORMAL, spread).chance(units)
    return Need(demand, Shape(of.shape)).chance(units)


@dataclass(frozen=True, slots=True)
class Advice:
    """A line of the reorder list.

    units           to order now; 0 is nothing
    runs_out_on     None: not within ten years, or nothing sells
    why             in words
    """

    level: Level
    standing: Standing
    units: int
    runs_out_on: date | None
    why: tuple[str, ...]


def advise(
    of: Level, standing: Standing, coming: Sequence[tuple[date, int]], today: date
) -> Advice:
    """What to order at this level.

    standing    units free now as `on_hand` (below 0: sold and not there), and what is expected
    coming      what is expected, by day
    """
    short = min_max(standing.position, of.reorder_point, of.order_up_to)
    units = rounded(
        max(short, of.lot_units) if short else 0, pack=of.terms.pack, minimum=of.terms.minimum
    )
    out = runs_out_on(standing.on_hand, of.per_day, coming, today)
    return Advice(of, standing, units, out, _reasons(of, standing, short, units, out, today))


def _reasons(
    of: Level, standing: Standing, short: int, units: int, out: date | None, today: date
) -> tuple[str, ...]:
    lead, why = of.lead, []
    if standing.on_hand < 0:
        why.append(f"{-standing.on_hand} sold and not there")
    if short:
        why.append(f"position {standing.position} at or below {of.reorder_point}")
    if out is not None and (out - today).days < lead.days:
        why.append(f"runs out on {out}, before an order of today is there")
    if of.lot_units > short > 0:
        why.append(f"{of.lot_units} is the economic lot")
    if units > max(short, of.lot_units):
        why.append(f"{max(short, of.lot_units)} in whole packs or the minimum")
    why.append(f"lead time of {lead.receipts} receipts" if lead.receipts else "lead time assumed")
    if not of.folds:
        why.append("too short a past to choose a model by")
    return tuple(why)


def runs_out_on(
    free: int, per_day: float, coming: Sequence[tuple[date, int]], today: date
) -> date | None:
    """The first day on which nothing is left at this pace; None where nothing sells or it lasts for ten years.

    coming    units by the day they are due; what is overdue counts as of today
    """
    if per_day <= 0:
        return None
    left, at = float(free), 0.0
    for day, units in sorted(coming):
        due = max(0, (day - today).days)
        if left - per_day * (due - at) <= 0 and due > at:
            break
        left += units - per_day * (due - at)
        at = float(due)
    days = at + max(0.0, left) / per_day
    return today + timedelta(days=math.floor(days)) if days < _FOREVER_DAYS else None
