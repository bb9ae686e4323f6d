"""Square's JSON as models: what its APIs answer, its notifications, and an order as we keep it.

Only what we read is named. A field that is absent and a field that is null mean the same to Square.
Source: the OpenAPI of 2025-08-20, and for moves between locations the changelog of 2026-07-15.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

Item = TypeVar("Item")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _none_as_empty(value: object) -> object:
    return () if value is None else value


def _in_our_days(at: datetime) -> datetime:
    """The first and the last year of the calendar cannot be told in every time zone."""
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError(f"the year {at.year} is none of ours")
    return at


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a document, by its field and without its content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{place}: {first['msg']}"


Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_our_days)]
Many: TypeAlias = Annotated[tuple[Item, ...], BeforeValidator(_none_as_empty)]
_Id: TypeAlias = Annotated[str, Field(min_length=1)]


class Page(_Body):
    """What every list ends with."""

    cursor: str | None = None


# ---- stock ----


class Count(_Body):
    """Units of a variation at a location in one state; there is no row before anything was counted or moved there."""

    catalog_object_id: _Id
    location_id: _Id
    state: str
    quantity: str
    calculated_at: Moment


class Counts(Page):
    """One page of counts."""

    counts: Many[Count] = ()


class _Change(_Body):
    id: str = ""
    reference_id: str | None = None
    catalog_object_id: str | None = None
    quantity: str | None = None
    occurred_at: Moment
    created_at: Moment | None = None


class PhysicalCount(_Change):
    """Somebody says what is there."""

    state: str | None = None
    location_id: str | None = None


class Adjustment(_Change):
    """Units that changed state or, since 2026-07-15, place: then they have two locations instead of one."""

    from_state: str | None = None
    to_state: str | None = None
    location_id: str | None = None
    from_location_id: str | None = None
    to_location_id: str | None = None
    transaction_id: str | None = None
    refund_id: str | None = None


class Transfer(_Change):
    """Units that changed place, before 2026-07-15."""

    state: str | None = None
    from_location_id: str | None = None
    to_location_id: str | None = None


class Change(_Body):
    """One entry of the stock history; exactly the part that `type` names is there."""

    type: str
    physical_count: PhysicalCount | None = None
    adjustment: Adjustment | None = None
    transfer: Transfer | None = None


class Changes(Page):
    """One page of the history, or what a write made of it."""

    changes: Many[Change] = ()


# ---- catalogue ----


class Override(_Body):
    """What a variation says differently at one location."""

    location_id: str | None = None
    track_inventory: bool | None = None


class VariationData(_Body):
    """What is sold. `stockable` false: its units are counted on another variation."""

    item_id: str | None = None
    sku: str | None = None
    track_inventory: bool | None = None
    stockable: bool | None = None
    location_overrides: Many[Override] = ()


class Variation(_Body):
    """A catalogue object; of another kind than a variation when it has no variation's data."""

    id: _Id
    version: int | None = None
    is_deleted: bool | None = None
    present_at_all_locations: bool | None = None
    present_at_location_ids: Many[str] = ()
    absent_at_location_ids: Many[str] = ()
    item_variation_data: VariationData | None = None

    @property
    def is_everywhere(self) -> bool:
        """Present at every location but the absent ones; that is what a silent object is."""
        return self.present_at_all_locations is not False

    def is_present(self, location_id: str) -> bool:
        """Whether it can be sold at the location."""
        if self.is_everywhere:
            return location_id not in self.absent_at_location_ids
        return location_id in self.present_at_location_ids

    def is_tracked(self, location_id: str) -> bool:
        """Whether Square counts its stock at the location."""
        data = self.item_variation_data
        if data is None or data.stockable is False:
            return False
        for override in data.location_overrides:
            if override.location_id == location_id and override.track_inventory is not None:
                return override.track_inventory
        return bool(data.track_inventory)


class Variations(Page):
    """Catalogue objects of a search or a batch."""

    objects: Many[Variation] = ()


class Location(_Body):
    """A place of the seller's."""

    id: _Id


class Locations(_Body):
    """All of them; the list has no pages."""

    locations: Many[Location] = ()


# ---- orders ----


