"""What a Shopify shop holds: places, products, stock levels and orders, as plain mutable records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from channels.simulators.shopify.ids import gid, level_gid

ON_HAND_PARTS: Final = (
    "available",
    "committed",
    "damaged",
    "quality_control",
    "reserved",
    "safety_stock",
)
"""The states whose sum is on hand; `incoming` stands beside them."""

STATES: Final = (*ON_HAND_PARTS, "incoming")


@dataclass(slots=True, eq=False)
class Location:
    TYPE: ClassVar = "Location"
    number: int
    level_number: int
    name: str
    created_at: datetime
    updated_at: datetime
    active: bool = True
    fulfills_online_orders: bool = True
    fulfillment_service: bool = False
    pickup: bool = False
    deactivated_at: datetime | None = None

    @property
    def gid(self) -> str:
        return gid("Location", self.number)


@dataclass(slots=True, eq=False)
class Publication:
    TYPE: ClassVar = "Publication"
    number: int
    name: str

    @property
    def gid(self) -> str:
        return gid("Publication", self.number)


@dataclass(slots=True, eq=False)
class Product:
    TYPE: ClassVar = "Product"
    number: int
    title: str
    status: str
    created_at: datetime
    updated_at: datetime
    vendor: str = "Acme"
    variants: list[Variant] = field(default_factory=list)
    published_on: set[int] = field(default_factory=set)

    @property
    def gid(self) -> str:
        return gid("Product", self.number)

    @property
    def handle(self) -> str:
        return "-".join(self.title.lower().split())


@dataclass(slots=True, eq=False)
class Variant:
    """`policy` is DENY or CONTINUE; `bundle` marks a parent whose stock is computed from components."""

    TYPE: ClassVar = "ProductVariant"
    number: int
    product: Product
    item: Item
    sku: str
    title: str
    policy: str
    price: Decimal
    created_at: datetime
    updated_at: datetime
    barcode: str | None = None
    bundle: bool = False

    @property
    def gid(self) -> str:
        return gid("ProductVariant", self.number)

    @property
    def available(self) -> int:
        return sum(level.units["available"] for level in self.item.levels.values() if level.active)


@dataclass(slots=True, eq=False)
class Item:
    TYPE: ClassVar = "InventoryItem"
    number: int
    tracked: bool
    created_at: datetime
    updated_at: datetime
    levels: dict[int, Level] = field(default_factory=dict)
    variant: Variant | None = None

    @property
    def gid(self) -> str:
        return gid("InventoryItem", self.number)

    @property
    def sku(self) -> str:
        return self.variant.sku if self.variant else ""


@dataclass(slots=True, eq=False)
class Level:
    """One item at one location. `units` has every state of STATES; on hand is always their sum."""

    TYPE: ClassVar = "InventoryLevel"
    item: Item
    location: Location
    created_at: datetime
    updated_at: datetime
    active: bool = True
    units: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    stamped: dict[str, datetime] = field(default_factory=dict)

    @property
    def gid(self) -> str:
        return level_gid(self.location.level_number, self.item.number)

    def holds(self, name: str) -> int:
        """Units in a state; `on_hand` is the sum of its parts."""
        if name == "on_hand":
            return sum(self.units[part] for part in ON_HAND_PARTS)
        return self.units[name]

    def shift(self, name: str, delta: int, at: datetime) -> None:
        """Change one state by `delta`; a zero leaves no trace."""
        if delta:
            self.units[name] += delta
            self.stamped[name] = at
            self.updated_at = at


@dataclass(slots=True, eq=False)
class Line:
    """One line of an order.

    units      ordered, with what later edits added;  removed: taken off by edits
    fulfilled  shipped;  cancelled: refunded before shipping;  returned: refunded after shipping
    """

    TYPE: ClassVar = "LineItem"
    number: int
    variant: Variant
    units: int
    price: Decimal
    removed: int = 0
    fulfilled: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def gid(self) -> str:
        return gid("LineItem", self.number)

    @property
    def current(self) -> int:
        return self.units - self.removed - self.cancelled - self.returned

    @property
    def unfulfilled(self) -> int:
        return self.units - self.removed - self.cancelled - self.fulfilled


@dataclass(slots=True, eq=False)
class Assignment:
    """A line's share of a fulfillment order: `remaining` units are committed at that location."""

    TYPE: ClassVar = "FulfillmentOrderLineItem"
    number: int
    line: Line
    total: int
    remaining: int

    @property
    def gid(self) -> str:
        return gid("FulfillmentOrderLineItem", self.number)


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """Keeps a fulfillment order from being shipped; `handle` is unique among those of one app on it."""

    TYPE: ClassVar = "FulfillmentHold"
    number: int
    reason: str
    notes: str | None
    handle: str

    @property
    def gid(self) -> str:
        return gid("FulfillmentHold", self.number)


