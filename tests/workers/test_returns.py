"""A vendor that answers again: what waited for it is due at once and excused for a moment, unless it is not back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from ledger.db import transaction
from reconcile import returns
from tests.reconcile.house import CHANNEL, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import drifts, run_once, shows
from workers.flows.returns import answered

QUEUE = "SELECT sku FROM push_due WHERE run_at <= :now ORDER BY priority, run_at"
_PUT_OFF = text("""
    INSERT INTO push_due (channel, sku, location, priority, since, run_at, attempts, error)
    VALUES (:c, :sku, 'OSLO', :priority, :since, :run_at, :attempts, :error)
    ON CONFLICT (channel, sku, location) DO UPDATE SET run_at = excluded.run_at, attempts = excluded.attempts
""")


@pytest.fixture
def shop(database: Database, clock: Clock) -> MemoryChannel:
    """Shows 50 of each, and was told fewer while it was away."""
    furnish(database.engine, {"FAST": 10, "SLOW": 10, "GONE": 0, "MORE": 90}, clock=clock)
    return shows(clock, FAST=50, SLOW=50, GONE=50, MORE=50)


def goes_away(database: Database, clock: Clock, *, error: str = "unavailable: 503") -> None:
    """For ten minutes; each row has come to a wait of its own."""
    queued = clock.now
    with transaction(database.engine) as connection:
        returns.away(connection, CHANNEL, clock.now)
        connection.execute(
            text(
                "INSERT INTO early_read (channel, sku, runs_out_s, every_s, due_at)"
                " VALUES (:c, 'FAST', 60, 60, :at)"
            ),
            {"c": CHANNEL, "at": clock.now + timedelta(hours=1)},
        )
        clock.advance(600)
        for wait_s, (sku, priority) in enumerate(
            [("MORE", 3), ("SLOW", 1), ("FAST", 1), ("GONE", 0)], 5
        ):
            put_off(database, clock, sku, priority, wait_s * 60, since=queued, error=error)


def put_off(
    database: Database, clock: Clock, sku: str, priority: int, wait_s: float, **more: object
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            _PUT_OFF,
            {
                "c": CHANNEL,
                "sku": sku,
                "priority": priority,
                "run_at": clock.now + timedelta(seconds=wait_s),
                "attempts": 8,
                **more,
            },
        )


def due(database: Database, clock: Clock) -> list[object]:
    return [row[0] for row in rows(database.engine, QUEUE, now=clock.now)]


def test_the_first_answer_makes_due_what_waited_in_the_order_of_risk(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    goes_away(database, clock)
    assert due(database, clock) == []

    assert answered(database.engine, CHANNEL, clock.now) == 4
    assert due(database, clock) == ["GONE", "FAST", "SLOW", "MORE"]
    assert answered(database.engine, CHANNEL, clock.now) == 0


def test_what_waited_is_no_drift_in_the_first_moments_and_drift_when_it_stays(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    goes_away(database, clock)

    report = run_once(database, shop, clock)

    assert (report.counts.drifted, report.counts.in_flight) == (0, 4)
    clock.advance(900)
    run_once(database, shop, clock)
    assert {sku for sku, *_ in drifts(database)} == {"FAST", "SLOW", "GONE", "MORE"}


def test_a_vendor_that_reads_and_does_not_write_excuses_nothing_a_second_time(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    goes_away(database, clock)
    run_once(database, shop, clock)
    # What came due was tried, and failed as before.
    clock.advance(5)
    with transaction(database.engine) as connection:
        returns.away(connection, CHANNEL, clock.now)
    put_off(database, clock, "GONE", 0, 900, since=clock.now, error="unavailable: 503")
    clock.advance(895)

    run_once(database, shop, clock)

    assert "GONE" in {sku for sku, *_ in drifts(database)}


@pytest.mark.parametrize("failed_for_s", [0, 29])
def test_a_call_that_failed_once_ends_no_waiting(
    database: Database, clock: Clock, shop: MemoryChannel, failed_for_s: float
) -> None:
    goes_away(database, clock)
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE channel SET away_since = :at"),
            {"at": clock.now - timedelta(seconds=failed_for_s)},
        )

    assert answered(database.engine, CHANNEL, clock.now) == 0
    assert rows(database.engine, "SELECT away_since, back_at FROM channel") == [(None, None)]


def test_what_the_vendor_refused_keeps_its_pace(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    goes_away(database, clock, error="refused INVALID: no such item")

    assert answered(database.engine, CHANNEL, clock.now) == 0
    assert due(database, clock) == []


def test_jobs_that_wait_for_the_vendor_are_due_too(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    goes_away(database, clock)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO run (job, channel, window_at, state, leased_until)"
                " VALUES ('orders', :c, :now, 'due', :later)"
            ),
            {"c": CHANNEL, "now": clock.now, "later": clock.now + timedelta(minutes=5)},
        )

    answered(database.engine, CHANNEL, clock.now)

    assert rows(database.engine, "SELECT leased_until FROM run") == [(clock.now,)]
