"""Stock that stays back for a reason: safety stock, days of cover, and units protected for a better channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from allocation.risk import buffer_units
from allocation.types import Pace, Protection, Safety

_NORMAL = NormalDist()


def safety_stock(
    service: float,
    mean_per_day: float,
    sd_per_day: float,
    lead_days: float,
    lead_sd_days: float = 0.0,
    review_days: float = 0.0,
) -> float:
    """Units against running out in a replenishment cycle, demand and lead time independent of each other.

    service        part of cycles (0 to 1) that must not run out
    review_days    days between two looks at the stock; they lengthen the time that demand may vary
    source         King 2011, "Crack the code", APICS magazine: z * sqrt(L s_d^2 + d^2 s_L^2)
    """
    spread = (lead_days + review_days) * sd_per_day**2 + mean_per_day**2 * lead_sd_days**2
    return _NORMAL.inv_cdf(service) * math.sqrt(spread)


def reorder_point(mean_per_day: float, lead_days: float, safety: float) -> float:
    """Units at which to order again: what sells until it comes, and the safety stock."""
    return mean_per_day * lead_days + safety


def days_of_cover(available: int, units_per_day: float) -> float | None:
    """How long the stock lasts at this pace; None where nothing sells, which is not 0."""
    return available / units_per_day if units_per_day > 0 else None


def safety_units(safety: Safety, paces: Sequence[Pace]) -> int:
    """What a safety rule keeps back at a location.

    paces    of the SKU on every channel served from there
    """
    if safety.units is not None:
        return safety.units
    per_day = sum(pace.units_per_day for pace in paces)
    if safety.days is not None:
        return math.ceil(round(float(safety.days) * per_day, 9))
    deviation = math.sqrt(sum(pace.variance_per_day for pace in paces))
    units = safety_stock(
        float(safety.service or 0.5),
        per_day,
        deviation,
        float(safety.lead_days),
        float(safety.lead_sd_days),
    )
    return max(0, math.ceil(round(units, 9)))


def protected_units(protection: Protection, paces: Sequence[Pace]) -> int:
    """What a protection leaves for its channel.

    paces    of the SKU on that channel, at all its locations
    """
    if protection.units is not None:
        return protection.units
    ratio = float(protection.against_margin or 0) / float(protection.margin or 1)
    lines = sum(pace.lines_per_s for pace in paces)
    seconds = float(protection.days or 0) * 86_400
    if lines <= 0 or not 0 < ratio < 1:
        return 0
    units = sum(pace.units_per_s for pace in paces) / lines
    squares = sum(pace.lines_per_s * pace.square_per_line for pace in paces) / lines
    return buffer_units(lines * seconds, units, squares, ratio)


def littlewood(high: float, low: float, mean: float, sd: float) -> float:
    """Units to protect for the class that earns `high`, when its demand is normal.

    source    Littlewood 1972: P(D > y) = low / high
    """
    return NormalDist(mean, sd).inv_cdf(1 - low / high)


def nested_protections(
    earnings: Sequence[float], means: Sequence[float], sds: Sequence[float]
) -> list[float]:
    """Units to protect for the first class, the first two, ...: all but the last.

    earnings    of a unit by class, falling
    source      Belobaba 1989, EMSR-b: the classes above together against the next one, at their mean earning
    """
    protections = []
    for index in range(1, len(earnings)):
        mean = sum(means[:index])
        sd = math.sqrt(sum(of * of for of in sds[:index]))
        together = sum(e * m for e, m in zip(earnings[:index], means[:index], strict=True)) / mean
        protections.append(littlewood(together, earnings[index], mean, sd))
    return protections
