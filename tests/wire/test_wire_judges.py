"""The judges of the wire must be able to find fault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from channels.simulators.amazon.models import load
from tests.wire import openapi_judge, swagger_judge
from tests.wire.tap import Exchange

HEADERS = {"x-amz-access-token": "Atza|1", "user-agent": "lockstep/1"}
PATCH = {
    "productType": "PRODUCT",
    "patches": [
        {
            "op": "merge",
            "path": "/attributes/fulfillment_availability",
            "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 4}],
        }
    ],
}
FINE = Exchange(
    method="PATCH",
    path="/listings/2021-08-01/items/A1/SKU%2F1",
    query={"marketplaceIds": ["ATVPDKIKX0DER"]},
    headers=HEADERS,
    body=json.dumps(PATCH).encode(),
    status=200,
    answered_as="application/json",
    answer=b'{"sku": "SKU/1", "status": "ACCEPTED", "submissionId": "1", "issues": []}',
)


def test_a_call_as_the_model_wants_it_is_without_fault() -> None:
    assert swagger_judge.faults(load(), FINE) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"path": "/listings/2021-08-01/items/A1/SKU/1"}, "has no"),
        ({"method": "POST"}, "has no"),
        ({"query": {}}, "marketplaceIds is missing"),
        ({"query": {"marketplaceIds": ["A"], "marketplace": ["B"]}}, "no parameter"),
        ({"query": {"marketplaceIds": ["A"], "mode": ["VALIDATION_PREVIEW"] * 2}}, "sent 2 times"),
        ({"query": {"marketplaceIds": ["A"], "mode": ["TRY"]}}, "not one of"),
        ({"headers": {"user-agent": "x"}}, "x-amz-access-token"),
        ({"body": b""}, "body is missing"),
        ({"body": json.dumps({"productType": "PRODUCT"}).encode()}, "'patches' is a required"),
        ({"body": json.dumps({**PATCH, "patchs": []}).encode()}, "Additional properties"),
        ({"answer": b'{"sku": "SKU-1"}'}, "answer 200"),
        ({"status": 418}, "418 is no answer"),
    ],
)
def test_what_amazon_would_not_take_is_found(changed: dict[str, Any], fault: str) -> None:
    assert fault in "; ".join(swagger_judge.faults(load(), replace(FINE, **changed)))


def test_a_moment_without_a_time_zone_is_found() -> None:
    call = replace(
        FINE,
        method="GET",
        path="/orders/2026-01-01/orders",
        query={"lastUpdatedAfter": ["2026-07-01T10:00:00"]},
        body=b"",
        answer=b'{"orders": []}',
    )

    assert "no time zone" in "; ".join(swagger_judge.faults(load(), call))


COUNT = {
    "idempotency_key": "k-1",
    "changes": [
        {
            "type": "PHYSICAL_COUNT",
            "physical_count": {
                "catalog_object_id": "V1",
                "location_id": "L1",
                "state": "IN_STOCK",
                "quantity": "7",
                "occurred_at": "2026-08-20T14:00:00Z",
            },
        }
    ],
}
MOVE = {
    "idempotency_key": "k-2",
    "changes": [
        {
            "type": "ADJUSTMENT",
            "adjustment": {
                "catalog_object_id": "V1",
                "from_location_id": "L1",
                "to_location_id": "L2",
                "from_state": "IN_STOCK",
                "to_state": "IN_STOCK",
                "quantity": "7",
                "occurred_at": "2026-08-20T14:00:00Z",
            },
        }
    ],
}
SPOKEN = {
    "authorization": "Bearer EAAA1",
    "square-version": "2026-08-19",
    "content-type": "application/json",
}
COUNTED = Exchange(
    method="POST",
    path="/v2/inventory/changes/batch-create",
    query={},
    headers=SPOKEN,
    body=json.dumps(COUNT).encode(),
    status=200,
    answered_as="application/json",
    answer=b'{"counts": [], "changes": []}',
)


@pytest.mark.parametrize("body", [COUNT, MOVE])
def test_a_call_as_the_openapi_wants_it_is_without_fault(body: dict[str, Any]) -> None:
    assert openapi_judge.faults(replace(COUNTED, body=json.dumps(body).encode())) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"path": "/v2/inventory/changes"}, "has no"),
        ({"headers": {**SPOKEN, "square-version": ""}}, "no Square-Version"),
        ({"headers": {**SPOKEN, "authorization": ""}}, "no bearer token"),
        ({"query": {"limit": ["3"]}}, "no parameter"),
        ({"body": b"{}"}, "'idempotency_key' is a required"),
        ({"body": b"{"}, "no JSON"),
        ({"body": json.dumps({**COUNT, "change": []}).encode()}, "Additional properties"),
        ({"answer": b'{"count": []}'}, "answer 200"),
        ({"status": 400, "answer": b'{"error": 1}'}, "answer 400"),
        (
            {
                "body": json.dumps(MOVE).encode(),
                "headers": {**SPOKEN, "square-version": "2026-05-20"},
            },
            "from_location_id",
        ),
    ],
)
def test_what_square_would_not_take_is_found(changed: dict[str, Any], fault: str) -> None:
    assert fault in "; ".join(openapi_judge.faults(replace(COUNTED, **changed)))
