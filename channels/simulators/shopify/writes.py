"""Inventory writes with the vendor's rules: every row checked first, then all applied or none.

Error codes and texts are those of the 2026-07 enums and of recorded answers of a 2026-04 shop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError

from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.mischief import Mischief
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import AdjustmentGroup, Change, Level, Location

BILLION: Final = 1_000_000_000
ROWS_MAX: Final = 250

REASONS: Final = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
]
ADJUSTABLE: Final = (
    "available",
    "damaged",
    "incoming",
    "quality_control",
    "reserved",
    "safety_stock",
)

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_STALE: Final = "The changeFromQuantity argument no longer matches the persisted quantity."


@dataclass(frozen=True, slots=True)
class UserError:
    code: str | None
    field: Sequence[str] | None
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a write, resolved: (state, delta, ledger URI) each."""

    level: Level
    deltas: tuple[tuple[str, int, str | None], ...]


Outcome = tuple[AdjustmentGroup | None, list[UserError]]


def set_quantities(shop: Shop, act: Act, input: Mapping[str, Any], mischief: Mischief) -> Outcome:
    """`inventorySetQuantities`: the named state becomes the quantity, `on_hand` by moving available."""
    rows = input["quantities"]
    _require_change_from("InventoryQuantityInput", rows)
    name = input["name"]
    errors = _check_document(input)
    if name not in ("available", "on_hand"):
        text = "The quantity name must be either 'available' or 'on_hand'."
        return None, [*errors, UserError("INVALID_NAME", ("input", "name"), text)]
    return _set(shop, act, input, rows, name, "quantities", errors, mischief)


def set_on_hand(shop: Shop, act: Act, input: Mapping[str, Any], mischief: Mischief) -> Outcome:
    """`inventorySetOnHandQuantities`, deprecated but alive."""
    rows = input["setQuantities"]
    _require_change_from("InventorySetQuantityInput", rows)
    return _set(
        shop, act, input, rows, "on_hand", "setQuantities", _check_document(input), mischief
    )


def _set(
    shop: Shop,
    act: Act,
    input: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    name: str,
    list_name: str,
    errors: list[UserError],
    mischief: Mischief,
) -> Outcome:
    pairs = Counter((row["inventoryItemId"], row["locationId"]) for row in rows)
    plan: list[Row] = []
    for index, given in enumerate(rows):
        path = ("input", list_name, str(index))
        level, found = _find_level(shop, given["inventoryItemId"], given["locationId"], path)
        errors += found
        if pairs[given["inventoryItemId"], given["locationId"]] > 1:
            text = "The combination of inventoryItemId and locationId must be unique."
            code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
            errors.append(UserError(code, (*path, "locationId"), text))
        errors += _check_bounds(
            given["quantity"], (*path, "quantity"), negative=name == "available"
        )
        if level is None:
            continue
        errors += _check_stale(level, name, given["changeFromQuantity"], path)
        if mischief.refuses(level.item.sku):
            text = "The specified inventory item is not allowed to be adjusted via API."
            where = (*path, "inventoryItemId")
            errors.append(UserError("NON_MUTABLE_INVENTORY_ITEM", where, text))
        level, quantity = mischief.bends(level, given["quantity"])
        delta = quantity - level.holds(name)
        plan.append(Row(level, (("available", delta, None),)))
    if errors:
        return None, errors
    return _apply(shop, act, input, plan, mischief), []


def adjust_quantities(
    shop: Shop, act: Act, input: Mapping[str, Any], mischief: Mischief
) -> Outcome:
    """`inventoryAdjustQuantities`: one state changes by a delta; every state but available names its document."""
    rows = input["changes"]
    _require_change_from("InventoryChangeInput", rows)
    name = input["name"]
    errors = _check_document(input)
    if name not in ADJUSTABLE:
        return None, [*errors, _bad_name(("input", "name"))]
    uris = {row.get("ledgerDocumentUri") for row in rows}
    if len(uris) > 1:
        text = (
            "All changes must have the same ledger document URI or, in the case of adjusting available, "
            "no ledger document URI."
        )
        errors.append(UserError("MAX_ONE_LEDGER_DOCUMENT", ("input", "changes"), text))
    plan: list[Row] = []
    for index, given in enumerate(rows):
        path = ("input", "changes", str(index))
        level, found = _find_level(shop, given["inventoryItemId"], given["locationId"], path)
        errors += found + _check_ledger(name, given.get("ledgerDocumentUri"), path)
        if level is None:
            continue
        errors += _check_stale(level, name, given["changeFromQuantity"], path)
        after = level.holds(name) + given["delta"]
        errors += _check_bounds(after, (*path, "delta"), negative=True)
        delta = (name, given["delta"], given.get("ledgerDocumentUri"))
        plan.append(Row(level, (delta,)))
    if errors:
        return None, errors
    return _apply(shop, act, input, plan, mischief), []


