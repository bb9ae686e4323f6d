"""Builders of Square orders as the order API tells them; a test names only what it is about."""

from __future__ import annotations

from typing import Any

CREATED = "2026-08-20T12:00:00.000Z"
UPDATED = "2026-08-20T12:05:00.000Z"
CLOSED = "2026-08-20T12:04:59.500Z"
PICKED_UP = "2026-08-20T12:04:00.000Z"

Document = dict[str, Any]


def a_line(uid: str, *, item: str | None, units: str = "1", **more: object) -> Document:
    """An order line."""
    line = {"uid": uid, "name": "Shirt", "quantity": units, "item_type": "ITEM", **more}
    return line if item is None else {**line, "catalog_object_id": item}


def an_order(*lines: Document, state: str = "OPEN", **more: object) -> Document:
    """Order ORDER at the location OSLO-ID."""
    closed = {} if state in ("OPEN", "DRAFT") else {"closed_at": CLOSED}
    return {
        "id": "ORDER",
        "location_id": "OSLO-ID",
        "state": state,
        "created_at": CREATED,
        "updated_at": UPDATED,
        "line_items": list(lines),
        **closed,
        **more,
    }


def a_fulfillment(state: str, *, uid: str = "F", type: str = "PICKUP", **more: object) -> Document:
    """A fulfillment of the whole order, unless entries are given."""
    return {
        "uid": uid,
        "type": type,
        "state": state,
        "line_item_application": "ENTRY_LIST" if "entries" in more else "ALL",
        **more,
    }


def an_entry(line: str, units: str) -> Document:
    """Units of a line in a fulfillment."""
    return {"line_item_uid": line, "quantity": units}


def a_return(*lines: Document, source: str | None = "SALE") -> Document:
    """Goods of a sale that came back."""
    back: Document = {"uid": "R", "return_line_items": list(lines)}
    return back if source is None else {**back, "source_order_id": source}


def restocked(id: str, item: str, units: str, state: str = "IN_STOCK", **more: object) -> Document:
    """An adjustment that put returned goods somewhere."""
    return {
        "id": id,
        "catalog_object_id": item,
        "from_state": "SOLD",
        "to_state": state,
        "quantity": units,
        "from_location_id": "OSLO-ID",
        "to_location_id": "OSLO-ID",
        "occurred_at": UPDATED,
        **more,
    }


def a_document(order: Document, *adjustments: Document, **catalogue: Document) -> Document:
    """What the lane keeps of an order; a variation that is not in `catalogue` is counted."""
    lines = [*order.get("line_items", ())]
    for back in order.get("returns", ()):
        lines += back["return_line_items"]
    named: Document = {
        line["catalog_object_id"]: {} for line in lines if "catalog_object_id" in line
    }
    return {"order": order, "catalogue": {**named, **catalogue}, "restocked": list(adjustments)}
