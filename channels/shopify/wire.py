"""Shopify's JSON as models: the bodies of its webhooks.

Only what we read is named; everything else in a body is ignored, because fields come and go with every
quarterly version. Ids are 64-bit. A body's `admin_graphql_api_id` is a text and therefore exact, also where a
tool in between has rounded the numbers as JavaScript does; it wins over `id`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

VARIANT = "gid://shopify/ProductVariant/"
ITEM = "gid://shopify/InventoryItem/"
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
    """A refund; the body of refunds/create, and part of an order.

    returned   the return it belongs to, in whatever form; None for a refund that stands alone
    """

    order_id: _Id
    returned: object = Field(default=None, alias="return")
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


class Level(_Body):
    """The body of inventory_levels/update; `available` is null where nobody counts, and may be below zero."""

    inventory_item_id: _Id
    location_id: _Id
    available: Annotated[int, Field(strict=True)] | None = None
    updated_at: AwareDatetime
    admin_graphql_api_id: str = ""

    @property
    def item_gid(self) -> str:
        """The gid of the item; the exact number stands in the level's own gid."""
        exact = self.admin_graphql_api_id.partition("?inventory_item_id=")[2]
        return f"{ITEM}{exact if exact.isdigit() else self.inventory_item_id}"


class Disposition(_Body):
    """What was done with goods that came back in a return. Only our own order poll tells it: no webhook does."""

    id: _Id
    line_item_id: _Id
    quantity: _Units
    type: str
    created_at: AwareDatetime
    location_id: _Id | None = None


class Order(_Numbered):
    """A whole order, as every orders/* topic but orders/edited and orders/delete carries it.

    dispositions   of its returns, where the order was read by a poll
    read_early     by a poll within the second that it is stamped with, in which it may have changed once more
    """

    created_at: AwareDatetime
    updated_at: AwareDatetime
    cancelled_at: AwareDatetime | None = None
    location_id: _Id | None = None
    line_items: _Lines = ()
    fulfillments: Annotated[tuple[Fulfillment, ...], BeforeValidator(_none_as_empty)] = ()
    refunds: Annotated[tuple[Refund, ...], BeforeValidator(_none_as_empty)] = ()
    dispositions: tuple[Disposition, ...] = ()
    read_early: bool = False
