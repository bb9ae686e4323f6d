"""When the rules about queues, deliveries, channels and partners fire, and when they are over."""

from __future__ import annotations

import pytest

from tests.alerts.desk import Desk, look_later, severity
from tests.workers.shelf import House

# --- queues -----------------------------------------------------------------------------------------------------------


def test_numbers_that_wait_too_long_are_told_and_call_somebody_when_they_should_be_lower(
    desk: Desk, house: House
) -> None:
    house.set(A=10)
    desk.look()
    early = desk.on("push.stuck")
    look_later(desk, 301)
    rising = severity(desk, "push.stuck")
    desk.run("UPDATE push_due SET priority = 0")
    look_later(desk, 15)

    assert (early, desk.on("push.stuck")) == ([], ["channel:shop"])
    assert (rising, severity(desk, "push.stuck")) == ("", "error")


def test_numbers_of_a_halted_sku_wait_on_purpose(desk: Desk, house: House) -> None:
    house.set(A=10)
    desk.run(
        "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at)"
        " VALUES ('shop', 'A', 'set', 'r', 'ann', :at, :at)",
        at=desk.now,
    )
    look_later(desk, 301)

    assert desk.on("push.stuck") == []


def test_a_refused_number_is_told_with_the_vendors_words(desk: Desk, house: House) -> None:
    house.set(A=10)
    desk.run("UPDATE push_due SET parked = true, error = 'INVALID_INVENTORY_ITEM' WHERE sku = 'A'")
    desk.look()

    assert desk.on("push.parked") == ["push:shop/A@WH"]
    assert "INVALID_INVENTORY_ITEM" in str(desk.rows("SELECT content FROM incident"))


def delivery(desk: Desk, name: str, state: str, *, source: str = "shop", road: str = "") -> None:
    desk.run(
        "INSERT INTO inbox (source, delivery_id, topic, headers, body, received_at, state, error)"
        " VALUES (:source, :name, 't', CAST(:headers AS jsonb), '', :at, :state, :error)",
        source=source,
        name=name,
        headers='{"road": "poll"}' if road else "{}",
        at=desk.now,
        state=state,
        error="unknown SKU" if state in ("parked", "rejected") else None,
    )


def test_deliveries_that_nobody_books_call_somebody_after_a_minute(
    desk: Desk, house: House
) -> None:
    delivery(desk, "d-1", "pending")
    desk.look()
    early = desk.on("inbox.stuck")
    look_later(desk, 61)
    on = desk.on("inbox.stuck")
    desk.run("UPDATE inbox SET state = 'applied'")
    look_later(desk, 15)
    calming = desk.on("inbox.stuck")
    look_later(desk, 31)

    assert (early, on, calming) == ([], ["inbox:pending"], ["inbox:pending"])
    assert desk.on("inbox.stuck") == []


def test_parked_deliveries_are_told_until_they_are_mended_and_rejected_ones_for_a_day(
    desk: Desk, house: House
) -> None:
    delivery(desk, "d-1", "parked")
    delivery(desk, "d-2", "rejected", source="stranger")
    desk.look()
    both = desk.on("inbox.parked")
    look_later(desk, 86_401)
    desk.look()

    assert both == ["inbox:shop", "inbox:stranger"]
    assert desk.on("inbox.parked") == ["inbox:shop"]


def test_a_queue_that_was_seen_and_is_silent_is_told(desk: Desk, house: House) -> None:
    desk.run("INSERT INTO heartbeat VALUES ('push.shop', :at, 'w1')", at=desk.now)
    look_later(desk, 119)
    early = desk.on("queue.silent")
    look_later(desk, 2)
    on = desk.on("queue.silent")
    look_later(desk, 86_400)
    look_later(desk, 31)

    assert (early, on, desk.on("queue.silent")) == ([], ["queue:push.shop"], [])


