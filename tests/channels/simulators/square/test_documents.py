"""The vendor's own examples: requests it shows are understood, and the shipped part of its OpenAPI is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from channels.simulators.square import schema
from channels.simulators.square.engine import READS, WRITES

SHARED = Path(__file__).parents[5] / "shared/data/channels/square"
MESSAGES = SHARED / "open/messages"
REQUESTS = [
    "BatchChangeInventoryRequest",
    "BatchRetrieveInventoryChangesRequest",
    "BatchRetrieveInventoryCountsRequest",
    "BatchRetrieveOrdersRequest",
    "BatchRetrieveCatalogObjectsRequest",
    "CreateWebhookSubscriptionRequest",
    "UpdateWebhookSubscriptionRequest",
    "UpdateOrderRequest",
    "UpsertCatalogObjectRequest",
]


@pytest.mark.parametrize("name", REQUESTS)
def test_the_vendors_own_requests_are_found_right(name: str) -> None:
    if not MESSAGES.exists():
        pytest.skip("the vendor's examples are not beside the repository")
    example = json.loads((MESSAGES / f"{name}.json").read_text())

    assert schema.problems(name, example, "2025-08-20") == []


def test_every_endpoint_is_the_vendors() -> None:
    known = {op["operationId"] for methods in schema.paths().values() for op in methods.values()}

    assert {*READS, *WRITES} <= known


def test_every_schema_that_is_named_is_there() -> None:
    def named(node: Any) -> set[str]:
        if isinstance(node, list):
            return {name for one in node for name in named(one)}
        if not isinstance(node, dict):
            return set()
        here = {node["$ref"].rsplit("/", 1)[-1]} if isinstance(node.get("$ref"), str) else set()
        return here | {name for value in node.values() for name in named(value)}

    for version in ("2025-08-20", schema.NEWEST):
        known = schema.schemas(version)
        assert named(known) | named(schema.paths()) <= set(known)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ([], "EXPECTED_OBJECT", None),
        ({"idempotency_key": 3}, "EXPECTED_STRING", "idempotency_key"),
        ({"idempotency_key": "k", "changes": {}}, "EXPECTED_ARRAY", "changes"),
        ({"idempotency_key": "k", "changes": [1]}, "EXPECTED_OBJECT", "changes[0]"),
        ({"idempotency_key": "k" * 129}, "VALUE_TOO_LONG", "idempotency_key"),
        (
            {"idempotency_key": "k", "ignore_unchanged_counts": "no"},
            "EXPECTED_BOOLEAN",
            "ignore_unchanged_counts",
        ),
    ],
)
def test_a_wrong_type_is_named_by_its_field(body: Any, code: str, field: str | None) -> None:
    (problem,) = schema.problems("BatchChangeInventoryRequest", body, schema.NEWEST)

    assert (problem.code, problem.field) == (code, field)


@pytest.mark.parametrize(
    ("limit", "code"), [(0, "VALUE_TOO_LOW"), (1001, "VALUE_TOO_HIGH"), ("9", "EXPECTED_INTEGER")]
)
def test_a_number_keeps_to_its_bounds(limit: object, code: str) -> None:
    asked = {"limit": limit}

    (problem,) = schema.problems("BatchRetrieveInventoryCountsRequest", asked, schema.NEWEST)

    assert (problem.code, problem.field) == (code, "limit")
