"""Inventory writes: every rule of the vendor, and all rows or none."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from channels.simulators.shopify import bodies
from tests.channels.simulators.shopdesk import Desk, user_errors

GHOST_ITEM, GHOST_PLACE = "gid://shopify/InventoryItem/1", "gid://shopify/Location/1"


def test_a_set_reports_available_and_on_hand_and_no_quantity_after(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 7, 10), referenceDocumentUri="gid://lockstep/LedgerEvent/1")

    group = answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]
    changes = [(c["name"], c["delta"], c["quantityAfterChange"]) for c in group["changes"]]
    assert changes == [("available", -3, None), ("on_hand", -3, None)]
    assert group["referenceDocumentUri"] == "gid://lockstep/LedgerEvent/1"
    assert desk.units("SKU-1") == (7, 0, 7)


def test_a_set_of_what_is_there_is_a_success_without_a_group(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 10, 10))

    assert answer["data"]["inventorySetQuantities"] == {
        "inventoryAdjustmentGroup": None,
        "userErrors": [],
    }


def test_a_set_of_on_hand_leaves_committed_alone(desk: Desk) -> None:
    desk.do("order", lines=[{"sku": "SKU-1", "units": 4}])

    desk.set(desk.row("SKU-1", 20, 10), name="on_hand")

    assert desk.units("SKU-1") == (16, 4, 20)


def test_available_may_be_set_below_zero(desk: Desk) -> None:
    desk.set(desk.row("SKU-1", -5))

    assert desk.units("SKU-1") == (-5, 0, -5)


def test_a_write_without_the_directive_is_refused_at_run_time(desk: Desk) -> None:
    text = """mutation S($input: InventorySetQuantitiesInput!) {
      inventorySetQuantities(input: $input) { userErrors { message } } }"""
    input = {"name": "available", "reason": "correction", "quantities": [desk.row("SKU-1", 1)]}

    answer = desk.call(text, input=input)

    assert answer["data"] == {"inventorySetQuantities": None}
    (error,) = answer["errors"]
    assert error == {
        "message": "The @idempotent directive is required for this mutation but was not provided.",
        "locations": [{"line": 2, "column": 7}],
        "extensions": {"code": "BAD_REQUEST"},
        "path": ["inventorySetQuantities"],
    }
    assert answer["extensions"]["cost"]["actualQueryCost"] == 10
    assert desk.units("SKU-1") == (10, 0, 10)


def test_a_blank_key_counts_as_none(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 1), key="  ")

    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("send", "type_name"),
    [
        (lambda d, row: d.set(row), "InventoryQuantityInput"),
        (lambda d, row: d.adjust(row | {"delta": 1}), "InventoryChangeInput"),
    ],
)
def test_change_from_quantity_must_be_there_even_as_null(
    desk: Desk, send: Any, type_name: str
) -> None:
    row: dict[str, Any] = {"inventoryItemId": desk.item("SKU-1"), "locationId": desk.place()}
    if type_name == "InventoryQuantityInput":
        row["quantity"] = 1

    answer = send(desk, row)

    (error,) = answer["errors"]
    text = f"{type_name} must include the following argument: changeFromQuantity."
    assert error["message"] == text
    assert error["extensions"] == {"code": "INVALID_FIELD_ARGUMENTS"}
    assert set(answer["data"].values()) == {None}


def test_a_stale_expectation_is_named_by_row(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 5, 10), desk.row("SKU-2", 5, 9))

    assert user_errors(answer) == [
        ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1", "changeFromQuantity"])
    ]
    assert desk.units("SKU-1") == (10, 0, 10), "one bad row rejects the batch"


ROWS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"inventoryItemId": GHOST_ITEM}, "INVALID_INVENTORY_ITEM", ["0", "inventoryItemId"]),
    ({"locationId": GHOST_PLACE}, "INVALID_LOCATION", ["0", "locationId"]),
    ({"locationId": "Second"}, "ITEM_NOT_STOCKED_AT_LOCATION", ["0", "locationId"]),
    ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH", ["0", "quantity"]),
    ({"quantity": -1_000_000_001}, "INVALID_QUANTITY_TOO_LOW", ["0", "quantity"]),
    ({"changeFromQuantity": 3}, "CHANGE_FROM_QUANTITY_STALE", ["0", "changeFromQuantity"]),
    ({"inventoryItemId": "BUNDLE"}, "NON_MUTABLE_INVENTORY_ITEM", ["0", "inventoryItemId"]),
]


@pytest.mark.parametrize(("change", "code", "where"), ROWS, ids=[code for _, code, _ in ROWS])
def test_a_bad_row_of_a_set_is_named(
    desk: Desk, change: dict[str, Any], code: str, where: list[str]
) -> None:
    desk.stock("BUNDLE", bundle=True, Main=1)
    row = desk.row("SKU-1", 5) | change
    row["locationId"] = desk.place("Second") if row["locationId"] == "Second" else row["locationId"]
    row["inventoryItemId"] = (
        desk.item("BUNDLE") if row["inventoryItemId"] == "BUNDLE" else row["inventoryItemId"]
    )

    answer = desk.set(row, desk.row("SKU-2", 1))

    assert user_errors(answer) == [(code, ["input", "quantities", *where])]
    assert desk.units("SKU-2") == (10, 0, 10), "one bad row rejects the batch"


INPUTS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"name": "committed"}, "INVALID_NAME", ["input", "name"]),
    ({"reason": "because"}, "INVALID_REASON", ["input", "reason"]),
    (
        {"referenceDocumentUri": "plain words"},
        "INVALID_REFERENCE_DOCUMENT",
        ["input", "referenceDocumentUri"],
    ),
]


@pytest.mark.parametrize(("change", "code", "where"), INPUTS, ids=[code for _, code, _ in INPUTS])
def test_a_bad_input_of_a_set_is_named(
    desk: Desk, change: dict[str, Any], code: str, where: list[str]
) -> None:
    answer = desk.set(desk.row("SKU-1", 5), **change)

    assert user_errors(answer) == [(code, where)]


def test_the_refusal_of_a_reason_lists_all_seventeen(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 5), reason="because")

    message = answer["data"]["inventorySetQuantities"]["userErrors"][0]["message"]
    assert len(message.split(": ")[1].split(", ")) == 17


def test_on_hand_cannot_be_set_below_zero(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", -1), name="on_hand")

    assert user_errors(answer) == [
        ("INVALID_QUANTITY_NEGATIVE", ["input", "quantities", "0", "quantity"])
    ]


def test_the_same_place_twice_is_named_twice(desk: Desk) -> None:
    answer = desk.set(desk.row("SKU-1", 1), desk.row("SKU-1", 2))

    code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
    assert user_errors(answer) == [
        (code, ["input", "quantities", "0", "locationId"]),
        (code, ["input", "quantities", "1", "locationId"]),
    ]


def test_two_hundred_and_fifty_rows_are_the_most(desk: Desk) -> None:
    answer = desk.set(*[desk.row("SKU-1", 1)] * 251)

    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "MAX_INPUT_SIZE_EXCEEDED"}
    text = "The input array size of 251 is greater than the maximum allowed of 250."
    assert error["message"] == text
    assert desk.units("SKU-1") == (10, 0, 10)


LEDGER: list[tuple[str, str | None, str]] = [
    ("available", "doc://x/1", "INVALID_AVAILABLE_DOCUMENT"),
    ("damaged", None, "INVALID_QUANTITY_DOCUMENT"),
    ("damaged", "gid://shopify/Order/1", "INTERNAL_LEDGER_DOCUMENT"),
    ("damaged", "no uri", "INVALID_LEDGER_DOCUMENT"),
]


@pytest.mark.parametrize(("name", "uri", "code"), LEDGER, ids=[code for *_, code in LEDGER])
def test_an_adjustment_wants_the_right_document(
    desk: Desk, name: str, uri: str | None, code: str
) -> None:
    change = desk.row("SKU-1", 0) | {"delta": 1, "ledgerDocumentUri": uri}
    del change["quantity"]

    answer = desk.adjust(change, name=name)

    assert user_errors(answer) == [(code, ["input", "changes", "0", "ledgerDocumentUri"])]


def test_an_adjustment_of_damaged_raises_on_hand_and_leaves_available(desk: Desk) -> None:
    change = desk.row("SKU-1", 0, 0) | {"delta": 2, "ledgerDocumentUri": "doc://x/1"}
    del change["quantity"]

    answer = desk.adjust(change, name="damaged")

    group = answer["data"]["inventoryAdjustQuantities"]["inventoryAdjustmentGroup"]
    assert [(c["name"], c["delta"]) for c in group["changes"]] == [("damaged", 2), ("on_hand", 2)]
    assert desk.units("SKU-1") == (10, 0, 12)


def test_all_changes_of_an_adjustment_share_one_document(desk: Desk) -> None:
    changes = [
        {
            "inventoryItemId": desk.item(sku),
            "locationId": desk.place(),
            "delta": 1,
            "changeFromQuantity": None,
            "ledgerDocumentUri": f"doc://{sku}",
        }
        for sku in ("SKU-1", "SKU-2")
    ]

    answer = desk.adjust(*changes, name="damaged")

    assert user_errors(answer) == [("MAX_ONE_LEDGER_DOCUMENT", ["input", "changes"])]


def side(desk: Desk, name: str, place: str = "Main", uri: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "locationId": desk.place(place),
        "changeFromQuantity": None,
        "ledgerDocumentUri": uri,
    }


def test_a_move_changes_the_state_and_not_the_sum(desk: Desk) -> None:
    source, target = side(desk, "available"), side(desk, "reserved", uri="doc://r/1")

    answer = desk.move(
        {"inventoryItemId": desk.item("SKU-1"), "quantity": 3, "from": source, "to": target}
    )

    assert user_errors(answer) == []
    assert desk.units("SKU-1") == (7, 0, 10)


MOVES: list[tuple[tuple[str, str], tuple[str, str], int, str]] = [
    (("available", "Main"), ("damaged", "Second"), 1, "DIFFERENT_LOCATIONS"),
    (("damaged", "Main"), ("damaged", "Main"), 1, "SAME_QUANTITY_NAME"),
    (("available", "Main"), ("damaged", "Main"), -1, "INVALID_QUANTITY_NEGATIVE"),
]


@pytest.mark.parametrize(("source", "target", "units", "code"), MOVES, ids=[m[3] for m in MOVES])
def test_a_bad_move_is_refused(
    desk: Desk, source: tuple[str, str], target: tuple[str, str], units: int, code: str
) -> None:
    change = {
        "inventoryItemId": desk.item("SKU-1"),
        "quantity": units,
        "from": side(desk, *source),
        "to": side(desk, *target, uri="doc://x/1"),
    }

    answer = desk.move(change)

    assert [found for found, _ in user_errors(answer)] == [code]
    assert desk.units("SKU-1") == (10, 0, 10)


def test_of_many_writers_expecting_the_same_units_one_wins(desk: Desk) -> None:
    answers: list[dict[str, Any]] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        answers.append(desk.set(desk.row("SKU-1", 100 + number, 10), key=f"race-{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    won = [a for a in answers if not user_errors(a)]
    lost = [user_errors(a)[0][0] for a in answers if user_errors(a)]
    assert len(won) == 1
    assert lost == ["CHANGE_FROM_QUANTITY_STALE"] * 7


def test_a_level_gone_inactive_keeps_its_units_and_shows_only_on_request(desk: Desk) -> None:
    desk.call("activate", item=desk.item("SKU-1"), loc=desk.place("Second"), available=4, key="a")
    level = desk.level("SKU-1", "Second")
    text = "mutation D($id: ID!) { inventoryDeactivate(inventoryLevelId: $id) { userErrors { message } } }"

    desk.call(text, id=level)

    read = """query R($id: ID!) { inventoryItem(id: $id) {
      shown: inventoryLevels(first: 5) { nodes { id } }
      all: inventoryLevels(first: 5, includeInactive: true) { nodes { id isActive } } } }"""
    item = desk.call(read, id=desk.item("SKU-1"))["data"]["inventoryItem"]
    assert len(item["shown"]["nodes"]) == 1
    assert [node["isActive"] for node in item["all"]["nodes"]] == [True, False]
    refused = desk.set(desk.row("SKU-1", 9, place="Second"))
    assert user_errors(refused)[0][0] == "ITEM_NOT_STOCKED_AT_LOCATION"
    desk.call("activate", item=desk.item("SKU-1"), loc=desk.place("Second"), key="b")
    assert desk.units("SKU-1", "Second") == (4, 0, 4)


def test_a_full_write_tells_two_changes_a_row_and_a_full_read_tells_each_level(desk: Desk) -> None:
    skus = [f"N-{n}" for n in range(250)]
    rows = [{"sku": sku, "stock": {"Main": 10}} for sku in skus]
    desk.do("product", title="Many", variants=rows)
    levels = [desk.level(sku) for sku in skus]
    desk.set(*[desk.row(sku, 5, 10) for sku in skus])
    answer = desk.set(*[desk.row(sku, 6, 5) for sku in skus])
    read = desk.call("readback_nodes", ids=levels)

    changes = answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]["changes"]
    assert len(changes) == 500
    assert len(read["data"]["nodes"]) == 250


def test_many_locations_are_switched_at_once_but_never_the_last_off(desk: Desk) -> None:
    text = """mutation T($item: ID!, $updates: [InventoryBulkToggleActivationInput!]!) {
      inventoryBulkToggleActivation(inventoryItemId: $item, inventoryItemUpdates: $updates) {
        inventoryLevels { isActive location { name } } userErrors { code field } } }"""
    main, second = desk.place("Main"), desk.place("Second")

    on = desk.call(
        text, item=desk.item("SKU-1"), updates=[{"locationId": second, "activate": True}]
    )
    off = desk.call(
        text,
        item=desk.item("SKU-1"),
        updates=[{"locationId": place, "activate": False} for place in (main, second)],
    )

    (level,) = on["data"]["inventoryBulkToggleActivation"]["inventoryLevels"]
    assert level == {"isActive": True, "location": {"name": "Second"}}
    assert user_errors(off) == [
        ("CANNOT_DEACTIVATE_FROM_ONLY_LOCATION", ["inventoryItemUpdates", "1", "locationId"])
    ]


def test_an_untracked_level_is_told_without_a_number(desk: Desk) -> None:
    level = desk.shop.level("SKU-3", "Main")

    assert bodies.level(level, desk.shop.zone)["available"] is None
