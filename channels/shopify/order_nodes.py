"""Shopify's GraphQL order as models, and as the body that its webhook would have carried."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from channels.base import Unreadable
from channels.shopify.wire import number_of

#: Work of these states is not done at its location any more.
_GIVEN_UP: Final = frozenset({"CANCELLED", "CLOSED"})


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Node(_Body):
    id: str


class _Item(_Body):
    tracked: bool = True


class _Variant(_Node):
    inventory_item: _Item | None = Field(default=None, alias="inventoryItem")


class OrderLineNode(_Node):
    """LineItem of a GraphQL order."""

    sku: str | None = None
    quantity: int
    current_quantity: int = Field(alias="currentQuantity")
    unfulfilled_quantity: int = Field(alias="unfulfilledQuantity")
    gift_card: bool = Field(default=False, alias="isGiftCard")
    variant: _Variant | None = None


class FulfillmentLineNode(_Body):
    """FulfillmentLineItem."""

    quantity: int | None
    line: _Node = Field(alias="lineItem")


class RefundLineNode(_Body):
    """RefundLineItem; its id is nullable in the schema."""

    id: str | None
    quantity: int
    restock_type: str = Field(alias="restockType")
    location: _Node | None = None
    line: _Node = Field(alias="lineItem")


class Page(_Body):
    """PageInfo."""

    more: bool = Field(default=False, alias="hasNextPage")
    cursor: str | None = Field(default=None, alias="endCursor")


class OrderLines(_Body):
    """One page of an order's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[OrderLineNode, ...] = ()


class FulfillmentLines(_Body):
    """One page of a fulfillment's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[FulfillmentLineNode, ...] = ()


class RefundLines(_Body):
    """One page of a refund's lines."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[RefundLineNode, ...] = ()


class FulfillmentNode(_Node):
    """Fulfillment."""

    status: str
    created_at: AwareDatetime = Field(alias="createdAt")
    updated_at: AwareDatetime = Field(alias="updatedAt")
    location: _Node | None = None
    lines: FulfillmentLines = Field(default=FulfillmentLines(), alias="fulfillmentLineItems")


class RefundNode(_Node):
    """Refund."""

    created_at: AwareDatetime | None = Field(default=None, alias="createdAt")
    processed_at: AwareDatetime | None = Field(default=None, alias="processedAt")
    returned: _Node | None = Field(default=None, alias="return")
    lines: RefundLines = Field(default=RefundLines(), alias="refundLineItems")


class _Assigned(_Body):
    total: int = Field(alias="totalQuantity")
    remaining: int = Field(alias="remainingQuantity")
    line: _Node = Field(alias="lineItem")


class _AssignedLines(_Body):
    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[_Assigned, ...] = ()


class _Place(_Body):
    location: _Node | None = None


class WorkNode(_Body):
    """FulfillmentOrder: the share of an order that one location is to ship or hand out."""

    status: str
    place: _Place = Field(alias="assignedLocation")
    lines: _AssignedLines = Field(alias="lineItems")


class Works(_Body):
    """One page of an order's fulfillment orders."""

    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[WorkNode, ...] = ()


class Disposed(_Node):
    """ReverseFulfillmentOrderDisposition, with the gid of the order line that came back."""

    line: str = ""
    type: str
    quantity: int
    created_at: AwareDatetime = Field(alias="createdAt")
    location: _Node | None = None


class _CarriedLine(_Body):
    line: _Node = Field(alias="lineItem")


class _ReverseLine(_Body):
    carried: _CarriedLine | None = Field(default=None, alias="fulfillmentLineItem")
    dispositions: tuple[Disposed, ...] = ()


class _ReverseLines(_Body):
    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[_ReverseLine, ...] = ()


class _Reverse(_Body):
    lines: _ReverseLines = Field(alias="lineItems")


class _Reverses(_Body):
    page: Page = Field(default=Page(), alias="pageInfo")
    nodes: tuple[_Reverse, ...] = ()


class ReturnNode(_Node):
    """Return, with what was done with the goods."""

    reverses: _Reverses = Field(alias="reverseFulfillmentOrders")

    def disposed(self, order: str) -> Iterator[Disposed]:
        """Every disposition that names a line of the order; raises Unreadable for a return larger than we page."""
        if self.reverses.page.more or any(each.lines.page.more for each in self.reverses.nodes):
            raise Unreadable(
                f"Shopify: {self.id} of {order} is larger than one page, and it is not paged"
            )
        for reverse in self.reverses.nodes:
            for of_line in reverse.lines.nodes:
                if of_line.carried is not None:
                    gid = of_line.carried.line.id
                    yield from (d.model_copy(update={"line": gid}) for d in of_line.dispositions)


