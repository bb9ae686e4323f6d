"""Orders 2026-01-01: searchOrders and getOrder, with the items inside."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from channels.simulators.amazon.errors import invalid_input, not_found
from channels.simulators.amazon.notices import stamp
from channels.simulators.amazon.order_pages import Asked, Window, page, window
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Line, Order


def handlers() -> dict[str, Handler]:
    return {
        "orders_2026-01-01.searchOrders": search,
        "orders_2026-01-01.getOrder": get_order,
    }


def search(service: Service, call: Call) -> object:
    query = call.query
    if "paginationToken" in query:
        chosen: Window = service.pages.read(query["paginationToken"], call.at)
    else:
        chosen = _window(service, call)
    orders, token = page(service, chosen, call.at)
    included = query.get("includedData", ())
    body: dict[str, Any] = {
        "orders": [shown(order, included, service.account.marketplace_id) for order in orders],
        "createdBefore" if chosen.by_creation else "lastUpdatedBefore": stamp(chosen.before),
    }
    return body | ({"pagination": {"nextToken": token}} if token else {})


def get_order(service: Service, call: Call) -> object:
    order = find(service, call.path["orderId"])
    included = call.query.get("includedData", ())
    return {"order": shown(order, included, service.account.marketplace_id)}


def find(service: Service, order_id: str) -> Order:
    """Raises ApiError: 400 for what is no order id, 404 for an order that is not there."""
    if len(order_id.split("-")) != 3:
        raise invalid_input("Invalid Input")
    order = service.account.orders.get(order_id)
    if order is None:
        raise not_found(f"Order {order_id} does not exist.")
    return order


def shown(order: Order, included: Collection[str], marketplace: str) -> dict[str, Any]:
    """An order with the wanted data sets; personal data is never there, for want of the role."""
    body: dict[str, Any] = {
        "orderId": order.order_id,
        "createdTime": stamp(order.created_at),
        "lastUpdatedTime": stamp(order.updated_at),
        "programs": [],
        "salesChannel": _channel(order, marketplace),
        "orderItems": [_item(line, included) for line in order.lines],
    }
    if order.seller_order_id:
        alias = {"aliasId": order.seller_order_id, "aliasType": "SELLER_ORDER_ID"}
        body["orderAliases"] = [alias]
    if "PROCEEDS" in included:
        cents = sum(line.price_cents * line.units for line in order.lines)
        body["proceeds"] = {"grandTotal": _money(cents)}
    if "FULFILLMENT" in included:
        body["fulfillment"] = _fulfillment(order)
    if "PACKAGES" in included:
        body["packages"] = _packages(order)
    return body


def _channel(order: Order, marketplace: str) -> dict[str, str]:
    if order.channel != "AMAZON":
        return {"channelName": order.channel}
    return {
        "channelName": "AMAZON",
        "marketplaceId": marketplace,
        "marketplaceName": "Amazon.com",
    }


def _fulfillment(order: Order) -> dict[str, Any]:
    return {
        "fulfillmentStatus": order.status,
        "fulfilledBy": "AMAZON" if order.by_amazon else "MERCHANT",
        "fulfillmentServiceLevel": "STANDARD",
        "shipByWindow": {
            "earliestDateTime": stamp(order.created_at),
            "latestDateTime": stamp(order.created_at + timedelta(days=2)),
        },
    }


def _item(line: Line, included: Collection[str]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "orderItemId": line.item_id,
        "quantityOrdered": line.units,
        "programs": [],
        "product": {
            "asin": line.asin,
            "title": line.title,
            "sellerSku": line.sku,
            "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
            "price": {"unitPrice": _money(line.price_cents)},
        },
    }
    if "FULFILLMENT" in included:
        item["fulfillment"] = {
            "quantityFulfilled": line.shipped,
            "quantityUnfulfilled": line.open,
        }
    if "CANCELLATION" in included and (line.cancel_requested or line.cancelled):
        item["cancellation"] = _cancellation(line)
    return item


def _cancellation(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if line.cancel_requested:
        found["cancellationRequest"] = {"requester": "BUYER", "cancelReason": "NO_LONGER_NEEDED"}
    if line.cancelled:
        reason = {"cancelledBy": line.cancelled_by or "BUYER", "cancelReason": "OTHER"}
        found["cancellationExecution"] = reason
    return found


def _packages(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "packageReferenceId": package.reference,
            "createdTime": stamp(package.created_at),
            "packageStatus": {"status": "SHIPPED"},
            "carrier": package.carrier,
            "shipTime": stamp(package.created_at),
            "trackingNumber": package.tracking,
            "packageItems": [
                {"orderItemId": item_id, "quantity": units} for item_id, units in package.items
            ],
        }
        for package in order.packages
    ]


def _money(cents: int) -> dict[str, str]:
    return {"amount": f"{cents / 100:.2f}", "currencyCode": "USD"}


def _window(service: Service, call: Call) -> Window:
    query = call.query
    asked = Asked(
        query.get("createdAfter"),
        query.get("createdBefore"),
        query.get("lastUpdatedAfter"),
        query.get("lastUpdatedBefore"),
    )
    here = service.account.marketplace_id
    statuses, by = query.get("fulfillmentStatuses"), query.get("fulfilledBy")
    markets = query.get("marketplaceIds")

    def wanted(order: Order) -> bool:
        who = "AMAZON" if order.by_amazon else "MERCHANT"
        return (
            (statuses is None or order.status in statuses)
            and (by is None or who in by)
            and (markets is None or here in markets)
        )

    return window(service, asked, query.get("maxResultsPerPage", 100), wanted, call.at)
