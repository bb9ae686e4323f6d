"""Requests recorded at a real shop get the same code, field and message from the simulator."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.channels.simulators.shopdesk import HERE, Desk

ITEM = re.compile(r"gid://shopify/InventoryItem/\d+")


def cases(name: str) -> list[Any]:
    rows = json.loads((HERE / "captures" / f"{name}.json").read_text())
    return [pytest.param(row, id=row["case"]) for row in rows]


def one(name: str, case: str) -> dict[str, Any]:
    rows = json.loads((HERE / "captures" / f"{name}.json").read_text())
    found: dict[str, Any] = next(row for row in rows if row["case"] == case)
    return found


def settled(answer: dict[str, Any]) -> dict[str, Any]:
    """User errors of the one root, sorted by field so that their order does not matter."""
    (payload,) = answer["data"].values()
    errors = [dict(error) for error in payload["userErrors"]]
    return {"userErrors": sorted(errors, key=lambda error: str(error["field"]))}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """The recorded shop: `Shop location` stocked, `My Custom Location` not."""
    desk.do("reset")
    desk.do("location", name="Shop location")
    desk.do("location", name="My Custom Location")
    for sku in ("A", "B"):
        desk.stock(sku, {"Shop location": 0})
    return desk


def here(shop: Desk, row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The recorded variables with our shop's ids in place of the recorded ones."""
    text = json.dumps(row["variables"])
    for recorded, ours in names.items():
        text = text.replace(recorded, ours)
    changed: dict[str, Any] = json.loads(text)
    return changed


PLACE, SECOND = "gid://shopify/Location/106318430514", "gid://shopify/Location/106318463282"


def ids(shop: Desk, row: dict[str, Any]) -> dict[str, str]:
    """Recorded gid -> ours: the first item is A, the second B."""
    found = dict.fromkeys(ITEM.findall(json.dumps(row["variables"])))
    names = dict(zip(found, (shop.item("A"), shop.item("B")), strict=False))
    return {**names, PLACE: shop.place("Shop location"), SECOND: shop.place("My Custom Location")}


@pytest.mark.parametrize("row", cases("set_quantities_2026-04") + cases("adjust_names_2026-04"))
def test_a_recorded_write_is_answered_as_it_was(shop: Desk, row: dict[str, Any]) -> None:
    answer = shop.call(row["query"], **here(shop, row, ids(shop, row)))

    assert settled(answer) == settled(row["response"])
    cost = row["response"]["extensions"]["cost"]
    assert answer["extensions"]["cost"]["requestedQueryCost"] == cost["requestedQueryCost"]
    assert answer["extensions"]["cost"]["actualQueryCost"] == cost["actualQueryCost"]


@pytest.mark.parametrize("row", cases("set_quantities_2025-01"))
def test_a_write_recorded_before_2026_says_the_same_once_it_has_a_key(
    shop: Desk, row: dict[str, Any]
) -> None:
    variables = here(shop, row, ids(shop, row))
    del variables["input"]["ignoreCompareQuantity"]
    for given in variables["input"]["quantities"]:
        given["changeFromQuantity"] = None
    query = row["query"].replace("(input: $input)", '(input: $input) @idempotent(key: "k")')

    answer = shop.call(query, **variables)

    assert settled(answer) == settled(row["response"])


def test_a_field_of_before_2026_is_an_invalid_variable(shop: Desk) -> None:
    row = one("set_quantities_2025-01", "onHand")

    answer = shop.call(row["query"], **here(shop, row, ids(shop, row)))

    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "INVALID_VARIABLE"
    assert error["extensions"]["problems"] == [
        {
            "path": ["ignoreCompareQuantity"],
            "explanation": "Field is not defined on InventorySetQuantitiesInput",
        }
    ]