@dataclass(slots=True, eq=False)
class FulfillmentOrder:
    TYPE: ClassVar = "FulfillmentOrder"
    number: int
    order: Order
    location: Location
    created_at: datetime
    updated_at: datetime
    lines: list[Assignment] = field(default_factory=list)
    status: str = "OPEN"
    holds: list[Hold] = field(default_factory=list)

    @property
    def gid(self) -> str:
        return gid("FulfillmentOrder", self.number)


@dataclass(slots=True, eq=False)
class Fulfillment:
    TYPE: ClassVar = "Fulfillment"
    number: int
    order: Order
    location: Location
    created_at: datetime
    lines: list[tuple[Line, int]]
    name: str

    @property
    def gid(self) -> str:
        return gid("Fulfillment", self.number)


@dataclass(frozen=True, slots=True, eq=False)
class RefundLine:
    """`restock_type` is NO_RESTOCK, CANCEL or RETURN; `location` only where stock came back."""

    TYPE: ClassVar = "RefundLineItem"
    number: int
    line: Line
    units: int
    restock_type: str
    location: Location | None


@dataclass(slots=True, eq=False)
class Refund:
    TYPE: ClassVar = "Refund"
    number: int
    order: Order
    created_at: datetime
    note: str | None
    lines: list[RefundLine]
    returned: Any = None

    @property
    def gid(self) -> str:
        return gid("Refund", self.number)


@dataclass(slots=True, eq=False)
class Order:
    TYPE: ClassVar = "Order"
    number: int
    sequence: int
    source: str
    created_at: datetime
    updated_at: datetime
    location: Location | None = None
    lines: list[Line] = field(default_factory=list)
    fulfillment_orders: list[FulfillmentOrder] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Any] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    staff_note: str | None = None
    closed_at: datetime | None = None
    edited: bool = False
    paid: bool = True

    @property
    def gid(self) -> str:
        return gid("Order", self.number)

    @property
    def name(self) -> str:
        return f"#{self.sequence}"

    def line(self, number: int) -> Line | None:
        return next((line for line in self.lines if line.number == number), None)


@dataclass(slots=True, eq=False)
class Subscription:
    """`topic` is spelled as in the header: `orders/create`."""

    TYPE: ClassVar = "WebhookSubscription"
    number: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime
    filter: str | None = None
    include_fields: list[str] = field(default_factory=list)
    metafield_namespaces: list[str] = field(default_factory=list)
    name: str | None = None
    last_success_at: datetime | None = None

    @property
    def gid(self) -> str:
        return gid("WebhookSubscription", self.number)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    TYPE: ClassVar = "InventoryChange"
    name: str
    delta: int
    level: Level
    ledger_uri: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AdjustmentGroup:
    TYPE: ClassVar = "InventoryAdjustmentGroup"
    number: int
    created_at: datetime
    reason: str
    reference: str | None
    changes: list[Change]

    @property
    def gid(self) -> str:
        return gid("InventoryAdjustmentGroup", self.number)


@dataclass(slots=True, eq=False)
class Bulk:
    TYPE: ClassVar = "BulkOperation"
    number: int
    query: str
    created_at: datetime
    runs_at: datetime
    ends_at: datetime
    status: str = "CREATED"
    completed_at: datetime | None = None
    error_code: str | None = None
    objects: int = 0
    roots: int = 0
    jsonl: bytes | None = None

    @property
    def gid(self) -> str:
        return gid("BulkOperation", self.number)
