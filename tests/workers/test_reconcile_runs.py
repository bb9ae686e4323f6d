"""A run of reconciliation as a piece of work: its lease, its end, and what is left when it dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from channels.base import (
    Binding,
    ChannelError,
    Reading,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
)
from ledger.db import transaction
from reconcile import runs
from reconcile.types import HaltRule, Limits
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import drifts, due, run_once, shows
from workers.flows import reconcile as flow
from workers.flows.reconcile import Terms
from workers.settings import Settings


def test_the_vendor_is_asked_with_no_transaction_open_and_the_lease_is_renewed(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {f"TEA-{n}": 5 for n in range(8)}, clock=clock)
    client = SlowChannel(clock, {(f"TEA-{n}", OSLO): 5 for n in range(8)})
    client.database, client.seconds = database, 30.0

    report = run_once(database, client, clock)

    # 240 s of reading with a lease of 60 s.
    assert report.state == "done"
    assert client.others_saw == [0] * 8


class SlowChannel(MemoryChannel):
    """Takes its time over each reading; meanwhile another worker looks for an abandoned run."""

    database: Database
    seconds: float
    others_saw: list[int]

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        self.others_saw = []
        for reading in super().snapshot(bindings):
            self.clock.advance(self.seconds)
            with transaction(self.database.engine) as connection:
                idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                assert (
                    connection.execute(text(idle + " AND datname = current_database()")).scalar()
                    == 0
                )
                self.others_saw.append(len(runs.open_runs(connection, self.clock.now)))
            yield reading


class Killed(BaseException):
    """The worker process ends here."""


class DyingChannel(MemoryChannel):
    """The worker is killed while the second page is read."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        if self.calls:
            raise Killed
        yield from super().snapshot(bindings)


def test_a_run_killed_in_the_middle_is_finished_by_another_worker(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    window_at = clock.now
    shows = {("TEA-1", OSLO): 32, ("TEA-2", OSLO): 32}
    terms = Terms(page_skus=1)
    with pytest.raises(Killed):
        run_once(database, DyingChannel(clock, dict(shows)), clock, terms=terms)

    healthy = MemoryChannel(clock, dict(shows))
    held = run_once(database, healthy, clock, window_at=window_at, terms=terms)
    clock.advance(60)
    with transaction(database.engine) as connection:
        swept = runs.open_runs(connection, clock.now)
    report = run_once(database, healthy, clock, window_at=window_at, terms=terms)

    assert held.state == "skipped"
    assert swept == [("reconcile", CHANNEL, window_at)]
    # TEA-1 was made due by the attempt that died, a minute ago.
    assert (report.state, report.counts.drifted) == ("done", 2)
    assert rows(database.engine, "SELECT sku, times FROM drift ORDER BY sku") == [
        ("TEA-1", 1),
        ("TEA-2", 1),
    ]
    assert [sku for sku, _, _ in due(database)] == ["TEA-1", "TEA-2"]


def test_a_worker_that_was_taken_over_writes_nothing_more(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = OvertakenChannel(clock, {("TEA-1", OSLO): 50})
    client.database = database

    report = run_once(database, client, clock)

    assert report.state == "skipped"
    assert drifts(database) == due(database) == []
    assert rows(database.engine, "SELECT state, attempts FROM run") == [("running", 2)]


class OvertakenChannel(MemoryChannel):
    """So slow that another worker takes the run."""

    database: Database

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        window_at = self.clock.now
        self.clock.advance(61)
        with transaction(self.database.engine) as connection:
            runs.claim_run(connection, "reconcile", CHANNEL, window_at, self.clock.now, 60)
        yield from super().snapshot(bindings)


@pytest.mark.parametrize(
    ("fault", "again_s"),
    [
        (Throttled("429", retry_after_s=42), 42),
        (Unavailable("503"), 10),
    ],
    ids=["throttled", "unavailable"],
)
def test_a_run_that_the_channel_ended_is_due_again(
    database: Database, clock: Clock, fault: ChannelError, again_s: int
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    window_at = clock.now
    client = shows(clock, TEA_1=30)
    client.faults = [fault]

    report = run_once(database, client, clock)

    assert (report.state, report.again_at) == ("later", clock.now + timedelta(seconds=again_s))
    assert run_once(database, client, clock, window_at=window_at).state == "skipped"
    clock.advance(again_s)
    assert run_once(database, client, clock, window_at=window_at).state == "done"


@pytest.mark.parametrize(
    "fault",
    [
        Throttled("429", retry_after_s=900),
        Unauthorised("401"),
        Refused("no", code="BAD"),
    ],
    ids=["throttled beyond the window", "unauthorised", "refused"],
)
def test_a_run_that_cannot_be_done_in_its_window_has_failed_with_its_error(
    database: Database, clock: Clock, fault: ChannelError
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = shows(clock, TEA_1=30)
    client.faults = [fault]

    report = run_once(database, client, clock)

    assert report.state == "failed"
    words = f"{type(fault).__name__}: {fault}"
    assert rows(database.engine, "SELECT state, error FROM run") == [("failed", words)]


def test_a_missed_window_is_handed_to_the_caller(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    flow.open_windows(database.engine, now=clock.now, window_s=900)
    silent = clock.now + timedelta(seconds=900)

    windows = flow.open_windows(database.engine, now=clock.advance(1800), window_s=900)

    assert windows.missed == [(CHANNEL, silent)]
    assert windows.opened == [(CHANNEL, clock.now)]


def test_a_channel_nobody_knows_is_an_error(database: Database, clock: Clock) -> None:
    with pytest.raises(flow.UnknownChannel, match="shopify"):
        run_once(database, shows(clock), clock, window_at=clock.now)


def test_the_terms_come_from_the_settings() -> None:
    terms = Terms.of(
        Settings(push_limit_s=30, verify_after_s=1, halt_percent=5, halt_units=2, reconcile_s=10)
    )

    second = timedelta(seconds=1)
    assert terms.limits == Limits(30 * second, second, 30 * second, hears_first=True)
    assert terms.rule == HaltRule(5, 2, ttl=4 * 3600 * second)
    assert (terms.window_s, terms.rule.calm_windows) == (10, 2)
