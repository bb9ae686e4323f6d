"""What follows from a drift beyond a push, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import Delivery
from reconcile import aftermath
from reconcile.compare import compare
from reconcile.store import open_drifts
from reconcile.types import Action, Cause, Fact, Finding, Limits, Named
from tests.builders import a_fact, balance, book
from tests.reconcile.cases import a_case
from tests.reconcile.house import CHANNEL, furnish, rows
from tests.servers import Clock, Database

PLACE = ("TEA-1", "OSLO")
GRACE = timedelta(seconds=60)


def a_finding(
    action: Action, cause: Cause = Cause.UNKNOWN, *, again: bool = False, **evidence: Fact
) -> Finding:
    case = a_case(33)
    named = Named(cause, evidence, look_again=again)
    return Finding(case, compare(case, Limits()), named, action)


def follow(database: Database, clock: Clock, finding: Finding) -> int:
    """Keep the drift and do what it asks for, as a window does; the id of the drift."""
    with transaction(database.engine) as connection:
        aftermath.park(connection, CHANNEL, [finding])
        ids = open_drifts(
            connection,
            channel=CHANNEL,
            window_at=clock.now,
            drifts=[finding.drift()],
            now=clock.now,
        )
        aftermath.follow(connection, CHANNEL, [finding], ids, clock.now, GRACE)
    return ids[PLACE]


def alarms(database: Database) -> list[tuple[object, ...]]:
    return rows(database.engine, "SELECT rule, object, resolved_at IS NULL FROM alarm ORDER BY id")


def test_quarantine_parks_the_number_calls_a_person_and_ends_by_release(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    due = (
        "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
        " VALUES (:c, 'TEA-1', 'OSLO', 2, :t, :t) RETURNING 1"
    )
    rows(database.engine, due, c=CHANNEL, t=clock.now)

    for _ in range(2):
        follow(database, clock, a_finding(Action.QUARANTINE))

    parked = "SELECT parked, error FROM push_due"
    assert rows(database.engine, parked) == [(True, "in quarantine: see lockstep recon quarantine")]
    assert alarms(database) == [("quarantine", f"place:{CHANNEL}/TEA-1@OSLO", True)]
    with transaction(database.engine) as connection:
        (standing,) = aftermath.quarantined(connection)
        assert standing["sku"] == "TEA-1"
        released = aftermath.release(connection, CHANNEL, [PLACE], "ann", "mended", clock.now)
        assert aftermath.quarantined(connection) == []
    assert released == [PLACE]
    assert rows(database.engine, parked) == [(False, None)]
    assert alarms(database) == [("quarantine", f"place:{CHANNEL}/TEA-1@OSLO", False)]
    trail = "SELECT actor, action FROM audit ORDER BY id"
    assert rows(database.engine, trail) == [
        ("rule:reconcile", "quarantine.set"),
        ("ann", "quarantine.release"),
    ]


def test_what_is_read_as_it_should_be_leaves_quarantine_by_itself(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    follow(database, clock, a_finding(Action.QUARANTINE))
    follow(database, clock, a_finding(Action.CALL, Cause.MAPPING_ERROR))

    with transaction(database.engine) as connection:
        aftermath.cured(connection, CHANNEL, {PLACE}, clock.now)
        aftermath.cured(connection, CHANNEL, set(), clock.now)

    assert [is_on for _, _, is_on in alarms(database)] == [False, False]


def test_an_order_booked_twice_is_reversed_once(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    order = a_fact("order", source="oms", id="oms:7", sku="TEA-1", units=3, occurred_at=clock.now)
    opening = a_fact("opening", sku="TEA-1", units=30, occurred_at=clock.now)
    book(database.engine, opening, order, now=clock.now)
    ((event_id,),) = rows(database.engine, "SELECT id::text FROM event WHERE source = 'oms'")
    found = a_finding(
        Action.REVERSE,
        Cause.DUPLICATE_EVENT,
        units=3,
        event_ids=["e-1", str(event_id)],
        second_source="oms",
        second_source_id="oms:7",
    )
    found = replace(
        found, case=replace(found.case, reading=replace(found.case.reading, observed_at=clock.now))
    )

    for _ in range(2):
        follow(database, clock, found)
    done = book(database.engine, now=clock.now)

    assert (done.entries, done.parked) == (1, 0)
    assert balance(database.engine, "TEA-1")["available"] == 30
    assert rows(database.engine, "SELECT count(*) FROM audit WHERE action = 'event.reverse'") == [
        (1,)
    ]


def settled(database: Database, clock: Clock) -> str:
    clock.advance(61)
    with transaction(database.engine) as connection:
        assert aftermath.settle_late(connection, CHANNEL, clock.now) == 1
        assert aftermath.settle_late(connection, CHANNEL, clock.now) == 0
    ((cause,),) = rows(database.engine, "SELECT cause FROM drift")
    return str(cause)


def told(database: Database, clock: Clock, *, road: str) -> None:
    body = orjson.dumps({"id": 1001})
    delivery = Delivery(CHANNEL, f"d-{road}", "orders/create", body, {"road": road})
    with transaction(database.engine) as connection:
        inbox.keep(connection, [delivery], now=clock.now)


def test_a_late_order_that_is_heard_of_within_the_grace_was_late(
    database: Database, clock: Clock
) -> None:
    follow(
        database,
        clock,
        a_finding(Action.BACKFILL, Cause.LATE_EVENT, again=True, order_ids=["1001"]),
    )
    clock.advance(30)
    told(database, clock, road="hook")

    assert settled(database, clock) == "late_event"


def test_an_order_that_only_the_poll_told_was_never_told(database: Database, clock: Clock) -> None:
    follow(
        database,
        clock,
        a_finding(Action.BACKFILL, Cause.LATE_EVENT, again=True, order_ids=["1001"]),
    )
    told(database, clock, road="poll")

    assert settled(database, clock) == "unledgered_sale"


def test_a_call_about_an_item_ends_when_it_is_on_sale_again_and_was_read_as_it_should_be(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    follow(database, clock, a_finding(Action.CALL, Cause.MAPPING_ERROR))
    run = f"UPDATE %s WHERE channel = '{CHANNEL}' RETURNING 1"
    read = run % "shown SET read_units = {}, read_at = :t, confirmed_at = NULL"

    def ends() -> int:
        clock.advance(1)
        with transaction(database.engine) as connection:
            return aftermath.mended(connection, CHANNEL, clock.now)

    rows(database.engine, run % "drift SET resolved_at = :t", t=clock.now)
    assert ends() == 0, "nobody has read it since"
    rows(database.engine, read.format(29), t=clock.now)
    assert ends() == 0, "it shows another number"
    rows(database.engine, read.format(30), t=clock.now)
    rows(database.engine, run % "drift SET resolved_at = NULL")
    assert ends() == 0, "its drift is open"
    rows(database.engine, run % "drift SET resolved_at = :t", t=clock.now)
    assert (ends(), ends()) == (1, 0)
    assert [is_on for _, _, is_on in alarms(database)] == [False]
