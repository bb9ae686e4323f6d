"""Both ways in which Amazon tells an order, read into one snapshot.

Source: orders_2026-01-01.json and OrderChangeNotification.json of github.com/amzn/selling-partner-api-models, commit
34dc93f.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import ConfigDict, Field, ValidationError

from channels.amazon import wire
from channels.amazon.booking import MOST_SHIPPED, Line, Snapshot, location_of, still_open
from channels.base import Unreadable

#: Nothing is left to ship; in both spellings.
_ENDED: Final = frozenset({"SHIPPED", "CANCELLED", "CANCELED", "UNFULFILLABLE"})
#: Not counted as unshipped by Amazon, and yet taken off the offer.
_PENDING: Final = frozenset({"PENDING", "PENDINGAVAILABILITY"})
_FOREIGN: Final = "NON_AMAZON"


def of_document(body: bytes) -> Snapshot | str:
    """An order of the order API; a text says why it is none of ours. Raises Unreadable."""
    try:
        order = wire.Order.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(f"{wire.ORDER_DOCUMENT}: {_problem(body, error)}") from None
    if order.sales_channel.channel_name == _FOREIGN:
        return (
            "placed on another channel and shipped by Amazon for it: that channel's order is booked"
        )
    fulfillment = order.fulfillment
    if fulfillment is None or not fulfillment.fulfilled_by:
        raise Unreadable(f"{wire.ORDER_DOCUMENT}: {order.order_id} does not say who ships it")
    location = location_of(by_amazon=fulfillment.fulfilled_by == "AMAZON")
    status = fulfillment.fulfillment_status.upper().replace("_", "")
    return Snapshot(
        order.order_id,
        order.created_time,
        order.last_updated_time,
        tuple(
            _of_item(item, status, location)
            for item in order.order_items
            if item.product.seller_sku and _is_bookable(item.quantity_ordered, order.order_id)
        ),
    )


def _problem(body: bytes, error: ValidationError) -> str:
    """What is wrong with an order that we cannot read, or could not when it was fetched."""
    try:
        named = wire.Named.model_validate_json(body)
    except ValidationError:
        return wire.first_problem(error)
    return f"{named.order_id}: {named.problem or wire.first_problem(error)}"


def _of_item(item: wire.OrderItem, status: str, location: str) -> Line:
    told = item.fulfillment or wire.ItemFulfillment()
    ordered = item.quantity_ordered
    shipped = told.quantity_fulfilled
    if shipped is None:
        shipped = ordered if status == "SHIPPED" else 0
    if status in _ENDED:
        open_units = 0
    elif told.quantity_unfulfilled is None or (status in _PENDING and not item.is_cut):
        # A pending order's units are not waiting for anybody yet, and are off the offer all the same.
        open_units = max(0, ordered - shipped)
    else:
        open_units = told.quantity_unfulfilled
    return Line(item.order_item_id, item.product.seller_sku, ordered, shipped, open_units, location)


class _Told(wire.Lenient):
    """A part of a notification; ids are texts, also where they are told as numbers."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


class _Item(_Told):
    item: str = Field(alias="orderitemid")
    sku: str = Field("", alias="sellersku")
    supply_source: str | None = Field(None, alias="supplysourceid")
    status: str | None = Field(None, alias="orderitemstatus")
    ordered: int = Field(alias="quantity", ge=0)
    shipped: int | None = Field(None, alias="quantityshipped", ge=0)


class _Trigger(_Told):
    changed_at: wire.Moment | None = Field(None, alias="timeoforderchange")


class _Summary(_Told):
    status: str = Field(alias="orderstatus")
    placed_at: wire.Moment | None = Field(None, alias="purchasedate")
    shipped_by: str = Field(alias="fulfillmenttype", pattern="^(?i:AFN|MFN)$")
    unshipped: int | None = Field(None, alias="numberofitemsunshipped")
    items: tuple[_Item, ...] = Field(alias="orderitems")
    channel: str | None = Field(None, alias="saleschannel")


class _Change(_Told):
    level: str = Field("OrderLevel", alias="notificationlevel")
    order: str = Field(alias="amazonorderid")
    trigger: _Trigger = Field(_Trigger(), alias="orderchangetrigger")
    summary: _Summary


def of_notification(payload: Mapping[str, object], event_time: datetime | None) -> Snapshot | str:
    """An ORDER_CHANGE, its names in lower case; a text says why it is none of ours. Raises Unreadable."""
    try:
        change = _Change.model_validate(payload.get("orderchangenotification"))
    except ValidationError as error:
        raise Unreadable(f"ORDER_CHANGE: {wire.first_problem(error)}") from None
    summary = change.summary
    told_foreign = (summary.channel or "").upper().replace("-", "_") == _FOREIGN
    # The notification's schema has no sales channel; Amazon's ids for such orders begin with S (S01-...).
    if told_foreign or change.order[:1].upper() == "S":
        return (
            "placed on another channel and shipped by Amazon for it: that channel's order is booked"
        )
    changed_at = change.trigger.changed_at or event_time
    if changed_at is None:
        raise Unreadable(f"ORDER_CHANGE: {change.order} does not say when it changed")
    status = summary.status.upper().replace("_", "")
    items = [
        item for item in summary.items if item.sku and _is_bookable(item.ordered, change.order)
    ]
    counted = [(item.ordered, _shipped(item, status)) for item in items]
    return Snapshot(
        change.order,
        summary.placed_at or changed_at,
        changed_at,
        tuple(
            Line(
                item.item,
                item.sku,
                item.ordered,
                shipped,
                open_units,
                location_of(
                    by_amazon=summary.shipped_by.upper() == "AFN",
                    supply_source=item.supply_source or "",
                ),
            )
            for item, (_, shipped), open_units in zip(
                items, counted, _open(change, status, counted), strict=True
            )
        ),
    )


def _open(change: _Change, status: str, counted: list[tuple[int, int]]) -> list[int | None]:
    if status in _ENDED:
        return [0 for _ in counted]
    unshipped = change.summary.unshipped
    if status in _PENDING and unshipped == 0:
        # Some of Amazon's documents do not count what waits for its payment.
        unshipped = None
    if change.level == "OrderItemLevel":
        # One line of the order, and a count of all of them.
        return [None if ordered > shipped else 0 for ordered, shipped in counted]
    return still_open(counted, unshipped)


def _shipped(item: _Item, status: str) -> int:
    if item.shipped is not None:
        return item.shipped
    return item.ordered if status == "SHIPPED" or item.status == "Shipped" else 0


def _is_bookable(units: int, order: str) -> bool:
    if units > MOST_SHIPPED:
        raise Unreadable(
            f"order {order} has a line of {units} units; at most {MOST_SHIPPED} are read"
        )
    return True
