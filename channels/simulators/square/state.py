"""What a seller's account holds: places, catalogue objects, orders, refunds and subscriptions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

UPPER: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
MIXED: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
DONE: Final = frozenset({"COMPLETED", "CANCELED", "FAILED"})
"""Fulfilment states that do not change any more."""


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def money(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "USD"}


class Ids:
    """Opaque ids, drawn from a seed."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def upper(self, length: int = 24) -> str:
        return "".join(self._dice.choices(UPPER, k=length))

    def mixed(self, length: int = 27) -> str:
        return "".join(self._dice.choices(MIXED, k=length))


@dataclass(slots=True, eq=False)
class Location:
    id: str
    name: str
    created_at: datetime
    active: bool = True


@dataclass(slots=True, eq=False)
class CatalogObject:
    """An ITEM or an ITEM_VARIATION.

    data      `item_data` without its variations, or `item_variation_data`
    absent    locations where it is not sold;  present: where it is, when not sold everywhere
    """

    id: str
    type: str
    version: int
    updated_at: datetime
    data: dict[str, Any]
    everywhere: bool = True
    present: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    deleted: bool = False

    @property
    def sku(self) -> str:
        return str(self.data.get("sku") or "")

    @property
    def price(self) -> int:
        return int((self.data.get("price_money") or {}).get("amount", 0))

    def override(self, location_id: str) -> dict[str, Any]:
        """What the variation says differently at a location."""
        for one in self.data.get("location_overrides") or ():
            if one.get("location_id") == location_id:
                return dict(one)
        return {}

    def tracked_at(self, location_id: str) -> bool:
        there = self.override(location_id).get("track_inventory")
        return bool(self.data.get("track_inventory") if there is None else there)

    def sold_at(self, location_id: str) -> bool:
        if self.deleted or location_id in self.absent:
            return False
        return self.everywhere or location_id in self.present


@dataclass(slots=True, eq=False)
class Line:
    """`quantity` may have decimals; `price` is in cents for one."""

    uid: str
    variation: CatalogObject
    name: str
    quantity: Decimal
    price: int
    returned: Decimal = Decimal(0)

    def cents(self, quantity: Decimal | None = None) -> int:
        exact = self.price * (self.quantity if quantity is None else quantity)
        return int(exact.to_integral_value(ROUND_HALF_UP))


@dataclass(slots=True, eq=False)
class Fulfillment:
    """A PICKUP. `stamps` holds the moments of its states: `ready_at` and its like."""

    uid: str
    pickup_at: datetime
    recipient: str
    state: str = "PROPOSED"
    stamps: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ReturnLine:
    """`line` is the line of the sale; None for a return without one."""

    uid: str
    variation: CatalogObject
    name: str
    quantity: Decimal
    price: int
    line: Line | None

    def cents(self) -> int:
        return int((self.price * self.quantity).to_integral_value(ROUND_HALF_UP))


@dataclass(slots=True, eq=False)
class Order:
    """A sale, a pickup order, or (with `return_lines`) a return.

    version   None for orders that were not made through the API: they have none and cannot be updated by it
    """

    id: str
    location: Location
    state: str
    source_name: str
    created_at: datetime
    updated_at: datetime
    version: int | None = None
    closed_at: datetime | None = None
    lines: list[Line] = field(default_factory=list)
    fulfillment: Fulfillment | None = None
    tender_id: str | None = None
    tender_type: str = "CASH"
    return_uid: str = ""
    return_of: Order | None = None
    return_lines: list[ReturnLine] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(line.cents() for line in self.lines)

    @property
    def returned_total(self) -> int:
        return sum(line.cents() for line in self.return_lines)


@dataclass(slots=True, eq=False)
class Refund:
    """Money given back; `order` is the return it belongs to, or the sale when only money went back."""

    id: str
    order: Order
    tender_id: str
    amount: int
    reason: str
    created_at: datetime
    updated_at: datetime
    status: str = "PENDING"


@dataclass(slots=True, eq=False)
class Subscription:
    number: int
    id: str
    name: str
    notification_url: str
    event_types: list[str]
    api_version: str
    signature_key: str
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
