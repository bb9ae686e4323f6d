"""Windows open once, runs are held by one worker, and a window nobody opened is seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from reconcile import runs
from reconcile.types import Counts
from tests.reconcile.house import rows
from tests.servers import Clock, Database

JOB = "reconcile"
LEASE_S = 60.0


def _open(
    database: Database, now: datetime, channels: tuple[str, ...] = ("shopify",), window_s: int = 900
) -> runs.Windows:
    with database.engine.begin() as connection:
        return runs.open_windows(connection, JOB, channels, now, window_s)


def _claim(database: Database, window_at: datetime, now: datetime) -> runs.Run | None:
    with database.engine.begin() as connection:
        return runs.claim_run(connection, JOB, "shopify", window_at, now, LEASE_S)


def _claimed(database: Database, window_at: datetime, now: datetime) -> runs.Run:
    """The run, which nobody else may hold."""
    run = _claim(database, window_at, now)
    assert run is not None
    return run


def _states(database: Database) -> list[tuple[object, ...]]:
    return rows(database.engine, "SELECT window_at, state FROM run ORDER BY window_at")


@pytest.mark.parametrize(
    ("minute", "start"), [(0, 0), (14, 0), (15, 15), (44, 30), (59, 45)], ids=str
)
def test_windows_of_15_minutes_start_on_the_quarter(minute: int, start: int) -> None:
    now = datetime(2026, 3, 2, 9, minute, 59, tzinfo=UTC)

    assert runs.window_of(now, 900) == datetime(2026, 3, 2, 9, start, tzinfo=UTC)


def test_a_window_opens_once_for_each_channel(database: Database, clock: Clock) -> None:
    first = _open(database, clock.now, ("shopify", "square"))

    again = _open(database, clock.advance(30), ("shopify", "square", "amazon"))

    assert [channel for channel, _ in first.opened] == ["shopify", "square"]
    assert [channel for channel, _ in again.opened] == ["amazon"]


def test_schedulers_that_race_open_a_window_once(database: Database, clock: Clock) -> None:
    channels = tuple(f"shop{n}" for n in range(20))
    schedulers = 6
    barrier = Barrier(schedulers)

    def beat(_: int) -> list[tuple[str, datetime]]:
        barrier.wait()
        return _open(database, clock.now, channels).opened

    with ThreadPoolExecutor(schedulers) as pool:
        opened = [window for windows in pool.map(beat, range(schedulers)) for window in windows]

    assert sorted(opened) == sorted((channel, clock.now) for channel in channels)


def test_a_window_that_nobody_opened_is_seen_as_missed(database: Database, clock: Clock) -> None:
    start = clock.now
    run = _open(database, start)
    assert run.missed == []

    windows = _open(database, clock.advance(3 * 900 + 5))

    assert windows.missed == [
        ("shopify", start + timedelta(seconds=1800)),
        ("shopify", start + timedelta(seconds=900)),
    ]
    assert [state for _, state in _states(database)] == ["missed", "missed", "missed", "due"]


def test_a_new_channel_has_missed_nothing(database: Database, clock: Clock) -> None:
    _open(database, clock.now)

    windows = _open(database, clock.advance(9000), ("square",))

    assert windows.missed == []


def test_a_long_silence_does_not_write_a_year_of_missed_windows(
    database: Database, clock: Clock
) -> None:
    _open(database, clock.now)

    windows = _open(database, clock.advance(365 * 86400))

    assert len(windows.missed) == runs.MISSED_AT_MOST


def test_a_run_is_held_by_one_of_the_workers_that_race(database: Database, clock: Clock) -> None:
    _open(database, clock.now)
    workers = 6
    barrier = Barrier(workers)

    def work(_: int) -> runs.Run | None:
        barrier.wait()
        return _claim(database, clock.now, clock.now)

    with ThreadPoolExecutor(workers) as pool:
        held = [run for run in pool.map(work, range(workers)) if run is not None]

    assert [run.attempt for run in held] == [1]


def test_a_run_whose_worker_died_is_taken_over_after_its_lease(
    database: Database, clock: Clock
) -> None:
    window_at = clock.now
    _open(database, window_at)
    dead = _claimed(database, window_at, clock.now)

    too_early = _claim(database, window_at, clock.advance(LEASE_S - 1))
    taken = _claim(database, window_at, clock.advance(1))

    assert too_early is None
    assert taken is not None
    assert taken.attempt == 2
    with pytest.raises(runs.LeaseLost), database.engine.begin() as connection:
        runs.finish_run(connection, dead, Counts(), clock.now)
    with pytest.raises(runs.LeaseLost), database.engine.begin() as connection:
        runs.renew(connection, dead, clock.now, LEASE_S)
    assert _states(database) == [(window_at, "running")]


def test_a_renewed_lease_is_not_taken_over(database: Database, clock: Clock) -> None:
    window_at = clock.now
    _open(database, window_at)
    run = _claimed(database, window_at, clock.now)
    with database.engine.begin() as connection:
        runs.renew(connection, run, clock.advance(50), LEASE_S)

    assert _claim(database, window_at, clock.advance(50)) is None


def test_a_finished_run_is_done_with_its_counts(database: Database, clock: Clock) -> None:
    _open(database, clock.now)
    run = _claimed(database, clock.now, clock.now)

    with database.engine.begin() as connection:
        runs.finish_run(connection, run, Counts(9, 8, 1, 2, 3, 4, 1), clock.now)

    assert rows(
        database.engine,
        "SELECT state, expected, read, unknown, in_flight, drifted, repushed, halted FROM run",
    ) == [("done", 9, 8, 1, 2, 3, 4, 1)]
    assert _claim(database, clock.now, clock.advance(100)) is None


def test_a_run_put_off_waits_for_its_time_and_the_sweep_finds_it(
    database: Database, clock: Clock
) -> None:
    window_at = clock.now
    _open(database, window_at)
    run = _claimed(database, window_at, clock.now)
    with database.engine.begin() as connection:
        runs.fail_run(connection, run, "429", clock.now, again_at=clock.now + timedelta(seconds=30))

    with database.engine.begin() as connection:
        early = runs.open_runs(connection, clock.advance(29))
        due = runs.open_runs(connection, clock.advance(1))

    assert early == []
    assert due == [(JOB, "shopify", window_at)]
    assert _claim(database, window_at, clock.now) is not None


def test_an_unworked_run_is_closed_when_the_next_window_opens(
    database: Database, clock: Clock
) -> None:
    first = clock.now
    _open(database, first)

    _open(database, clock.advance(900))

    assert rows(
        database.engine, "SELECT state, error FROM run WHERE window_at = :at", at=first
    ) == [("missed", "no worker came before the window ended")]
    assert _claim(database, first, clock.now) is None


def test_an_abandoned_run_is_closed_by_whoever_comes_for_it_too_late(
    database: Database, clock: Clock
) -> None:
    first = clock.now
    _open(database, first)
    _claim(database, first, clock.advance(880))
    # Its lease is alive when the next window opens, so it is left to its worker.
    _open(database, clock.advance(20))
    assert _states(database)[0] == (first, "running")

    late = _claim(database, first, clock.advance(100))

    assert late is None
    assert _states(database)[0] == (first, "missed")


def test_a_window_waits_while_the_one_before_is_still_worked(
    database: Database, clock: Clock
) -> None:
    first = clock.now
    _open(database, first)
    slow = _claimed(database, first, clock.advance(880))
    second = _open(database, clock.advance(20)).opened[0][1]

    assert _claim(database, second, clock.now) is None
    with database.engine.begin() as connection:
        runs.finish_run(connection, slow, Counts(), clock.now)

    assert _claim(database, second, clock.now) is not None


def test_a_run_that_ended_with_an_error_is_failed_not_missed(
    database: Database, clock: Clock
) -> None:
    first = clock.now
    _open(database, first)
    run = _claimed(database, first, clock.now)
    with database.engine.begin() as connection:
        runs.fail_run(connection, run, "503", clock.now, again_at=clock.advance(10))

    _open(database, first + timedelta(seconds=900))

    assert rows(
        database.engine, "SELECT state, error FROM run WHERE window_at = :at", at=first
    ) == [("failed", "503")]
