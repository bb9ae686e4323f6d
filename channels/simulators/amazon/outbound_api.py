"""Fulfillment Outbound 2020-07-01: create, show, list and cancel MCF orders."""

from __future__ import annotations

from typing import Any, Final

from channels.simulators.amazon import outbound
from channels.simulators.amazon.account import Refused, Unknown
from channels.simulators.amazon.errors import invalid_input, not_found
from channels.simulators.amazon.notices import stamp
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Outbound, OutboundLine

PAGE: Final = 50
_TOKEN_S: Final = 86_400
_COPIED: Final = (
    "displayableOrderId",
    "displayableOrderDate",
    "displayableOrderComment",
    "shippingSpeedCategory",
    "destinationAddress",
    "notificationEmails",
    "featureConstraints",
)


def handlers() -> dict[str, Handler]:
    return {
        "fulfillmentOutbound_2020-07-01.createFulfillmentOrder": create,
        "fulfillmentOutbound_2020-07-01.getFulfillmentOrder": get,
        "fulfillmentOutbound_2020-07-01.listAllFulfillmentOrders": list_all,
        "fulfillmentOutbound_2020-07-01.cancelFulfillmentOrder": cancel,
    }


def create(service: Service, call: Call) -> object:
    """The seller's order id works once: a repeat is refused, and takes nothing."""
    items = call.body["items"]
    if not 0 < len(items) <= 100 or any(item["quantity"] < 1 for item in items):
        raise invalid_input("Invalid items.")
    try:
        with service.account.act() as act:
            outbound.create(service.account, act, call.body)
    except (Refused, Unknown) as trouble:
        raise invalid_input(str(trouble)) from None
    return {}


def get(service: Service, call: Call) -> object:
    order = _find(service, call)
    return {
        "payload": {
            "fulfillmentOrder": _shown(service, order),
            "fulfillmentOrderItems": [_item(line) for line in order.lines],
            "fulfillmentShipments": _shipments(order),
            "returnItems": [],
            "returnAuthorizations": [],
        }
    }


def list_all(service: Service, call: Call) -> object:
    query, start = dict(call.query), 0
    if "nextToken" in query:
        query, start = service.pages.read(query["nextToken"], call.at)
    since = query.get("queryStartDate")
    found = sorted(
        (o for o in service.account.outbounds.values() if since is None or o.status_at >= since),
        key=lambda order: (order.status_at, order.seller_id),
    )
    shown = [_shown(service, order) for order in found[start : start + PAGE]]
    body: dict[str, Any] = {"fulfillmentOrders": shown}
    if start + PAGE < len(found):
        body["nextToken"] = service.pages.issue((query, start + PAGE), call.at, _TOKEN_S)
    return {"payload": body}


def cancel(service: Service, call: Call) -> object:
    order = _find(service, call)
    try:
        with service.account.act() as act:
            outbound.cancel(service.account, act, order)
    except Refused as refused:
        raise invalid_input(str(refused)) from None
    return {}


def _find(service: Service, call: Call) -> Outbound:
    seller_id = call.path["sellerFulfillmentOrderId"]
    order = service.account.outbounds.get(seller_id)
    if order is None:
        raise not_found(f"Fulfillment order {seller_id} does not exist.")
    return order


def _shown(service: Service, order: Outbound) -> dict[str, Any]:
    return {
        "sellerFulfillmentOrderId": order.seller_id,
        "marketplaceId": order.request.get("marketplaceId", service.account.marketplace_id),
        "fulfillmentAction": order.request.get("fulfillmentAction", "Ship"),
        "fulfillmentPolicy": order.request.get("fulfillmentPolicy", "FillOrKill"),
        "receivedDate": stamp(order.received_at),
        "fulfillmentOrderStatus": order.status,
        "statusUpdatedDate": stamp(order.status_at),
    } | {name: order.request[name] for name in _COPIED if name in order.request}


def _item(line: OutboundLine) -> dict[str, Any]:
    return {
        "sellerSku": line.sku,
        "sellerFulfillmentOrderItemId": line.item_id,
        "quantity": line.units,
        "orderItemDisposition": "Sellable",
        "cancelledQuantity": line.cancelled,
        "unfulfillableQuantity": line.unfulfillable,
    }


def _shipments(order: Outbound) -> list[dict[str, Any]]:
    if order.shipment_id is None:
        return []
    items = [
        {
            "sellerSku": line.sku,
            "sellerFulfillmentOrderItemId": line.item_id,
            "quantity": line.shipped,
            "packageNumber": 1,
        }
        for line in order.lines
        if line.shipped
    ]
    return [
        {
            "amazonShipmentId": order.shipment_id,
            "fulfillmentCenterId": "SEA1",
            "fulfillmentShipmentStatus": "SHIPPED",
            "shippingDate": stamp(order.status_at),
            "fulfillmentShipmentItem": items,
        }
    ]
