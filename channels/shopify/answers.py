"""Shopify's GraphQL answers as models: only what we ask for, strict enough that a surprise is noticed."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from channels.shopify import order_nodes


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class ThrottleStatus(_Answer):
    """What is left of the account's points."""

    maximum: float = Field(alias="maximumAvailable")
    available: float = Field(alias="currentlyAvailable")
    restore_rate: float = Field(alias="restoreRate")


class Cost(_Answer):
    """`extensions.cost` of every answer that was priced."""

    requested: float = Field(alias="requestedQueryCost")
    status: ThrottleStatus = Field(alias="throttleStatus")


class UserError(_Answer):
    """A complaint about the input. `field` is the path to it; indexes are texts."""

    code: str | None = None
    field: tuple[str, ...] | None = None
    message: str = ""


class _Errors(_Answer):
    errors: tuple[UserError, ...] = Field(alias="userErrors")


class SetAnswer(_Answer):
    """inventorySetQuantities; the group is null when nothing had to change, which is a success."""

    payload: _Errors = Field(alias="inventorySetQuantities")


class Gid(_Answer):
    """Anything with an id."""

    id: str


class Quantity(_Answer):
    """Units of a level in one state."""

    name: str
    quantity: int
    updated_at: AwareDatetime | None = Field(default=None, alias="updatedAt")


class _Item(Gid):
    tracked: bool = True


class Level(Gid):
    """A stock level as it is shown."""

    is_active: bool = Field(alias="isActive")
    updated_at: AwareDatetime = Field(alias="updatedAt")
    item: _Item
    location: Gid
    quantities: tuple[Quantity, ...]

    def units(self, name: str) -> int | None:
        """Units in this state; None where they mean nothing (untracked or inactive) or are not told."""
        if not self.is_active or not self.item.tracked:
            return None
        return next((each.quantity for each in self.quantities if each.name == name), None)

    @property
    def changed_at(self) -> datetime:
        """When `available` last changed."""
        stamps = [each.updated_at for each in self.quantities if each.name == "available"]
        return stamps[0] if stamps and stamps[0] else self.updated_at


class _Other(BaseModel):
    """A node of another kind than asked for comes back as an empty object."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LevelsAnswer(_Answer):
    """nodes(ids:) of levels, in the order asked for; null where there is none."""

    nodes: tuple[Level | _Other | None, ...]


class ItemAt(Gid):
    """An item and its level at one location, null when it is not stocked there."""

    level: Level | None = Field(alias="inventoryLevel")


class ItemsAnswer(_Answer):
    """nodes(ids:) of items, in the order asked for."""

    nodes: tuple[ItemAt | _Other | None, ...]


class Policy(Gid):
    """A variant's inventoryPolicy: DENY stops selling at zero, CONTINUE does not."""

    policy: str = Field(alias="inventoryPolicy")
    product: Gid


class PoliciesAnswer(_Answer):
    """nodes(ids:) of variants, in the order asked for."""

    nodes: tuple[Policy | _Other | None, ...]


class SetPolicyAnswer(_Answer):
    """productVariantsBulkUpdate."""

    payload: _Errors = Field(alias="productVariantsBulkUpdate")


class StockedAt(Gid):
    """A level without its quantities."""

    is_active: bool = Field(alias="isActive")
    location: Gid


class StockedLevels(_Answer):
    """One page of an item's levels."""

    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[StockedAt, ...]


class StockedItem(Gid):
    """An item with its levels."""

    tracked: bool
    levels: StockedLevels = Field(alias="inventoryLevels")


class Variant(Gid):
    """A variant and the item that carries its stock."""

    sku: str | None
    product: Gid
    item: StockedItem = Field(alias="inventoryItem")


