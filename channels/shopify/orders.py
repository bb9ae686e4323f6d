"""Orders read from Shopify's own order API, each as the body its webhook would have carried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from channels.base import ChannelOrder, Unreadable
from channels.http import Json
from channels.shopify import answers, documents, wire
from channels.shopify.graphql import GraphQL

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one call asks for; what does not fit is read by further calls.

    orders   per page;  lines: per order, fulfillment or refund;  parts: fulfillments and refunds per order
    whole    of everything, when a single order did not fit (vendor: 250 at most)
    """

    orders: int = 25
    lines: int = 100
    parts: int = 50
    whole: int = 250


SIZES: Final = Sizes()


def orders_since(graphql: GraphQL, mark: datetime, sizes: Sizes = SIZES) -> Iterator[ChannelOrder]:
    """Orders created or changed at or after `mark`, oldest change first.

    The vendor gives the last 60 days only, unless the app has read_all_orders.
    """
    since = mark.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cursor: str | None = None
    while True:
        answer = graphql.ask(
            documents.READ_ORDERS,
            {
                "search": f"updated_at:>='{since}'",
                "first": sizes.orders,
                "after": cursor,
                "lines": sizes.lines,
                "parts": sizes.parts,
            },
            answers.OrdersAnswer,
        )
        for found in answer.orders.nodes:
            order = _completed(graphql, found, sizes)
            if order is not None:
                yield _channel_order(order)
        if not answer.orders.page.more:
            return
        cursor = answer.orders.page.cursor


def _channel_order(order: wire.OrderNode) -> ChannelOrder:
    number = wire.number_of(order.id)
    updated_at = order.updated_at.astimezone(UTC)
    try:
        body = wire.order_document(order)
    except ValueError as error:
        raise Unreadable(f"Shopify: {error}") from None
    return ChannelOrder(
        order_id=str(number),
        updated_at=updated_at,
        delivery_id=f"order:{number}:{updated_at.isoformat()}",
        topic="orders/updated",
        body=body,
    )


def _completed(graphql: GraphQL, order: wire.OrderNode, sizes: Sizes) -> wire.OrderNode | None:
    """The order with everything in it; None when it was deleted meanwhile."""
    if _fits(order, sizes.parts):
        return order
    lines: list[wire.OrderLineNode] = []
    cursor: str | None = None
    while True:
        whole = graphql.ask(
            documents.READ_ORDER,
            {"id": order.id, "lines": sizes.whole, "parts": sizes.whole, "linesAfter": cursor},
            answers.OrderAnswer,
        ).order
        if whole is None:
            return None
        lines += whole.lines.nodes
        if not whole.lines.page.more:
            break
        cursor = whole.lines.page.cursor
    if max(len(whole.fulfillments), len(whole.refunds)) >= sizes.whole:
        raise Unreadable(
            f"Shopify: order {order.id} has {sizes.whole} fulfillments or refunds and the vendor pages neither"
        )
    return whole.model_copy(
        update={
            "lines": wire.OrderLines(nodes=tuple(lines)),
            "fulfillments": tuple(_fulfillment(graphql, f, sizes) for f in whole.fulfillments),
            "refunds": tuple(_refund(graphql, refund, sizes) for refund in whole.refunds),
        }
    )


def _fits(order: wire.OrderNode, parts: int) -> bool:
    pages = [order.lines.page]
    pages += [fulfillment.lines.page for fulfillment in order.fulfillments]
    pages += [refund.lines.page for refund in order.refunds]
    longest = max(len(order.fulfillments), len(order.refunds))
    # The lists of fulfillments and refunds have no page info: a full one may have been cut.
    return longest < parts and not any(page.more for page in pages)


def _fulfillment(
    graphql: GraphQL, fulfillment: wire.FulfillmentNode, sizes: Sizes
) -> wire.FulfillmentNode:
    def read(cursor: str | None) -> tuple[wire.Page, tuple[wire.FulfillmentLineNode, ...]]:
        variables: dict[str, Json] = {"id": fulfillment.id, "first": sizes.whole, "after": cursor}
        found = graphql.ask(
            documents.READ_FULFILLMENT_LINES, variables, answers.FulfillmentLinesAnswer
        )
        return found.node.lines.page, found.node.lines.nodes

    nodes = _all(fulfillment.lines.page, fulfillment.lines.nodes, read)
    return fulfillment.model_copy(update={"lines": wire.FulfillmentLines(nodes=nodes)})


def _refund(graphql: GraphQL, refund: wire.RefundNode, sizes: Sizes) -> wire.RefundNode:
    def read(cursor: str | None) -> tuple[wire.Page, tuple[wire.RefundLineNode, ...]]:
        variables: dict[str, Json] = {"id": refund.id, "first": sizes.whole, "after": cursor}
        found = graphql.ask(documents.READ_REFUND_LINES, variables, answers.RefundLinesAnswer)
        return found.node.lines.page, found.node.lines.nodes

    nodes = _all(refund.lines.page, refund.lines.nodes, read)
    return refund.model_copy(update={"lines": wire.RefundLines(nodes=nodes)})


def _all(
    page: wire.Page,
    nodes: tuple[Part, ...],
    read: Callable[[str | None], tuple[wire.Page, tuple[Part, ...]]],
) -> tuple[Part, ...]:
    while page.more:
        page, further = read(page.cursor)
        nodes += further
    return nodes
