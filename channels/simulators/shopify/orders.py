"""What orders do to stock: placing commits, fulfilling ships, cancelling, refunding and editing give back or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from channels.simulators.shopify import bodies_orders
from channels.simulators.shopify.shop import Act, Refused, Shop
from channels.simulators.shopify.state import (
    Assignment,
    Fulfillment,
    FulfillmentOrder,
    Level,
    Line,
    Location,
    Order,
    Refund,
    RefundLine,
    Variant,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line to order: SKU, units, and the price when it is not the variant's."""

    sku: str
    units: int
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A line to refund. `restock_type` is NO_RESTOCK, CANCEL or RETURN."""

    line: Line
    units: int
    restock_type: str
    location: Location | None = None


def place(
    shop: Shop,
    act: Act,
    lines: Sequence[Wanted],
    *,
    location: Location | None = None,
    source: str = "web",
    paid: bool = True,
) -> Order:
    """Take an order: committed rises and available falls where each line is assigned.

    location  where to sell from; without it every active location that fulfils online orders is tried
    raises    Refused when a tracked variant with policy DENY has too little available
    """
    if not lines or any(wanted.units < 1 for wanted in lines):
        raise Refused("an order has lines of at least one unit")
    variants = [shop.variant(wanted.sku) for wanted in lines]
    asked: Counter[str] = Counter()
    for wanted in lines:
        asked[wanted.sku] += wanted.units
    for sku, units in asked.items():
        _refuse_oversell(shop, shop.variant(sku), units, location)
    shop.order_sequence += 1
    order = Order(shop.ids.next("Order"), shop.order_sequence, source, act.at, act.at, location)
    order.paid = paid
    for wanted, variant in zip(lines, variants, strict=True):
        price = variant.price if wanted.price is None else wanted.price
        line = Line(shop.ids.next("LineItem"), variant, wanted.units, price)
        order.lines.append(line)
        _commit(shop, act, order, line, wanted.units, location)
    shop.orders[order.number] = order
    tell(shop, act, order, "orders/create", *(["orders/paid"] if paid else []))
    return order


def edit(shop: Shop, act: Act, order: Order, changes: Sequence[tuple[Line | Wanted, int]]) -> None:
    """Set the current units of lines, or add lines (a `Wanted` with its units again); removals restock.

    raises  Refused when the order is cancelled, or shipped units would have to be removed
    """
    _refuse_cancelled(order)
    for target, units in changes:
        _check_edit(shop, order, target, units)
    additions: list[tuple[Line, int]] = []
    removals: list[tuple[Line, int]] = []
    for target, units in changes:
        if isinstance(target, Wanted):
            variant = shop.variant(target.sku)
            line = Line(shop.ids.next("LineItem"), variant, units, target.price or variant.price)
            order.lines.append(line)
            additions.append((line, units))
        elif (delta := units - target.current) > 0:
            target.units += delta
            additions.append((target, delta))
        elif delta < 0:
            target.removed -= delta
            removals.append((target, -delta))
    for line, units in additions:
        _commit(shop, act, order, line, units, order.location)
    for line, units in removals:
        _release(shop, act, order, line, units, restock=True)
    order.edited = True
    shop.announce(
        act,
        "orders/edited",
        lambda: bodies_orders.order_edit(shop, order, additions, removals),
        [line.variant.sku for line, _ in (*additions, *removals)],
    )
    tell(shop, act, order, "orders/updated")


def _check_edit(shop: Shop, order: Order, target: Line | Wanted, units: int) -> None:
    if units < 0:
        raise Refused("units are not negative")
    if isinstance(target, Wanted):
        _refuse_oversell(shop, shop.variant(target.sku), units, order.location)
    elif units > target.current:
        _refuse_oversell(shop, target.variant, units - target.current, order.location)
    elif target.current - units > target.unfulfilled:
        raise Refused("shipped units cannot be removed by an edit")


def cancel(shop: Shop, act: Act, order: Order, *, restock: bool, reason: str = "OTHER") -> Refund:
    """Cancel an unshipped order; its units go back to available (`restock`) or leave the shelf unsold.

    raises  Refused when it is cancelled already or something was shipped
    """
    if order.cancelled_at:
        raise Refused("Cannot cancel an order that has already been canceled")
    if any(line.fulfilled > line.returned for line in order.lines):
        raise Refused("Cannot cancel an order that has outstanding fulfillments")
    kind = "CANCEL" if restock else "NO_RESTOCK"
    given = [GivenBack(line, line.unfulfilled, kind) for line in order.lines if line.unfulfilled]
    order.cancelled_at = order.closed_at = act.at
    order.cancel_reason = reason
    made = _give_back(shop, act, order, given, None)
    for work in order.fulfillment_orders:
        work.status, work.updated_at = "CLOSED", act.at
        work.holds.clear()
    tell(shop, act, order, "orders/cancelled", "orders/updated")
    return made


def refund(
    shop: Shop,
    act: Act,
    order: Order,
    given: Sequence[GivenBack],
    note: str | None = None,
    returned: Any = None,
) -> Refund:
    """Give money back for lines; whether stock comes back is each line's `restock_type`.

    returned   the return it belongs to

    raises  Refused when more is given back than was bought, `CANCEL` names shipped units or `RETURN` unshipped ones
    """
    for line, units in _per_line(given).items():
        if units > line.current:
            raise Refused(
                "Refund line item quantity cannot be greater than the quantity available to refund"
            )
    for back in given:
        if back.restock_type == "CANCEL" and back.units > back.line.unfulfilled:
            raise Refused("only unfulfilled units can be restocked by cancelling")
        if back.restock_type == "RETURN" and back.units > back.line.fulfilled - back.line.returned:
            raise Refused("only fulfilled units can be returned")
    made = _give_back(shop, act, order, given, note, returned)
    tell(shop, act, order, "orders/updated")
    return made


def fulfil(
    shop: Shop,
    act: Act,
    order: Order,
    *,
    location: Location | None = None,
    lines: Sequence[tuple[Line, int]] | None = None,
    works: Sequence[FulfillmentOrder] | None = None,
) -> list[Fulfillment]:
    """Ship: committed and on hand fall. All remaining units, or the named ones; one fulfillment per location.

    works   only these fulfillment orders

    raises  Refused when nothing is left to ship there, or fewer units than asked for
    """
    _refuse_cancelled(order)
    left = None if lines is None else {line.number: units for line, units in lines}
    made: list[Fulfillment] = []
    for work in order.fulfillment_orders if works is None else works:
        if not work.holds and (location is None or work.location is location):
            shipped = _ship(shop, act, work, left)
            if shipped:
                name = f"{order.name}.{len(order.fulfillments) + 1}"
                number = shop.ids.next("Fulfillment")
                made.append(Fulfillment(number, order, work.location, act.at, shipped, name))
                order.fulfillments.append(made[-1])
    if not made or (left and any(left.values())):
        raise Refused("Invalid fulfillment order line item quantity requested.")
    for done in made:
        skus = [line.variant.sku for line, _ in done.lines]
        shop.announce(
            act, "fulfillments/create", partial(bodies_orders.fulfillment, shop, done), skus
        )
    finished = not any(line.unfulfilled for line in order.lines)
    tell(
        shop,
        act,
        order,
        "orders/fulfilled" if finished else "orders/partially_fulfilled",
        "orders/updated",
    )
    return made


def tell(shop: Shop, act: Act, order: Order, *topics: str) -> None:
    """The order changed: its subscribers hear of it."""
    order.updated_at = act.at
    skus = [line.variant.sku for line in order.lines]
    for topic in topics:
        shop.announce(act, topic, lambda: bodies_orders.order(shop, order), skus)


def _refuse_cancelled(order: Order) -> None:
    if order.cancelled_at:
        raise Refused(f"{order.name} is cancelled")


def _refuse_oversell(shop: Shop, variant: Variant, units: int, location: Location | None) -> None:
    if variant.policy != "DENY" or not variant.item.tracked:
        return
    available = sum(max(level.units["available"], 0) for level in _levels(shop, variant, location))
    if units > available:
        raise Refused(f"{variant.sku} is sold out: {units} wanted, {available} available")


def _levels(shop: Shop, variant: Variant, location: Location | None) -> list[Level]:
    return [
        level
        for level in variant.item.levels.values()
        if level.active
        and level.location.active
        and (
            level.location.fulfills_online_orders
            if location is None
            else level.location is location
        )
    ]


def _spread(
    shop: Shop, variant: Variant, units: int, location: Location | None
) -> list[tuple[Location, int]]:
    """Where the units come from: one place that has them all, else several; what nobody has, from the first."""
    levels = _levels(shop, variant, location)
    if not levels:
        fallback = location or next(iter(shop.locations.values()), None)
        if fallback is None:
            raise Refused("the shop has no location")
        return [(fallback, units)]
    for level in levels:
        if level.units["available"] >= units or not variant.item.tracked:
            return [(level.location, units)]
    shares = Counter[Location]()
    for level in levels:
        taken = min(max(level.units["available"], 0), units)
        shares[level.location] += taken
        units -= taken
    shares[levels[0].location] += units
    return [(place, share) for place, share in shares.items() if share]


def _commit(
    shop: Shop, act: Act, order: Order, line: Line, units: int, location: Location | None
) -> None:
    for place, share in _spread(shop, line.variant, units, location):
        work = next(
            (w for w in order.fulfillment_orders if w.location is place and w.status == "OPEN"),
            None,
        )
        if work is None:
            work = FulfillmentOrder(shop.ids.next("FulfillmentOrder"), order, place, act.at, act.at)
            order.fulfillment_orders.append(work)
        assigned = next((a for a in work.lines if a.line is line), None)
        if assigned is None:
            assigned = Assignment(shop.ids.next("FulfillmentOrderLineItem"), line, 0, 0)
            work.lines.append(assigned)
        assigned.total += share
        assigned.remaining += share
        work.updated_at = act.at
        level = line.variant.item.levels.get(place.number)
        shop.shift(act, level, available=-share, committed=share)


def _release(
    shop: Shop, act: Act, order: Order, line: Line, units: int, *, restock: bool
) -> list[tuple[Location, int]]:
    """Take units off the line's assignments; restocked ones become available where they were committed."""
    freed: list[tuple[Location, int]] = []
    for work in order.fulfillment_orders:
        for assigned in work.lines:
            share = min(units, assigned.remaining) if assigned.line is line else 0
            if not share:
                continue
            assigned.remaining -= share
            assigned.total -= share
            units -= share
            work.updated_at = act.at
            level = line.variant.item.levels.get(work.location.number)
            shop.shift(act, level, committed=-share, available=share if restock else 0)
            freed.append((work.location, share))
    return freed