def test_a_set_of_on_hand_reports_the_recorded_changes(shop: Desk) -> None:
    row = one("adjust_names_2026-04", "setOnHand")

    answer = shop.call(row["query"], **here(shop, row, ids(shop, row)))

    changes = answer["data"]["inventorySetOnHandQuantities"]["inventoryAdjustmentGroup"]["changes"]
    recorded = row["response"]["data"]["inventorySetOnHandQuantities"]["inventoryAdjustmentGroup"][
        "changes"
    ]
    assert [(c["name"], c["delta"]) for c in changes] == [(c["name"], c["delta"]) for c in recorded]


@pytest.mark.parametrize("case", ["allZero", "mixedZeroAndNonzero"])
def test_zero_deltas_leave_no_trace_in_the_group(shop: Desk, case: str) -> None:
    row = one("adjust_zero_2026-04", case)

    answer = shop.call(row["query"], **here(shop, row, ids(shop, row)))

    group = answer["data"]["inventoryAdjustQuantities"]["inventoryAdjustmentGroup"]
    recorded = row["response"]["data"]["inventoryAdjustQuantities"]["inventoryAdjustmentGroup"]
    assert (group is None) == (recorded is None)
    if group is not None:
        shown = [(c["name"], c["delta"], c["quantityAfterChange"]) for c in group["changes"]]
        assert shown == [
            (c["name"], c["delta"], c["quantityAfterChange"]) for c in recorded["changes"]
        ]


def test_a_move_reports_the_recorded_changes(shop: Desk) -> None:
    seed, move = one("move_2026-04", "seedSet"), one("move_2026-04", "move")
    shop.call(seed["query"], **here(shop, seed, ids(shop, seed)))

    answer = shop.call(move["query"], **here(shop, move, ids(shop, move)))

    group = answer["data"]["inventoryMoveQuantities"]["inventoryAdjustmentGroup"]
    recorded = move["response"]["data"]["inventoryMoveQuantities"]["inventoryAdjustmentGroup"]
    pick = ("name", "delta", "quantityAfterChange", "ledgerDocumentUri")
    assert [[c[k] for k in pick] for c in group["changes"]] == [
        [c[k] for k in pick] for c in recorded["changes"]
    ]
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (12, 12)


def test_activating_with_on_hand_answers_as_recorded(shop: Desk) -> None:
    rows = [p.values[0] for p in cases("activate_2026-04")]
    skus = {"activateOnHand": "A", "alreadyActiveOnHand": "A"}
    level = f"gid://shopify/InventoryLevel/{shop.shop.location('My Custom Location').level_number}"
    for row in rows:
        if row["case"] == "activateOnHandRead":
            item = shop.shop.variant("A").item.number
            answer = shop.call(row["query"], inventoryLevelId=f"{level}?inventory_item_id={item}")
            assert answer["data"] == row["response"]["data"]
            continue
        names = ids(shop, row)
        recorded_item = ITEM.search(json.dumps(row["variables"]))
        assert recorded_item is not None
        names[recorded_item.group()] = shop.item(skus.get(row["case"], "B"))

        answer = shop.call(row["query"], **here(shop, row, names))

        assert settled(answer) == settled(row["response"]), row["case"]
        ours = answer["data"]["inventoryActivate"]["inventoryLevel"]
        theirs = row["response"]["data"]["inventoryActivate"]["inventoryLevel"]
        assert (ours is None) == (theirs is None), row["case"]
        if ours is not None:
            units = {q["name"]: q["quantity"] for q in ours["quantities"]}
            assert units == {q["name"]: q["quantity"] for q in theirs["quantities"]}


