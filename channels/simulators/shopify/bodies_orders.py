"""Webhook bodies of orders, refunds and fulfillments, with the keys of the vendor's own examples of 2026-04."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from channels.simulators.shopify import bodies
from channels.simulators.shopify.bodies import Json
from channels.simulators.shopify.state import Fulfillment, Line, Order, Refund

if TYPE_CHECKING:
    from channels.simulators.shopify.shop import Shop


def _line_status(of: Line) -> str | None:
    if of.fulfilled and not of.unfulfilled:
        return "fulfilled"
    return "partial" if of.fulfilled else None


def _line(of: Line) -> Json:
    return {
        "id": of.number,
        "admin_graphql_api_id": of.gid,
        "attributed_staffs": [],
        "current_quantity": of.current,
        "fulfillable_quantity": of.unfulfilled,
        "fulfillment_service": "manual",
        "fulfillment_status": _line_status(of),
        "gift_card": False,
        "grams": 0,
        "name": of.variant.product.title,
        "price": f"{of.price:.2f}",
        "price_set": bodies.money(of.price),
        "product_exists": True,
        "product_id": of.variant.product.number,
        "properties": [],
        "quantity": of.units,
        "requires_shipping": True,
        "sales_line_item_group_id": None,
        "sku": of.variant.sku,
        "taxable": True,
        "title": of.variant.product.title,
        "total_discount": "0.00",
        "total_discount_set": bodies.money(Decimal(0)),
        "variant_id": of.variant.number,
        "variant_inventory_management": "shopify" if of.variant.item.tracked else None,
        "variant_title": of.variant.title,
        "vendor": of.variant.product.vendor,
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }


def financial_status(of: Order) -> str:
    """As GraphQL spells it; REST bodies use lower case."""
    if not of.paid:
        return "VOIDED" if of.cancelled_at else "PENDING"
    refunded = sum(back.units for made in of.refunds for back in made.lines)
    if not refunded:
        return "PAID"
    return "PARTIALLY_REFUNDED" if any(line.current for line in of.lines) else "REFUNDED"


def _fulfillment_status(of: Order) -> str | None:
    if not any(line.fulfilled for line in of.lines):
        return None
    return "partial" if any(line.unfulfilled for line in of.lines) else "fulfilled"


def total(of: Order, *, current: bool) -> Decimal:
    """Sum of the lines, as ordered or as they stand after edits and refunds."""
    units = (
        (line.price, line.current if current else line.units - line.removed) for line in of.lines
    )
    return sum((price * count for price, count in units), Decimal(0))


_ORDER_NULLS: Final = [
    "app_id",
    "browser_ip",
    "cart_token",
    "checkout_token",
    "client_details",
    "confirmation_number",
    "contact_email",
    "current_total_additional_fees_set",
    "current_total_duties_set",
    "device_id",
    "email",
    "landing_site",
    "landing_site_ref",
    "note",
    "original_total_additional_fees_set",
    "original_total_duties_set",
    "phone",
    "po_number",
    "reference",
    "referring_site",
    "source_identifier",
    "source_url",
    "user_id",
    "billing_address",
    "customer",
    "payment_terms",
    "shipping_address",
    "merchant_of_record_app_id",
]
_ORDER_LISTS: Final = [
    "discount_codes",
    "note_attributes",
    "tax_lines",
    "discount_applications",
    "shipping_lines",
    "returns",
    "line_item_groups",
]
_ORDER_ZERO_SETS: Final = [
    "current_shipping_price_set",
    "current_total_discounts_set",
    "current_total_tax_set",
    "total_cash_rounding_payment_adjustment_set",
    "total_cash_rounding_refund_adjustment_set",
    "total_discounts_set",
    "total_shipping_price_set",
    "total_tax_set",
]
_ORDER_ZEROS: Final = (
    "current_total_discounts current_total_tax total_discounts total_tax total_tip_received"
)


def order(shop: Shop, of: Order) -> Json:
    """Every `orders/*` topic but `orders/edited`: the whole order as it stands."""
    zone = shop.zone
    now_total, first_total = total(of, current=True), total(of, current=False)
    return {
        "id": of.number,
        "admin_graphql_api_id": of.gid,
        **dict.fromkeys(_ORDER_NULLS),
        **{name: [] for name in _ORDER_LISTS},
        **{name: bodies.money(Decimal(0)) for name in _ORDER_ZERO_SETS},
        **dict.fromkeys(_ORDER_ZEROS.split(), "0.00"),
        "buyer_accepts_marketing": False,
        "cancel_reason": of.cancel_reason.lower() if of.cancel_reason else None,
        "cancelled_at": bodies.stamp(of.cancelled_at, zone) if of.cancelled_at else None,
        "closed_at": bodies.stamp(of.closed_at, zone) if of.closed_at else None,
        "confirmed": True,
        "created_at": bodies.stamp(of.created_at, zone),
        "currency": bodies.CURRENCY,
        "current_subtotal_price": f"{now_total:.2f}",
        "current_subtotal_price_set": bodies.money(now_total),
        "current_total_price": f"{now_total:.2f}",
        "current_total_price_set": bodies.money(now_total),
        "customer_locale": "en",
        "duties_included": False,
        "estimated_taxes": False,
        "financial_status": financial_status(of).lower(),
        "fulfillment_status": _fulfillment_status(of),
        "location_id": of.location.number if of.location else None,
        "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
        "name": of.name,
        "number": of.sequence - 1000,
        "order_number": of.sequence,
        "order_status_url": f"https://{shop.domain}/orders/{of.number}",
        "payment_gateway_names": ["bogus"],
        "presentment_currency": bodies.CURRENCY,
        "processed_at": bodies.stamp(of.created_at, zone),
        "source_name": of.source,
        "subtotal_price": f"{first_total:.2f}",
        "subtotal_price_set": bodies.money(first_total),
        "tags": "",
        "tax_exempt": False,
        "taxes_included": False,
        "test": False,
        "token": f"{of.number:x}",
        "total_line_items_price": f"{first_total:.2f}",
        "total_line_items_price_set": bodies.money(first_total),
        "total_outstanding": "0.00" if of.paid else f"{now_total:.2f}",
        "total_price": f"{first_total:.2f}",
        "total_price_set": bodies.money(first_total),
        "total_weight": 0,
        "updated_at": bodies.stamp(of.updated_at, zone),
        "fulfillments": [fulfillment(shop, made) for made in of.fulfillments],
        "line_items": [_line(line) for line in of.lines],
        "refunds": [refund(shop, made) for made in of.refunds],
    }


def order_edit(
    shop: Shop, of: Order, additions: list[tuple[Line, int]], removals: list[tuple[Line, int]]
) -> Json:
    """`orders/edited` tells the difference, not the order."""
    at = bodies.stamp(of.updated_at, shop.zone)
    none: Json = {"additions": [], "removals": []}
    return {
        "order_edit": {
            "id": shop.ids.next("OrderEdit"),
            "app_id": None,
            "created_at": at,
            "committed_at": at,
            "notify_customer": False,
            "order_id": of.number,
            "staff_note": "",
            "user_id": None,
            "line_items": {
                "additions": [{"id": line.number, "delta": units} for line, units in additions],
                "removals": [{"id": line.number, "delta": units} for line, units in removals],
            },
            "discounts": {"line_item": none},
            "shipping_lines": none,
        }
    }


def refund(shop: Shop, of: Refund) -> Json:
    """`refunds/create`: what happens to stock stands in each line's `restock_type` and `location_id`."""
    at = bodies.stamp(of.created_at, shop.zone)
    lines: list[Json] = []
    for back in of.lines:
        subtotal = back.line.price * back.units
        lines.append(
            {
                "id": back.number,
                "line_item_id": back.line.number,
                "location_id": back.location.number if back.location else None,
                "quantity": back.units,
                "restock_type": back.restock_type.lower(),
                "subtotal": float(subtotal),
                "subtotal_set": bodies.money(subtotal),
                "total_tax": 0.0,
                "total_tax_set": bodies.money(Decimal(0)),
                "line_item": _line(back.line),
            }
        )
    return {
        "id": of.number,
        "order_id": of.order.number,
        "created_at": at,
        "note": of.note,
        "user_id": None,
        "processed_at": at,
        "duties": [],
        "total_duties_set": bodies.money(Decimal(0)),
        "return": _named(of.returned),
        "restock": any(back.restock_type != "NO_RESTOCK" for back in of.lines),
        "refund_shipping_lines": [],
        "admin_graphql_api_id": of.gid,
        "order_adjustments": [],
        "refund_line_items": lines,
        "transactions": [],
    }


def _named(thing: Any) -> Json | None:
    return None if thing is None else {"id": thing.number, "admin_graphql_api_id": thing.gid}


def fulfillment(shop: Shop, of: Fulfillment) -> Json:
    """`fulfillments/create`; `quantity` of each line is what this fulfillment ships."""
    at = bodies.stamp(of.created_at, shop.zone)
    return {
        "id": of.number,
        "order_id": of.order.number,
        "status": "success",
        "created_at": at,
        "service": "manual",
        "updated_at": at,
        "tracking_company": None,
        "shipment_status": None,
        "location_id": of.location.number,
        "origin_address": None,
        "email": None,
        "destination": None,
        "line_items": [_line(line) | {"quantity": units} for line, units in of.lines],
        "tracking_number": None,
        "tracking_numbers": [],
        "tracking_url": None,
        "tracking_urls": [],
        "receipt": {},
        "name": of.name,
        "admin_graphql_api_id": of.gid,
    }
