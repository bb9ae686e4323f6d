"""The price of calls and the bucket they are paid from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.simulators.shopify import cost
from channels.simulators.shopify.engine import Ticket
from channels.simulators.shopify.schema import prepare
from tests.channels.simulators.shopdesk import HERE, Desk, document

RECORDED: list[dict[str, Any]] = json.loads((HERE / "captures" / "costs.json").read_text())


def test_recorded_prices_come_out_but_for_six() -> None:
    wrong = [
        row["query"]
        for row in RECORDED
        if cost.requested(cost.plan(prepare(row["query"]), None), row["numbers"])
        != row["requested"]
    ]

    assert len(RECORDED) == 174
    assert len(wrong) == 6


@pytest.mark.parametrize(("n", "times"), [(0, 0), (1, 1), (2, 1), (10, 4), (50, 7), (250, 11)])
def test_a_connection_counts_its_node_by_the_logarithm_of_its_size(n: int, times: int) -> None:
    assert cost.times(n) == times


def test_the_price_is_reserved_by_what_is_asked_and_charged_by_what_came(desk: Desk) -> None:
    answer = desk.call("locations")

    # A location with its pickup settings is two objects; fifty count seven times, the two that came once.
    assert answer["extensions"]["cost"] == {
        "requestedQueryCost": 2 + 7 * 2,
        "actualQueryCost": 2 + 1 * 2,
        "throttleStatus": {
            "maximumAvailable": 2000,
            "currentlyAvailable": 2000 - 4,
            "restoreRate": 100,
        },
    }


def test_a_set_costs_thirteen_whatever_its_rows_and_ten_when_refused(desk: Desk) -> None:
    three = desk.set(*(desk.row(f"SKU-{n}", 5) for n in (1, 2, 3)))["extensions"]["cost"]
    refused = desk.set(desk.row("SKU-1", 5, 99))["extensions"]["cost"]

    assert (three["requestedQueryCost"], three["actualQueryCost"]) == (13, 13)
    assert (refused["requestedQueryCost"], refused["actualQueryCost"]) == (13, 10)


def test_an_empty_bucket_throttles_and_fills_with_the_clock(desk: Desk) -> None:
    desk.do("limit", maximum=20, restore_rate=2)
    desk.set(desk.row("SKU-1", 5))

    throttled = desk.set(desk.row("SKU-1", 6))
    desk.clock.advance(2.9)
    still = desk.set(desk.row("SKU-1", 6))
    desk.clock.advance(0.2)
    through = desk.set(desk.row("SKU-1", 6))

    assert throttled == {
        "errors": [
            {
                "message": "Throttled",
                "extensions": {
                    "code": "THROTTLED",
                    "documentation": "https://shopify.dev/api/usage/rate-limits",
                },
            }
        ],
        "extensions": {
            "cost": {
                "requestedQueryCost": 13,
                "actualQueryCost": None,
                "throttleStatus": {
                    "maximumAvailable": 20,
                    "currentlyAvailable": 7,
                    "restoreRate": 2,
                },
            }
        },
    }
    assert still["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "errors" not in through
    assert desk.shop.level("SKU-1", "Main").units["available"] == 6


def test_the_bucket_never_holds_more_than_its_size(desk: Desk) -> None:
    desk.clock.advance(3600)

    answer = desk.call("{ shop { id } }")

    assert answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 1999


def test_a_single_call_above_a_thousand_points_is_refused(desk: Desk) -> None:
    text = """{ products(first: 250) { nodes { variants(first: 250) { nodes {
      inventoryItem { inventoryLevels(first: 250) { nodes { id } } } } } } } }"""

    answer = desk.call(text)

    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert answer["errors"][0]["extensions"]["cost"] > 1000
    assert "data" not in answer


def test_the_debug_header_breaks_the_price_down(desk: Desk) -> None:
    ticket = desk.simulator.engine.admit({"query": document("locations")}, debug=True)
    assert isinstance(ticket, Ticket)
    body = json.loads(desk.simulator.engine.finish(ticket).body)

    fields = body["extensions"]["cost"]["fields"]
    assert {
        "path": ["locations"],
        "definedCost": 2,
        "requestedTotalCost": 16,
        "requestedChildrenCost": 14,
    } in fields