@pytest.mark.parametrize("row", cases("deactivate_2026-04"))
def test_unstocking_answers_as_recorded(shop: Desk, row: dict[str, Any]) -> None:
    two_places = row["case"] in (
        "inventoryDeactivateCommitted",
        "inventoryDeactivateIncomingReserved",
        "inventoryActivateInactiveAvailable",
    )
    if two_places:
        shop.call(
            "activate", item=shop.item("A"), loc=shop.place("My Custom Location"), key="setup"
        )
    item = shop.shop.variant("A").item
    place = shop.shop.location("Shop location")
    if row["case"] == "inventoryDeactivateDeletedLocation":
        level = f"gid://shopify/InventoryLevel/999999999999?inventory_item_id={item.number}"
    elif row["case"] == "inventoryDeactivateMissingLevel":
        level = row["variables"]["inventoryLevelId"]
    else:
        level = item.levels[place.number].gid
    if row["case"] == "inventoryActivateInactiveAvailable":
        item.levels[shop.shop.location("My Custom Location").number].active = False
    variables = here(shop, row, ids(shop, row))
    if "inventoryLevelId" in variables:
        variables["inventoryLevelId"] = level

    answer = shop.call(row["query"], **variables)

    recorded = row["response"]
    if "errors" in recorded:
        assert set(answer) == {"errors"}
        assert _messages(answer) == _messages(recorded)
    else:
        assert settled(answer) == settled(recorded)


def _messages(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any], list[str]]]:
    return [(e["message"], e["extensions"], e["path"]) for e in answer["errors"]]


@pytest.mark.parametrize("row", cases("bulk_validators_2026-04"))
def test_a_bulk_query_is_refused_in_the_recorded_words(shop: Desk, row: dict[str, Any]) -> None:
    answer = shop.call(row["query"], **row["variables"])

    ours, theirs = (
        answer["data"]["bulkOperationRunQuery"],
        row["response"]["data"]["bulkOperationRunQuery"],
    )
    assert ours == theirs


@pytest.mark.parametrize("row", cases("webhook_schemes_2026-04") + cases("webhook_blank_2026-04"))
def test_a_webhook_address_is_judged_as_recorded(shop: Desk, row: dict[str, Any]) -> None:
    sub = {"uri": "https://example.com/first", "format": "JSON"}
    made = shop.call("webhook", topic="SHOP_UPDATE", sub=sub)
    ours = made["data"]["webhookSubscriptionCreate"]["webhookSubscription"]["id"]
    variables = row["variables"] | ({"id": ours} if "id" in row["variables"] else {})

    answer = shop.call(row["query"], **variables)

    assert settled(answer) == settled(row["response"])
    (payload,) = answer["data"].values()
    (recorded,) = row["response"]["data"].values()
    if recorded["webhookSubscription"]:
        for name in ("topic", "format", "filter", "endpoint"):
            assert payload["webhookSubscription"][name] == recorded["webhookSubscription"][name]


def test_webhook_names_and_duplicates_are_judged_as_recorded(shop: Desk) -> None:
    for param in cases("webhook_names_2026-04"):
        row = param.values[0]

        answer = shop.call(row["query"], **row["variables"])

        assert settled(answer) == settled(row["response"]), row["case"]


@pytest.mark.parametrize("row", cases("order_cancel_2026-04"))
def test_a_cancel_is_refused_in_the_recorded_words(shop: Desk, row: dict[str, Any]) -> None:
    shop.do("external_edit", sku="A", location="Shop location", units=5)
    order = shop.do("order", lines=[{"sku": "A", "units": 1}])
    if row["case"] == "alreadyCancelled":
        shop.do("cancel_order", order=order["id"], restock=False)

    answer = shop.call(row["query"], **row["variables"] | {"orderId": order["id"]})

    ours, theirs = answer["data"]["orderCancel"], row["response"]["data"]["orderCancel"]
    assert ours == theirs


@pytest.mark.parametrize("row", cases("variants_update_2026-04"))
def test_variant_updates_are_refused_row_by_row_as_recorded(
    shop: Desk, row: dict[str, Any]
) -> None:
    shop.do("product", title="Two", variants=[{"sku": "X"}, {"sku": "Y"}])
    product = shop.shop.variant("X").product
    recorded = [given["id"] for given in row["variables"]["variants"]]
    names = dict(zip(recorded, (v.gid for v in product.variants), strict=False))
    names[row["variables"]["productId"]] = product.gid

    answer = shop.call(row["query"], **here(shop, row, names))

    assert settled(answer) == settled(row["response"])