def move_quantities(shop: Shop, act: Act, input: Mapping[str, Any], mischief: Mischief) -> Outcome:
    """`inventoryMoveQuantities`: units change state at one location."""
    rows = input["changes"]
    for row in rows:
        _require_change_from("InventoryMoveQuantityTerminalInput", (row["from"], row["to"]))
    errors = _check_document(input)
    uris = {
        side["ledgerDocumentUri"]
        for r in rows
        for side in (r["from"], r["to"])
        if side.get("ledgerDocumentUri")
    }
    if len(uris) > 2:
        text = "Only a maximum of 2 ledger document URIs across all changes is allowed."
        errors.append(UserError("MAXIMUM_LEDGER_DOCUMENT_URIS", ("input", "changes"), text))
    plan: list[Row] = []
    for index, given in enumerate(rows):
        path = ("input", "changes", str(index))
        names = _check_move(given, path)
        errors += names
        if names:
            continue
        source, target = given["from"], given["to"]
        level, found = _find_level(
            shop, given["inventoryItemId"], source["locationId"], path, ("from", "locationId")
        )
        errors += found
        errors += _check_bounds(given["quantity"], (*path, "quantity"), negative=False)
        if level is None:
            continue
        for side_name, side in (("from", source), ("to", target)):
            errors += _check_stale(
                level, side["name"], side["changeFromQuantity"], (*path, side_name)
            )
        out = (source["name"], -given["quantity"], source.get("ledgerDocumentUri"))
        into = (target["name"], given["quantity"], target.get("ledgerDocumentUri"))
        plan.append(Row(level, (out, into)))
    if errors:
        return None, errors
    return _apply(shop, act, input, plan, mischief), []


def _apply(
    shop: Shop, act: Act, input: Mapping[str, Any], plan: Sequence[Row], mischief: Mischief
) -> AdjustmentGroup | None:
    """Do what the rows say; a group with nothing changed is null. On hand is reported after the states.

    mischief   decides which rows are reported as done and not done (a fault)
    """
    changes: list[Change] = []
    on_hand: list[Change] = []
    for row in plan:
        moved = [(name, delta, uri) for name, delta, uri in row.deltas if delta]
        changes += [Change(name, delta, row.level, uri) for name, delta, uri in moved]
        sum_delta = sum(delta for name, delta, _ in moved if name != "incoming")
        if sum_delta:
            on_hand.append(Change("on_hand", sum_delta, row.level))
        swallowed = mischief.swallows(row.level.item.sku)
        if not swallowed:
            _move(act, row.level, moved)
        facts: dict[str, object] = {"sku": row.level.item.sku, "location": row.level.location.gid}
        facts |= {"deltas": {name: delta for name, delta, _ in moved}, "swallowed": swallowed}
        facts["available"] = row.level.units["available"]
        shop.note("stock", facts)
    if not changes:
        return None
    number = shop.ids.next("InventoryAdjustmentGroup")
    group = AdjustmentGroup(
        number, act.at, input["reason"], input.get("referenceDocumentUri"), [*changes, *on_hand]
    )
    shop.groups[number] = group
    return group


def _move(act: Act, level: Level, moved: Sequence[tuple[str, int, str | None]]) -> None:
    for name, delta, _ in moved:
        level.shift(name, delta, act.at)
        if name == "available":
            act.touched[level.gid] = level


def check_size(root: str, path: Sequence[str], rows: Sequence[object]) -> None:
    """An input list of more than 250 fails the whole call. Raises GraphQLError."""
    if len(rows) > ROWS_MAX:
        raise GraphQLError(
            f"The input array size of {len(rows)} is greater than the maximum allowed of {ROWS_MAX}.",
            path=[root, *path],
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )


