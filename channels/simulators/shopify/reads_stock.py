"""How reads of locations, inventory items and levels are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLError, GraphQLResolveInfo

from channels.simulators.shopify import search
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.reading import (
    IDENTITY,
    LEGACY,
    STAMPS,
    Resolver,
    by_id,
    connect,
    count,
    iso,
    plain,
    rows_of,
)
from channels.simulators.shopify.state import STATES, Item, Level, Location


def quantities(level: Level, _: GraphQLResolveInfo, names: list[str]) -> list[dict[str, object]]:
    """In the order of the vendor's own list, not of `names`. On hand is computed, so it has no stamp."""
    known = (*STATES, "on_hand")
    for name in names:
        if name not in known:
            raise GraphQLError(
                f"The specified quantity name is invalid: {name}.",
                extensions={"code": "BAD_REQUEST"},
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


def _item_levels(item: Item, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    rows = _active(list(item.levels.values()), args)
    return connect(
        info, rows, args, LEVEL_SEARCH, lambda level: (level.location.number, level.location.number)
    )


def _place_levels(place: Location, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    items = info.context.shop.items.values()
    rows = [item.levels[place.number] for item in items if place.number in item.levels]
    return connect(
        info,
        _active(rows, args),
        args,
        LEVEL_SEARCH,
        lambda level: (level.item.number, level.item.number),
    )


def _one_level(level: Level | None, args: Mapping[str, Any]) -> Level | None:
    return level if level is not None and (level.active or args.get("includeInactive")) else None


def _item_level(item: Item, _: GraphQLResolveInfo, **args: Any) -> Level | None:
    parsed = parse_gid(args["locationId"])
    return _one_level(item.levels.get(parsed[1]) if parsed else None, args)


def _place_level(place: Location, info: GraphQLResolveInfo, **args: Any) -> Level | None:
    parsed = parse_gid(args["inventoryItemId"])
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
    found: Location | None = by_id("Location")(_, info, id)
    return found


_PICKUP: Final = {"instructions": "Ring the bell.", "pickupTime": "TWO_HOURS"}

FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "QueryRoot": {
        "inventoryItem": by_id("InventoryItem"),
        "inventoryItems": rows_of("items", ITEM_SEARCH),
        "inventoryLevel": by_id("InventoryLevel"),
        "location": _location,
        "locations": _locations,
    },
    "Shop": {"locations": _locations},
    "Location": {
        **STAMPS,
        **IDENTITY,
        **LEGACY,
        **plain(
            name=lambda p: p.name,
            isActive=lambda p: p.active,
            fulfillsOnlineOrders=lambda p: p.fulfills_online_orders,
            shipsInventory=lambda p: p.fulfills_online_orders,
            isFulfillmentService=lambda p: p.fulfillment_service,
            isPrimary=lambda p: False,
            deactivatedAt=lambda p: iso(p.deactivated_at),
            localPickupSettingsV2=lambda p: _PICKUP if p.pickup else None,
            fulfillmentService=lambda p: None,
        ),
        "inventoryLevels": _place_levels,
        "inventoryLevel": _place_level,
    },
    "InventoryItem": {
        **STAMPS,
        **IDENTITY,
        **LEGACY,
        **plain(
            sku=lambda i: i.sku,
            tracked=lambda i: i.tracked,
            variant=lambda i: i.variant,
            requiresShipping=lambda i: True,
            locationsCount=lambda i: count(sum(level.active for level in i.levels.values())),
        ),
        "inventoryLevels": _item_levels,
        "inventoryLevel": _item_level,
    },
    "InventoryLevel": {
        **STAMPS,
        **IDENTITY,
        **plain(
            isActive=lambda v: v.active,
            item=lambda v: v.item,
            location=lambda v: v.location,
            canDeactivate=lambda v: sum(o.active for o in v.item.levels.values()) > 1,
            deactivationAlert=lambda v: None,
        ),
        "quantities": quantities,
    },
    "InventoryAdjustmentGroup": {
        **IDENTITY,
        **plain(
            createdAt=lambda g: iso(g.created_at),
            reason=lambda g: g.reason,
            referenceDocumentUri=lambda g: g.reference,
            changes=lambda g: g.changes,
            app=lambda g: None,
            staffMember=lambda g: None,
        ),
    },
    "InventoryChange": plain(
        name=lambda c: c.name,
        delta=lambda c: c.delta,
        quantityAfterChange=lambda c: None,
        ledgerDocumentUri=lambda c: c.ledger_uri,
        item=lambda c: c.level.item,
        location=lambda c: c.level.location,
    ),
}
