"""How reads of orders, their lines, fulfillments and refunds are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from graphql import GraphQLResolveInfo

from channels.simulators.shopify import bodies, bodies_orders, search
from channels.simulators.shopify.reading import (
    IDENTITY,
    LEGACY,
    STAMPS,
    Resolver,
    by_id,
    iso,
    plain,
    rows_of,
)
from channels.simulators.shopify.state import Order

SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda o: o.number,
    "name": lambda o: o.name,
    "created_at": lambda o: o.created_at,
    "processed_at": lambda o: o.created_at,
    "updated_at": lambda o: o.updated_at,
    "financial_status": lambda o: bodies_orders.financial_status(o),
    "fulfillment_status": lambda o: _fulfillment_status(o),
    "source_name": lambda o: o.source,
    "status": lambda o: "cancelled" if o.cancelled_at else ("closed" if o.closed_at else "open"),
    "sku": lambda o: [line.variant.sku for line in o.lines],
    "location_id": lambda o: o.location.number if o.location else None,
    "test": lambda o: False,
    "default": lambda o: o.name,
}


def _fulfillment_status(order: Order) -> str:
    shipped = sum(line.fulfilled for line in order.lines)
    if not shipped:
        return "UNFULFILLED"
    return "PARTIALLY_FULFILLED" if any(line.unfulfilled for line in order.lines) else "FULFILLED"


def _bag(value: Decimal) -> dict[str, object]:
    one = {"amount": str(value.normalize() + Decimal("0.0")), "currencyCode": bodies.CURRENCY}
    return {"shopMoney": one, "presentmentMoney": one}


def _window(get: Callable[[Any], list[Any]]) -> Resolver:
    """A connection over a short list of an order."""

    def resolve(thing: Any, info: GraphQLResolveInfo, **args: Any) -> search.Page:
        rows = list(get(thing))
        if info.context.unlimited:
            return search.Page(rows, [], has_next=False, has_previous=False)
        return search.page(rows, lambda row: (_number(row), _number(row)), args)

    return resolve


def _number(row: Any) -> int:
    return int(row["number"] if isinstance(row, dict) else row.number)


def _shipped(made: Any) -> list[Any]:
    return [
        {
            "number": line.number,
            "id": f"gid://shopify/FulfillmentLineItem/{line.number}",
            "lineItem": line,
            "quantity": units,
        }
        for line, units in made.lines
    ]


FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "QueryRoot": {
        "order": by_id("Order"),
        "orders": rows_of("orders", SEARCH),
        "fulfillment": by_id("Fulfillment"),
        "fulfillmentOrder": by_id("FulfillmentOrder"),
        "refund": by_id("Refund"),
    },
    "Order": {
        **IDENTITY,
        **LEGACY,
        **STAMPS,
        **plain(
            name=lambda o: o.name,
            number=lambda o: o.sequence,
            processedAt=lambda o: iso(o.created_at),
            cancelledAt=lambda o: iso(o.cancelled_at),
            cancelReason=lambda o: o.cancel_reason,
            cancellation=lambda o: {"staffNote": o.staff_note} if o.cancelled_at else None,
            closed=lambda o: o.closed_at is not None,
            closedAt=lambda o: iso(o.closed_at),
            confirmed=lambda o: True,
            edited=lambda o: o.edited,
            test=lambda o: False,
            note=lambda o: None,
            tags=lambda o: [],
            email=lambda o: None,
            customer=lambda o: None,
            sourceName=lambda o: o.source,
            currencyCode=lambda o: bodies.CURRENCY,
            displayFinancialStatus=lambda o: bodies_orders.financial_status(o),
            displayFulfillmentStatus=_fulfillment_status,
            retailLocation=lambda o: o.location,
            physicalLocation=lambda o: o.location,
            refunds=lambda o: o.refunds,
            fulfillments=lambda o: o.fulfillments,
            totalPriceSet=lambda o: _bag(bodies_orders.total(o, current=False)),
            subtotalPriceSet=lambda o: _bag(bodies_orders.total(o, current=False)),
            currentTotalPriceSet=lambda o: _bag(bodies_orders.total(o, current=True)),
            currentSubtotalPriceSet=lambda o: _bag(bodies_orders.total(o, current=True)),
            currentSubtotalLineItemsQuantity=lambda o: sum(line.current for line in o.lines),
            subtotalLineItemsQuantity=lambda o: sum(line.units for line in o.lines),
        ),
        "lineItems": _window(lambda o: o.lines),
        "fulfillmentOrders": _window(lambda o: o.fulfillment_orders),
    },
    "LineItem": {
        **IDENTITY,
        **plain(
            sku=lambda n: n.variant.sku,
            name=lambda n: n.variant.product.title,
            title=lambda n: n.variant.product.title,
            variantTitle=lambda n: n.variant.title,
            vendor=lambda n: n.variant.product.vendor,
            quantity=lambda n: n.units,
            currentQuantity=lambda n: n.current,
            unfulfilledQuantity=lambda n: n.unfulfilled,
            fulfillableQuantity=lambda n: n.unfulfilled,
            nonFulfillableQuantity=lambda n: n.fulfilled,
            refundableQuantity=lambda n: n.current,
            requiresShipping=lambda n: True,
            restockable=lambda n: n.current > 0,
            isGiftCard=lambda n: False,
            taxable=lambda n: True,
            variant=lambda n: n.variant,
            product=lambda n: n.variant.product,
            originalUnitPriceSet=lambda n: _bag(n.price),
            discountedUnitPriceSet=lambda n: _bag(n.price),
        ),
    },
    "FulfillmentOrder": {
        **IDENTITY,
        **STAMPS,
        **plain(
            status=lambda w: w.status,
            requestStatus=lambda w: "UNSUBMITTED",
            order=lambda w: w.order,
            orderId=lambda w: w.order.gid,
            orderName=lambda w: w.order.name,
            fulfillmentHolds=lambda w: w.holds,
            assignedLocation=lambda w: {
                "location": w.location,
                "name": w.location.name,
                "countryCode": "US",
                **dict.fromkeys(("address1", "address2", "city", "phone", "province", "zip")),
            },
        ),
        "lineItems": _window(lambda w: w.lines),
    },
    "FulfillmentHold": {
        **IDENTITY,
        **plain(
            displayReason=lambda h: h.reason.replace("_", " ").capitalize(),
            handle=lambda h: h.handle,
            heldByApp=lambda h: None,
            heldByRequestingApp=lambda h: True,
            reason=lambda h: h.reason,
            reasonNotes=lambda h: h.notes,
        ),
    },
    "FulfillmentOrderLineItem": {
        **IDENTITY,
        **plain(
            lineItem=lambda a: a.line,
            sku=lambda a: a.line.variant.sku,
            variant=lambda a: a.line.variant,
            totalQuantity=lambda a: a.total,
            remainingQuantity=lambda a: a.remaining,
            inventoryItemId=lambda a: a.line.variant.item.gid,
            productTitle=lambda a: a.line.variant.product.title,
            requiresShipping=lambda a: True,
        ),
    },
    "Fulfillment": {
        **IDENTITY,
        **LEGACY,
        **plain(
            createdAt=lambda f: iso(f.created_at),
            updatedAt=lambda f: iso(f.created_at),
            name=lambda f: f.name,
            status=lambda f: "SUCCESS",
            displayStatus=lambda f: "FULFILLED",
            location=lambda f: f.location,
            order=lambda f: f.order,
            totalQuantity=lambda f: sum(units for _, units in f.lines),
            requiresShipping=lambda f: True,
            trackingInfo=lambda f: [],
        ),
        "fulfillmentLineItems": _window(_shipped),
    },
    "Refund": {
        **IDENTITY,
        **LEGACY,
        **plain(
            createdAt=lambda r: iso(r.created_at),
            updatedAt=lambda r: iso(r.created_at),
            processedAt=lambda r: iso(r.created_at),
            note=lambda r: r.note,
            order=lambda r: r.order,
            totalRefundedSet=lambda r: _bag(
                sum((b.line.price * b.units for b in r.lines), Decimal(0))
            ),
        ),
        "refundLineItems": _window(lambda r: r.lines),
    },
    "RefundLineItem": plain(
        id=lambda b: f"gid://shopify/RefundLineItem/{b.number}",
        lineItem=lambda b: b.line,
        quantity=lambda b: b.units,
        restockType=lambda b: b.restock_type,
        restocked=lambda b: b.restock_type != "NO_RESTOCK",
        location=lambda b: b.location,
        subtotalSet=lambda b: _bag(b.line.price * b.units),
        priceSet=lambda b: _bag(b.line.price),
    ),
}
