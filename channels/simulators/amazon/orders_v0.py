"""Orders v0, which ends on 2027-03-27: getOrders, getOrder, getOrderItems, confirmShipment."""

from __future__ import annotations

from typing import Any

from channels.simulators.amazon import orders
from channels.simulators.amazon.account import Refused
from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.models import moment
from channels.simulators.amazon.notices import V0_STATUS, stamp
from channels.simulators.amazon.order_pages import Asked, Window, page, window
from channels.simulators.amazon.orders_api import find
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Line, Order


def handlers() -> dict[str, Handler]:
    return {
        "ordersV0.getOrders": get_orders,
        "ordersV0.getOrder": get_order,
        "ordersV0.getOrderItems": get_items,
        "ordersV0.confirmShipment": confirm_shipment,
    }


def get_orders(service: Service, call: Call) -> object:
    if "NextToken" in call.query:
        chosen: Window = service.pages.read(call.query["NextToken"], call.at)
    else:
        chosen = _window(service, call)
    found, token = page(service, chosen, call.at)
    end = "CreatedBefore" if chosen.by_creation else "LastUpdatedBefore"
    body: dict[str, Any] = {
        "Orders": [_shown(order, service.account.marketplace_id) for order in found],
        end: stamp(chosen.before),
    }
    return {"payload": body | ({"NextToken": token} if token else {})}


def get_order(service: Service, call: Call) -> object:
    order = find(service, call.path["orderId"])
    return {"payload": _shown(order, service.account.marketplace_id)}


def get_items(service: Service, call: Call) -> object:
    order = find(service, call.path["orderId"])
    items = [_item(line) for line in order.lines]
    return {"payload": {"AmazonOrderId": order.order_id, "OrderItems": items}}


def confirm_shipment(service: Service, call: Call) -> object:
    """204: the seller has shipped the items. Only orders the seller ships himself."""
    order = find(service, call.path["orderId"])
    package = call.body["packageDetail"]
    if order.by_amazon or call.body["marketplaceId"] != service.account.marketplace_id:
        raise invalid_input("Invalid Input")
    units = {item["orderItemId"]: item["quantity"] for item in package["orderItems"]}
    try:
        with service.account.act() as act:
            orders.ship(
                service.account,
                act,
                order,
                units,
                carrier=package["carrierCode"],
                tracking=package["trackingNumber"],
            )
    except Refused as refused:
        raise invalid_input("Invalid Input", str(refused)) from None
    return None


def _window(service: Service, call: Call) -> Window:
    query = call.query
    times = [
        moment(query[name], name) if name in query else None
        for name in ("CreatedAfter", "CreatedBefore", "LastUpdatedAfter", "LastUpdatedBefore")
    ]
    here = service.account.marketplace_id
    statuses, ways = query.get("OrderStatuses"), query.get("FulfillmentChannels")
    ids = query.get("AmazonOrderIds")

    def wanted(order: Order) -> bool:
        way = "AFN" if order.by_amazon else "MFN"
        return (
            here in query["MarketplaceIds"]
            and (statuses is None or V0_STATUS[order.status] in statuses)
            and (ways is None or way in ways)
            and (ids is None or order.order_id in ids)
        )

    return window(service, Asked(*times), query.get("MaxResultsPerPage", 100), wanted, call.at)


def _shown(order: Order, marketplace: str) -> dict[str, Any]:
    cents = sum(line.price_cents * line.units for line in order.lines)
    body: dict[str, Any] = {
        "AmazonOrderId": order.order_id,
        "PurchaseDate": stamp(order.created_at),
        "LastUpdateDate": stamp(order.updated_at),
        "OrderStatus": V0_STATUS[order.status],
        "FulfillmentChannel": "AFN" if order.by_amazon else "MFN",
        "SalesChannel": "Amazon.com" if order.channel == "AMAZON" else "Non-Amazon",
        "OrderTotal": _money(cents),
        "NumberOfItemsShipped": sum(line.shipped for line in order.lines),
        "NumberOfItemsUnshipped": sum(line.open for line in order.lines),
        "MarketplaceId": marketplace,
        "OrderType": "StandardOrder",
        "IsBusinessOrder": False,
        "IsPrime": False,
    }
    return body | ({"SellerOrderId": order.seller_order_id} if order.seller_order_id else {})


def _item(line: Line) -> dict[str, Any]:
    """A cancelled item keeps the units that were ordered."""
    return {
        "ASIN": line.asin,
        "OrderItemId": line.item_id,
        "SellerSKU": line.sku,
        "Title": line.title,
        "QuantityOrdered": line.units,
        "QuantityShipped": line.shipped,
        "ItemPrice": _money(line.price_cents * line.units),
        "ConditionId": "New",
        "ConditionSubtypeId": "New",
        "IsGift": "false",
        "BuyerRequestedCancel": {"IsBuyerRequestedCancel": str(line.cancel_requested).lower()},
    }


def _money(cents: int) -> dict[str, str]:
    return {"Amount": f"{cents / 100:.2f}", "CurrencyCode": "USD"}
