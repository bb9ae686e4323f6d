"""How many units will be wanted until an order is there, and how many are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from allocation.planning.chances import Shape, Wanted, chance_enough, quantile, shape_of, wanted
from allocation.planning.classes import DemandClass, pattern
from allocation.planning.mixing import Chosen, choose, mixed
from allocation.planning.models import Periods
from allocation.planning.past import past, spread_of
from allocation.planning.series import Series, per_day, per_day_spread, periods, together
from allocation.planning.spread import NOTHING_LEARNED, Learned, Spread

WEEK_DAYS: Final = 7
#: What a need is called that is read from misses of the past; others by their distribution.
LEARNED: Final = "learned"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a SKU was wanted at a location, all channels together, masked.

    weeks       newest last, each ending at the same day of the week; None: nothing can be said of it
    per_day     units of an open day;  sd_per_day  its standard deviation over open days
    left_out    one-off lines, in words
    """

    weeks: Periods
    per_day: float
    sd_per_day: float
    left_out: tuple[str, ...] = ()


def demand_of(parts: Sequence[Series]) -> Demand:
    """Of one series a channel, of the same days, all of one SKU and location; at least one."""
    units, opened = together(parts)
    # Before it was first bought it may not have been there to be bought.
    begun = next((day for day, of in enumerate(units) if of), 0)
    units, opened = units[begun:], opened[begun:]
    return Demand(
        periods(units, opened),
        per_day(units, opened) or 0.0,
        per_day_spread(units, opened),
        tuple(
            f"{line.lines} x {line.units} on {line.day} ({line.channel or 'no channel'})"
            for part in parts
            for line in part.bulk
        ),
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a SKU will be wanted at a location.

    chosen        the weights of the mix, and how each model did
    per_day       mean units of a day to come
    sd_per_day    of the days that were;  sd_per_week  of what weeks missed their forecast by
    kind          None where nothing was wanted
    """

    demand: Demand
    chosen: Chosen
    per_day: float
    sd_per_week: float
    kind: DemandClass | None

    @property
    def sd_per_day(self) -> float:
        """Of the days that were."""
        return self.demand.sd_per_day


def forecast(demand: Demand, days: float, learned: Learned = NOTHING_LEARNED) -> Forecast:
    """What is wanted of this in the next `days` (above 0)."""
    horizon = max(1, math.ceil(days / WEEK_DAYS))
    of = past(demand.weeks)
    chosen = choose(of, horizon, learned.pool(horizon))
    end = len(of.periods)
    mean = mixed(of, end, horizon, chosen.weights)
    found = pattern(demand.weeks)
    return Forecast(
        demand,
        chosen,
        mean / WEEK_DAYS,
        math.sqrt(spread_of(of, end, mean)),
        found.kind if found else None,
    )


@dataclass(frozen=True, slots=True)
class Need:
    """Units wanted in a time, and how they are spread.

    spread    what misses of the past teach; None: too few are known, and `shape` is believed
    """

    demand: Wanted
    shape: Shape
    spread: Spread | None = None

    @property
    def called(self) -> str:
        """`learned`, or the distribution."""
        return self.shape.value if self.spread is None else LEARNED

    @property
    def deviation(self) -> float:
        """Standard deviation, in units."""
        return math.sqrt(self.demand.variance)

    def enough(self, service: float) -> float:
        """Units that are enough with a chance of `service` (0 to 1, both excluded)."""
        if self.spread is None or self.demand.mean <= 0:
            return quantile(self.demand, self.shape, service)
        return max(0.0, self.demand.mean + self.spread.at(service) * self.deviation)

    def chance(self, units: int) -> float:
        """The chance that so many are enough."""
        if self.spread is None or self.demand.mean <= 0 or units < 0:
            return chance_enough(self.demand, self.shape, units)
        return self.spread.chance((units - self.demand.mean) / self.deviation)


def need(
    of: Forecast,
    days: float,
    sd_days: float = 0.0,
    review_days: float = 0.0,
    learned: Learned = NOTHING_LEARNED,
) -> Need:
    """Units wanted in a lead time (days, with its deviation) and a review after it."""
    time = days + review_days
    spread = learned.spread(time / WEEK_DAYS, of.kind.value if of.kind else None)
    if spread is None:
        said = wanted(of.per_day, of.sd_per_day, days, sd_days, review_days)
    else:
        variance = time / WEEK_DAYS * of.sd_per_week**2 + (of.per_day * sd_days) ** 2
        said = Wanted(of.per_day * time, variance)
    return Need(said, shape_of(said, of.kind), spread)
