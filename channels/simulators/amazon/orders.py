"""What buyers and the seller do with orders: place, pay, ship, ask to cancel, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from channels.simulators.amazon import notices, stock
from channels.simulators.amazon.account import Account, Act, Refused
from channels.simulators.amazon.state import Line, Order, Package
from channels.simulators.amazon.stock import Wanted


def place(
    account: Account,
    act: Act,
    wanted: Sequence[Wanted],
    *,
    paid: bool = True,
    by_amazon: bool | None = None,
) -> Order:
    """Place an order; it takes its units at once, paid or not. All lines go the same way.

    by_amazon   who ships; when absent, Amazon if the first SKU is in its network
    raises      Refused when a SKU has too few units (nothing is taken), Unknown for an unknown one
    """
    first = account.listing(wanted[0].sku)
    amazon = first.by_amazon if by_amazon is None else by_amazon
    _check(account, wanted, by_amazon=amazon)
    lines = [_line(account, one) for one in wanted]
    for line in lines:
        stock.sell(account, act, account.listing(line.sku), line.units, by_amazon=amazon)
    order = Order(account.new_order_id(), act.at, act.at, amazon, lines, pending=not paid)
    account.orders[order.order_id] = order
    notices.order_changed(account, act, order, "")
    return order


def pay(account: Account, act: Act, order: Order) -> None:
    """The payment is authorised: PENDING becomes UNSHIPPED."""
    if order.status != "PENDING":
        raise Refused(f"{order.order_id} is {order.status}")
    order.pending = False
    _changed(account, act, order, "")


def ship(
    account: Account,
    act: Act,
    order: Order,
    units: dict[str, int] | None = None,
    *,
    carrier: str = "UPS",
    tracking: str = "",
) -> Package:
    """Ship lines by their item id, or everything open. Raises Refused when that is not possible."""
    if order.status not in ("UNSHIPPED", "PARTIALLY_SHIPPED"):
        raise Refused(f"{order.order_id} is {order.status}")
    chosen = units or {line.item_id: line.open for line in order.lines if line.open}
    lines = {line.item_id: line for line in order.lines}
    for item_id, count in chosen.items():
        if item_id not in lines or not 0 < count <= lines[item_id].open:
            raise Refused(f"{order.order_id} has no {count} open units of item {item_id}")
    for item_id, count in chosen.items():
        stock.ship(
            account,
            act,
            lines[item_id],
            count,
            by_amazon=order.by_amazon,
            order_id=order.order_id,
        )
    number = tracking or f"1Z{account.new_digits(16)}"
    package = Package(str(len(order.packages) + 1), act.at, carrier, number, tuple(chosen.items()))
    order.packages.append(package)
    _changed(account, act, order, "")
    return package


def ask_to_cancel(account: Account, act: Act, order: Order) -> None:
    """The buyer asks; the seller decides. Nothing happens to stock."""
    if not any(line.open for line in order.lines):
        raise Refused(f"{order.order_id} is {order.status}")
    for line in order.lines:
        line.cancel_requested = line.open > 0
    order.updated_at = act.at
    kind = "BuyerRequestedChange"
    notices.order_changed(account, act, order, "Buyer Requested Cancel", kind=kind)


def cancel(
    account: Account,
    act: Act,
    order: Order,
    skus: Sequence[str] | None = None,
    *,
    by: str = "BUYER",
    restock: bool = True,
) -> None:
    """Cancel what is open, of some SKUs or of all. The ordered units stay as they were ordered.

    restock   whether the units go on offer again; Amazon's own stock always does
    """
    lines = [ln for ln in order.lines if ln.open and (skus is None or ln.sku in skus)]
    if not lines:
        raise Refused(f"{order.order_id} is {order.status}: nothing left to cancel")
    for line in lines:
        units = line.open
        line.cancelled += units
        line.cancelled_by = by
        listing = account.listings.get(line.sku)
        if listing is not None and (restock or order.by_amazon):
            stock.give_back(account, act, listing, units, by_amazon=order.by_amazon)
    _changed(account, act, order, "BuyerCancelled" if by == "BUYER" else "SellerCancelled")


def _changed(account: Account, act: Act, order: Order, reason: str) -> None:
    order.updated_at = act.at
    notices.order_changed(account, act, order, reason)


def _check(account: Account, wanted: Sequence[Wanted], *, by_amazon: bool) -> None:
    """Refuse the whole order before anything is taken."""
    need: dict[str, int] = {}
    for one in wanted:
        need[one.sku] = need.get(one.sku, 0) + one.units
    for sku, units in need.items():
        listing = account.listing(sku)
        offered = listing.fba.fulfillable if by_amazon else listing.merchant_units or 0
        if units < 1 or offered < units:
            raise Refused(f"{sku} has {offered} units on offer, not {units}")


def _line(account: Account, wanted: Wanted) -> Line:
    listing = account.listing(wanted.sku)
    price = listing.price_cents if wanted.price_cents is None else wanted.price_cents
    item_id = account.new_digits(14)
    return Line(item_id, wanted.sku, listing.asin, listing.title, wanted.units, price)
