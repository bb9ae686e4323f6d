"""Builders of Shopify webhook bodies; a test names only what it is about."""

from __future__ import annotations

from typing import Any

CREATED = "2026-07-01T11:00:00+02:00"
UPDATED = "2026-07-01T10:00:00Z"
SHIPPED = "2026-07-01T12:00:00Z"
LATER = "2026-07-02T09:00:00Z"

Document = dict[str, Any]


def a_line(number: int, *, variant: int | None, units: int = 1, **more: object) -> Document:
    """An order line, nothing shipped or refunded yet."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "sku": "SKU",
        "quantity": units,
        "current_quantity": units,
        "fulfillable_quantity": units,
        "fulfillment_status": None,
        "variant_id": variant,
        "variant_inventory_management": "shopify",
        "gift_card": False,
        **more,
    }


def an_order(*lines: Document, **more: object) -> Document:
    """Order 500."""
    return {
        "id": 500,
        "admin_graphql_api_id": "gid://shopify/Order/500",
        "created_at": CREATED,
        "updated_at": UPDATED,
        "cancelled_at": None,
        "location_id": None,
        "line_items": list(lines),
        "fulfillments": [],
        "refunds": [],
        **more,
    }


def a_fulfillment(number: int, line: Document, *, units: int, **more: object) -> Document:
    """A fulfillment of order 500 that carries one line."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{number}",
        "order_id": 500,
        "status": "success",
        "created_at": SHIPPED,
        "updated_at": LATER,
        "location_id": None,
        "line_items": [{**line, "quantity": units}],
        **more,
    }


def a_refund(number: int, *lines: Document) -> Document:
    """A refund of order 500."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Refund/{number}",
        "order_id": 500,
        "created_at": LATER,
        "processed_at": LATER,
        "refund_line_items": list(lines),
    }


def back(number: int, line: Document, units: int, restock_type: str, **more: object) -> Document:
    """A refund line: units of an order line and what becomes of them."""
    return {
        "id": number,
        "line_item_id": line["id"],
        "line_item": line,
        "quantity": units,
        "restock_type": restock_type,
        "location_id": None,
        **more,
    }
