"""How reads are answered: the tables of resolvers, put on the vendor's schema.

A field of the real schema that is in no table answers with an error of code SIMULATOR_NOT_IMPLEMENTED: silence would
look like the vendor's null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from channels.simulators.shopify import reads_catalogue, reads_orders, reads_stock, returns
from channels.simulators.shopify.ids import gid
from channels.simulators.shopify.reading import Resolver, by_id, find, plain


def _nodes(_: object, info: GraphQLResolveInfo, ids: list[str]) -> list[Any]:
    if len(ids) > 250:
        raise GraphQLError(
            f"The input array size of {len(ids)} is greater than the maximum allowed of 250.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )
    return [find(info.context.shop, id) for id in ids]


_ROOT: Final[dict[str, dict[str, Resolver]]] = {
    "QueryRoot": {
        "node": lambda _, info, id: find(info.context.shop, id),
        "nodes": _nodes,
        "shop": lambda _, info: info.context.shop,
        "bulkOperation": by_id("BulkOperation"),
        "webhookSubscription": by_id("WebhookSubscription"),
    },
    "Shop": plain(
        id=lambda shop: gid("Shop", 548380009),
        name=lambda shop: shop.domain.split(".")[0],
        myshopifyDomain=lambda shop: shop.domain,
        url=lambda shop: f"https://{shop.domain}",
        currencyCode=lambda shop: "USD",
        ianaTimezone=lambda shop: "America/New_York",
        publicationCount=lambda shop: len(shop.publications),
    ),
}

TABLES: Final = (
    _ROOT,
    reads_stock.FIELDS,
    reads_catalogue.FIELDS,
    reads_orders.FIELDS,
    returns.FIELDS,
)


def _not_simulated(source: Any, info: GraphQLResolveInfo, **_: Any) -> Any:
    if isinstance(source, dict) and info.field_name in source:
        return source[info.field_name]
    raise GraphQLError(
        f"{info.parent_type.name}.{info.field_name} is not simulated.",
        extensions={"code": "SIMULATOR_NOT_IMPLEMENTED"},
    )


default_resolver: Final = _not_simulated


def install(schema: GraphQLSchema, tables: Iterable[Mapping[str, Mapping[str, Resolver]]]) -> None:
    """Put the resolvers on the schema's fields, and connections, edges and abstract types in working order."""
    for table in tables:
        for type_name, resolvers in table.items():
            target: Any = schema.type_map[type_name]
            fields = target.fields
            for name, resolver in resolvers.items():
                fields[name].resolve = resolver
    kind: Any
    for name, kind in schema.type_map.items():
        if name.endswith("Connection") and "pageInfo" in getattr(kind, "fields", {}):
            _install_connection(kind.fields)
        if hasattr(kind, "resolve_type"):
            kind.resolve_type = _type_name


def _type_name(thing: Any, _info: GraphQLResolveInfo, _type: Any) -> str:
    return str(thing["__typename"] if isinstance(thing, dict) else thing.TYPE)


def _install_connection(fields: dict[str, Any]) -> None:
    for name, get in {
        "nodes": lambda page, _: page.rows,
        "edges": lambda page, _: [
            {"cursor": page.cursors[i] if page.cursors else "", "node": row}
            for i, row in enumerate(page.rows)
        ],
        "pageInfo": lambda page, _: {
            "hasNextPage": page.has_next,
            "hasPreviousPage": page.has_previous,
            "startCursor": page.cursors[0] if page.cursors else None,
            "endCursor": page.cursors[-1] if page.cursors else None,
        },
    }.items():
        if name in fields:
            fields[name].resolve = get
