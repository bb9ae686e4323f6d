"""Answers a live shop gave, and a client of ours to hear them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from channels.base import Binding, Level
from channels.limits import Bucket
from channels.shopify import orders
from channels.shopify.client import Shopify
from tests.channels.stub import Stub

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TOKEN = "shpat_very_secret"


def a_bucket() -> Bucket:
    """A full bucket of this process alone."""
    return Bucket(None, "shopify:shop", maximum=2000, restore_rate=100, alone_share=1)


def a_client(vendor: Stub, bucket: Bucket) -> Shopify:
    """A client that reads orders in small pages."""
    return Shopify(
        "shop-no",
        vendor.url,
        TOKEN,
        limiter=bucket,
        now=lambda: NOW,
        read_s=1,
        sizes=orders.Sizes(changes=2, orders=2, lines=1, parts=2, whole=3),
    )


def a_binding(number: int) -> Binding:
    return Binding(
        channel="shop-no",
        sku=f"SKU-{number}",
        location="OSLO",
        item_id=f"gid://shopify/InventoryItem/{number}",
        vendor_location_id="gid://shopify/Location/77",
        variant_id=f"gid://shopify/ProductVariant/{number}",
        product_id="gid://shopify/Product/1",
        level_id=f"gid://shopify/InventoryLevel/77?inventory_item_id={number}",
    )


def levels(count: int) -> list[Level]:
    return [Level(a_binding(number), units=number, number=1) for number in range(1, count + 1)]


def set_answer(*errors: Mapping[str, object]) -> dict[str, object]:
    payload = {"inventoryAdjustmentGroup": None, "userErrors": list(errors)}
    return {"data": {"inventorySetQuantities": payload}, **cost(13, 1987)}


def complaint(code: str | None, *field: str) -> dict[str, object]:
    return {"code": code, "field": ["input", *field] if field else None, "message": f"{code} it is"}


def cost(requested: float, available: float) -> dict[str, Any]:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": 100}
    return {
        "extensions": {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": None,
                "throttleStatus": status,
            }
        }
    }


def failed(code: str | None, message: str = "no") -> dict[str, object]:
    extensions = {} if code is None else {"extensions": {"code": code}}
    return {"errors": [{"message": message, **extensions}]}


def rows(stub: Stub, call: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = stub.heard[call].json["variables"]["input"]["quantities"]
    return found


def keys(stub: Stub) -> list[str]:
    return [heard.json["variables"]["key"] for heard in stub.heard]
