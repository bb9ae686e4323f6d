"""What the control plane says about the partner's books, as plain JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels.simulators.edi.books import Books
from channels.simulators.edi.state import Item, Order, Received, Sent, Shipment


def item(one: Item) -> dict[str, Any]:
    return {"sku": one.sku, "ids": dict(one.ids), "price": one.price}


def order(books: Books, one: Order) -> dict[str, Any]:
    """An order as the partner means it now, with what was promised and announced."""
    return {
        "order": one.number,
        "day": one.day.isoformat(),
        "ship_to": one.ship_to,
        "cancelled": one.cancelled,
        "answered": [said.set_id for said in one.answers],
        "answer": one.answers[-1].kind if one.answers else None,
        "changes": [
            {
                "sequence": change.sequence,
                "purpose": change.purpose,
                "answered": change.answered_at is not None,
            }
            for change in sorted(one.changes.values(), key=lambda each: each.sequence)
        ],
        "lines": [
            {
                "line": line.number,
                "sku": line.item.sku,
                "ordered": line.units,
                "units": one.units_after(line.number),
                "measure": line.measure,
                "stores": line.stores,
                "promised": dict(one.promised(line.number)),
                "shipped": books.shipped(one.number, line.number),
            }
            for line in one.lines.values()
        ],
    }


def sent(one: Sent) -> dict[str, Any]:
    return {
        "name": one.name,
        "control": one.control,
        "group": one.group,
        "sets": list(one.sets),
        "order": one.order,
        "at": one.at.isoformat(),
        "acked": one.acked or None,
        "acked_at": one.acked_at.isoformat() if one.acked_at else None,
        "late": one.late,
    }


def received(one: Received) -> dict[str, Any]:
    return {
        "name": one.name,
        "at": one.at.isoformat(),
        "sets": one.kinds,
        "verdicts": one.answered,
        "bytes": len(one.data),
    }


def shipment(one: Shipment) -> dict[str, Any]:
    return {
        "shipment": one.id,
        "at": one.at.isoformat(),
        "cartons": one.cartons,
        "items": [
            {
                "order": each.order,
                "line": each.line,
                "sku": each.sku,
                "units": each.units,
                "store": each.store,
                "carton": each.carton,
            }
            for each in one.items
        ],
    }


def shown(books: Books, sku: str = "") -> dict[str, dict[str, Any]]:
    """SKU -> location ("" is everywhere) -> the newest 846's numbers."""
    found: dict[str, dict[str, Any]] = {}
    for one in books.shown.values():
        if sku in ("", one.sku):
            found.setdefault(one.sku, {})[one.location] = {
                **one.counts,
                "at": one.at.isoformat(),
                "reference": one.reference,
            }
    return found


def missing(books: Books, now: datetime) -> dict[str, list[Any]]:
    """997s that have not come: groups by control number, and those that are overdue in words."""
    waiting = [one.control for one in books.sent if one.kind != "FA" and not one.acked]
    return {"unacknowledged": waiting, "overdue": list(books.overdue(now))}