def _require_change_from(type_name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if any("changeFromQuantity" not in row for row in rows):
        raise GraphQLError(
            f"{type_name} must include the following argument: changeFromQuantity.",
            extensions={"code": "INVALID_FIELD_ARGUMENTS"},
        )


def _check_document(input: Mapping[str, Any]) -> list[UserError]:
    errors: list[UserError] = []
    if input["reason"] not in REASONS:
        text = f"The specified reason is invalid. Valid values are: {', '.join(REASONS)}."
        errors.append(UserError("INVALID_REASON", ("input", "reason"), text))
    uri = input.get("referenceDocumentUri")
    if uri is not None and not _URI.fullmatch(uri):
        text = "The specified reference document is invalid."
        errors.append(
            UserError("INVALID_REFERENCE_DOCUMENT", ("input", "referenceDocumentUri"), text)
        )
    return errors


def _bad_name(path: Sequence[str]) -> UserError:
    # Recorded without a code for adjust; the enum's INVALID_QUANTITY_NAME was not sent (2026-04 shop).
    valid = ", ".join(ADJUSTABLE)
    return UserError(
        None, path, f"The specified quantity name is invalid. Valid values are: {valid}."
    )


def find_location(shop: Shop, gid: str) -> Location | None:
    parsed = parse_gid(gid)
    return shop.locations.get(parsed[1]) if parsed and parsed[0] == "Location" else None


def _find_level(
    shop: Shop,
    item_gid: str,
    place_gid: str,
    path: tuple[str, ...],
    place_field: tuple[str, ...] = ("locationId",),
) -> tuple[Level | None, list[UserError]]:
    parsed = parse_gid(item_gid)
    item = shop.items.get(parsed[1]) if parsed and parsed[0] == "InventoryItem" else None
    place = find_location(shop, place_gid)
    errors: list[UserError] = []
    if item is None:
        text = "The specified inventory item could not be found."
        errors.append(UserError("INVALID_INVENTORY_ITEM", (*path, "inventoryItemId"), text))
    if place is None or not place.active:
        text = "The specified location could not be found."
        errors.append(UserError("INVALID_LOCATION", (*path, *place_field), text))
    if item is None or place is None or errors:
        return None, errors
    if item.variant is not None and item.variant.bundle:
        text = (
            "The specified inventory item is not allowed to be adjusted via API. "
            "Example: if the inventory item is a parent bundle."
        )
        return None, [UserError("NON_MUTABLE_INVENTORY_ITEM", (*path, "inventoryItemId"), text)]
    level = item.levels.get(place.number)
    if level is None or not level.active:
        text = "The specified inventory item is not stocked at the location."
        return None, [UserError("ITEM_NOT_STOCKED_AT_LOCATION", (*path, *place_field), text)]
    return level, []


def _check_bounds(quantity: int, path: Sequence[str], *, negative: bool) -> list[UserError]:
    if quantity > BILLION:
        text = "The quantity can't be higher than 1,000,000,000."
        return [UserError("INVALID_QUANTITY_TOO_HIGH", path, text)]
    if quantity < 0 and not negative:
        return [UserError("INVALID_QUANTITY_NEGATIVE", path, "The quantity can't be negative.")]
    if quantity < -BILLION:
        text = "The quantity can't be lower than -1,000,000,000."
        return [UserError("INVALID_QUANTITY_TOO_LOW", path, text)]
    return []


def _check_stale(
    level: Level, name: str, expected: int | None, path: tuple[str, ...]
) -> list[UserError]:
    if expected is None or expected == level.holds(name):
        return []
    return [UserError("CHANGE_FROM_QUANTITY_STALE", (*path, "changeFromQuantity"), _STALE)]


def _check_ledger(name: str, uri: str | None, path: tuple[str, ...]) -> list[UserError]:
    where = (*path, "ledgerDocumentUri")
    if name == "available":
        text = "A ledger document URI is not allowed when adjusting available."
        return [UserError("INVALID_AVAILABLE_DOCUMENT", where, text)] if uri else []
    if not uri:
        text = "A ledger document URI is required except when adjusting available."
        return [UserError("INVALID_QUANTITY_DOCUMENT", where, text)]
    if uri.startswith("gid://shopify/"):
        text = "Internal (gid://shopify/) ledger documents are not allowed to be adjusted via API."
        return [UserError("INTERNAL_LEDGER_DOCUMENT", where, text)]
    if not _URI.fullmatch(uri):
        return [
            UserError("INVALID_LEDGER_DOCUMENT", where, "The specified ledger document is invalid.")
        ]
    return []


def _check_move(given: Mapping[str, Any], path: tuple[str, ...]) -> list[UserError]:
    source, target = given["from"], given["to"]
    if source["locationId"] != target["locationId"]:
        text = "The quantities can't be moved between different locations."
        return [UserError("DIFFERENT_LOCATIONS", path, text)]
    errors = [
        _bad_name((*path, side, "name"))
        for side in ("from", "to")
        if given[side]["name"] not in ADJUSTABLE
    ]
    if errors:
        return errors
    if source["name"] == target["name"]:
        text = "The quantity names for each change can't be the same."
        return [UserError("SAME_QUANTITY_NAME", path, text)]
    for side in ("from", "to"):
        uri = given[side].get("ledgerDocumentUri")
        errors += _check_ledger(given[side]["name"], uri, (*path, side))
    return errors
