"""How reads are answered: one small function per type and field the simulator knows.

A field of the real schema that is not in `FIELDS` answers with an error of code SIMULATOR_NOT_IMPLEMENTED: silence
would look like the vendor's null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from channels.simulators.shopify import reads_orders, search
from channels.simulators.shopify.ids import gid, parse_gid
from channels.simulators.shopify.shop import Shop
from channels.simulators.shopify.state import STATES, Item, Level, Location, Product, Variant
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
            warning = {"field": name, "message": "Invalid search field for this query.", "code": "invalid_field"}
            call.warnings.append({"path": info.path.as_list(), "query": args["query"], "warnings": [warning]})
    if call.unlimited:
        return search.Page(sorted(rows, key=key), [], has_next=False, has_previous=False)
    return search.page(rows, key, args)


def wrong_id(text: str) -> GraphQLError:
    if parse_gid(text) is None:
        return GraphQLError(f"Invalid global id '{text}'", extensions={"code": "argumentLiteralsIncompatible"})
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
    return stores.get(kind, {}).get(number)


def _by_id(kind: str, null: bool = True) -> Resolver:
    def resolve(_: object, info: GraphQLResolveInfo, id: str) -> Any:
        parsed = parse_gid(id)
        if parsed is None or parsed[0] != kind:
            raise wrong_id(id)
        return find(info.context.shop, id)

    return resolve


def _nodes(_: object, info: GraphQLResolveInfo, ids: list[str]) -> list[Any]:
    if len(ids) > 250:
        raise GraphQLError(
            f"The input array size of {len(ids)} is greater than the maximum allowed of 250.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )
    return [find(info.context.shop, id) for id in ids]


def quantities(level: Level, _: GraphQLResolveInfo, names: list[str]) -> list[dict[str, object]]:
    """In the order of the vendor's own list, not of `names`. On hand is computed, so it has no stamp."""
    known = (*STATES, "on_hand")
    for name in names:
        if name not in known:
            raise GraphQLError(
                f"The specified quantity name is invalid: {name}.", extensions={"code": "BAD_REQUEST"}
            )
    return [
        {
            "id": f"gid://shopify/InventoryQuantity/{level.location.level_number}"
            f"?inventory_item_id={level.item.number}&name={name}",
            "name": name,
            "quantity": level.holds(name),
            "updatedAt": iso(level.stamped.get(name)),
        }
        for name in known
        if name in names
    ]


def _active(levels: list[Level], args: Mapping[str, Any]) -> list[Level]:
    return levels if args.get("includeInactive") else [level for level in levels if level.active]


LEVEL_SEARCH: Final[Mapping[str, search.Getter]] = {
    "updated_at": lambda level: level.updated_at,
    "created_at": lambda level: level.created_at,
    "inventory_item_id": lambda level: level.item.number,
    "location_id": lambda level: level.location.number,
    "item_id": lambda level: level.item.number,
    "id": lambda level: level.item.number,
}
ITEM_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda item: item.number,
    "sku": lambda item: item.sku,
    "created_at": lambda item: item.created_at,
    "updated_at": lambda item: item.updated_at,
    "default": lambda item: item.sku,
}
LOCATION_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda place: place.number,
    "location_id": lambda place: place.number,
    "name": lambda place: place.name,
    "active": lambda place: place.active,
    "created_at": lambda place: place.created_at,
    "default": lambda place: place.name,
}
VARIANT_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda variant: variant.number,
    "sku": lambda variant: variant.sku,
    "barcode": lambda variant: variant.barcode,
    "product_id": lambda variant: variant.product.number,
    "inventory_quantity": lambda variant: variant.available,
    "updated_at": lambda variant: variant.updated_at,
    "product_status": lambda variant: variant.product.status,
    "default": lambda variant: variant.sku,
}
PRODUCT_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda product: product.number,
    "title": lambda product: product.title,
    "handle": lambda product: product.handle,
    "status": lambda product: product.status,
    "vendor": lambda product: product.vendor,
    "sku": lambda product: [variant.sku for variant in product.variants],
    "created_at": lambda product: product.created_at,
    "updated_at": lambda product: product.updated_at,
    "default": lambda product: product.title,
}


