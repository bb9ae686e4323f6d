"""Seeded faults: what goes wrong, how often, and for whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from channels.simulators.faults import KINDS, Faults, UnknownFault
from channels.simulators.shopify.engine import Reply, Ticket
from channels.simulators.shopify.simulator import sign
from tests.channels.simulators.shopdesk import Desk, Mailbox, document, user_errors

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def send(desk: Desk, units: int, key: str) -> Reply:
    """A set of SKU-1 with everything the wire does to its answer."""
    input = {"name": "available", "reason": "correction", "quantities": [desk.row("SKU-1", units)]}
    request = {"query": document("set"), "variables": {"input": input, "key": key}}
    answer = desk.simulator.engine.admit(request)
    return desk.simulator.engine.finish(answer) if isinstance(answer, Ticket) else answer


def available(desk: Desk, sku: str = "SKU-1") -> int:
    return desk.shop.level(sku, "Main").units["available"]


def test_a_rate_strikes_as_often_as_its_seed_says() -> None:
    faults, again = Faults(), Faults()
    for one in (faults, again):
        one.set("swallow", now=NOW, rate=0.1, seed=7)

    first = [faults.draw("swallow", NOW) is not None for _ in range(1000)]
    second = [again.draw("swallow", NOW) is not None for _ in range(1000)]

    assert first == second
    assert 70 <= sum(first) <= 130


def test_a_count_ends() -> None:
    faults = Faults()
    faults.set("swallow", now=NOW, count=2)

    assert [faults.draw("swallow", NOW) is not None for _ in range(4)] == [True, True, False, False]


def test_a_fault_aims_at_its_sku_topic_and_operation() -> None:
    faults = Faults()
    faults.set("swallow", now=NOW, sku="A", operation="set")

    assert faults.draw("swallow", NOW, skus=["B"], operation="set") is None
    assert faults.draw("swallow", NOW, skus=["A"], operation="get") is None
    assert faults.draw("swallow", NOW, skus=["A"], operation="set") is not None


@pytest.mark.parametrize("bad", [{"kind": "gremlin"}, {"kind": "latency", "rate": 2.0}])
def test_an_impossible_fault_is_refused(desk: Desk, bad: dict[str, object]) -> None:
    with pytest.raises(UnknownFault):
        desk.do("fault", **bad)


def test_a_swallowed_write_answers_success_and_changes_nothing(desk: Desk) -> None:
    desk.do("fault", kind="swallow", sku="SKU-1", count=1)

    answer = desk.set(desk.row("SKU-1", 5, 10), desk.row("SKU-2", 5, 10))

    group = answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]
    assert [c["delta"] for c in group["changes"]] == [-5, -5, -5, -5]
    assert (available(desk), available(desk, "SKU-2")) == (10, 5)


def test_a_swallowed_write_sends_no_webhook(desk: Desk, box: Mailbox) -> None:
    desk.call("webhook", topic="INVENTORY_LEVELS_UPDATE", sub={"uri": box.url, "format": "JSON"})
    desk.do("fault", kind="swallow", count=1)

    desk.set(desk.row("SKU-1", 5))
    desk.simulator.agenda.settle()

    assert box.received == []


def test_a_refused_batch_does_not_use_the_fault_up(desk: Desk) -> None:
    desk.do("fault", kind="swallow", count=1)
    desk.set(desk.row("SKU-1", 5, 99))

    desk.set(desk.row("SKU-1", 5, 10))

    assert available(desk) == 10


def test_a_reset_after_the_write_has_written(desk: Desk) -> None:
    desk.do("fault", kind="reset_after_apply", count=1)

    reply = send(desk, 5, "k")
    replay = send(desk, 5, "k")

    assert reply.wire == "reset"
    assert available(desk) == 5
    assert replay.wire == "ok"
    changes = json.loads(replay.body)["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]
    assert changes["changes"][0]["delta"] == -5, "the key remembers the first outcome"


@pytest.mark.parametrize(
    ("kind", "status", "wire", "written"),
    [
        ("truncate", 200, "truncate", True),
        ("html", 200, "ok", False),
        ("server_error", 502, "ok", False),
        ("failed_write", 500, "ok", False),
    ],
)
def test_each_broken_answer_writes_or_does_not(
    desk: Desk, kind: str, status: int, wire: str, written: bool
) -> None:
    desk.do("fault", kind=kind, count=1, status=502)

    reply = send(desk, 5, "k")

    assert (reply.status, reply.wire) == (status, wire)
    assert available(desk) == (5 if written else 10)
    if kind in ("html", "server_error"):
        assert reply.headers["content-type"].startswith("text/html")


def test_a_throttle_storm_lasts_its_seconds(desk: Desk) -> None:
    desk.do("fault", kind="throttle", seconds=30)

    during = desk.set(desk.row("SKU-1", 5))
    desk.clock.advance(31)
    after = desk.set(desk.row("SKU-1", 5))

    assert during["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert user_errors(after) == []


def test_latency_waits_before_the_write(desk: Desk) -> None:
    desk.do("fault", kind="latency", seconds=2.5, count=1)
    request = {"query": document("set"), "variables": {}}
    input = {"name": "available", "reason": "correction", "quantities": [desk.row("SKU-1", 5)]}
    request["variables"] = {"input": input, "key": "k"}

    ticket = desk.simulator.engine.admit(request)

    assert isinstance(ticket, Ticket)
    assert ticket.delay_s == 2.5
    assert available(desk) == 10


def test_somebody_else_edits_behind_the_write(desk: Desk) -> None:
    desk.do("fault", kind="external_edit", sku="SKU-1", units=3, count=1)

    desk.set(desk.row("SKU-1", 5))

    assert available(desk) == 8


def subscribed(desk: Desk, box: Mailbox) -> None:
    desk.call("webhook", topic="ORDERS_CREATE", sub={"uri": box.url, "format": "JSON"})


def order(desk: Desk) -> str:
    return str(desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])["name"])


def names(box: Mailbox) -> list[str]:
    return [json.loads(raw)["name"] for _, raw in box.received]


def test_a_duplicated_webhook_comes_twice_under_one_id(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_duplicate", count=1)

    order(desk)
    box.wait_for(2)

    assert len({headers["x-shopify-webhook-id"] for headers, _ in box.received}) == 1


def test_a_dropped_webhook_never_comes(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_drop", count=1)

    order(desk)
    second = order(desk)
    box.wait_for(1)
    desk.simulator.agenda.settle()

    assert names(box) == [second]


def test_a_late_webhook_comes_at_its_time(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_late", seconds=60, count=1)

    order(desk)
    desk.simulator.agenda.settle()
    before = len(box.received)
    desk.clock.advance(60)
    box.wait_for(1)

    assert before == 0


def test_a_reordered_webhook_comes_after_the_next(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_reorder", count=1)

    first, second = order(desk), order(desk)
    box.wait_for(1)
    desk.clock.advance(1)
    box.wait_for(2)

    assert names(box) == [second, first]


def test_a_webhook_nobody_overtakes_comes_after_ten_seconds(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_reorder", count=1)

    only = order(desk)
    desk.clock.advance(10)
    desk.simulator.agenda.settle()
    desk.clock.advance(1)
    box.wait_for(1)

    assert names(box) == [only]


def test_a_wrong_signature_is_wrong(desk: Desk, box: Mailbox) -> None:
    subscribed(desk, box)
    desk.do("fault", kind="webhook_bad_hmac", count=1)

    order(desk)
    order(desk)
    box.wait_for(2)

    good = [
        h["x-shopify-hmac-sha256"] == sign(raw, desk.simulator.secret) for h, raw in box.received
    ]
    assert sorted(good) == [False, True]


def test_faults_are_listed_and_switched_off(desk: Desk) -> None:
    one = desk.do("fault", kind="swallow")
    desk.do("fault", kind="html")

    cleared = desk.do("clear_faults", id=one["id"])

    assert cleared == {"cleared": 1}
    shown = desk.do("faults")
    assert [fault["kind"] for fault in shown["faults"]] == ["html"]
    assert set(shown["kinds"]) == set(KINDS)


def test_numbers_may_land_elsewhere_or_be_bent_although_they_are_taken(desk: Desk) -> None:
    for fault in (
        {"kind": "packed", "sku": "SKU-1", "units": 6},
        {"kind": "crossed", "sku": "SKU-2", "other": "SKU-3"},
    ):
        desk.do("fault", **fault)

    assert user_errors(desk.set(desk.row("SKU-1", 62))) == []
    assert user_errors(desk.set(desk.row("SKU-2", 7))) == []

    assert available(desk) == 10
    assert available(desk, "SKU-3") == 7


def test_a_written_number_may_become_what_is_on_hand(desk: Desk) -> None:
    desk.do("order", lines=[{"sku": "SKU-1", "units": 2}])
    desk.do("fault", kind="wrong_state", sku="SKU-1")

    desk.set(desk.row("SKU-1", 20))

    assert available(desk) == 18


def test_a_row_may_be_refused_by_its_sku(desk: Desk) -> None:
    desk.do("fault", kind="invalid", sku="SKU-1")

    ((code, _),) = user_errors(desk.set(desk.row("SKU-1", 20)))

    assert code == "NON_MUTABLE_INVENTORY_ITEM"


@pytest.mark.parametrize("fault", [{"kind": "packed"}, {"kind": "crossed", "sku": "SKU-1"}])
def test_a_fault_that_lacks_its_numbers_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(UnknownFault, match="needs"):
        Faults().set(now=NOW, **fault)  # type: ignore[arg-type]  # a control plane hands over what it got