class Line(_Body):
    """A line of an order. `catalog_object_id` is absent when an amount was typed in."""

    uid: str | None = None
    name: str | None = None
    quantity: str
    catalog_object_id: str | None = None
    item_type: str | None = None


class Entry(_Body):
    """Units of one line in a fulfillment."""

    line_item_uid: _Id
    quantity: str


class Details(_Body):
    """The moments of a pickup, a shipment or a delivery."""

    picked_up_at: Moment | None = None
    shipped_at: Moment | None = None
    delivered_at: Moment | None = None
    canceled_at: Moment | None = None
    rejected_at: Moment | None = None
    failed_at: Moment | None = None


class Fulfillment(_Body):
    """How units of an order reach the buyer: ALL of them, or those of its entries."""

    uid: str | None = None
    type: str | None = None
    state: str | None = None
    line_item_application: str | None = None
    entries: Many[Entry] = ()
    pickup_details: Details | None = None
    shipment_details: Details | None = None
    delivery_details: Details | None = None

    @property
    def details(self) -> Details:
        """The details of its kind."""
        return self.pickup_details or self.shipment_details or self.delivery_details or Details()


class ReturnLine(_Body):
    """A line that came back, and the line of the sale it came from."""

    uid: str | None = None
    source_line_item_uid: str | None = None
    quantity: str
    catalog_object_id: str | None = None


class Return(_Body):
    """What came back of one sale; without its id when there was no receipt."""

    source_order_id: str | None = None
    return_line_items: Many[ReturnLine] = ()


class Refund(_Body):
    """Money given back."""

    id: _Id


class Order(_Body):
    """A whole order: a sale, a pickup, or (with returns) something that came back."""

    id: _Id
    location_id: _Id
    state: str | None = None
    version: int | None = None
    created_at: Moment
    updated_at: Moment
    closed_at: Moment | None = None
    line_items: Many[Line] = ()
    fulfillments: Many[Fulfillment] = ()
    returns: Many[Return] = ()
    refunds: Many[Refund] = ()


class Unread(_Body):
    """An order that cannot be read, as far as it can be named: it hides no other, and a person sees its name."""

    id: _Id
    updated_at: Moment


class Orders(Page):
    """One page of orders, each to be read by itself (`Order`, else `Unread`)."""

    orders: Many[dict[str, object]] = ()


class Named(_Body):
    """What the catalogue says of a variation that an order names.

    tracked   whether Square counts it where the order is
    """

    sku: str = ""
    tracked: bool = True


class UnreadDocument(_Body):
    """An order as we keep it that could not be read, and why."""

    unread: Unread
    problem: str


class OrderDocument(_Body):
    """An order as we keep it: Square's own words, and what they leave open.

    catalogue   variation id -> what it is;  restocked: adjustments that put returned goods somewhere
    """

    order: Order
    catalogue: dict[str, Named] = {}
    restocked: Many[Adjustment] = ()


# ---- notifications ----


class _CountsObject(_Body):
    inventory_counts: Many[Count] = ()


class _CountsData(_Body):
    object: _CountsObject


class CountsUpdated(_Body):
    """The body of inventory.count.updated: up to 100 counts."""

    data: _CountsData

    @property
    def counts(self) -> tuple[Count, ...]:
        """All counts, of every state."""
        return self.data.object.inventory_counts


class Event(_Body):
    """What every notification says of itself."""

    type: _Id
    event_id: _Id
    merchant_id: str = ""
    created_at: Moment | None = None


class WebhookSubscription(_Body):
    """A subscription: one address, many types of event, one signature key."""

    id: _Id
    enabled: bool | None = None
    event_types: Many[str] = ()
    notification_url: str | None = None


class WebhookSubscriptions(Page):
    """One page of them."""

    subscriptions: Many[WebhookSubscription] = ()


class Subscribed(_Body):
    """A subscription that was made or changed."""

    subscription: WebhookSubscription


class Problem(_Body):
    """One complaint about a call; `field` is a path such as changes[3].physical_count.quantity."""

    code: str = "UNNAMED"
    detail: str = ""
    field: str | None = None


class Problems(_Body):
    """The body of every refusal."""

    errors: Many[Problem] = ()
