"""Stocking items at locations: activate, deactivate, and many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.simulators.shopify import bodies
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import Item, Level, Location
from channels.simulators.shopify.writes import BILLION, UserError, find_location


def activate(shop: Shop, act: Act, args: Mapping[str, Any]) -> tuple[Level | None, list[UserError]]:
    """`inventoryActivate`: stock an item at a location; again without a quantity brings the old ones back."""
    parsed = parse_gid(args["inventoryItemId"])
    item = shop.items.get(parsed[1]) if parsed else None
    place = find_location(shop, args["locationId"])
    if item is None:
        text = "The product couldn't be stocked because the product was deleted."
        return None, [UserError(None, ("inventoryItemId",), text)]
    if place is None or not place.active:
        text = "The product couldn't be stocked because the location was deleted."
        return None, [UserError(None, ("locationId",), text)]
    level = item.levels.get(place.number)
    errors = _check_quantities(args, place, level)
    if errors:
        return (level if level is not None and level.active else None), errors
    level = _open(shop, act, item, place)
    units = args.get("available")
    if args.get("onHand") is not None:
        units = args["onHand"] - (level.holds("on_hand") - level.units["available"])
    if units is not None:
        level.shift("available", units - level.units["available"], act.at)
        level.stamped["available"] = act.at
    return level, []


def _check_quantities(
    args: Mapping[str, Any], place: Location, level: Level | None
) -> list[UserError]:
    given = [name for name in ("available", "onHand") if args.get(name) is not None]
    if level is not None and level.active:
        words = {"available": "available quantity", "onHand": "an on_hand quantity"}
        return [
            UserError(
                None,
                (name,),
                f"Not allowed to set {words[name]} when the item is already active at the location.",
            )
            for name in given
        ]
    prefix = f"The product couldn't be stocked at {place.name} because"
    if len(given) == 2:
        text = f"{prefix} not allowed to set available and on_hand quantities at the same time."
        return [UserError(None, (name,), text) for name in given]
    if given and abs(args[given[0]]) > BILLION:
        text = f"{prefix} the quantity needs to be between -1 billion and 1 billion."
        return [UserError(None, (given[0],), text)]
    return []


def _open(shop: Shop, act: Act, item: Item, place: Location) -> Level:
    level = shop.stock_at(act, item, place)
    level.active = True
    level.updated_at = act.at
    shop.announce(
        act, "inventory_levels/connect", lambda: bodies.level(level, shop.zone), [item.sku]
    )
    return level


def deactivate(shop: Shop, act: Act, gid: str) -> list[UserError]:
    """`inventoryDeactivate`: the level is kept, inactive, with its quantities."""
    level = find_level(shop, gid)
    if level is None:
        parsed = parse_gid(gid)
        known = parsed is not None and parsed[2] in shop.items
        gone = "location" if known else "product"
        text = f"The product couldn't be unstocked because the {gone} was deleted."
        return [UserError(None, None, text)]
    if level.active and sum(other.active for other in level.item.levels.values()) <= 1:
        text = (
            f"The product couldn't be unstocked from {level.location.name} because products need to be stocked at a "
            "minimum of 1 location."
        )
        return [UserError(None, None, text)]
    level.active = False
    level.updated_at = act.at
    sku = level.item.sku
    shop.announce(act, "inventory_levels/disconnect", lambda: bodies.level_gone(level), [sku])
    return []


def find_level(shop: Shop, gid: str) -> Level | None:
    """By level gid; the number before the `?` is the location's, the one behind it the item's."""
    parsed = parse_gid(gid)
    if parsed is None or parsed[0] != "InventoryLevel" or parsed[2] is None:
        return None
    place = shop.locations_by_level_number.get(parsed[1])
    item = shop.items.get(parsed[2])
    return item.levels.get(place.number) if item and place else None


def toggle(
    shop: Shop, act: Act, item_gid: str, updates: Sequence[Mapping[str, Any]]
) -> tuple[Item | None, list[Level], list[UserError]]:
    """`inventoryBulkToggleActivation` for one item at many locations."""
    parsed = parse_gid(item_gid)
    item = shop.items.get(parsed[1]) if parsed else None
    if item is None:
        text = "The inventory item was not found."
        return None, [], [UserError("INVENTORY_ITEM_NOT_FOUND", ("inventoryItemId",), text)]
    places = [find_location(shop, update["locationId"]) for update in updates]
    levels: list[Level] = []
    for index, (update, place) in enumerate(zip(updates, places, strict=True)):
        where = ("inventoryItemUpdates", str(index), "locationId")
        if place is None:
            text = "The quantity couldn't be updated because the location was not found."
            return None, [], [UserError("LOCATION_NOT_FOUND", where, text)]
        if update["activate"]:
            levels.append(_open(shop, act, item, place))
        elif place.number in item.levels:
            errors = deactivate(shop, act, item.levels[place.number].gid)
            if errors:
                code = "CANNOT_DEACTIVATE_FROM_ONLY_LOCATION"
                return item, levels, [UserError(code, where, errors[0].message)]
    return item, levels, []