def _per_line(given: Sequence[GivenBack]) -> dict[Line, int]:
    sums: dict[Line, int] = {}
    for back in given:
        sums[back.line] = sums.get(back.line, 0) + back.units
    return sums


def _give_back(
    shop: Shop,
    act: Act,
    order: Order,
    given: Sequence[GivenBack],
    note: str | None,
    returned: Any = None,
) -> Refund:
    lines: list[RefundLine] = []
    for back in given:
        number = shop.ids.next("RefundLineItem")
        place = back.location
        if back.restock_type == "RETURN":
            place = place or order.fulfillment_orders[0].location
            back.line.returned += back.units
            shop.shift(act, shop.stock_at(act, back.line.variant.item, place), available=back.units)
        else:
            restock = back.restock_type == "CANCEL"
            unshipped = min(back.units, back.line.unfulfilled)
            back.line.cancelled += unshipped
            back.line.returned += back.units - unshipped
            freed = _release(shop, act, order, back.line, unshipped, restock=restock)
            place = (freed[0][0] if freed else place) if restock else None
        lines.append(RefundLine(number, back.line, back.units, back.restock_type, place))
    made = Refund(shop.ids.next("Refund"), order, act.at, note, lines, returned)
    order.refunds.append(made)
    skus = [back.line.variant.sku for back in given]
    shop.announce(act, "refunds/create", lambda: bodies_orders.refund(shop, made), skus)
    return made


def _ship(
    shop: Shop, act: Act, work: FulfillmentOrder, left: dict[int, int] | None
) -> list[tuple[Line, int]]:
    shipped: list[tuple[Line, int]] = []
    for assigned in work.lines:
        wanted = assigned.remaining if left is None else left.get(assigned.line.number, 0)
        units = min(wanted, assigned.remaining)
        if not units:
            continue
        assigned.remaining -= units
        assigned.line.fulfilled += units
        if left is not None:
            left[assigned.line.number] -= units
        level = assigned.line.variant.item.levels.get(work.location.number)
        shop.shift(act, level, committed=-units)
        shipped.append((assigned.line, units))
    if shipped:
        work.status = "CLOSED" if not any(a.remaining for a in work.lines) else "IN_PROGRESS"
        work.updated_at = act.at
    return shipped