def _item_levels(item: Item, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    rows = _active(list(item.levels.values()), args)
    return connect(info, rows, args, LEVEL_SEARCH, lambda level: (level.location.number, level.location.number))


def _place_levels(place: Location, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    items = info.context.shop.items.values()
    rows = [item.levels[place.number] for item in items if place.number in item.levels]
    return connect(
        info, _active(rows, args), args, LEVEL_SEARCH, lambda level: (level.item.number, level.item.number)
    )


def _one_level(level: Level | None, args: Mapping[str, Any]) -> Level | None:
    return level if level is not None and (level.active or args.get("includeInactive")) else None


def _item_level(item: Item, _: GraphQLResolveInfo, locationId: str, **args: Any) -> Level | None:  # noqa: N803
    parsed = parse_gid(locationId)
    return _one_level(item.levels.get(parsed[1]) if parsed else None, args)


def _place_level(place: Location, info: GraphQLResolveInfo, inventoryItemId: str, **args: Any) -> Level | None:  # noqa: N803
    parsed = parse_gid(inventoryItemId)
    item = info.context.shop.items.get(parsed[1]) if parsed else None
    return _one_level(item.levels.get(place.number) if item else None, args)


def _locations(_: object, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    rows = [
        place
        for place in info.context.shop.locations.values()
        if (place.active or args.get("includeInactive"))
        and (not place.fulfillment_service or args.get("includeLegacy"))
    ]
    if args.get("sortKey") == "NAME":
        return connect(info, rows, args, LOCATION_SEARCH, lambda place: (place.name, place.number))
    return connect(info, rows, args, LOCATION_SEARCH)


def _location(_: object, info: GraphQLResolveInfo, id: str | None = None) -> Location | None:
    if id is None:
        return next(iter(info.context.shop.locations.values()), None)
    return _by_id("Location")(_, info, id)  # type: ignore[no-any-return]


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


def _rows(store: str, fields: Mapping[str, search.Getter]) -> Resolver:
    def resolve(_: object, info: GraphQLResolveInfo, **args: Any) -> search.Page:
        rows = list(getattr(info.context.shop, store).values())
        return connect(info, rows, args, fields, _sorted_by(args.get("sortKey")))

    return resolve


def _variants(product: Product, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    return connect(info, list(product.variants), args, {})


def _published(thing: Product | Variant) -> set[int]:
    return thing.product.published_on if isinstance(thing, Variant) else thing.published_on


def _on_publication(thing: Product | Variant, _: GraphQLResolveInfo, publicationId: str) -> bool:  # noqa: N803
    parsed = parse_gid(publicationId)
    return parsed is not None and parsed[1] in _published(thing)


def _publications_of(product: Product, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    shop: Shop = info.context.shop
    rows = [shop.publications[number] for number in product.published_on]
    cut = connect(info, rows, args, {})
    wrapped = [
        {"publication": row, "isPublished": True, "publishDate": iso(product.created_at), "publishable": product}
        for row in cut.rows
    ]
    return search.Page(wrapped, cut.cursors, cut.has_next, cut.has_previous)


def _count(n: int) -> dict[str, object]:
    return {"count": n, "precision": "EXACT"}


def _plain(**getters: Callable[[Any], Any]) -> dict[str, Resolver]:
    """Resolvers without arguments, from functions of the thing alone."""
    return {name: (lambda thing, _info, get=get, **_args: get(thing)) for name, get in getters.items()}


_STAMPS: Final = _plain(createdAt=lambda t: iso(t.created_at), updatedAt=lambda t: iso(t.updated_at))
_IDENTITY: Final = _plain(id=lambda t: t.gid)
_LEGACY: Final = _plain(legacyResourceId=lambda t: str(t.number))
_PUBLISHABLE: Final = {
    **_plain(
        availablePublicationsCount=lambda t: _count(len(_published(t))),
        resourcePublicationsCount=lambda t: _count(len(_published(t))),
        publicationCount=lambda t: len(_published(t)),
        publishedOnCurrentPublication=lambda t: bool(_published(t)),
    ),
    "publishedOnPublication": _on_publication,
}

FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "QueryRoot": {
        "node": lambda _, info, id: find(info.context.shop, id),
        "nodes": _nodes,
        "shop": lambda _, info: info.context.shop,
        "inventoryItem": _by_id("InventoryItem"),
        "inventoryItems": _rows("items", ITEM_SEARCH),
        "inventoryLevel": _by_id("InventoryLevel"),
        "location": _location,
        "locations": _locations,
        "product": _by_id("Product"),
        "products": _rows("products", PRODUCT_SEARCH),
        "productVariant": _by_id("ProductVariant"),
        "productVariants": _rows("variants", VARIANT_SEARCH),
        "order": _by_id("Order"),
        "orders": _rows("orders", reads_orders.SEARCH),
        "publication": _by_id("Publication"),
        "publications": _rows("publications", {}),
        "webhookSubscription": _by_id("WebhookSubscription"),
        "bulkOperation": _by_id("BulkOperation"),
    },
    "Shop": {
        **_plain(
            id=lambda shop: gid("Shop", 548380009),
            name=lambda shop: shop.domain.split(".")[0],
            myshopifyDomain=lambda shop: shop.domain,
            url=lambda shop: f"https://{shop.domain}",
            currencyCode=lambda shop: "USD",
            ianaTimezone=lambda shop: "America/New_York",
            publicationCount=lambda shop: len(shop.publications),
        ),
        "locations": lambda shop, info, **args: _locations(shop, info, **args),
    },
    "Location": {
        **_STAMPS,
        **_IDENTITY,
        **_LEGACY,
        **_plain(
            name=lambda p: p.name,
            isActive=lambda p: p.active,
            fulfillsOnlineOrders=lambda p: p.fulfills_online_orders,
            shipsInventory=lambda p: p.fulfills_online_orders,
            isFulfillmentService=lambda p: p.fulfillment_service,
            isPrimary=lambda p: False,
            deactivatedAt=lambda p: iso(p.deactivated_at),
            localPickupSettingsV2=lambda p: None,
            fulfillmentService=lambda p: None,
        ),
        "inventoryLevels": _place_levels,
        "inventoryLevel": _place_level,
    },
    "InventoryItem": {
        **_STAMPS,
        **_IDENTITY,
        **_LEGACY,
        **_plain(
            sku=lambda i: i.sku,
            tracked=lambda i: i.tracked,
            variant=lambda i: i.variant,
            requiresShipping=lambda i: True,
            locationsCount=lambda i: _count(sum(level.active for level in i.levels.values())),
        ),
        "inventoryLevels": _item_levels,
        "inventoryLevel": _item_level,
    },
    "InventoryLevel": {
        **_STAMPS,
        **_IDENTITY,
        **_plain(
            isActive=lambda v: v.active,
            item=lambda v: v.item,
            location=lambda v: v.location,
            canDeactivate=lambda v: sum(o.active for o in v.item.levels.values()) > 1,
            deactivationAlert=lambda v: None,
        ),
        "quantities": quantities,
    },
    "InventoryAdjustmentGroup": {
        **_IDENTITY,
        **_plain(
            createdAt=lambda g: iso(g.created_at),
            reason=lambda g: g.reason,
            referenceDocumentUri=lambda g: g.reference,
            changes=lambda g: g.changes,
            app=lambda g: None,
            staffMember=lambda g: None,
        ),
    },
    "InventoryChange": _plain(
        name=lambda c: c.name,
        delta=lambda c: c.delta,
        quantityAfterChange=lambda c: None,
        ledgerDocumentUri=lambda c: c.ledger_uri,
        item=lambda c: c.level.item,
        location=lambda c: c.level.location,
    ),
    "ProductVariant": {
        **_STAMPS,
        **_IDENTITY,
        **_LEGACY,
        **_PUBLISHABLE,
        **_plain(
            sku=lambda v: v.sku,
            barcode=lambda v: v.barcode,
            title=lambda v: v.title,
            displayName=lambda v: f"{v.product.title} - {v.title}",
            inventoryPolicy=lambda v: v.policy,
            inventoryQuantity=lambda v: v.available,
            sellableOnlineQuantity=lambda v: v.available,
            availableForSale=lambda v: v.policy == "CONTINUE" or not v.item.tracked or v.available > 0,
            price=lambda v: f"{v.price:.2f}",
            position=lambda v: v.product.variants.index(v) + 1,
            product=lambda v: v.product,
            inventoryItem=lambda v: v.item,
            requiresComponents=lambda v: v.bundle,
            taxable=lambda v: True,
        ),
    },
    "Product": {
        **_STAMPS,
        **_IDENTITY,
        **_LEGACY,
        **_PUBLISHABLE,
        **_plain(
            title=lambda p: p.title,
            handle=lambda p: p.handle,
            status=lambda p: p.status,
            vendor=lambda p: p.vendor,
            tags=lambda p: [],
            totalInventory=lambda p: sum(v.available for v in p.variants if v.item.tracked),
            tracksInventory=lambda p: any(v.item.tracked for v in p.variants),
            totalVariants=lambda p: len(p.variants),
            variantsCount=lambda p: _count(len(p.variants)),
            hasOutOfStockVariants=lambda p: any(v.item.tracked and v.available <= 0 for v in p.variants),
            publishedAt=lambda p: iso(p.created_at) if p.published_on else None,
        ),
        "variants": _variants,
        "resourcePublications": _publications_of,
        "resourcePublicationsV2": _publications_of,
    },
    "Publication": {**_IDENTITY, **_plain(name=lambda p: p.name, autoPublish=lambda p: False)},
    **reads_orders.FIELDS,
}


def _not_simulated(source: Any, info: GraphQLResolveInfo, **_: Any) -> Any:
    if isinstance(source, dict) and info.field_name in source:
        return source[info.field_name]
    raise GraphQLError(
        f"{info.parent_type.name}.{info.field_name} is not simulated.",
        extensions={"code": "SIMULATOR_NOT_IMPLEMENTED"},
    )


default_resolver: Final = _not_simulated


def install(schema: GraphQLSchema, tables: Mapping[str, Mapping[str, Resolver]]) -> None:
    """Put the resolvers on the schema's fields, and connections, edges and abstract types in working order."""
    for type_name, table in tables.items():
        fields = schema.type_map[type_name].fields  # type: ignore[attr-defined]
        for name, resolver in table.items():
            fields[name].resolve = resolver
    for name, kind in schema.type_map.items():
        if name.endswith("Connection") and "pageInfo" in getattr(kind, "fields", {}):
            _install_connection(kind.fields)  # type: ignore[attr-defined]
        if hasattr(kind, "resolve_type"):
            kind.resolve_type = _type_name


def _type_name(thing: Any, _info: GraphQLResolveInfo, _type: Any) -> str:
    return str(thing["__typename"] if isinstance(thing, dict) else thing.TYPE)


def _install_connection(fields: dict[str, Any]) -> None:
    for name, get in {
        "nodes": lambda page, _: page.rows,
        "edges": lambda page, _: [
            {"cursor": page.cursors[i] if page.cursors else "", "node": row} for i, row in enumerate(page.rows)
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
