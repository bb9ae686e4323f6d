"""Shopify's JSON as models: the bodies of its webhooks, and the GraphQL order as such a body.

Only what we read is named; everything else in a body is ignored, because fields come and go with every
quarterly version. Ids are 64-bit. A body's `admin_graphql_api_id` is a text and therefore exact, also where a
tool in between has rounded the numbers as JavaScript does; it wins over `id`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

VARIANT = "gid://shopify/ProductVariant/"
LOCATION = "gid://shopify/Location/"


def number_of(gid: str) -> int:
    """The number in a gid: gid://shopify/Order/123?x=y is 123. Raises ValueError for anything else."""
    return int(gid.partition("?")[0].rpartition("/")[2])


def variant_gid(number: int) -> str:
    """The gid of a variant's number, as bindings spell it."""
    return f"{VARIANT}{number}"


def location_gid(number: int) -> str:
    """The gid of a location's number, as bindings spell it."""
    return f"{LOCATION}{number}"


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _none_as_empty(value: object) -> object:
    return () if value is None else value


_Id: TypeAlias = Annotated[int, Field(ge=0, strict=True)]
_Units: TypeAlias = Annotated[int, Field(ge=0, strict=True)]
_MaybeUnits: TypeAlias = _Units | None


class _Numbered(_Body):
    id: _Id
    admin_graphql_api_id: str | None = None

    @property
    def number(self) -> int:
        """The exact id."""
        if self.admin_graphql_api_id:
            try:
                return number_of(self.admin_graphql_api_id)
            except ValueError:
                pass
        return self.id


class Line(_Numbered):
    """A line of an order; in a fulfillment, `quantity` counts what that fulfillment carries.

    quantity               units ordered, refunded and removed ones included
    current_quantity       units ordered less refunded and removed ones (since 2024-01)
    fulfillable_quantity   units still to be fulfilled
    fulfillment_status     null, partial or fulfilled
    variant_inventory_management   null when Shopify does not count this variant; absent is taken as counted
    """

    quantity: _Units
    current_quantity: _MaybeUnits = None
    fulfillable_quantity: _MaybeUnits = None
    fulfillment_status: str | None = None
    variant_id: _Id | None = None
    sku: str | None = None
    gift_card: bool = False
    variant_inventory_management: str | None = "shopify"
    location_id: _Id | None = None


_Lines: TypeAlias = Annotated[tuple[Line, ...], BeforeValidator(_none_as_empty)]


class RefundLine(_Body):
    """Units of one order line in a refund, and what happened to them."""

    id: _Id
    line_item_id: _Id
    quantity: _Units
    restock_type: str = "no_restock"
    location_id: _Id | None = None
    line_item: Line | None = None

    @property
    def line_number(self) -> int:
        """The exact id of the order line."""
        return self.line_item.number if self.line_item else self.line_item_id


class Refund(_Numbered):
    """A refund; the body of refunds/create, and part of an order."""

    order_id: _Id
    created_at: AwareDatetime | None = None
    processed_at: AwareDatetime | None = None
    refund_line_items: Annotated[tuple[RefundLine, ...], BeforeValidator(_none_as_empty)] = ()


class Fulfillment(_Numbered):
    """Units that left together; the body of fulfillments/create and fulfillments/update, and part of an order."""

    order_id: _Id
    status: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    location_id: _Id | None = None
    line_items: _Lines = ()


class Order(_Numbered):
    """A whole order, as every orders/* topic but orders/edited and orders/delete carries it."""

    created_at: AwareDatetime
    updated_at: AwareDatetime
    cancelled_at: AwareDatetime | None = None
    location_id: _Id | None = None
    line_items: _Lines = ()
    fulfillments: Annotated[tuple[Fulfillment, ...], BeforeValidator(_none_as_empty)] = ()
    refunds: Annotated[tuple[Refund, ...], BeforeValidator(_none_as_empty)] = ()


# ---- the GraphQL order, read by `client.orders_since` ----


class _Node(_Body):
    id: str


class _Item(_Body):
    tracked: bool = True


class _Variant(_Node):
    inventory_item: _Item | None = Field(default=None, alias="inventoryItem")


class OrderLineNode(_Node):
    """LineItem of a GraphQL order."""

    sku: str | None = None
    quantity: int
    current_quantity: int = Field(alias="currentQuantity")
    unfulfilled_quantity: int = Field(alias="unfulfilledQuantity")
    gift_card: bool = Field(default=False, alias="isGiftCard")
    variant: _Variant | None = None


class FulfillmentLineNode(_Body):
    """FulfillmentLineItem."""

    quantity: int | None
    line: _Node = Field(alias="lineItem")


