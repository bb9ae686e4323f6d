"""The time windows and pages that both versions of the orders API share.

A window ends two minutes before the call at the latest, and by itself: an order that changed later is not in it and
moves to a later window. Resuming at the told end therefore misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.service import Service
from channels.simulators.amazon.state import Order

TOKEN_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """Which orders a call asks for: those created (or updated) from `after` to `before`, that pass `wanted`."""

    by_creation: bool
    after: datetime
    before: datetime
    size: int
    wanted: Callable[[Order], bool]
    start: tuple[datetime, str] | None = None

    def key(self, order: Order) -> tuple[datetime, str]:
        return (order.created_at if self.by_creation else order.updated_at, order.order_id)


@dataclass(frozen=True, slots=True)
class Asked:
    """The four times of a call, whatever its version names them."""

    created_after: datetime | None
    created_before: datetime | None
    updated_after: datetime | None
    updated_before: datetime | None


def window(
    service: Service, asked: Asked, size: int, wanted: Callable[[Order], bool], now: datetime
) -> Window:
    """Raises ApiError 400 unless exactly one kind of time is asked for, in order and not too near to now."""
    if (asked.created_after is None) is (asked.updated_after is None):
        raise invalid_input("Provide exactly one of created after and last updated after.")
    by_creation = asked.created_after is not None
    foreign = asked.updated_before if by_creation else asked.created_before
    after = asked.created_after or asked.updated_after or now
    before = asked.created_before if by_creation else asked.updated_before
    newest = now - timedelta(seconds=service.account.pace.orders_s)
    if foreign is not None or not 1 <= size <= 100:
        raise invalid_input("Invalid Input")
    if before is not None and (before < after or before > newest):
        raise invalid_input("The end must be after the start and at least two minutes ago.")
    return Window(by_creation, after, before or newest, size, wanted)


def page(service: Service, chosen: Window, now: datetime) -> tuple[list[Order], str | None]:
    """Orders of one page, oldest first, and the token of the next."""
    found = sorted(
        (
            order
            for order in service.account.orders.values()
            if chosen.after <= chosen.key(order)[0] <= chosen.before and chosen.wanted(order)
        ),
        key=chosen.key,
    )
    rest = [o for o in found if chosen.start is None or chosen.key(o) > chosen.start]
    orders = rest[: chosen.size]
    if len(rest) <= chosen.size:
        return orders, None
    following = Window(
        chosen.by_creation,
        chosen.after,
        chosen.before,
        chosen.size,
        chosen.wanted,
        chosen.key(orders[-1]),
    )
    return orders, service.pages.issue(following, now, TOKEN_S)