class _Variants(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[Variant, ...]


class VariantsAnswer(_Answer):
    """One page of productVariants."""

    variants: _Variants = Field(alias="productVariants")


class _LevelsOfItem(_Answer):
    levels: StockedLevels = Field(alias="inventoryLevels")


class ItemLevelsAnswer(_Answer):
    """A further page of one item's levels; null when the item is gone."""

    item: _LevelsOfItem | None = Field(alias="inventoryItem")


class ChangeNode(_Answer):
    """An order and when it changed last."""

    id: str
    updated_at: datetime = Field(alias="updatedAt")


class _Changes(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[ChangeNode, ...]


class ChangesAnswer(_Answer):
    """One page of changed orders."""

    orders: _Changes


class OrdersAnswer(_Answer):
    """Orders in the order of the ids asked for; null for one that was deleted meanwhile."""

    nodes: tuple[order_nodes.OrderNode | None, ...]


class OrderAnswer(_Answer):
    """One order; null when it was deleted meanwhile."""

    order: order_nodes.OrderNode | None


class _FulfillmentPage(_Answer):
    lines: order_nodes.FulfillmentLines = Field(alias="fulfillmentLineItems")


class FulfillmentLinesAnswer(_Answer):
    """A further page of one fulfillment's lines."""

    node: _FulfillmentPage


class _RefundPage(_Answer):
    lines: order_nodes.RefundLines = Field(alias="refundLineItems")


class RefundLinesAnswer(_Answer):
    """A further page of one refund's lines."""

    node: _RefundPage


class _Returns(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[order_nodes.ReturnNode, ...]


class _OrderReturns(_Answer):
    returns: _Returns


class ReturnsAnswer(_Answer):
    """One page of an order's returns; null when the order was deleted meanwhile."""

    order: _OrderReturns | None


class WebhookSubscription(Gid):
    """A subscription; `topic` is the vendor's enum, ORDERS_CREATE for orders/create."""

    topic: str
    uri: str
    format: str


class _Subscriptions(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[WebhookSubscription, ...]


class SubscriptionsAnswer(_Answer):
    """One page of webhookSubscriptions."""

    subscriptions: _Subscriptions = Field(alias="webhookSubscriptions")


class _Subscribed(_Errors):
    subscription: WebhookSubscription | None = Field(alias="webhookSubscription")


class SubscribeAnswer(_Answer):
    """webhookSubscriptionCreate."""

    payload: _Subscribed = Field(alias="webhookSubscriptionCreate")


class _Began(_Errors):
    operation: Gid | None = Field(alias="bulkOperation")


class BeginAnswer(_Answer):
    """bulkOperationRunQuery."""

    payload: _Began = Field(alias="bulkOperationRunQuery")


class BulkOperation(Gid):
    """An export; `objects` counts the lines of its file, as a text."""

    status: str
    error_code: str | None = Field(default=None, alias="errorCode")
    objects: int = Field(alias="objectCount")
    url: str | None = None
    partial_url: str | None = Field(default=None, alias="partialDataUrl")


class BulkAnswer(_Answer):
    """bulkOperation(id:); null when the vendor does not know it any more."""

    operation: BulkOperation | None = Field(alias="bulkOperation")


class _ChangedLevels(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[Level, ...]


class _ChangedAt(_Answer):
    levels: _ChangedLevels = Field(alias="inventoryLevels")


class ChangedAnswer(_Answer):
    """One page of the levels that changed at one location; null when the location is gone."""

    location: _ChangedAt | None


class LocationNode(Gid):
    """A location; `pickup` is there when buyers may fetch orders from it."""

    name: str
    is_active: bool = Field(alias="isActive")
    ships_online: bool = Field(alias="fulfillsOnlineOrders")
    pickup: object = Field(default=None, alias="localPickupSettingsV2")


class _Locations(_Answer):
    page: order_nodes.Page = Field(alias="pageInfo")
    nodes: tuple[LocationNode, ...]


class LocationsAnswer(_Answer):
    """One page of locations, the inactive among them."""

    locations: _Locations
