"""What to order of a SKU at a location, how soon, and why: one line of the reorder list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from allocation.planning.backtest import Chosen, choose
from allocation.planning.chances import Shape, Wanted, chance_enough, quantile, shape_of, wanted
from allocation.planning.classes import DemandClass, pattern
from allocation.planning.models import MODELS
from allocation.planning.replenishment import Standing, min_max, rounded, whole
from allocation.planning.series import Series, per_day_spread, periods, together

#: So many receipts make a lead time known.
LEAST_RECEIPTS = 3
#: Stock that lasts longer than this has no day on which it runs out.
_FOREVER_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Lead:
    """Days from an order to its receipt: mean, standard deviation, and how many receipts tell so (0: assumed)."""

    days: float
    sd_days: float = 0.0
    receipts: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What is planned with.

    service        part of replenishment cycles (0 to 1) that must not run out
    lead           where too few receipts are known
    review_days    days between two looks at the list
    pack, minimum  of the supplier
    """

    service: float = 0.95
    lead: Lead = field(default_factory=lambda: Lead(14.0))
    review_days: float = 7.0
    pack: int = 1
    minimum: int = 0


def learned(receipts: Sequence[tuple[float, int]], assumed: Lead) -> Lead:
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
class Forecast:
    """What a SKU will be wanted at a location.

    weeks         as they were, newest last; None: nothing can be said of it
    chosen        the model, and the table it was chosen by
    per_day       mean units of a day to come;  sd_per_day  of the days that were
    kind          None where nothing was wanted
    left_out      one-off lines, in words
    """

    weeks: Sequence[float | None]
    chosen: Chosen
    per_day: float
    sd_per_day: float
    kind: DemandClass | None
    left_out: tuple[str, ...] = ()


def forecast(parts: Sequence[Series], days: float) -> Forecast:
    """The demand of all channels together, `days` (above 0) ahead.

    parts    one series a channel, of the same days, all of one SKU and location; at least one
    """
    units, opened = together(parts)
    # Before it was first bought it may not have been there to be bought.
    begun = next((day for day, of in enumerate(units) if of), 0)
    units, opened = units[begun:], opened[begun:]
    weeks = periods(units, opened)
    horizon = max(1, math.ceil(days / 7))
    chosen = choose(weeks, horizon)
    ahead = MODELS[chosen.model](weeks, horizon)
    found = pattern(weeks)
    return Forecast(
        weeks,
        chosen,
        math.fsum(ahead) / horizon / 7,
        per_day_spread(units, opened),
        found.kind if found else None,
        tuple(
            f"{line.lines} x {line.units} on {line.day} ({line.channel or 'no channel'})"
            for part in parts
            for line in part.bulk
        ),
    )


@dataclass(frozen=True, slots=True)
class Advice:
    """A line of the reorder list.

    demand          units wanted until an order of today is there
    reorder_point   order at this position or below;  order_up_to  to this
    safety          of the reorder point, what is not the mean
    enough          the chance that the position lasts until then
    units           to order now; 0 is nothing
    runs_out_on     None: not within ten years, or nothing sells
    why             in words
    """

    sku: str
    location: str
    forecast: Forecast
    lead: Lead
    standing: Standing
    demand: Wanted
    shape: Shape
    reorder_point: int
    order_up_to: int
    safety: float
    enough: float
    units: int
    runs_out_on: date | None
    why: tuple[str, ...]


def advise(
    parts: Sequence[Series],
    lead: Lead,
    standing: Standing,
    coming: Sequence[tuple[date, int]],
    terms: Terms,
    today: date,
) -> Advice:
    """What to order of the SKU and location of these series.

    parts       as for `forecast`
    standing    units free now as `on_hand` (below 0: sold and not there), and what is expected
    coming      what is expected, by day
    """
    sku, _, location = parts[0].place
    said = forecast(parts, lead.days + terms.review_days)
    demand = wanted(said.per_day, said.sd_per_day, lead.days, lead.sd_days)
    shape = shape_of(demand, said.kind)
    point = max(0, whole(quantile(demand, shape, terms.service)))
    longer = wanted(said.per_day, said.sd_per_day, lead.days, lead.sd_days, terms.review_days)
    top = max(point, whole(quantile(longer, shape_of(longer, said.kind), terms.service)))
    short = min_max(standing.position, point, top)
    units = rounded(short, pack=terms.pack, minimum=terms.minimum)
    out = runs_out_on(standing.on_hand, said.per_day, coming, today)
    enough = chance_enough(demand, shape, standing.position)
    advice = Advice(
        sku, location, said, lead, standing, demand, shape, point, top, point - demand.mean,
        enough, units, out, (),
    )  # fmt: skip
    return _with_reasons(advice, short, today)


def _with_reasons(advice: Advice, short: int, today: date) -> Advice:
    lead, why = advice.lead, []
    if advice.standing.on_hand < 0:
        why.append(f"{-advice.standing.on_hand} sold and not there")
    if short:
        why.append(f"position {advice.standing.position} at or below {advice.reorder_point}")
    if advice.runs_out_on is not None and (advice.runs_out_on - today).days < lead.days:
        why.append(f"runs out on {advice.runs_out_on}, before an order of today is there")
    if advice.units > short:
        why.append(f"{short} in whole packs or the minimum")
    why.append(f"lead time of {lead.receipts} receipts" if lead.receipts else "lead time assumed")
    if not advice.forecast.chosen.folds:
        why.append("too short a past to choose a model by")
    return replace(advice, why=tuple(why))


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
