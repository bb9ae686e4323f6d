"""What was read while the database's clock was ahead is no drift, whenever the clock is put right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from channels.base import Binding, Reading
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import run_once
from workers.flows import early_reads
from workers.flows.reconcile import Terms
from workers.flows.sweep import sweep

HOUR_S = 3600
#: Seconds to the sweep that finds that the clock was put back.
SWEEP_S = 20


@pytest.fixture
def behind(database: Database, clock: Clock) -> MemoryChannel:
    """A shop that shows 34 of 30, whose orders are heard up to five seconds ago."""
    furnish(database.engine, {"TEA": 30}, clock=clock)
    mark(database, clock, before_s=5)
    return MemoryChannel(clock, {("TEA", OSLO): 34})


def mark(database: Database, clock: Clock, before_s: float = 0) -> None:
    with database.engine.begin() as connection:
        values = {"m": clock.now - timedelta(seconds=before_s)}
        connection.execute(text("UPDATE channel SET orders_mark = :m"), values)


def pushed(database: Database, clock: Clock, units: int) -> None:
    """A target is set, pushed and confirmed, all at this moment."""
    with database.engine.begin() as connection:
        called = text("""
            INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)
            SELECT 'k', channel, sku, location, :units, number + 1, :at, :at, 'confirmed' FROM target
        """)
        connection.execute(called, {"units": units, "at": clock.now})
        target = "UPDATE target SET units = :units, number = number + 1, set_at = :at"
        connection.execute(text(target), {"units": units, "at": clock.now})
        shown = "UPDATE shown SET units = :units, number = number + 1, confirmed_at = :at"
        connection.execute(text(shown), {"units": units, "at": clock.now})


def read_ahead(database: Database, clock: Clock, shop: MemoryChannel) -> None:
    """The clock is an hour ahead, and the shop is read; its orders are to be heard before it is judged."""
    clock.advance(HOUR_S)
    mark(database, clock, before_s=5)
    terms = Terms()
    hears = replace(terms, limits=replace(terms.limits, hears_first=True))
    report = run_once(database, shop, clock, terms=hears)
    assert (report.counts.drifted, report.counts.in_flight) == (0, 1)
    assert rows(database.engine, "SELECT sku FROM second_look") == [("TEA",)]


def look_again(database: Database, clock: Clock, shop: MemoryChannel) -> early_reads.EarlyReport:
    mark(database, clock)
    return early_reads.go(
        database.engine,
        shop,
        channel=CHANNEL,
        now=lambda: clock.now,
        terms=Terms(),
        hear=lambda: None,
    )


def test_a_reading_that_waits_is_not_judged_by_a_call_that_came_before_the_clock_was_found(
    database: Database, clock: Clock, behind: MemoryChannel
) -> None:
    read_ahead(database, clock, behind)
    clock.advance(1 - HOUR_S)
    pushed(database, clock, 40)
    clock.advance(SWEEP_S)
    sweep(database.engine, now=clock.now)
    with database.engine.begin() as connection:
        # All that the sweep made due is computed, and comes to what it was.
        connection.execute(text("DELETE FROM due"))
    clock.advance(70)

    look_again(database, clock, behind)

    assert rows(database.engine, "SELECT expected, actual, cause FROM drift") == []


def test_a_reading_that_waits_is_not_judged_before_the_clock_is_found(
    database: Database, clock: Clock, behind: MemoryChannel
) -> None:
    read_ahead(database, clock, behind)
    clock.advance(1 - HOUR_S)
    pushed(database, clock, 40)
    # Whoever kept it looked at the right clock already.
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE second_look SET due_at = :now, until_at = :now"), {"now": clock.now}
        )

    report = look_again(database, clock, behind)

    assert (report.looked, report.drifted) == (1, 0)


class PutRight(MemoryChannel):
    """While it is read the clock is put right, and something is pushed to it."""

    database: Database

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        yield from super().snapshot(bindings)
        self.clock.advance(1 - HOUR_S)
        pushed(self.database, self.clock, 40)


def test_a_reading_during_which_the_clock_is_put_right_is_not_judged(
    database: Database, clock: Clock, behind: MemoryChannel
) -> None:
    shop = PutRight(clock, behind.shows)
    shop.database = database
    clock.advance(HOUR_S)

    report = run_once(database, shop, clock)

    assert (report.counts.drifted, report.counts.in_flight) == (0, 1)
    assert rows(database.engine, "SELECT sku FROM second_look") == []


def test_what_really_differs_is_found_by_the_window_that_comes_again(
    database: Database, clock: Clock, behind: MemoryChannel
) -> None:
    read_ahead(database, clock, behind)
    clock.advance(1 - HOUR_S)
    sweep(database.engine, now=clock.now)
    clock.advance(900)
    mark(database, clock)

    report = run_once(database, behind, clock)

    assert report.counts.drifted == 1
