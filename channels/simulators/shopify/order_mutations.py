"""`orderCancel`, `refundCreate` and `fulfillmentCreate`: the app's side of what `orders` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.simulators.shopify import orders
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.shop import Act, Refused, Shop
from channels.simulators.shopify.state import Fulfillment, FulfillmentOrder, Line, Order, Refund
from channels.simulators.shopify.writes import UserError, find_location


def _order(shop: Shop, gid: str) -> Order | None:
    parsed = parse_gid(gid)
    return shop.orders.get(parsed[1]) if parsed and parsed[0] == "Order" else None


def cancel(shop: Shop, act: Act, args: Mapping[str, Any]) -> list[UserError]:
    order = _order(shop, args["orderId"])
    if order is None:
        return [UserError("NOT_FOUND", ("orderId",), "Order does not exist")]
    if args.get("refund") is not None and args.get("refundMethod") is not None:
        text = "Only one of the arguments `refund` or `refund_method` is allowed."
        return [UserError("INVALID", ("refund",), text)]
    if len(args.get("staffNote") or "") > 255:
        text = "Staff note is too long. Maximum length is 255 characters."
        return [UserError("INVALID", ("staffNote",), text)]
    try:
        orders.cancel(shop, act, order, restock=args["restock"], reason=args["reason"])
    except Refused as refused:
        return [UserError("INVALID", ("orderId",), str(refused))]
    order.staff_note = args.get("staffNote")
    return []


def refund(shop: Shop, act: Act, given: Mapping[str, Any]) -> tuple[Refund | None, list[UserError]]:
    order = _order(shop, given["orderId"])
    if order is None:
        return None, [UserError(None, ("orderId",), "Order does not exist")]
    lines: list[orders.GivenBack] = []
    for index, row in enumerate(given.get("refundLineItems") or ()):
        parsed = parse_gid(row["lineItemId"])
        line = order.line(parsed[1]) if parsed else None
        if line is None:
            where = ("refundLineItems", str(index), "lineItemId")
            return None, [UserError(None, where, "Line item does not exist")]
        place = find_location(shop, row["locationId"]) if row.get("locationId") else None
        kind = row.get("restockType") or "NO_RESTOCK"
        lines.append(orders.GivenBack(line, row["quantity"], kind, place))
    try:
        return orders.refund(shop, act, order, lines, given.get("note")), []
    except Refused as refused:
        return None, [UserError(None, ("refundLineItems",), str(refused))]


def fulfil(
    shop: Shop, act: Act, given: Mapping[str, Any]
) -> tuple[Fulfillment | None, list[UserError]]:
    chosen: list[tuple[FulfillmentOrder, list[tuple[Line, int]] | None]] = []
    for row in given["lineItemsByFulfillmentOrder"]:
        work = find_work(shop, row["fulfillmentOrderId"])
        if work is None:
            return None, [UserError(None, ("fulfillment",), "Fulfillment order does not exist.")]
        lines, error = _lines(work, row.get("fulfillmentOrderLineItems"))
        if error is not None:
            return None, [error]
        chosen.append((work, lines))
    places = {work.location.number for work, _ in chosen}
    if len({work.order.number for work, _ in chosen}) != 1 or len(places) != 1:
        text = "All fulfillment orders must be assigned to a single location."
        return None, [UserError(None, ("fulfillment",), text)]
    named = [lines for _, lines in chosen if lines is not None]
    wanted = None if len(named) < len(chosen) else [pair for lines in named for pair in lines]
    works = [work for work, _ in chosen]
    try:
        return orders.fulfil(shop, act, works[0].order, lines=wanted, works=works)[0], []
    except Refused as refused:
        return None, [UserError(None, ("fulfillment",), str(refused))]


def find_work(shop: Shop, gid: str) -> FulfillmentOrder | None:
    """A fulfillment order by its gid."""
    works = (work for order in shop.orders.values() for work in order.fulfillment_orders)
    return next((work for work in works if work.gid == gid), None)


def _lines(
    work: FulfillmentOrder, rows: list[Mapping[str, Any]] | None
) -> tuple[list[tuple[Line, int]] | None, UserError | None]:
    if not rows:
        return None, None
    lines: list[tuple[Line, int]] = []
    for row in rows:
        assigned = next((a for a in work.lines if a.gid == row["id"]), None)
        if assigned is None:
            text = "Fulfillment order line item does not exist."
            return None, UserError(None, ("fulfillment",), text)
        lines.append((assigned.line, row["quantity"]))
    return lines, None
