"""What a seller's account holds: listings, FBA stock, orders, feeds, reports, subscriptions. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

MERCHANT: Final = "DEFAULT"
"""The fulfillment channel code of stock the seller ships; every `AMAZON_*` code is Amazon's."""

UNFULFILLABLE: Final = (
    "customer_damaged",
    "warehouse_damaged",
    "distributor_damaged",
    "carrier_damaged",
    "defective",
    "expired",
)


@dataclass(frozen=True, slots=True)
class FbaParts:
    """Units of one SKU in Amazon's network, by what happens to them. Their sum is the total."""

    fulfillable: int = 0
    inbound_working: int = 0
    inbound_shipped: int = 0
    inbound_receiving: int = 0
    reserved_orders: int = 0
    reserved_transfer: int = 0
    reserved_processing: int = 0
    researching: int = 0
    customer_damaged: int = 0
    warehouse_damaged: int = 0
    distributor_damaged: int = 0
    carrier_damaged: int = 0
    defective: int = 0
    expired: int = 0

    def moved(self, deltas: Mapping[str, int]) -> FbaParts:
        """These parts with the deltas added; a part may not go below zero (ValueError)."""
        after = {name: getattr(self, name) + delta for name, delta in deltas.items()}
        short = [name for name, units in after.items() if units < 0]
        if short:
            raise ValueError(f"not that many units {', '.join(short)}")
        return replace(self, **after)

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def reserved(self) -> int:
        return self.reserved_orders + self.reserved_transfer + self.reserved_processing

    @property
    def unfulfillable(self) -> int:
        return sum(getattr(self, name) for name in UNFULFILLABLE)

    @property
    def at_amazon(self) -> int:
        """Units inside a fulfillment center: all but those on their way."""
        return self.total - self.inbound_working - self.inbound_shipped - self.inbound_receiving


PARTS: Final = tuple(part.name for part in fields(FbaParts))


@dataclass(frozen=True, slots=True)
class FbaReading:
    """The parts from a moment on. `noticed_at` ignores the inbound parts, as the summaries' filter does."""

    at: datetime
    parts: FbaParts
    noticed_at: datetime


@dataclass(slots=True)
class Offer:
    """Somebody's offer of an ASIN in new condition; money in whole cents."""

    seller_id: str
    price_cents: int
    shipping_cents: int = 0
    by_amazon: bool = False
    featured: bool = False


@dataclass(frozen=True, slots=True)
class Stranded:
    """Why nobody can buy what Amazon holds of a listing, and since when."""

    reason: str
    since: datetime


@dataclass(slots=True)
class Listing:
    """One SKU of the seller. `attributes` as the Listings Items API keeps them; `history` only for FBA.

    inches    longest, median and shortest side of a unit; None where Amazon has not measured it
    pounds    that it weighs; None where Amazon has not weighed it
    """

    sku: str
    asin: str
    fnsku: str
    product_type: str
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    history: list[FbaReading] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    shipped_units: list[tuple[datetime, int]] = field(default_factory=list)
    inches: tuple[float, float, float] | None = None
    pounds: float | None = None
    stranded: Stranded | None = None

    @property
    def title(self) -> str:
        named = self.attributes.get("item_name") or [{}]
        return str(named[0].get("value", self.sku))

    @property
    def price_cents(self) -> int:
        """Of the first offer; 0 when there is none that can be read."""
        try:
            price = self.attributes["purchasable_offer"][0]["our_price"][0]
            return round(float(price["schedule"][0]["value_with_tax"]) * 100)
        except (LookupError, TypeError, ValueError):
            return 0

    def availability(self, code: str) -> dict[str, Any] | None:
        """The entry of `fulfillment_availability` with this channel code."""
        entries = self.attributes.get("fulfillment_availability", ())
        return next((e for e in entries if e.get("fulfillment_channel_code") == code), None)

    @property
    def by_amazon(self) -> bool:
        return any(
            str(entry.get("fulfillment_channel_code", "")).startswith("AMAZON_")
            for entry in self.attributes.get("fulfillment_availability", ())
        )

    @property
    def merchant_units(self) -> int | None:
        """What the seller offers to ship himself; None when he offers nothing."""
        entry = self.availability(MERCHANT)
        units = entry.get("quantity") if entry else None
        return units if isinstance(units, int) else None

    @property
    def fba(self) -> FbaParts:
        return self.history[-1].parts if self.history else FbaParts()


@dataclass(slots=True)
class Line:
    """One item of an order. `cancelled` counts units, and the ordered units never change."""

    item_id: str
    sku: str
    asin: str
    title: str
    units: int
    price_cents: int
    shipped: int = 0
    cancelled: int = 0
    cancel_requested: bool = False
    cancelled_by: str | None = None

    @property
    def open(self) -> int:
        return self.units - self.shipped - self.cancelled


@dataclass(slots=True)
class Package:
    reference: str
    created_at: datetime
    carrier: str
    tracking: str
    items: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Order:
    """An order as Amazon keeps it; `channel` is NON_AMAZON for what MCF ships."""

    order_id: str
    created_at: datetime
    updated_at: datetime
    by_amazon: bool
    lines: list[Line]
    pending: bool = True
    channel: str = "AMAZON"
    seller_order_id: str | None = None
    postal_code: str = "98109"
    unfulfillable: bool = False
    packages: list[Package] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The 2026-01-01 name of where the order stands."""
        if self.unfulfillable:
            return "UNFULFILLABLE"
        if all(line.cancelled == line.units for line in self.lines):
            return "CANCELLED"
        if self.pending:
            return "PENDING"
        if not any(line.shipped for line in self.lines):
            return "UNSHIPPED"
        return "PARTIALLY_SHIPPED" if any(line.open for line in self.lines) else "SHIPPED"


@dataclass(slots=True)
class OutboundLine:
    item_id: str
    sku: str
    units: int
    reserved: int = 0
    cancelled: int = 0
    unfulfillable: int = 0
    shipped: int = 0
    order_item_id: str = ""


@dataclass(slots=True)
class Outbound:
    """A Multi-Channel Fulfillment order; `request` is what the seller sent."""

    seller_id: str
    request: Mapping[str, Any]
    received_at: datetime
    status_at: datetime
    lines: list[OutboundLine]
    status: str = "New"
    order_id: str | None = None
    shipment_id: str | None = None


@dataclass(slots=True)
class Document:
    """A file behind presigned urls: uploaded by the seller (feed) or made here (result, report)."""

    document_id: str
    content_type: str
    content: bytes | None = None
    gzipped: bool = False
    upload: bool = False


@dataclass(slots=True)
class Job:
    """A feed or a report on its way; `options` holds a report's time span and options."""

    job_id: str
    kind: str
    marketplaces: list[str]
    created_at: datetime
    status: str = "IN_QUEUE"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    input_id: str | None = None
    result_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One movement in the fulfillment centers, as GET_LEDGER_DETAIL_VIEW_DATA tells it."""

    at: datetime
    sku: str
    event: str
    reference: str
    units: int
    disposition: str
    reason: str = ""


@dataclass(slots=True)
class Destination:
    destination_id: str
    name: str
    resource: dict[str, Any]

    @property
    def kind(self) -> str:
        return "sqs" if "sqs" in self.resource else "eventBridge"


@dataclass(slots=True)
class Subscription:
    """`number` is the courier's handle for it."""

    number: int
    subscription_id: str
    notification_type: str
    payload_version: str
    destination_id: str
    directive: Mapping[str, Any] | None = None
