"""Multi-Channel Fulfillment: orders of other shops, shipped from the same FBA units.

Units are reserved once, when the order is created, and leave once, when it is shipped; the order that Amazon shows for
it (sales channel NON_AMAZON) moves nothing. New -> Received -> Planning -> Processing -> Complete, one step per
`Pace.outbound_s`; a held order stays Received until it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from channels.simulators.amazon import notices, stock
from channels.simulators.amazon.account import Account, Act, Refused, Unknown
from channels.simulators.amazon.state import Line, Order, Outbound, OutboundLine, Package

CANCELLABLE: Final = ("New", "Received", "Planning")
_NEXT: Final = {"New": "Received", "Received": "Planning", "Planning": "Processing"}


def create(account: Account, act: Act, request: Mapping[str, Any]) -> Outbound:
    """Take an order in and reserve what there is. Raises Refused when the id is taken, Unknown for an unknown SKU."""
    seller_id = str(request["sellerFulfillmentOrderId"])
    if seller_id in account.outbounds:
        raise Refused(f"Fulfillment order {seller_id} already exists.")
    for item in request["items"]:
        if not account.listing(item["sellerSku"]).history:
            raise Unknown(f"SKU {item['sellerSku']!r} is not in Amazon's network")
    lines = [
        OutboundLine(item["sellerFulfillmentOrderItemId"], item["sellerSku"], item["quantity"])
        for item in request["items"]
    ]
    order = Outbound(seller_id, request, act.at, act.at, lines)
    _reserve(account, act, order)
    account.outbounds[seller_id] = order
    _next_step(account, order, act.at)
    return order


def cancel(account: Account, act: Act, order: Outbound) -> None:
    """Give the units back. Raises Refused once picking has begun."""
    if order.status not in CANCELLABLE:
        raise Refused(f"{order.seller_id} is {order.status} and cannot be cancelled.")
    for line in order.lines:
        _release(account, act, line)
        line.cancelled = line.units - line.unfulfillable
    _to(order, "Cancelled", act.at)
    shown = account.orders.get(order.order_id or "")
    if shown is not None:
        for item in shown.lines:
            item.cancelled = item.units
            item.cancelled_by = "MERCHANT"
        shown.updated_at = act.at
        notices.order_changed(account, act, shown, "SellerCancelled")


def _reserve(account: Account, act: Act, order: Outbound) -> None:
    """By policy: FillOrKill takes all or nothing, the others take what there is."""
    for line in order.lines:
        listing = account.listing(line.sku)
        line.reserved = max(min(line.units, listing.fba.fulfillable), 0)
        if line.reserved:
            units = {"fulfillable": -line.reserved, "reserved_orders": line.reserved}
            account.move_fba(act, listing, units)
        line.unfulfillable = line.units - line.reserved
    policy = order.request.get("fulfillmentPolicy", "FillOrKill")
    short = any(line.unfulfillable for line in order.lines)
    if (short and policy == "FillOrKill") or not any(line.reserved for line in order.lines):
        for line in order.lines:
            _release(account, act, line)
            line.unfulfillable = line.units


def _release(account: Account, act: Act, line: OutboundLine) -> None:
    if line.reserved and line.sku in account.listings:
        units = {"fulfillable": line.reserved, "reserved_orders": -line.reserved}
        account.move_fba(act, account.listing(line.sku), units)
    line.reserved = 0


def _next_step(account: Account, order: Outbound, at: datetime) -> None:
    account.later(at, account.pace.outbound_s, lambda due: _step(account, order, due))


def _step(account: Account, order: Outbound, at: datetime) -> None:
    with account.happening(at) as act:
        if order.status == "New":
            _validate(account, act, order)
        elif order.status == "Processing":
            _complete(account, act, order)
        elif order.status in _NEXT and order.request.get("fulfillmentAction") != "Hold":
            _to(order, _NEXT[order.status], at)
    if order.status in ("Received", "Planning", "Processing") and (
        order.request.get("fulfillmentAction") != "Hold"
    ):
        _next_step(account, order, at)


def _validate(account: Account, act: Act, order: Outbound) -> None:
    if not any(line.reserved for line in order.lines):
        _to(order, "Invalid", act.at)
        return
    _to(order, "Received", act.at)
    lines = [_shown_line(account, line) for line in order.lines if line.reserved]
    address = order.request["destinationAddress"]
    shown = Order(
        f"S01-{account.new_digits(7)}-{account.new_digits(7)}",
        order.received_at,
        act.at,
        by_amazon=True,
        lines=lines,
        pending=False,
        channel="NON_AMAZON",
        seller_order_id=order.seller_id,
        postal_code=str(address["postalCode"]),
    )
    order.order_id = shown.order_id
    account.orders[shown.order_id] = shown
    notices.order_changed(account, act, shown, "")


def _complete(account: Account, act: Act, order: Outbound) -> None:
    shown = account.orders[order.order_id or ""]
    items_by_id = {line.item_id: line for line in shown.lines}
    for line in order.lines:
        if line.reserved:
            item = items_by_id[line.order_item_id]
            stock.ship(account, act, item, line.reserved, by_amazon=True, order_id=shown.order_id)
            line.shipped, line.reserved = line.reserved, 0
    order.shipment_id = account.new_code("D", 9)
    items = tuple((line.item_id, line.shipped) for line in shown.lines if line.shipped)
    shown.packages.append(Package("1", act.at, "AMZN_US", f"TBA{account.new_digits(12)}", items))
    shown.updated_at = act.at
    whole = all(line.shipped == line.units for line in order.lines)
    _to(order, "Complete" if whole else "CompletePartialled", act.at)
    notices.order_changed(account, act, shown, "")


def _shown_line(account: Account, line: OutboundLine) -> Line:
    """The line of the order that shows this one; two lines may have one SKU."""
    listing = account.listings.get(line.sku)
    asin, title = (listing.asin, listing.title) if listing else ("", line.sku)
    line.order_item_id = account.new_digits(14)
    return Line(line.order_item_id, line.sku, asin, title, line.reserved, 0)


def _to(order: Outbound, status: str, at: datetime) -> None:
    order.status, order.status_at = status, at
