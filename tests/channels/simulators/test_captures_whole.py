"""Every request of every capture beside the repository, replayed: the recorded code of a refusal, or a named gap.

The recordings are of a shop whose things ours does not have, so what a call returns cannot be the same; whether it is
refused as a whole, and by which code, can. Those of before 2026-04 are replayed for their shape only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.simulators.clock import Clock
from channels.simulators.shopify import ShopifySimulator

CAPTURES = Path(__file__).parents[4] / "shared/data/channels/shopify/open/graphql_captures"
ABSENT = "SIMULATOR_NOT_IMPLEMENTED"

NOT_SIMULATED = {
    "transfers between locations are booked by the warehouse": (
        "inventoryTransfer", "inventoryTransfers", "inventoryTransferCreate", "inventoryTransferCreateAsReadyToShip",
        "inventoryTransferEdit",
    ),
    "a merchant administers locations by hand: the control plane's `location`": (
        "locationAdd", "locationActivate", "locationDeactivate", "locationDelete", "locationEdit", "locationsCount",
        "locationsAvailableForDeliveryProfilesConnection", "fulfillmentServiceCreate", "fulfillmentServiceDelete",
    ),
    "a merchant writes products and orders by hand: the control plane's `product` and `order`": (
        "productCreate", "productDelete", "productSet", "collections", "orderCreate", "orderDelete", "draftOrders",
    ),
    "a merchant plans a fulfillment by hand: the control plane's `fulfil`": (
        "fulfillmentCancel", "fulfillmentEventCreate", "fulfillmentOrders", "fulfillmentOrderCancel",
        "fulfillmentOrderClose", "fulfillmentOrderLineItemsPreparedForPickup",
        "fulfillmentOrderMerge", "fulfillmentOrderMove", "fulfillmentOrderOpen",
        "fulfillmentOrderRejectFulfillmentRequest", "fulfillmentOrderReportProgress",
        "fulfillmentOrderReschedule", "fulfillmentOrderSplit", "fulfillmentOrderSubmitFulfillmentRequest",
        "fulfillmentOrdersReroute", "fulfillmentOrdersSetFulfillmentDeadline", "fulfillmentTrackingInfoUpdate",
    ),
    "a merchant handles returns by hand: the control plane's `bring_back`": (
        "return", "returnCalculate", "returnableFulfillments", "returnRequest", "returnApproveRequest",
        "returnDeclineRequest", "returnProcess", "reverseDelivery", "reverseDeliveryCreateWithShipping",
        "reverseDeliveryShippingUpdate", "reverseFulfillmentOrder", "reverseFulfillmentOrderDispose",
    ),
    "bulk mutations are missing": ("bulkOperationRunMutation", "bulkOperations", "stagedUploadsCreate"),
    "no lane asks for it": ("inventoryProperties", "metaobjectDefinitionDelete", "primaryDomain"),
}  # fmt: skip
"""Fields that no resolver answers, by the reason. A field that is missing here fails the test, so does one too many."""

OTHERWISE = {
    "return-lifecycle-local-staging": "its order's id is no gid",
    "fulfillment-order-lifecycle": "the recorded app lacked a scope; ours has every scope",
}
"""Captures with a call that ends otherwise here, and why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A recorded request; `recorded` is None where the answer was not kept."""

    capture: str
    query: str
    variables: Mapping[str, Any]
    recorded: Mapping[str, Any] | None


def calls() -> list[Call]:
    return [call for path in sorted(CAPTURES.glob("*.json")) for call in _calls(path)]


def _calls(path: Path) -> Iterator[Call]:
    waiting: list[Any] = [json.loads(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            text = node.get("query") or node.get("document")
            if isinstance(text, str) and "{" in text:
                variables = node.get("variables")
                given = variables if isinstance(variables, dict) else {}
                yield Call(path.stem, text, given, _recorded(node))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _recorded(node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    answer = node.get("response") or node.get("result")
    for inside in ("body", "payload"):
        if isinstance(answer, dict) and isinstance(answer.get(inside), dict):
            answer = answer[inside]
    return answer if isinstance(answer, dict) and answer.keys() & {"data", "errors"} else None


def codes(answer: Mapping[str, Any]) -> set[str]:
    """Codes of the errors of a whole call; the text where one has no code."""
    errors = answer.get("errors") or []
    return {error.get("extensions", {}).get("code") or error["message"] for error in errors}


@pytest.fixture(scope="module")
def replayed() -> list[tuple[Call, dict[str, Any]]]:
    """Every recorded request with our answer."""
    if not CAPTURES.is_dir():
        pytest.skip("the captures are not beside the repository")
    simulator = ShopifySimulator(Clock.held())
    found = []
    for call in calls():
        found.append((call, simulator.call(call.query, call.variables, wait=lambda _: None)))
        simulator.clock.advance(60)
    simulator.stop()
    return found


def test_every_recorded_request_has_an_answer(replayed: list[tuple[Call, dict[str, Any]]]) -> None:
    assert len({call.capture for call, _ in replayed}) >= 50
    assert [
        call.capture for call, answer in replayed if not answer.keys() & {"data", "errors"}
    ] == []


def test_what_is_not_simulated_is_named_with_its_reason(
    replayed: list[tuple[Call, dict[str, Any]]],
) -> None:
    missing = {
        error["message"].split(" ")[0].partition(".")[2]
        for _, answer in replayed
        for error in answer.get("errors") or []
        if error.get("extensions", {}).get("code") == ABSENT
    }

    assert missing == {field for fields in NOT_SIMULATED.values() for field in fields}


def test_a_recorded_refusal_has_the_recorded_code(
    replayed: list[tuple[Call, dict[str, Any]]],
) -> None:
    comparable = [
        (call, answer)
        for call, answer in replayed
        if call.recorded is not None
        and call.capture.startswith("2026")
        and ABSENT not in codes(answer)
        and call.capture.rpartition("__")[2] not in OTHERWISE
    ]

    assert [
        (call.capture, codes(answer), codes(call.recorded or {}))
        for call, answer in comparable
        if codes(answer) != codes(call.recorded or {})
    ] == []
    assert len(comparable) >= 200
