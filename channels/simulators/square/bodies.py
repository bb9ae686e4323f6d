"""What the vendor says about places, stock, orders and refunds, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from channels.simulators.square.schema import moves_are_adjustments
from channels.simulators.square.state import (
    CatalogObject,
    Fulfillment,
    Line,
    Location,
    Order,
    Refund,
    ReturnLine,
    Subscription,
    money,
    stamp,
)
from channels.simulators.square.stock import Change, Level, decimal_string

Body = dict[str, Any]


def location(place: Location, merchant_id: str) -> Body:
    return {
        "id": place.id,
        "name": place.name,
        "timezone": "America/New_York",
        "capabilities": ["CREDIT_CARD_PROCESSING"],
        "status": "ACTIVE" if place.active else "INACTIVE",
        "created_at": place.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "merchant_id": merchant_id,
        "country": "US",
        "language_code": "en-US",
        "currency": "USD",
        "type": "PHYSICAL",
    }


# -- stock ----------------------------------------------------------------------------------------------------------


def count(level: Level) -> Body:
    """An InventoryCount."""
    variation_id, location_id, state = level.key
    assert level.calculated_at is not None, "a level exists because something was counted or moved"
    return {
        "catalog_object_id": variation_id,
        "catalog_object_type": "ITEM_VARIATION",
        "state": state,
        "location_id": location_id,
        "quantity": decimal_string(level.quantity),
        "calculated_at": stamp(level.calculated_at),
    }


def counts_event(levels: Iterable[Level], data_id: str) -> Body:
    """The `data` of inventory.count.updated."""
    object = {"inventory_counts": [count(level) for level in levels]}
    return {"type": "inventory_counts", "id": data_id, "object": object}


def change(one: Change, version: str) -> Body:
    """An InventoryChange, as its era tells it."""
    if one.kind == "PHYSICAL_COUNT":
        return {"type": "PHYSICAL_COUNT", "physical_count": physical_count(one)}
    if one.moves_places() and not moves_are_adjustments(version):
        return {"type": "TRANSFER", "transfer": transfer(one)}
    return {"type": "ADJUSTMENT", "adjustment": adjustment(one, version)}


def physical_count(one: Change) -> Body:
    return _with_given(_common(one), one) | {"state": one.to_state, "location_id": one.to_location}


def adjustment(one: Change, version: str) -> Body:
    body = _with_given(_common(one), one)
    body |= {"from_state": one.from_state, "to_state": one.to_state}
    if moves_are_adjustments(version):
        body |= {"from_location_id": one.from_location, "to_location_id": one.to_location}
        if one.reason_id:
            body["reason_id"] = dict(one.reason_id)
    else:
        body["location_id"] = one.to_location
    if one.total_price is not None:
        body["total_price_money"] = money(one.total_price)
    for name in ("transaction_id", "refund_id"):
        if getattr(one, name):
            body[name] = getattr(one, name)
    return body


def transfer(one: Change) -> Body:
    places = {"from_location_id": one.from_location, "to_location_id": one.to_location}
    return _with_given(_common(one), one) | {"state": one.to_state} | places


def _common(one: Change) -> Body:
    return {
        "id": one.id,
        "catalog_object_id": one.variation_id,
        "catalog_object_type": "ITEM_VARIATION",
        "quantity": decimal_string(one.quantity),
        "source": dict(one.source),
        "occurred_at": stamp(one.occurred_at),
        "created_at": stamp(one.created_at),
    }


def _with_given(body: Body, one: Change) -> Body:
    for name in ("reference_id", "team_member_id"):
        if getattr(one, name):
            body[name] = getattr(one, name)
    return body


# -- catalogue --------------------------------------------------------------------------------------------------------


def catalog_object(
    found: CatalogObject, variations: Iterable[CatalogObject], empty_at: Mapping[str, set[str]]
) -> Body:
    """A CatalogObject; an item with its variations inside.

    empty_at   variation id -> locations where its tracked stock is used up
    """
    body: Body = {
        "type": found.type,
        "id": found.id,
        "updated_at": stamp(found.updated_at),
        "version": found.version,
        "is_deleted": found.deleted,
        "present_at_all_locations": found.everywhere,
    }
    if found.present:
        body["present_at_location_ids"] = list(found.present)
    if found.absent:
        body["absent_at_location_ids"] = list(found.absent)
    if found.type == "ITEM":
        inside = [catalog_object(one, (), empty_at) for one in variations]
        return body | {"item_data": {**found.data, "variations": inside}}
    data = dict(found.data)
    if data.get("location_overrides"):
        empty = empty_at.get(found.id, set())
        data["location_overrides"] = [
            {**one, **({"sold_out": True} if one.get("location_id") in empty else {})}
            for one in data["location_overrides"]
        ]
    return body | {"item_variation_data": data}


# -- orders -----------------------------------------------------------------------------------------------------------


def order(found: Order) -> Body:
    net = found.total - found.returned_total
    body: Body = {
        "id": found.id,
        "location_id": found.location.id,
        "source": {"name": found.source_name},
        "state": found.state,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "total_money": money(found.total),
        "total_tax_money": money(0),
        "total_discount_money": money(0),
        "total_tip_money": money(0),
        "net_amounts": _amounts(net),
    }
    if found.version is not None:
        body["version"] = found.version
    if found.closed_at is not None:
        body["closed_at"] = stamp(found.closed_at)
    if found.lines:
        body["line_items"] = [_line(line) for line in found.lines]
    if found.fulfillment is not None:
        body["fulfillments"] = [_fulfillment(found.fulfillment)]
    if found.tender_id is not None:
        body["tenders"] = [_tender(found)]
    if found.return_lines:
        body["returns"] = [_return(found)]
        body["return_amounts"] = _amounts(found.returned_total)
    if found.refunds:
        body["refunds"] = [_order_refund(one) for one in found.refunds]
    return body


def _amounts(cents: int) -> Body:
    nothing = {f"{name}_money": money(0) for name in ("tax", "discount", "tip", "service_charge")}
    return {"total_money": money(cents), **nothing}


def _line(line: Line) -> Body:
    return {
        "uid": line.uid,
        "name": line.name,
        "quantity": decimal_string(line.quantity),
        "catalog_object_id": line.variation.id,
        "catalog_version": line.variation.version,
        "variation_name": str(line.variation.data.get("name") or "Regular"),
        "item_type": "ITEM",
        "base_price_money": money(line.price),
        "gross_sales_money": money(line.cents()),
        "total_tax_money": money(0),
        "total_discount_money": money(0),
        "total_money": money(line.cents()),
    }


def _fulfillment(one: Fulfillment) -> Body:
    details: Body = {
        "recipient": {"display_name": one.recipient},
        "schedule_type": "SCHEDULED",
        "pickup_at": stamp(one.pickup_at),
    }
    details |= {name: stamp(at) for name, at in one.stamps.items()}
    return {
        "uid": one.uid,
        "type": "PICKUP",
        "state": one.state,
        "line_item_application": "ALL",
        "pickup_details": details,
    }


def _tender(found: Order) -> Body:
    assert found.tender_id is not None
    return {
        "id": found.tender_id,
        "location_id": found.location.id,
        "transaction_id": found.id,
        "created_at": stamp(found.created_at),
        "amount_money": money(found.total),
        "type": found.tender_type,
        "payment_id": found.tender_id,
    }


def _return(found: Order) -> Body:
    body: Body = {
        "uid": found.return_uid,
        "return_line_items": [_return_line(line) for line in found.return_lines],
        "return_amounts": _amounts(found.returned_total),
    }
    if found.return_of is not None:
        body["source_order_id"] = found.return_of.id
    return body


def _return_line(line: ReturnLine) -> Body:
    body: Body = {
        "uid": line.uid,
        "name": line.name,
        "quantity": decimal_string(line.quantity),
        "catalog_object_id": line.variation.id,
        "catalog_version": line.variation.version,
        "variation_name": str(line.variation.data.get("name") or "Regular"),
        "item_type": "ITEM",
        "base_price_money": money(line.price),
        "gross_return_money": money(line.cents()),
        "total_money": money(line.cents()),
    }
    return body if line.line is None else {**body, "source_line_item_uid": line.line.uid}


def _order_refund(one: Refund) -> Body:
    return {
        "id": one.id,
        "location_id": one.order.location.id,
        "transaction_id": one.order.return_of.id if one.order.return_of else one.order.id,
        "tender_id": one.tender_id,
        "created_at": stamp(one.created_at),
        "reason": one.reason,
        "amount_money": money(one.amount),
        "status": "APPROVED" if one.status == "COMPLETED" else one.status,
    }


def order_event(name: str, found: Order, updates: Iterable[Body] | None = None) -> Body:
    """The `data` of order.created, order.updated and order.fulfillment.updated."""
    facts: Body = {
        "order_id": found.id,
        "location_id": found.location.id,
        "state": found.state,
        "created_at": stamp(found.created_at),
    }
    if found.version is not None:
        facts["version"] = found.version
    if name != "order_created":
        facts["updated_at"] = stamp(found.updated_at)
    if updates is not None:
        facts["fulfillment_update"] = list(updates)
    return {"type": name, "id": found.id, "object": {name: facts}}


def fulfillment_update(one: Fulfillment, old_state: str) -> Body:
    return {"fulfillment_uid": one.uid, "old_state": old_state, "new_state": one.state}


def refund(one: Refund) -> Body:
    """A PaymentRefund."""
    return {
        "id": one.id,
        "status": one.status,
        "amount_money": money(one.amount),
        "payment_id": one.tender_id,
        "order_id": one.order.id,
        "location_id": one.order.location.id,
        "reason": one.reason,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def refund_event(one: Refund) -> Body:
    return {"type": "refund", "id": one.id, "object": {"refund": refund(one)}}


# -- webhooks ---------------------------------------------------------------------------------------------------------


def subscription(one: Subscription, *, key: bool = True) -> Body:
    body: Body = {
        "id": one.id,
        "name": one.name,
        "enabled": one.enabled,
        "event_types": list(one.event_types),
        "notification_url": one.notification_url,
        "api_version": one.api_version,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }
    return {**body, "signature_key": one.signature_key} if key else body


def event(merchant_id: str, type: str, event_id: str, at: datetime, data: Body) -> Body:
    """A notification's whole body."""
    return {
        "merchant_id": merchant_id,
        "type": type,
        "event_id": event_id,
        "created_at": stamp(at),
        "data": data,
    }
