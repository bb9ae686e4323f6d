"""What buyers and staff do: till sales, pickup orders and their progress, cancels, returns and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from channels.simulators.square import bodies
from channels.simulators.square.merchant import ONLINE, TILL, Act, Merchant, Refused
from channels.simulators.square.state import (
    DONE,
    CatalogObject,
    Fulfillment,
    Line,
    Location,
    Order,
    Refund,
    ReturnLine,
)

STEPS: Final = ("PROPOSED", "RESERVED", "PREPARED", "COMPLETED")
_STAMPS: Final = {
    "RESERVED": "accepted_at",
    "PREPARED": "ready_at",
    "COMPLETED": "picked_up_at",
    "CANCELED": "canceled_at",
    "FAILED": "rejected_at",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line of a new order or return; `price` in cents, the variation's own when None."""

    sku: str
    quantity: Decimal
    price: int | None = None


def sell(
    merchant: Merchant,
    act: Act,
    place: Location,
    wanted: Sequence[Wanted],
    *,
    occurred_at: datetime | None = None,
) -> Order:
    """A completed sale at the till. A till sells what it has in its hand, below zero too.

    occurred_at   when an offline till sold it; the order is created then and updated now
    """
    lines = _lines(merchant, place, wanted)
    at = occurred_at or act.at
    order = Order(merchant.ids.mixed(), place, "COMPLETED", "Square Point of Sale", at, act.at)
    order.lines, order.closed_at, order.tender_id = lines, at, merchant.ids.mixed()
    merchant.orders[order.id] = order
    _take(merchant, act, order, TILL, at)
    _tell(merchant, act, "order.created", order)
    _tell(merchant, act, "order.updated", order)
    return order


def order_pickup(
    merchant: Merchant,
    act: Act,
    place: Location,
    wanted: Sequence[Wanted],
    *,
    recipient: str = "Jaiden Urie",
    oversell: bool = False,
) -> Order:
    """A paid online order to be picked up. Stock stays IN_STOCK until it is completed."""
    lines = _lines(merchant, place, wanted)
    for line in [] if oversell else lines:
        _refuse_sold_out(merchant, place, line)
    pickup = Fulfillment(merchant.ids.mixed(22), act.at + timedelta(hours=2), recipient)
    pickup.stamps["placed_at"] = act.at
    order = Order(merchant.ids.mixed(), place, "OPEN", "Square Online", act.at, act.at, 1)
    order.lines, order.fulfillment = lines, pickup
    order.tender_id, order.tender_type = merchant.ids.mixed(), "CARD"
    merchant.orders[order.id] = order
    _tell(merchant, act, "order.created", order)
    return order


def move_on(merchant: Merchant, act: Act, order: Order, state: str) -> None:
    """Bring a pickup to a state. COMPLETED completes the order and takes its stock. Raises Refused."""
    pickup = order.fulfillment
    if pickup is None:
        raise Refused(f"order {order.id} has no fulfillment")
    if pickup.state in DONE:
        raise Refused(f"the fulfillment of order {order.id} is {pickup.state} already")
    if state in STEPS and STEPS.index(state) <= STEPS.index(pickup.state):
        raise Refused(f"a fulfillment does not go from {pickup.state} to {state}")
    before, pickup.state = pickup.state, state
    pickup.stamps[_STAMPS[state]] = act.at
    _touch(order, act)
    if state == "COMPLETED":
        order.state, order.closed_at = "COMPLETED", act.at
        _take(merchant, act, order, ONLINE, act.at)
    update = [bodies.fulfillment_update(pickup, before)]
    merchant.announce(
        act,
        "order.fulfillment.updated",
        lambda: bodies.order_event("order_fulfillment_updated", order, update),
        _skus(order),
    )
    _tell(merchant, act, "order.updated", order)


