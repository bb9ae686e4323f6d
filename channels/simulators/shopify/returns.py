"""Returns: goods that come back, what is done with each of them, and a refund that may belong to it.

Restocking is not the refund's business here: a disposition says what became of the goods, the refund of a return
only pays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from graphql import GraphQLResolveInfo

from channels.simulators.shopify import orders, search
from channels.simulators.shopify.bodies import Json
from channels.simulators.shopify.ids import gid
from channels.simulators.shopify.reading import IDENTITY, Resolver, iso, plain
from channels.simulators.shopify.shop import Act, Refused, Shop
from channels.simulators.shopify.state import Line, Location, Order

KINDS: Final = ("RESTOCKED", "NOT_RESTOCKED", "PROCESSING_REQUIRED", "MISSING")


@dataclass(frozen=True, slots=True)
class Brought:
    """Units of a line that a buyer brings back. `kind` is one of KINDS."""

    line: Line
    units: int
    kind: str
    location: Location | None


@dataclass(frozen=True, slots=True, eq=False)
class Disposition:
    TYPE: ClassVar = "ReverseFulfillmentOrderDisposition"
    number: int
    brought: Brought
    created_at: datetime

    @property
    def gid(self) -> str:
        return gid(self.TYPE, self.number)


@dataclass(frozen=True, slots=True, eq=False)
class ReverseLine:
    TYPE: ClassVar = "ReverseFulfillmentOrderLineItem"
    number: int
    line: Line
    disposition: Disposition

    @property
    def gid(self) -> str:
        return gid(self.TYPE, self.number)


@dataclass(frozen=True, slots=True, eq=False)
class Reverse:
    TYPE: ClassVar = "ReverseFulfillmentOrder"
    number: int
    order: Order
    lines: list[ReverseLine]

    @property
    def gid(self) -> str:
        return gid(self.TYPE, self.number)


@dataclass(slots=True, eq=False)
class Return:
    TYPE: ClassVar = "Return"
    number: int
    order: Order
    created_at: datetime
    reverse: Reverse

    @property
    def gid(self) -> str:
        return gid(self.TYPE, self.number)


def bring_back(
    shop: Shop, act: Act, order: Order, brought: Sequence[Brought], *, refund: bool
) -> Return:
    """A return that is dealt with in one go: goods received, each disposed of, and paid back when `refund`.

    raises   Refused when more comes back than was shipped, or goods to be restocked have no place
    """
    for each in brought:
        if each.units < 1 or each.units > each.line.fulfilled - each.line.returned:
            raise Refused("only fulfilled units can be returned")
        if each.kind == "RESTOCKED" and each.location is None:
            raise Refused("Location is required when the disposition type is RESTOCKED.")
    lines = []
    for each in brought:
        done = Disposition(shop.ids.next(Disposition.TYPE), each, act.at)
        lines.append(ReverseLine(shop.ids.next(ReverseLine.TYPE), each.line, done))
        if each.kind == "RESTOCKED" and each.location is not None:
            level = shop.stock_at(act, each.line.variant.item, each.location)
            shop.shift(act, level, available=each.units)
    reverse = Reverse(shop.ids.next(Reverse.TYPE), order, lines)
    made = Return(shop.ids.next(Return.TYPE), order, act.at, reverse)
    order.returns.append(made)
    skus = [each.line.variant.sku for each in brought]
    shop.announce(act, "reverse_fulfillment_orders/dispose", lambda: disposed(reverse), skus)
    given = [orders.GivenBack(each.line, each.units, "NO_RESTOCK") for each in brought]
    if refund:
        orders.refund(shop, act, order, given, returned=made)
    else:
        for each in brought:
            each.line.returned += each.units
        orders.tell(shop, act, order, "orders/updated")
    return made


def disposed(of: Reverse) -> Json:
    """`reverse_fulfillment_orders/dispose`: which goods were meant stands nowhere in it but in ids of its own."""
    return {
        "id": of.number,
        "admin_graphql_api_id": of.gid,
        "dispositions": [
            {
                "reverse_fulfillment_order_line_item": {
                    "id": line.number,
                    "admin_graphql_api_id": line.gid,
                },
                "reverse_delivery_line_item": None,
                "type": line.disposition.brought.kind.lower(),
                "location": _place(line.disposition.brought.location),
                "quantity": line.disposition.brought.units,
            }
            for line in of.lines
        ],
        "total_dispositions": len(of.lines),
    }


def _place(of: Location | None) -> Json | None:
    return None if of is None else {"id": of.number, "admin_graphql_api_id": of.gid}


def _window(get: Callable[[Any], list[Any]]) -> Resolver:
    def resolve(thing: Any, _: GraphQLResolveInfo, **args: Any) -> search.Page:
        return search.page(list(get(thing)), lambda row: (row.number, row.number), args)

    return resolve


FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "Order": {
        "returns": _window(lambda o: o.returns),
        "returnStatus": lambda o, _: "RETURNED" if o.returns else "NO_RETURN",
    },
    "Refund": plain(**{"return": lambda r: r.returned}),
    "Return": {
        **IDENTITY,
        **plain(
            name=lambda r: f"{r.order.name}-R{r.order.returns.index(r) + 1}",
            status=lambda _: "CLOSED",
            order=lambda r: r.order,
            createdAt=lambda r: iso(r.created_at),
            totalQuantity=lambda r: sum(x.disposition.brought.units for x in r.reverse.lines),
        ),
        "reverseFulfillmentOrders": _window(lambda r: [r.reverse]),
    },
    "ReverseFulfillmentOrder": {
        **IDENTITY,
        **plain(status=lambda _: "CLOSED", order=lambda f: f.order),
        "lineItems": _window(lambda f: f.lines),
    },
    "ReverseFulfillmentOrderLineItem": {
        **IDENTITY,
        **plain(
            totalQuantity=lambda x: x.disposition.brought.units,
            dispositions=lambda x: [x.disposition],
            fulfillmentLineItem=lambda x: {
                "id": f"gid://shopify/FulfillmentLineItem/{x.line.number}",
                "lineItem": x.line,
                "quantity": x.line.fulfilled,
            },
        ),
    },
    "ReverseFulfillmentOrderDisposition": {
        **IDENTITY,
        **plain(
            type=lambda d: d.brought.kind,
            quantity=lambda d: d.brought.units,
            createdAt=lambda d: iso(d.created_at),
            location=lambda d: d.brought.location,
        ),
    },
}