# --- channels and partners --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "severity_"), [("orders", ""), ("ann", "info")])
def test_a_paused_channel_calls_somebody_unless_a_person_paused_it(
    desk: Desk, house: House, by: str, severity_: str
) -> None:
    desk.run("UPDATE channel SET paused = true, paused_by = :by, paused_why = '401'", by=by)
    desk.look()

    assert severity(desk, "channel.paused") == severity_


def test_a_document_that_was_sent_again_is_waited_for_anew(desk: Desk, house: House) -> None:
    desk.run(
        "INSERT INTO edi_interchange (partner, direction, state, control, serial, body, content_hash, made_at, sent_at)"
        " VALUES ('shop', 'out', 'sent', '1', 1, '', '', :at, :at)",
        at=desk.now,
    )
    sent = (
        "INSERT INTO edi_document (interchange_id, partner, direction, place, set_id, group_kind, group_control,"
        " set_control, content_hash, state, ack_state, due_at, resends, made_at)"
        " VALUES (1, 'shop', 'out', :place, '855', 'PR', '1', '0001', '', 'posted', :ack, :at, :again, :at)"
    )
    desk.run(sent, place=0, ack="overdue", again=None, at=desk.now)
    desk.look()
    before = desk.on("edi.overdue")
    desk.run(sent, place=1, ack="waiting", again=1, at=desk.now)
    look_later(desk, 15)

    assert (before, desk.on("edi.overdue")) == (["edi:shop/1"], [])


def orders(desk: Desk, count: int, late_s: float) -> None:
    desk.run(
        "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state)"
        " VALUES ('x', 'of orders', 't', '', :at, 'applied') ON CONFLICT DO NOTHING",
        at=desk.now,
    )
    with_superuser = (
        "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)"
        " SELECT 'order', 'shop', 'o' || :late || '-' || n, CAST(:at AS timestamptz) - make_interval(secs => :late),"
        " :at, 'shop', n::text, '1' FROM generate_series(1, :count) n"
    )
    desk.as_superuser(with_superuser, late=late_s, at=desk.now, count=count)


@pytest.mark.parametrize(
    ("in_time", "late", "late_s", "on"),
    [(97, 3, 61, True), (97, 2, 61, False), (400, 3, 61, False), (0, 3, 59, False)],
)
def test_more_than_one_in_a_hundred_orders_booked_late_call_somebody(
    desk: Desk, house: House, in_time: int, late: int, late_s: float, on: bool
) -> None:
    orders(desk, in_time, 5)
    orders(desk, late, late_s)
    desk.look()

    assert bool(desk.on("capture.late")) is on


def test_history_that_is_imported_is_not_late(desk: Desk, house: House) -> None:
    orders(desk, 50, 30 * 86_400)
    desk.look()

    assert desk.on("capture.late") == []


def test_a_channel_whose_orders_only_the_poll_finds_does_not_call_us(
    desk: Desk, house: House
) -> None:
    desk.run("UPDATE channel SET hook_uri = 'https://hooks.example/shop'")
    for n in range(3):
        delivery(desk, f"p-{n}", "applied", road="poll")
    desk.look()
    on = desk.on("subscription.unseen")
    delivery(desk, "called", "applied")
    look_later(desk, 61)

    assert (on, desk.on("subscription.unseen")) == (["channel:shop"], [])


def test_a_subscription_that_the_vendor_dropped_is_told_for_an_hour(
    desk: Desk, house: House
) -> None:
    desk.run("UPDATE channel SET hook_uri = 'https://hooks.example/shop'")
    desk.run(
        "INSERT INTO audit (at, actor, action, object, reason) VALUES"
        " (:at, 'lockstep', 'channel.subscribe', 'channel:shop', 'the vendor had dropped orders/create')",
        at=desk.now,
    )
    desk.look()
    on = desk.on("subscription.unseen")
    look_later(desk, 3601)

    assert (on, desk.on("subscription.unseen")) == (["channel:shop"], [])
