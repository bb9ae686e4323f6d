"""When to order and how much: safety stock, reorder point, order-up-to, economic lots, packs and minimums.

Order when the position (what is there and coming, less what is promised) is at the reorder point or below. One safety
stock serves rules and planning: `allocation.cover`; here is what planning adds to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from allocation.cover import safety_stock
from allocation.planning.chances import Shape, Wanted, quantile


@dataclass(frozen=True, slots=True)
class SafetyStocks:
    """Units against running out, by what is allowed to vary.

    both         demand and lead time, independent of each other
    dependent    demand and lead time that rise together: the sum of the two
    """

    demand_only: float
    lead_only: float
    both: float
    dependent: float


def safety_stocks(
    service: float, per_day: float, sd_per_day: float, lead_days: float, sd_lead_days: float
) -> SafetyStocks:
    """The four of King 2011, "Crack the code", APICS magazine; `service` of replenishment cycles, not of units."""
    demand = safety_stock(service, per_day, sd_per_day, lead_days)
    lead = safety_stock(service, per_day, 0.0, lead_days, sd_lead_days)
    both = safety_stock(service, per_day, sd_per_day, lead_days, sd_lead_days)
    return SafetyStocks(demand, lead, both, demand + lead)


def whole(units: float) -> int:
    """Units that are enough; what binary fractions put above a whole number does not count."""
    return math.ceil(round(units, 9))


def reorder_point(demand: Wanted, shape: Shape, service: float) -> int:
    """Units at which to order: enough for the lead time with a chance of `service`; a base stock, one for one."""
    return max(0, whole(quantile(demand, shape, service)))


def order_up_to(per_day: float, lead_days: float, review_days: float, safety: float) -> float:
    """Units to have after an order where one looks every `review_days`: enough until the next order is there."""
    return per_day * (lead_days + review_days) + safety


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is of a SKU: units on hand, on order, promised, and owed to those who wait."""

    on_hand: int
    on_order: int = 0
    committed: int = 0
    backorders: int = 0

    @property
    def position(self) -> int:
        """What is there and coming, less what is promised."""
        return self.on_hand + self.on_order - self.committed - self.backorders


def min_max(position: int, low: int, high: int) -> int:
    """Units to order: up to `high` when the position is at `low` or below, else none."""
    return max(0, high - position) if position <= low else 0


def rounded(units: int, *, pack: int = 1, minimum: int = 0) -> int:
    """Units a supplier can send: whole packs, no fewer than the minimum; nothing stays nothing.

    raises    ValueError for a pack below 1
    """
    if pack < 1:
        raise ValueError(f"a pack of {pack} units; give 1 or more")
    return -(-max(units, minimum) // pack) * pack if units > 0 else 0


@dataclass(frozen=True, slots=True)
class EconomicLot:
    """Units of an order, orders a year, and what ordering and holding cost a year."""

    units: float
    orders_per_year: float
    cost_per_year: float


def economic_lot(order_cost: float, holding_cost: float, units_per_year: float) -> EconomicLot:
    """The lot at which ordering costs as much as holding.

    order_cost      of one order;  holding_cost  of one unit for a year;  all above 0
    source          Harris 1913: Q = sqrt(2 K D / h), cost sqrt(2 K D h)
    """
    units = math.sqrt(2 * order_cost * units_per_year / holding_cost)
    return EconomicLot(
        units,
        units_per_year / units,
        math.sqrt(2 * order_cost * units_per_year * holding_cost),
    )


def sell_through(sold: int, opening: int, received: int) -> float | None:
    """Part of what there was to sell that was sold; None where there was nothing."""
    had = opening + received
    return sold / had if had > 0 else None