class RefundLineNode(_Body):
    """RefundLineItem; its id is nullable in the schema."""

    id: str | None
    quantity: int
    restock_type: str = Field(alias="restockType")
    location: _Node | None = None
    line: _Node = Field(alias="lineItem")


class Page(_Body):
    """PageInfo."""

    more: bool = Field(default=False, alias="hasNextPage")
    cursor: str | None = Field(default=None, alias="endCursor")


class OrderLines(_Body):
    """One page of an order's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[OrderLineNode, ...] = ()


class FulfillmentLines(_Body):
    """One page of a fulfillment's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[FulfillmentLineNode, ...] = ()


class RefundLines(_Body):
    """One page of a refund's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[RefundLineNode, ...] = ()


class FulfillmentNode(_Node):
    """Fulfillment."""

    status: str
    created_at: AwareDatetime = Field(alias="createdAt")
    updated_at: AwareDatetime = Field(alias="updatedAt")
    location: _Node | None = None
    lines: FulfillmentLines = Field(default=FulfillmentLines(), alias="fulfillmentLineItems")


class RefundNode(_Node):
    """Refund."""

    created_at: AwareDatetime | None = Field(default=None, alias="createdAt")
    processed_at: AwareDatetime | None = Field(default=None, alias="processedAt")
    lines: RefundLines = Field(default=RefundLines(), alias="refundLineItems")


class OrderNode(_Node):
    """Order; `lines`, `fulfillments` and `refunds` hold everything once the client has read all pages."""

    created_at: AwareDatetime = Field(alias="createdAt")
    updated_at: AwareDatetime = Field(alias="updatedAt")
    cancelled_at: AwareDatetime | None = Field(default=None, alias="cancelledAt")
    retail_location: _Node | None = Field(default=None, alias="retailLocation")
    lines: OrderLines = Field(alias="lineItems")
    fulfillments: tuple[FulfillmentNode, ...] = ()
    refunds: tuple[RefundNode, ...] = ()


def order_document(order: OrderNode) -> bytes:
    """The order as the body its orders/updated webhook would have carried, as far as stock goes.

    Both roads must name every fact alike, so that an order seen twice is booked once: numeric ids come out of the gids.
    """
    document = {
        "id": number_of(order.id),
        "admin_graphql_api_id": order.id,
        "created_at": _iso(order.created_at),
        "updated_at": _iso(order.updated_at),
        "cancelled_at": _iso(order.cancelled_at),
        "location_id": _number(order.retail_location),
        "line_items": [_line(line) for line in order.lines.nodes],
        "fulfillments": [_fulfillment(order, each) for each in order.fulfillments],
        "refunds": [_refund(order, each) for each in order.refunds],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _line(line: OrderLineNode) -> dict[str, object]:
    tracked = line.variant is not None and (
        line.variant.inventory_item is None or line.variant.inventory_item.tracked
    )
    return {
        "id": number_of(line.id),
        "admin_graphql_api_id": line.id,
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.unfulfilled_quantity,
        "gift_card": line.gift_card,
        "variant_id": _number(line.variant),
        "variant_inventory_management": "shopify" if tracked else None,
    }


def _fulfillment(order: OrderNode, fulfillment: FulfillmentNode) -> dict[str, object]:
    return {
        "id": number_of(fulfillment.id),
        "admin_graphql_api_id": fulfillment.id,
        "order_id": number_of(order.id),
        "status": fulfillment.status.lower(),
        "created_at": _iso(fulfillment.created_at),
        "updated_at": _iso(fulfillment.updated_at),
        "location_id": _number(fulfillment.location),
        "line_items": [
            {**_line_of(order, carried.line.id), "quantity": carried.quantity or 0}
            for carried in fulfillment.lines.nodes
        ],
    }


def _refund(order: OrderNode, refund: RefundNode) -> dict[str, object]:
    return {
        "id": number_of(refund.id),
        "admin_graphql_api_id": refund.id,
        "order_id": number_of(order.id),
        "created_at": _iso(refund.created_at),
        "processed_at": _iso(refund.processed_at),
        "refund_line_items": [
            {
                "id": number_of(line.id),
                "line_item_id": number_of(line.line.id),
                "quantity": line.quantity,
                "restock_type": line.restock_type.lower(),
                "location_id": _number(line.location),
                "line_item": _line_of(order, line.line.id),
            }
            for line in refund.lines.nodes
            # Nullable in the schema for suggested refunds only; without an id there is no fact to name.
            if line.id is not None
        ],
    }


def _line_of(order: OrderNode, gid: str) -> dict[str, object]:
    for line in order.lines.nodes:
        if line.id == gid:
            return _line(line)
    raise ValueError(f"order {order.id} speaks of line {gid}, which is not among its lines")


def _number(node: _Node | None) -> int | None:
    return None if node is None else number_of(node.id)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