def cancel(merchant: Merchant, act: Act, order: Order) -> None:
    """Cancel an open order; its stock was never taken. Raises Refused."""
    if order.state != "OPEN":
        raise Refused(f"order {order.id} is {order.state}; only an open order can be canceled")
    if order.fulfillment is not None and order.fulfillment.state not in DONE:
        order.state, order.closed_at = "CANCELED", act.at
        move_on(merchant, act, order, "CANCELED")
        return
    order.state, order.closed_at = "CANCELED", act.at
    _touch(order, act)
    _tell(merchant, act, "order.updated", order)


def take_back(
    merchant: Merchant,
    act: Act,
    sale: Order,
    wanted: Sequence[Wanted],
    *,
    restock: bool,
    place: Location | None = None,
    reason: str = "Returned goods",
) -> Order:
    """An itemized return of a completed sale: a new order with `returns`, and a refund.

    restock   True puts the goods back in stock, False leaves them RETURNED_BY_CUSTOMER
    place     where they come back; where they were sold when None
    raises    Refused when more comes back than was sold
    """
    if sale.state != "COMPLETED" or not sale.lines:
        raise Refused(f"order {sale.id} is no completed sale")
    chosen = [(_returnable(sale, one), one.quantity) for one in wanted]
    order = _return(merchant, act, place or sale.location, sale)
    for line, quantity in chosen:
        line.returned += quantity
        uid = merchant.ids.mixed(22)
        order.return_lines.append(
            ReturnLine(uid, line.variation, line.name, quantity, line.price, line)
        )
    tender = sale.tender_id or merchant.ids.mixed()
    refund = _refund(merchant, act, order, tender, order.returned_total, reason)
    target = "IN_STOCK" if restock else "RETURNED_BY_CUSTOMER"
    _bring_back(merchant, act, order, "SOLD", target, refund)
    _touch(sale, act)
    _tell_return(merchant, act, order, refund)
    _tell(merchant, act, "order.updated", sale)
    return order


def take_back_unlinked(
    merchant: Merchant, act: Act, place: Location, wanted: Sequence[Wanted]
) -> Order:
    """Goods come back without a receipt; they go into stock from UNLINKED_RETURN."""
    lines = _lines(merchant, place, wanted)
    order = _return(merchant, act, place, None)
    order.return_lines = [
        ReturnLine(line.uid, line.variation, line.name, line.quantity, line.price, None)
        for line in lines
    ]
    tender, total = merchant.ids.mixed(), order.returned_total
    refund = _refund(merchant, act, order, tender, total, "Return without a receipt")
    _bring_back(merchant, act, order, "UNLINKED_RETURN", "IN_STOCK", refund)
    _tell_return(merchant, act, order, refund)
    return order


def give_money_back(merchant: Merchant, act: Act, order: Order, cents: int, reason: str) -> Refund:
    """A refund of money only; no goods come back and no stock moves. Raises Refused."""
    left = order.total - sum(refund.amount for refund in order.refunds)
    if order.tender_id is None or not 0 < cents <= left:
        raise Refused(f"order {order.id} has {left} cents left to refund")
    refund = _refund(merchant, act, order, order.tender_id, cents, reason)
    _touch(order, act)
    _tell_refund(merchant, act, refund, _skus(order))
    _tell(merchant, act, "order.updated", order)
    return refund


# -- parts ------------------------------------------------------------------------------------------------------------


def _lines(merchant: Merchant, place: Location, wanted: Sequence[Wanted]) -> list[Line]:
    if not place.active:
        raise Refused(f"location {place.name!r} is not active")
    lines = []
    for one in wanted:
        variation = merchant.variation(one.sku)
        if not variation.sold_at(place.id):
            raise Refused(f"{one.sku!r} is not sold at {place.name!r}")
        if one.quantity <= 0:
            raise Refused(f"{one.sku!r}: the quantity must be above zero")
        price = variation.price if one.price is None else one.price
        name = _item_name(merchant, variation)
        lines.append(Line(merchant.ids.mixed(22), variation, name, one.quantity, price))
    if not lines:
        raise Refused("an order has at least one line")
    return lines


