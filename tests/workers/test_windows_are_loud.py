"""Windows that were missed or late are told until a run is good again; an outage of all vendors is no drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from structlog.testing import capture_logs

from channels.base import Binding, Reading, Unauthorised, Unavailable
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import run_once, shows
from workers.flows import reconcile as flow

OPEN = "SELECT rule, object FROM alarm WHERE resolved_at IS NULL ORDER BY rule"
WHAT = f"channel:{CHANNEL}"


def open_windows(database: Database, clock: Clock) -> None:
    flow.open_windows(database.engine, now=clock.now, window_s=900)


def test_a_window_that_nobody_opened_is_told_once_and_is_over_with_a_good_run(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    run_once(database, shows(clock, TEA_1=30), clock)
    clock.advance(3 * 900)

    with capture_logs() as logged:
        open_windows(database, clock)
        open_windows(database, clock)

    assert [line["event"] for line in logged].count("alarm.raised") == 1
    assert rows(database.engine, OPEN) == [("missed_window", WHAT)]
    assert rows(database.engine, "SELECT detail ->> 'missed' FROM alarm") == [("2",)]
    run_once(database, shows(clock, TEA_1=30), clock, window_at=clock.now)
    assert rows(database.engine, OPEN) == []


def test_a_window_that_no_worker_took_is_missed(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    open_windows(database, clock)
    clock.advance(900)

    open_windows(database, clock)

    assert rows(database.engine, OPEN) == [("missed_window", WHAT)]
    assert rows(database.engine, "SELECT detail ->> 'why' FROM alarm") == [
        ("no worker came before the window ended",)
    ]


def test_a_window_that_the_channel_ended_is_missed_with_its_words(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = shows(clock, TEA_1=30)
    client.faults = [Unauthorised("401 no such token")]
    run_once(database, client, clock)
    clock.advance(900)

    open_windows(database, clock)

    why = rows(database.engine, "SELECT detail ->> 'why' FROM alarm")
    assert why == [("Unauthorised: 401 no such token",)]


class Slow(MemoryChannel):
    """Needs longer than the window; its worker is alive."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        for reading in super().snapshot(bindings):
            for _ in range(50):
                self.clock.advance(19)
                yield reading


def test_a_run_that_outlasts_its_window_is_told_and_marked(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    report = run_once(database, Slow(clock, {("TEA-1", OSLO): 30}), clock)

    assert report.state == "done"
    assert rows(database.engine, "SELECT state, overrun FROM run") == [("done", True)]
    assert rows(database.engine, OPEN) == [("overrun_window", WHAT)]


def test_a_run_at_work_when_the_next_window_opens_is_told(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    class Working(Slow):
        def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
            yield from super().snapshot(bindings)
            open_windows(database, clock)

    run_once(database, Working(clock, {("TEA-1", OSLO): 30}), clock)

    told = rows(database.engine, "SELECT rule, detail ->> 'state' FROM alarm")
    assert told == [("overrun_window", "done")]
    assert rows(database.engine, "SELECT overrun FROM run ORDER BY window_at LIMIT 1") == [(True,)]


def test_a_run_counts_what_it_found_to_be_over(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    run_once(database, shows(clock, TEA_1=31, TEA_2=30), clock)
    clock.advance(900)

    run_once(database, shows(clock, TEA_1=30, TEA_2=30), clock)

    assert rows(database.engine, "SELECT drifted, fixed FROM run ORDER BY window_at") == [
        (1, 0),
        (0, 1),
    ]


def test_all_vendors_away_for_twenty_minutes_is_no_drift_and_the_windows_say_so(
    database: Database, clock: Clock
) -> None:
    vendors = {}
    for name in ("shopify", "amazon", "square"):
        furnish(database.engine, {f"{name}-1": 30, f"{name}-2": 5}, clock=clock, channel=name)
        units: dict[tuple[str, str], int | None] = {(f"{name}-1", OSLO): 30, (f"{name}-2", OSLO): 5}
        vendors[name] = MemoryChannel(clock, units, name=name)

    def window(*, away: bool) -> list[str]:
        """Everybody who has something to do, until nobody has or the window ends."""
        opened = flow.open_windows(database.engine, now=clock.now, window_s=900).opened
        ends = clock.now + timedelta(seconds=900)
        states: list[str] = []
        for channel, _ in opened:
            vendors[channel].faults = [Unavailable("503")] * (100 if away else 0)
        while clock.now < ends:
            for channel, window_at in opened:
                report = flow.reconcile(
                    database.engine,
                    vendors[channel],
                    channel=channel,
                    window_at=window_at,
                    now=lambda: clock.now,
                    terms=flow.Terms(),
                )
                states.append(report.state)
            clock.advance(60)
        return states

    window(away=False)
    window(away=True)
    calls_away = max(len(vendor.calls) for vendor in vendors.values())
    away_alarms = rows(database.engine, "SELECT count(*) FROM alarm")
    states = window(away=False)

    assert states.count("done") == 3
    assert rows(database.engine, "SELECT count(*) FROM drift") == [(0,)]
    assert rows(database.engine, "SELECT count(*) FROM halt") == [(0,)]
    assert rows(
        database.engine,
        "SELECT state, count(*) FROM run GROUP BY window_at, state ORDER BY window_at",
    ) == [("done", 3), ("failed", 3), ("done", 3)]
    # Told when the next window opened, and over since it was done.
    assert away_alarms == [(0,)]
    assert (
        rows(database.engine, "SELECT rule, resolved_at IS NULL FROM alarm")
        == [("missed_window", False)] * 3
    )
    assert calls_away < 15, "a vendor that is away is not hammered"
