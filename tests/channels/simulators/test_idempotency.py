"""Idempotency keys: a replay repeats the outcome, anything else under the same key is refused."""

from __future__ import annotations

from datetime import timedelta

from channels.simulators.shopify.engine import Reply, Ticket
from tests.channels.simulators.shopdesk import Desk, document, user_errors


def admit(desk: Desk, key: str, units: int = 5) -> Ticket | Reply:
    """The first half of a set of SKU-1."""
    input = {"name": "available", "reason": "correction", "quantities": [desk.row("SKU-1", units)]}
    request = {"query": document("set"), "variables": {"input": input, "key": key}}
    return desk.simulator.engine.admit(request)


def test_a_replay_repeats_the_outcome_and_changes_nothing(desk: Desk) -> None:
    first = desk.set(desk.row("SKU-1", 5, 10), key="k")
    desk.set(desk.row("SKU-1", 8, 5), key="other")

    again = desk.set(desk.row("SKU-1", 5, 10), key="k")

    assert again["data"] == first["data"]
    assert desk.units("SKU-1") == (8, 0, 8)


def test_a_refused_write_is_replayed_as_refused(desk: Desk) -> None:
    desk.set(desk.row("SKU-1", 5, 99), key="k")
    desk.do("drift", sku="SKU-1", location="Main", available=99)

    again = desk.set(desk.row("SKU-1", 5, 99), key="k")

    assert user_errors(again)[0][0] == "CHANGE_FROM_QUANTITY_STALE"
    assert desk.units("SKU-1") == (99, 0, 99)


def test_the_same_key_with_other_arguments_is_a_mismatch(desk: Desk) -> None:
    desk.set(desk.row("SKU-1", 5), key="k")

    answer = desk.set(desk.row("SKU-1", 6), key="k")

    assert user_errors(answer) == [("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", None)]
    assert answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"] is None
    assert desk.units("SKU-1") == (5, 0, 5)


def test_the_same_key_on_another_mutation_is_a_mismatch(desk: Desk) -> None:
    desk.set(desk.row("SKU-1", 5), key="k")

    answer = desk.call("activate", item=desk.item("SKU-1"), loc=desk.place("Second"), key="k")

    text = "The same idempotency key cannot be used with different operation parameters."
    assert answer["data"]["inventoryActivate"]["userErrors"] == [{"field": None, "message": text}]


def test_while_the_first_runs_the_second_is_told_to_wait(desk: Desk) -> None:
    running = admit(desk, "k")
    assert isinstance(running, Ticket)

    meanwhile = desk.set(desk.row("SKU-1", 5), key="k")
    desk.simulator.engine.finish(running)
    after = desk.set(desk.row("SKU-1", 5), key="k")

    assert user_errors(meanwhile) == [("IDEMPOTENCY_CONCURRENT_REQUEST", None)]
    assert user_errors(after) == []


def test_after_a_failure_in_the_middle_only_a_new_key_helps(desk: Desk) -> None:
    desk.do("fault", kind="failed_write", count=1)
    ticket = admit(desk, "k")
    assert isinstance(ticket, Ticket)

    reply = desk.simulator.engine.finish(ticket)
    again = desk.set(desk.row("SKU-1", 5), key="k")
    fresh = desk.set(desk.row("SKU-1", 5), key="k2")

    assert reply.status == 500
    assert user_errors(again) == [("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", None)]
    assert user_errors(fresh) == []


def test_a_key_is_forgotten_after_a_day(desk: Desk) -> None:
    desk.set(desk.row("SKU-1", 5), key="k")

    desk.clock.advance(timedelta(hours=23, minutes=59).total_seconds())
    early = desk.set(desk.row("SKU-1", 6), key="k")
    desk.clock.advance(120)
    late = desk.set(desk.row("SKU-1", 6), key="k")

    assert user_errors(early)[0][0] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    assert user_errors(late) == []


def test_a_throttled_call_does_not_use_its_key(desk: Desk) -> None:
    desk.do("limit", maximum=10, restore_rate=1)
    throttled = desk.set(desk.row("SKU-1", 5), key="k")
    desk.do("limit", maximum=2000, restore_rate=100)

    again = desk.set(desk.row("SKU-1", 6), key="k")

    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert user_errors(again) == []


def test_a_call_that_ends_in_a_top_level_error_does_not_use_its_key(desk: Desk) -> None:
    row = desk.row("SKU-1", 5)
    del row["changeFromQuantity"]
    desk.set(row, key="k")

    again = desk.set(desk.row("SKU-1", 5), key="k")

    assert user_errors(again) == []