class OrderNode(_Node):
    """Order; `lines`, `fulfillments` and `refunds` hold everything once the client has read all pages."""

    created_at: AwareDatetime = Field(alias="createdAt")
    updated_at: AwareDatetime = Field(alias="updatedAt")
    cancelled_at: AwareDatetime | None = Field(default=None, alias="cancelledAt")
    return_status: str = Field(default="NO_RETURN", alias="returnStatus")
    retail_location: _Node | None = Field(default=None, alias="retailLocation")
    lines: OrderLines = Field(alias="lineItems")
    fulfillments: tuple[FulfillmentNode, ...] = ()
    refunds: tuple[RefundNode, ...] = ()
    works: Works = Field(default=Works(), alias="fulfillmentOrders")


def order_document(
    order: OrderNode, disposed: Sequence[Disposed] = (), *, read_early: bool = False
) -> bytes:
    """The order as the body its orders/updated webhook would have carried, as far as stock goes.

    Both roads must name every fact alike, so that an order seen twice is booked once: numeric ids come out of the gids.
    What the webhook does not know is added: where each line is assigned, what was done with returned goods, and whether
    it was read too early to be the last word of its second.

    raises   ValueError when the order speaks of a line that it does not have
    """
    places = _places(order.works)
    document = {
        "id": number_of(order.id),
        "admin_graphql_api_id": order.id,
        "created_at": _iso(order.created_at),
        "updated_at": _iso(order.updated_at),
        "cancelled_at": _iso(order.cancelled_at),
        "location_id": _number(order.retail_location),
        "line_items": [
            {**_line(line), "location_id": places.get(line.id)} for line in order.lines.nodes
        ],
        "fulfillments": [_fulfillment(order, each) for each in order.fulfillments],
        "refunds": [_refund(order, each) for each in order.refunds],
        "dispositions": [_disposition(each) for each in disposed],
    }
    if read_early:
        document["read_early"] = True
    return json.dumps(document, separators=(",", ":")).encode()


def _places(works: Works) -> dict[str, int]:
    """Line -> the location that holds it for the customer: where most of it is still to be shipped, else was."""
    shares: defaultdict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for work in works.nodes:
        if work.place.location is None or work.status == "CANCELLED":
            continue
        location = number_of(work.place.location.id)
        for assigned in work.lines.nodes:
            remaining, total = shares[assigned.line.id].get(location, (0, 0))
            waiting = 0 if work.status in _GIVEN_UP else assigned.remaining
            shares[assigned.line.id][location] = (remaining + waiting, total + assigned.total)
    # Of two equal shares the lower number: whoever asks, and in whatever order they come, the answer is the same.
    return {
        line: max(at, key=lambda location: (at[location], -location)) for line, at in shares.items()
    }


def _line(line: OrderLineNode) -> dict[str, object]:
    tracked = line.variant is not None and (
        line.variant.inventory_item is None or line.variant.inventory_item.tracked
    )
    return {
        "id": number_of(line.id),
        "admin_graphql_api_id": line.id,
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.unfulfilled_quantity,
        "gift_card": line.gift_card,
        "variant_id": _number(line.variant),
        "variant_inventory_management": "shopify" if tracked else None,
    }


def _fulfillment(order: OrderNode, fulfillment: FulfillmentNode) -> dict[str, object]:
    return {
        "id": number_of(fulfillment.id),
        "admin_graphql_api_id": fulfillment.id,
        "order_id": number_of(order.id),
        "status": fulfillment.status.lower(),
        "created_at": _iso(fulfillment.created_at),
        "updated_at": _iso(fulfillment.updated_at),
        "location_id": _number(fulfillment.location),
        "line_items": [
            {**_line_of(order, carried.line.id), "quantity": carried.quantity or 0}
            for carried in fulfillment.lines.nodes
        ],
    }


def _refund(order: OrderNode, refund: RefundNode) -> dict[str, object]:
    return {
        "id": number_of(refund.id),
        "admin_graphql_api_id": refund.id,
        "order_id": number_of(order.id),
        "created_at": _iso(refund.created_at),
        "processed_at": _iso(refund.processed_at),
        "return": None if refund.returned is None else {"id": number_of(refund.returned.id)},
        "refund_line_items": [
            {
                "id": number_of(line.id),
                "line_item_id": number_of(line.line.id),
                "quantity": line.quantity,
                "restock_type": line.restock_type.lower(),
                "location_id": _number(line.location),
                "line_item": _line_of(order, line.line.id),
            }
            for line in refund.lines.nodes
            # Nullable in the schema for suggested refunds only; without an id there is no fact to name.
            if line.id is not None
        ],
    }


def _disposition(disposed: Disposed) -> dict[str, object]:
    return {
        "id": number_of(disposed.id),
        "line_item_id": number_of(disposed.line),
        "quantity": disposed.quantity,
        "type": disposed.type.lower(),
        "created_at": _iso(disposed.created_at),
        "location_id": _number(disposed.location),
    }


def _line_of(order: OrderNode, gid: str) -> dict[str, object]:
    for line in order.lines.nodes:
        if line.id == gid:
            return _line(line)
    raise ValueError(f"order {order.id} speaks of line {gid}, which is not among its lines")


def _number(node: _Node | None) -> int | None:
    return None if node is None else number_of(node.id)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
