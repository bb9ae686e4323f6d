"""The canonical documents are valid against the vendor's schema and every one of them is answered."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationType

from channels.simulators.shopify.schema import load_schema, prepare
from tests.channels.simulators.shopdesk import HERE, Desk, document

FIELDS_OF_THE_VENDOR = 12_163
"""Counted in the published SDL of 2026-07, input fields included."""

NAMES = sorted(path.stem for path in (HERE / "documents").glob("*.graphql"))


@pytest.mark.parametrize("name", NAMES)
def test_a_canonical_document_is_valid(name: str) -> None:
    assert prepare(document(name)).errors == ()


def test_the_schema_keeps_every_type_of_the_vendor() -> None:
    schema = load_schema()

    fields = [
        getattr(kind, "fields", {}) for name, kind in schema.type_map.items() if name[:2] != "__"
    ]
    assert sum(len(found) for found in fields) == FIELDS_OF_THE_VENDOR


def variables(desk: Desk) -> dict[str, dict[str, Any]]:
    item, place, level = desk.item("SKU-1"), desk.place(), desk.level("SKU-1")
    product = desk.shop.variant("SKU-1").product.gid
    change = {
        "inventoryItemId": item,
        "locationId": place,
        "delta": 1,
        "changeFromQuantity": None,
    }
    side = {"locationId": place, "changeFromQuantity": None}
    move = {
        "inventoryItemId": item,
        "quantity": 1,
        "from": {**side, "name": "available"},
        "to": {**side, "name": "damaged", "ledgerDocumentUri": "doc://damage/1"},
    }
    bulk = desk.call("bulk")["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    write = {"name": "available", "reason": "correction"}
    publication = next(iter(desk.shop.publications.values())).gid
    return {
        "activate": {"item": item, "loc": desk.place("Second"), "available": 3, "key": "a"},
        "adjust": {"input": {**write, "changes": [change]}, "key": "b"},
        "bulkpoll": {"id": bulk},
        "halt_policy": {
            "productId": product,
            "variants": [{"id": desk.shop.variant("SKU-1").gid, "inventoryPolicy": "CONTINUE"}],
        },
        "halt_unpublish": {"id": product, "input": [{"publicationId": publication}]},
        "move": {
            "input": {"reason": "damaged", "referenceDocumentUri": "doc://m/1", "changes": [move]},
            "key": "c",
        },
        "orders_since": {"q": "updated_at:>'2026-01-01T00:00:00Z'"},
        "readback_item": {"id": item, "loc": place},
        "readback_location": {"id": place, "q": "updated_at:>'2026-01-01T00:00:00Z'"},
        "readback_nodes": {"ids": [level]},
        "set": {"input": {**write, "quantities": [desk.row("SKU-1", 4)]}, "key": "d"},
        "webhook": {
            "topic": "ORDERS_CREATE",
            "sub": {"uri": "https://example.com/h", "format": "JSON"},
        },
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_canonical_document_runs_without_an_error(desk: Desk, name: str) -> None:
    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])

    answer = desk.call(name, **variables(desk).get(name, {}))

    assert "errors" not in answer
    assert answer["extensions"]["cost"]["requestedQueryCost"] > 0
    operation = prepare(document(name)).operation(None)
    assert operation is not None
    (payload,) = answer["data"].values()
    if operation.operation is OperationType.MUTATION:
        assert payload["userErrors"] == []
    else:
        assert payload


def test_a_field_that_is_not_simulated_says_so(desk: Desk) -> None:
    answer = desk.call("{ shop { ianaTimezone description } }")

    assert answer["errors"][0]["extensions"]["code"] == "SIMULATOR_NOT_IMPLEMENTED"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ shop { nonsense } }", "undefinedField"),
        ("{ shop @nonsense { id } }", "undefinedDirective"),
        ("query Q($a: Int) { shop { id } }", "variableNotUsed"),
        ("{ inventoryItem { id } }", "missingRequiredArguments"),
        ("{ shop(a: 1) { id } }", "argumentNotAccepted"),
        ("{ shop { ", "parseError"),
    ],
)
def test_a_bad_document_is_refused_without_data_or_cost(desk: Desk, text: str, code: str) -> None:
    answer = desk.call(text)

    assert set(answer) == {"errors"}
    assert answer["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize(
    ("change", "path", "explanation"),
    [
        ({"reason": None}, ["reason"], "Expected value to not be null"),
        (
            {"quantities": [{}]},
            ["quantities", 0, "inventoryItemId"],
            "Expected value to not be null",
        ),
        ({"name": 7.5}, ["name"], "Could not coerce value 7.5 to String"),
    ],
)
def test_a_variable_that_does_not_fit_names_its_place(
    desk: Desk, change: dict[str, Any], path: list[Any], explanation: str
) -> None:
    input = {"name": "available", "reason": "correction", "quantities": []} | change

    answer = desk.call("set", input=input, key="k")

    assert set(answer) == {"errors"}
    facts = answer["errors"][0]["extensions"]
    assert facts["code"] == "INVALID_VARIABLE"
    assert facts["problems"][0] == {"path": path, "explanation": explanation}
