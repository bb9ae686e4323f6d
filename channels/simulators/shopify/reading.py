"""What every read needs: the call's context, plain resolvers, connections, and finding things by gid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from channels.simulators.shopify import search
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.shop import Shop
from channels.simulators.shopify.state import Order
from channels.simulators.shopify.stocking import find_level

Resolver = Callable[..., Any]


@dataclass(slots=True)
class Call:
    """What resolvers know of the call they answer.

    unlimited   a bulk query: connections return everything and need no `first`
    warnings    search fields nobody knows, for `extensions.search`
    writes      what the mutation side keeps for this call; see `mutations.Writing`
    """

    shop: Shop
    unlimited: bool = False
    warnings: list[dict[str, object]] = field(default_factory=list)
    writes: Any = None


def iso(at: datetime | None) -> str | None:
    """GraphQL's DateTime: whole seconds, UTC, `Z`."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def connect(
    info: GraphQLResolveInfo,
    rows: list[Any],
    args: Mapping[str, Any],
    fields: Mapping[str, search.Getter],
    key: Callable[[Any], tuple[Any, int]] = lambda row: (row.number, row.number),
) -> search.Page:
    """Filter by `query`, sort, cut: the page a connection field returns."""
    call: Call = info.context
    if args.get("query"):
        query = search.Query(args["query"], fields)
        rows = [row for row in rows if query.matches(row)]
        for name in query.unknown:
            warning = {
                "field": name,
                "message": "Invalid search field for this query.",
                "code": "invalid_field",
            }
            call.warnings.append(
                {"path": info.path.as_list(), "query": args["query"], "warnings": [warning]}
            )
    if call.unlimited:
        return search.Page(sorted(rows, key=key), [], has_next=False, has_previous=False)
    return search.page(rows, key, args)


def wrong_id(text: str) -> GraphQLError:
    if parse_gid(text) is None:
        return GraphQLError(
            f"Invalid global id '{text}'", extensions={"code": "argumentLiteralsIncompatible"}
        )
    return GraphQLError(f"Invalid id: {text}", extensions={"code": "RESOURCE_NOT_FOUND"})


def find(shop: Shop, text: str) -> Any:
    """The thing behind any gid, or None. Raises GraphQLError when it is no gid at all."""
    parsed = parse_gid(text)
    if parsed is None:
        raise wrong_id(text)
    kind, number, _ = parsed
    if kind == "InventoryLevel":
        return find_level(shop, text)
    stores: dict[str, Mapping[int, Any]] = {
        "Location": shop.locations,
        "Product": shop.products,
        "ProductVariant": shop.variants,
        "InventoryItem": shop.items,
        "Order": shop.orders,
        "WebhookSubscription": shop.subscriptions,
        "Publication": shop.publications,
        "BulkOperation": shop.bulks,
        "InventoryAdjustmentGroup": shop.groups,
    }
    if kind in _PARTS:
        parts = (part for order in shop.orders.values() for part in _PARTS[kind](order))
        return next((part for part in parts if part.number == number), None)
    return stores.get(kind, {}).get(number)


_PARTS: Mapping[str, Callable[[Order], Sequence[Any]]] = {
    "LineItem": lambda order: order.lines,
    "FulfillmentOrder": lambda order: order.fulfillment_orders,
    "Fulfillment": lambda order: order.fulfillments,
    "Refund": lambda order: order.refunds,
}


def by_id(kind: str) -> Resolver:
    def resolve(_: object, info: GraphQLResolveInfo, id: str) -> Any:
        parsed = parse_gid(id)
        if parsed is None or parsed[0] != kind:
            raise wrong_id(id)
        return find(info.context.shop, id)

    return resolve


def _sorted_by(sort_key: str | None) -> Callable[[Any], tuple[Any, int]]:
    if sort_key == "UPDATED_AT":
        return lambda row: (row.updated_at, row.number)
    if sort_key in ("CREATED_AT", "PROCESSED_AT"):
        return lambda row: (row.created_at, row.number)
    if sort_key == "SKU":
        return lambda row: (row.sku, row.number)
    if sort_key == "TITLE":
        return lambda row: (row.title, row.number)
    return lambda row: (row.number, row.number)


def rows_of(store: str, fields: Mapping[str, search.Getter]) -> Resolver:
    def resolve(_: object, info: GraphQLResolveInfo, **args: Any) -> search.Page:
        rows: list[Any] = list(getattr(info.context.shop, store).values())
        return connect(info, rows, args, fields, _sorted_by(args.get("sortKey")))

    return resolve


def plain(**getters: Callable[[Any], Any]) -> dict[str, Resolver]:
    """Resolvers without arguments, from functions of the thing alone."""
    return {
        name: (lambda thing, _info, get=get, **_args: get(thing)) for name, get in getters.items()
    }


def count(n: int) -> dict[str, object]:
    return {"count": n, "precision": "EXACT"}


STAMPS = plain(createdAt=lambda t: iso(t.created_at), updatedAt=lambda t: iso(t.updated_at))
IDENTITY = plain(id=lambda t: t.gid)
LEGACY = plain(legacyResourceId=lambda t: str(t.number))
