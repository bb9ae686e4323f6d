"""Orders read from Shopify's own order API, each as the body its webhook would have carried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from channels.base import Change, ChannelOrder, Known, Unreadable, nothing_known
from channels.http import Json
from channels.shopify import answers, documents, order_nodes, wire
from channels.shopify.graphql import GraphQL

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much one call asks for; what does not fit is read by further calls.

    changes  per page (vendor: 250 at most);  orders: read whole in one call
    lines    per order, fulfillment or refund;  parts: fulfillments and refunds per order
    works    fulfillment orders per order: one for each location that ships a share of it
    whole    of everything, when a single order did not fit (vendor: 250 at most), with so many `whole_works`
    """

    changes: int = 250
    orders: int = 50
    lines: int = 100
    parts: int = 50
    works: int = 5
    whole: int = 250
    whole_works: int = 25


SIZES: Final = Sizes()
_NO_RETURN: Final = "NO_RETURN"


def orders_since(
    graphql: GraphQL, mark: datetime, sizes: Sizes = SIZES, known: Known = nothing_known
) -> Iterator[ChannelOrder]:
    """Orders created or changed at or after `mark`, oldest change first.

    The vendor gives the last 60 days only, unless the app has read_all_orders. A change costs nearly nothing, an order
    as much as thirty: what is known is not read again.
    """
    since = mark.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cursor: str | None = None
    while True:
        found = graphql.ask(
            documents.READ_CHANGES,
            {"search": f"updated_at:>='{since}'", "first": sizes.changes, "after": cursor},
            answers.ChangesAnswer,
        ).orders
        told = [(node.id, _change(node)) for node in found.nodes]
        told_at = graphql.vendor_time
        kept = known([change for _, change in told])
        fresh = [(order, change) for order, change in told if change.delivery_id not in kept]
        for start in range(0, len(fresh), sizes.orders):
            yield from _read(graphql, fresh[start : start + sizes.orders], sizes, told_at)
        if not found.page.more:
            return
        cursor = found.page.cursor


def _change(node: answers.ChangeNode) -> Change:
    at = node.updated_at.astimezone(UTC)
    return Change(at, _delivery_id(node.id, at))


def _delivery_id(order: str, updated_at: datetime) -> str:
    return f"order:{wire.number_of(order)}:{updated_at.isoformat()}"


def _read(
    graphql: GraphQL,
    changed: Sequence[tuple[str, Change]],
    sizes: Sizes,
    told_at: datetime | None,
) -> Iterator[ChannelOrder]:
    """told_at: by the vendor's clock, before these are read."""
    nodes = graphql.ask(
        documents.READ_ORDERS,
        {
            "ids": [order for order, _ in changed],
            "lines": sizes.lines,
            "parts": sizes.parts,
            "works": sizes.works,
        },
        answers.OrdersAnswer,
    ).nodes
    for (_, change), found in zip(changed, nodes, strict=True):
        order = None if found is None else _completed(graphql, found, sizes)
        if order is not None:
            early = told_at is None or told_at <= order.updated_at
            yield _channel_order(order, change.updated_at, _disposed(graphql, order), early)


def _channel_order(
    order: order_nodes.OrderNode,
    changed_at: datetime,
    disposed: Sequence[order_nodes.Disposed],
    read_early: bool,
) -> ChannelOrder:
    """changed_at: its place among the changes; it may have changed again before it was read."""
    updated_at = order.updated_at.astimezone(UTC)
    try:
        body = order_nodes.order_document(order, disposed, read_early=read_early)
    except ValueError as error:
        raise Unreadable(f"Shopify: {error}") from None
    return ChannelOrder(
        order_id=str(wire.number_of(order.id)),
        updated_at=changed_at,
        delivery_id=_delivery_id(order.id, updated_at),
        topic="orders/updated",
        body=body,
    )


def _completed(
    graphql: GraphQL, order: order_nodes.OrderNode, sizes: Sizes
) -> order_nodes.OrderNode | None:
    """The order with everything in it; None when it was deleted meanwhile."""
    if _fits(order, sizes.parts):
        return order
    lines: list[order_nodes.OrderLineNode] = []
    cursor: str | None = None
    while True:
        whole = graphql.ask(
            documents.READ_ORDER,
            {
                "id": order.id,
                "lines": sizes.whole,
                "parts": sizes.whole,
                "works": sizes.whole_works,
                "linesAfter": cursor,
            },
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
            "lines": order_nodes.OrderLines(nodes=tuple(lines)),
            "fulfillments": tuple(_fulfillment(graphql, f, sizes) for f in whole.fulfillments),
            "refunds": tuple(_refund(graphql, refund, sizes) for refund in whole.refunds),
        }
    )


def _disposed(graphql: GraphQL, order: order_nodes.OrderNode) -> list[order_nodes.Disposed]:
    """What was done with the goods of the order's returns; most orders have none, and cost no call."""
    if order.return_status == _NO_RETURN:
        return []
    found: list[order_nodes.Disposed] = []
    cursor: str | None = None
    while True:
        answer = graphql.ask(
            documents.READ_RETURNS, {"id": order.id, "after": cursor}, answers.ReturnsAnswer
        ).order
        if answer is None:
            return found
        for returned in answer.returns.nodes:
            found += returned.disposed(order.id)
        if not answer.returns.page.more:
            return found
        cursor = answer.returns.page.cursor


def _fits(order: order_nodes.OrderNode, parts: int) -> bool:
    pages = [order.lines.page, order.works.page]
    pages += [work.lines.page for work in order.works.nodes]
    pages += [fulfillment.lines.page for fulfillment in order.fulfillments]
    pages += [refund.lines.page for refund in order.refunds]
    longest = max(len(order.fulfillments), len(order.refunds))
    # The lists of fulfillments and refunds have no page info: a full one may have been cut.
    return longest < parts and not any(page.more for page in pages)


def _fulfillment(
    graphql: GraphQL, fulfillment: order_nodes.FulfillmentNode, sizes: Sizes
) -> order_nodes.FulfillmentNode:
    def read(
        cursor: str | None,
    ) -> tuple[order_nodes.Page, tuple[order_nodes.FulfillmentLineNode, ...]]:
        variables: dict[str, Json] = {"id": fulfillment.id, "first": sizes.whole, "after": cursor}
        found = graphql.ask(
            documents.READ_FULFILLMENT_LINES, variables, answers.FulfillmentLinesAnswer
        )
        return found.node.lines.page, found.node.lines.nodes

    lines = _all(fulfillment.lines.page, fulfillment.lines.nodes, read)
    return fulfillment.model_copy(update={"lines": order_nodes.FulfillmentLines(nodes=lines)})


def _refund(
    graphql: GraphQL, refund: order_nodes.RefundNode, sizes: Sizes
) -> order_nodes.RefundNode:
    def read(cursor: str | None) -> tuple[order_nodes.Page, tuple[order_nodes.RefundLineNode, ...]]:
        variables: dict[str, Json] = {"id": refund.id, "first": sizes.whole, "after": cursor}
        found = graphql.ask(documents.READ_REFUND_LINES, variables, answers.RefundLinesAnswer)
        return found.node.lines.page, found.node.lines.nodes

    lines = _all(refund.lines.page, refund.lines.nodes, read)
    return refund.model_copy(update={"lines": order_nodes.RefundLines(nodes=lines)})


def _all(
    page: order_nodes.Page,
    parts: tuple[Part, ...],
    read: Callable[[str | None], tuple[order_nodes.Page, tuple[Part, ...]]],
) -> tuple[Part, ...]:
    while page.more:
        page, further = read(page.cursor)
        parts += further
    return parts