def _item_name(merchant: Merchant, variation: CatalogObject) -> str:
    item = merchant.objects.get(str(variation.data.get("item_id")))
    return str(item.data.get("name")) if item else variation.sku


def _refuse_sold_out(merchant: Merchant, place: Location, line: Line) -> None:
    if line.variation.tracked_at(place.id):
        left = merchant.quantity(line.variation.id, place.id)
        if left < line.quantity:
            raise Refused(f"{line.variation.sku!r} is sold out: {left} left at {place.name!r}")


def _take(
    merchant: Merchant, act: Act, order: Order, by: dict[str, str], occurred_at: datetime
) -> None:
    """Square itself moves what was sold out of stock, where it tracks the variation."""
    here = order.location.id
    for line in order.lines:
        if line.variation.tracked_at(here):
            merchant.book(
                act,
                merchant.change(
                    act,
                    "ADJUSTMENT",
                    line.variation.id,
                    line.quantity,
                    (here, "IN_STOCK"),
                    (here, "SOLD"),
                    by,
                    occurred_at=occurred_at,
                    transaction_id=order.id,
                    total_price=line.cents(),
                ),
            )


def _bring_back(
    merchant: Merchant, act: Act, order: Order, before: str, after: str, refund: Refund
) -> None:
    here = order.location.id
    for line in order.return_lines:
        if line.variation.tracked_at(here):
            merchant.book(
                act,
                merchant.change(
                    act,
                    "ADJUSTMENT",
                    line.variation.id,
                    line.quantity,
                    (here, before),
                    (here, after),
                    TILL,
                    transaction_id=order.id,
                    refund_id=refund.id,
                ),
            )


def _returnable(sale: Order, wanted: Wanted) -> Line:
    for line in sale.lines:
        if line.variation.sku == wanted.sku:
            if not 0 < wanted.quantity <= line.quantity - line.returned:
                raise Refused(f"{wanted.quantity} of {wanted.sku!r} cannot come back")
            return line
    raise Refused(f"order {sale.id} has no line of {wanted.sku!r}")


def _return(merchant: Merchant, act: Act, place: Location, sale: Order | None) -> Order:
    order = Order(merchant.ids.mixed(), place, "COMPLETED", "Square Point of Sale", act.at, act.at)
    order.closed_at, order.return_of, order.return_uid = act.at, sale, merchant.ids.mixed(22)
    merchant.orders[order.id] = order
    return order


def _refund(
    merchant: Merchant, act: Act, order: Order, tender: str, cents: int, reason: str
) -> Refund:
    id = f"{tender}_{merchant.ids.mixed(22)}"
    refund = Refund(id, order, tender, cents, reason, act.at, act.at)
    order.refunds.append(refund)
    merchant.refunds[id] = refund
    return refund


def _touch(order: Order, act: Act) -> None:
    order.updated_at = act.at
    if order.version is not None:
        order.version += 1


def _skus(order: Order) -> list[str]:
    variations = [line.variation for line in order.lines]
    variations += [line.variation for line in order.return_lines]
    return [variation.sku for variation in variations]


def _tell(merchant: Merchant, act: Act, type: str, order: Order) -> None:
    name = type.replace(".", "_")
    merchant.announce(act, type, lambda: bodies.order_event(name, order), _skus(order))


def _tell_return(merchant: Merchant, act: Act, order: Order, refund: Refund) -> None:
    _tell(merchant, act, "order.created", order)
    _tell_refund(merchant, act, refund, _skus(order))
    _tell(merchant, act, "order.updated", order)


def _tell_refund(merchant: Merchant, act: Act, refund: Refund, skus: list[str]) -> None:
    merchant.announce(act, "refund.created", lambda: bodies.refund_event(refund), skus)
    refund.status = "COMPLETED"
    merchant.announce(act, "refund.updated", lambda: bodies.refund_event(refund), skus)
