"""How likely so many units are wanted in a time, by mean and variance: normal, Poisson or negative binomial.

Theory. Demand in a lead time L that itself varies has mean d L and variance L s_d^2 + d^2 s_L^2. The normal puts weight
below zero where the mean is small, so that it is kept for what sells steadily and much; otherwise units are counted:
Poisson while the variance is about the mean, negative binomial with r = m^2 / (v - m), p = r / (r + m) where it is
more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from statistics import NormalDist
from typing import Final

from allocation.planning.classes import DemandClass
from allocation.risk import poisson_pmf, poisson_quantile

#: From so many units in the time on, what sells steadily is taken as normal (own choice: below, its left tail shows).
NORMAL_FROM: Final = 20.0
#: A variance up to so many times the mean is what chance makes of Poisson demand.
ABOUT: Final = 1.05
#: A sum of many small chances falls short of 1 by rounding: nothing smaller than that is looked for.
_LEAST: Final = 1e-12
_STANDARD: Final = NormalDist()


class Shape(StrEnum):
    """How demand in a time is distributed."""

    NORMAL = "normal"
    POISSON = "poisson"
    NEGATIVE_BINOMIAL = "negative_binomial"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units wanted in a time: mean at least 0, and variance."""

    mean: float
    variance: float


def wanted(
    per_day: float, sd_per_day: float, days: float, sd_days: float = 0.0, review_days: float = 0.0
) -> Wanted:
    """Units wanted until an order is there, demand and lead time independent of each other.

    days, sd_days    lead time and its standard deviation
    review_days      days between two looks at the stock; 0 where every sale is one
    source           King 2011, "Crack the code", APICS magazine
    """
    time = days + review_days
    return Wanted(per_day * time, time * sd_per_day**2 + (per_day * sd_days) ** 2)


def shape_of(demand: Wanted, kind: DemandClass | None = None) -> Shape:
    """How such demand is distributed; of a kind that is not known units are counted."""
    if kind is DemandClass.SMOOTH and demand.mean >= NORMAL_FROM:
        return Shape.NORMAL
    return Shape.POISSON if demand.variance <= ABOUT * demand.mean else Shape.NEGATIVE_BINOMIAL


def negative_binomial(demand: Wanted) -> tuple[float, float]:
    """r and p of the negative binomial; the variance must be above the mean, and the mean above 0."""
    r = demand.mean**2 / (demand.variance - demand.mean)
    return r, r / (r + demand.mean)


def quantile(demand: Wanted, shape: Shape, service: float) -> float:
    """The least stock that is enough with a chance of `service` (0 to 1, both excluded); whole units unless normal."""
    if demand.mean <= 0:
        return 0.0
    match shape:
        case Shape.NORMAL:
            return demand.mean + _STANDARD.inv_cdf(service) * math.sqrt(demand.variance)
        case Shape.POISSON:
            return float(poisson_quantile(demand.mean, 1 - service))
        case Shape.NEGATIVE_BINOMIAL:
            risk = max(1 - service, _LEAST)
            for units, below in enumerate(accumulate(_chances(demand))):
                if 1 - below <= risk:
                    return float(units)
            raise AssertionError("chances sum to 1")


def chance_enough(demand: Wanted, shape: Shape, units: int) -> float:
    """P(no more than `units` are wanted)."""
    if units < 0 or demand.mean <= 0:
        return float(units >= 0)
    match shape:
        case Shape.NORMAL if demand.variance <= 0:
            return float(units >= demand.mean)
        case Shape.NORMAL:
            return _STANDARD.cdf((units - demand.mean) / math.sqrt(demand.variance))
        case Shape.POISSON:
            return min(1.0, math.fsum(poisson_pmf(demand.mean, units)))
        case Shape.NEGATIVE_BINOMIAL:
            chances = _chances(demand)
            return min(1.0, math.fsum(next(chances) for _ in range(units + 1)))


def expected_short(demand: Wanted, shape: Shape, units: int) -> float:
    """Units wanted beyond `units` (at least 0), on average of all times: E[(D - units)+]."""
    if shape is Shape.NORMAL and demand.variance <= 0:
        return max(0.0, demand.mean - units)
    if shape is Shape.NORMAL:
        sd = math.sqrt(demand.variance)
        z = (units - demand.mean) / sd
        return sd * (_STANDARD.pdf(z) - z * (1 - _STANDARD.cdf(z)))
    if shape is Shape.POISSON:
        chances = poisson_pmf(demand.mean, max(0, units - 1))[:units]
    else:
        endless = _chances(demand)
        chances = [next(endless) for _ in range(units)]
    # What is missing beyond s is the mean less what s units serve: the sum of P(D > x) for x below s.
    return max(0.0, demand.mean - math.fsum(1 - below for below in accumulate(chances)))


def fill_rate(demand: Wanted, shape: Shape, units: int, order_units: float) -> float:
    """Part of the units wanted that are there: 1 - E[(D - units)+] / order_units (type 2 service)."""
    return 1 - expected_short(demand, shape, units) / order_units


def newsvendor(demand: Wanted, shape: Shape, short_cost: float, over_cost: float) -> float:
    """Units to have where what is left over costs `over_cost` each and what is missing `short_cost`."""
    return quantile(demand, shape, short_cost / (short_cost + over_cost))


def _chances(demand: Wanted) -> Iterator[float]:
    """P(D = 0), P(D = 1), ... of the negative binomial, without end."""
    r, p = negative_binomial(demand)
    of_none, each = r * math.log(p) - math.lgamma(r), math.log1p(-p)
    units = 0
    while True:
        # By logarithms: of a great mean the first chances are too small to begin with.
        yield math.exp(of_none + math.lgamma(units + r) - math.lgamma(units + 1) + units * each)
        units += 1
