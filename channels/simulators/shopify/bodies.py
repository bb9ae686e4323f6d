"""Webhook bodies in the vendor's REST shape, with the keys of its own examples of 2026-04."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final

from channels.simulators.shopify.ids import gid
from channels.simulators.shopify.state import (
    Bulk,
    Level,
    Location,
    Product,
    Variant,
)

Json = dict[str, object]

CURRENCY: Final = "USD"


def encode(body: Json) -> bytes:
    """The bytes that are signed: compact, slashes escaped, as the vendor's serializer writes them."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/").encode()


def stamp(at: datetime, zone: tzinfo) -> str:
    """Webhook bodies carry the shop's own time zone."""
    return at.astimezone(zone).isoformat()


def money(value: Decimal) -> Json:
    """A price as `*_set` objects write it, in shop and presentment currency."""
    one = {"amount": f"{value:.2f}", "currency_code": CURRENCY}
    return {"shop_money": one, "presentment_money": dict(one)}


def level(of: Level, zone: tzinfo) -> Json:
    """`inventory_levels/update` and `connect`; an untracked item has no available."""
    return {
        "inventory_item_id": of.item.number,
        "location_id": of.location.number,
        "available": of.units["available"] if of.item.tracked else None,
        "updated_at": stamp(of.updated_at, zone),
        "admin_graphql_api_id": of.gid,
    }


def level_gone(of: Level) -> Json:
    """`inventory_levels/disconnect` has the two ids and nothing else."""
    return {"inventory_item_id": of.item.number, "location_id": of.location.number}


def location(of: Location, zone: tzinfo) -> Json:
    blank = dict.fromkeys(
        ("address1", "address2", "city", "zip", "province", "phone", "province_code")
    )
    return {
        "id": of.number,
        "name": of.name,
        **blank,
        "country": "US",
        "country_code": "US",
        "country_name": "United States",
        "created_at": stamp(of.created_at, zone),
        "updated_at": stamp(of.updated_at, zone),
        "legacy": of.fulfillment_service,
        "active": of.active,
        "admin_graphql_api_id": of.gid,
    }


def _variant(of: Variant, zone: tzinfo) -> Json:
    return {
        "admin_graphql_api_id": of.gid,
        "barcode": of.barcode,
        "compare_at_price": None,
        "created_at": stamp(of.created_at, zone),
        "id": of.number,
        "inventory_policy": of.policy.lower(),
        "position": of.product.variants.index(of) + 1,
        "price": f"{of.price:.2f}",
        "product_id": of.product.number,
        "sku": of.sku,
        "taxable": True,
        "title": of.title,
        "updated_at": stamp(of.updated_at, zone),
        "option1": of.title,
        "option2": None,
        "option3": None,
        "image_id": None,
        "inventory_item_id": of.item.number,
        "inventory_quantity": of.available,
        "old_inventory_quantity": of.available,
    }


def product(of: Product, zone: tzinfo) -> Json:
    """`products/create` and `products/update`."""
    published = stamp(of.created_at, zone) if of.published_on else None
    return {
        "admin_graphql_api_id": of.gid,
        "body_html": None,
        "created_at": stamp(of.created_at, zone),
        "handle": of.handle,
        "id": of.number,
        "product_type": "",
        "published_at": published,
        "template_suffix": None,
        "title": of.title,
        "updated_at": stamp(of.updated_at, zone),
        "vendor": of.vendor,
        "status": of.status.lower(),
        "published_scope": "global",
        "tags": "",
        "variants": [_variant(variant, zone) for variant in of.variants],
        "options": [],
        "images": [],
        "image": None,
        "media": [],
        "variant_gids": [
            {"admin_graphql_api_id": v.gid, "updated_at": v.updated_at.isoformat()}
            for v in of.variants
        ],
        "has_variants_that_requires_components": any(v.bundle for v in of.variants),
        "category": None,
    }


def bulk_finished(of: Bulk, zone: tzinfo) -> Json:
    return {
        "admin_graphql_api_id": gid("BulkOperation", of.number),
        "completed_at": stamp(of.completed_at, zone) if of.completed_at else None,
        "created_at": stamp(of.created_at, zone),
        "error_code": of.error_code.lower() if of.error_code else None,
        "status": of.status.lower(),
        "type": "query",
    }
