"""A run of reconciliation: what it finds, what it does about it, and what is left when it dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

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
from reconcile import halt_store, runs
from reconcile.types import Cause, Counts, HaltRule, Limits
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, pushed, rows
from tests.servers import Clock, Database
from workers.flows import reconcile as flow
from workers.flows.reconcile import RunReport, Terms
from workers.settings import Settings

TERMS = Terms()


def _run(
    database: Database,
    client: MemoryChannel,
    clock: Clock,
    *,
    window_at: datetime | None = None,
    terms: Terms = TERMS,
    dry_run: bool = False,
) -> RunReport:
    opened = (
        [] if dry_run else flow.open_windows(database.engine, now=clock.now, window_s=900).opened
    )
    at = window_at or (opened[0][1] if opened else runs.window_of(clock.now, 900))
    return flow.reconcile(
        database.engine,
        client,
        channel=CHANNEL,
        window_at=at,
        now=lambda: clock.now,
        terms=terms,
        dry_run=dry_run,
    )


def _shows(clock: Clock, **units: int | None) -> MemoryChannel:
    return MemoryChannel(clock, {(sku.replace("_", "-"), OSLO): n for sku, n in units.items()})


def _due(database: Database) -> list[tuple[object, ...]]:
    return rows(database.engine, "SELECT sku, priority, run_at FROM push_due ORDER BY sku")


def _drifts(database: Database) -> list[tuple[object, ...]]:
    return rows(
        database.engine,
        "SELECT sku, expected, actual, cause, action, resolved_at IS NULL FROM drift ORDER BY sku, id",
    )


def test_a_channel_in_step_leaves_a_clean_run(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 0}, clock=clock)

    report = _run(database, _shows(clock, TEA_1=30, TEA_2=-2), clock)

    assert (report.state, report.counts) == ("done", Counts(expected=2, read=2))
    assert _drifts(database) == _due(database) == []
    assert rows(database.engine, "SELECT state, expected, read FROM run") == [("done", 2, 2)]


def test_a_swallowed_update_is_found_and_pushed_again(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 50}, clock=clock)
    pushed(database.engine, "TEA-1", 52, number=1, at=clock.now - timedelta(hours=2))
    pushed(database.engine, "TEA-1", 50, number=2, at=clock.now - timedelta(hours=1))

    report = _run(database, _shows(clock, TEA_1=52), clock)

    assert report.ring_push
    assert not report.ring_halts
    assert _drifts(database) == [("TEA-1", 50, 52, "swallowed_update", "re-push", True)]
    assert _due(database) == [("TEA-1", 1, clock.now)]
    assert rows(database.engine, "SELECT units, read_units, read_at FROM shown") == [
        (50, 52, clock.now)
    ]


def test_the_drift_is_resolved_by_the_run_that_reads_the_target(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 50}, clock=clock)
    _run(database, _shows(clock, TEA_1=52), clock)
    clock.advance(900)

    report = _run(database, _shows(clock, TEA_1=50), clock)

    assert report.counts.drifted == 0
    assert rows(database.engine, "SELECT resolved_at, result FROM drift") == [
        (clock.now, "the channel came to the 50 units expected")
    ]


def test_a_channel_that_shows_far_too_much_is_halted_and_due_first(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 0}, clock=clock)

    report = _run(database, _shows(clock, TEA_1=50, TEA_2=3), clock)

    assert report.halted == ("TEA-1", "TEA-2")
    assert report.counts == Counts(expected=2, read=2, drifted=2, repushed=2, halted=2)
    assert _due(database) == [("TEA-1", 1, clock.now), ("TEA-2", 0, clock.now)]
    assert rows(
        database.engine,
        "SELECT halt.sku, halt.state, halt.set_by, halt.reason, drift.sku FROM halt"
        " JOIN drift ON drift.id = drift_id ORDER BY halt.sku",
    )[0] == (
        "TEA-1",
        "setting",
        "rule:reconcile",
        "OSLO shows 50, expected 30: 20 units (66.7 %) too many",
        "TEA-1",
    )


def test_a_sku_is_halted_once_though_two_of_its_places_show_too_much(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {("TEA-1", "A"): 10, ("TEA-1", "B"): 10}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", "A"): 20, ("TEA-1", "B"): 20})

    report = _run(database, client, clock)

    assert (report.halted, report.counts.halted, report.counts.drifted) == (("TEA-1",), 1, 2)
    assert [row[4] for row in _drifts(database)] == ["halt and re-push"] * 2


def test_showing_too_little_waits_for_orders_that_may_be_on_their_way(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    _run(database, _shows(clock, TEA_1=27), clock)

    assert _due(database) == [("TEA-1", 3, clock.now + timedelta(seconds=60))]
    assert rows(database.engine, "SELECT count(*) FROM halt") == [(0,)]


def test_showing_too_little_is_repaired_at_once_when_all_orders_are_in(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    rows(database.engine, "UPDATE channel SET orders_mark = :at RETURNING 1", at=clock.now)

    _run(database, _shows(clock, TEA_1=27), clock)

    assert _due(database) == [("TEA-1", 3, clock.now)]


def test_an_order_that_was_late_is_seen_when_the_target_comes_to_the_reading(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = _shows(clock, TEA_1=27)
    _run(database, client, clock)
    rows(database.engine, "UPDATE target SET units = 27, number = 3 RETURNING 1")
    clock.advance(900)

    _run(database, client, clock)

    assert _drifts(database)[0][3] == Cause.LATE_EVENT
    assert _drifts(database)[0][5] is False


def test_what_the_channel_does_not_say_is_unknown_not_zero(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"ABSENT": 30, "UNTRACKED": 30, "TEA-1": 30}, clock=clock)

    report = _run(database, _shows(clock, UNTRACKED=None, TEA_1=30), clock)

    assert report.counts == Counts(expected=3, read=1, unknown=2)
    assert _drifts(database) == _due(database) == []


def test_a_push_on_its_way_is_no_drift(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    rows(
        database.engine,
        "INSERT INTO push_due (channel, sku, location, since, run_at)"
        " VALUES (:c, 'TEA-1', :l, :at, :at) RETURNING 1",
        c=CHANNEL,
        l=OSLO,
        at=clock.now - timedelta(seconds=10),
    )

    report = _run(database, _shows(clock, TEA_1=50), clock)

    assert report.counts == Counts(expected=1, read=1, in_flight=1)
    assert _drifts(database) == []


@pytest.mark.parametrize(
    ("body", "drifting"),
    [
        (b'{"line_items": [{"sku": "TEA-1"}]}', {"TEA-2"}),
        (b'{"line_items": [{"variant_id": "variant-TEA-2"}]}', {"TEA-1"}),
        (b'{"inventory_item_id": "item-TEA-1"}', {"TEA-2"}),
        (b'{"order_id": "o-17"}', set()),
    ],
    ids=["by SKU", "by variant", "by bare item id", "names no item"],
)
def test_a_delivery_not_yet_applied_excuses_what_it_speaks_of(
    database: Database, clock: Clock, body: bytes, drifting: set[str]
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    _deliver(database, body, clock.now - timedelta(seconds=20))

    report = _run(database, _shows(clock, TEA_1=27, TEA_2=27), clock)

    assert {finding.case.sku for finding in report.findings} == drifting


def test_a_delivery_that_is_stuck_excuses_nothing(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    _deliver(database, b'{"order_id": "o-17"}', clock.now - timedelta(seconds=61))

    report = _run(database, _shows(clock, TEA_1=27), clock)

    assert report.counts.drifted == 1


def _deliver(database: Database, body: bytes, at: datetime) -> None:
    rows(
        database.engine,
        "INSERT INTO inbox (source, delivery_id, topic, body, received_at)"
        " VALUES (:c, 'd-1', 'orders/create', :body, :at) RETURNING 1",
        c=CHANNEL,
        body=body,
        at=at,
    )


def test_a_row_already_due_keeps_its_age_and_back_off_and_a_parked_one_its_error(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30, "TEA-3": 30}, clock=clock)
    long_ago, later = clock.now - timedelta(minutes=10), clock.now + timedelta(minutes=1)
    rows(
        database.engine,
        "INSERT INTO push_due (channel, sku, location, priority, since, run_at, parked, error)"
        " VALUES (:c, 'TEA-1', :l, 3, :since, :run_at, false, NULL),"
        " (:c, 'TEA-2', :l, 3, :since, :run_at, true, 'INVALID'),"
        " (:c, 'TEA-3', :l, 3, :since, :run_at, true, 'INVALID') RETURNING 1",
        c=CHANNEL,
        l=OSLO,
        since=long_ago,
        run_at=later,
    )

    _run(database, _shows(clock, TEA_1=32, TEA_2=32, TEA_3=50), clock)

    assert rows(
        database.engine, "SELECT sku, priority, since, run_at, parked FROM push_due ORDER BY sku"
    ) == [
        ("TEA-1", 1, long_ago, later, False),
        ("TEA-2", 3, long_ago, later, True),
        ("TEA-3", 3, long_ago, later, True),
    ]
    assert _drifts(database)[1][3:5] == ("rejected_in_batch", "none: the item is parked, fix it")


def test_the_newest_number_read_is_what_the_next_push_compares_with(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    _run(database, _shows(clock, TEA_1=32), clock)
    clock.advance(900)

    _run(database, _shows(clock, TEA_1=31), clock)

    assert rows(database.engine, "SELECT read_units, read_at FROM shown") == [(31, clock.now)]


def test_a_reading_from_before_the_last_push_is_not_kept(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    later = clock.now + timedelta(seconds=1)
    rows(database.engine, "UPDATE shown SET confirmed_at = :at RETURNING 1", at=later)

    report = _run(database, _shows(clock, TEA_1=50), clock)

    assert report.counts == Counts(expected=1, read=1, in_flight=1)
    assert rows(database.engine, "SELECT read_units FROM shown") == [(None,)]


def test_a_number_that_is_no_news_is_written_once_an_hour(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client, first = _shows(clock, TEA_1=30), clock.now

    read_at = []
    for _ in range(6):
        _run(database, client, clock)
        (row,) = rows(database.engine, "SELECT read_at FROM shown")
        read_at.append(row[0])
        clock.advance(900)

    hour = timedelta(seconds=5 * 900)
    assert read_at == [first] * 5 + [first + hour]


def test_a_mirror_is_halted_by_its_second_window(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock, kind="mirror")
    client = _shows(clock, TEA_1=50)

    first = _run(database, client, clock)
    rows(database.engine, "DELETE FROM push_due RETURNING 1")
    clock.advance(900)
    second = _run(database, client, clock)

    assert (first.halted, second.halted) == ((), ("TEA-1",))


def test_a_paused_channel_is_read_but_not_halted(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    rows(database.engine, "UPDATE channel SET paused = true, paused_why = 'move' RETURNING 1")

    report = _run(database, _shows(clock, TEA_1=50), clock)

    assert (report.counts.drifted, report.halted) == (1, ())


def test_a_dry_run_tells_all_and_writes_nothing(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9}, clock=clock)
    client = _shows(clock, TEA_1=50, TEA_2=9)

    report = _run(database, client, clock, dry_run=True)

    assert report.counts == Counts(expected=2, read=2, drifted=1, repushed=1, halted=1)
    assert [finding.case.sku for finding in report.findings] == ["TEA-1"]
    assert report.halted == ("TEA-1",)
    written = "SELECT FROM run UNION ALL SELECT FROM drift UNION ALL SELECT FROM halt"
    more = " UNION ALL SELECT FROM push_due UNION ALL SELECT FROM audit"
    assert rows(database.engine, written + more) == []
    assert rows(database.engine, "SELECT count(read_at) FROM shown") == [(0,)]


def test_a_catalogue_is_read_in_pages_that_keep_the_places_of_a_sku_together(
    database: Database, clock: Clock
) -> None:
    targets = {(f"TEA-{n}", place): n for n in range(1, 8) for place in ("A", "B")}
    furnish(database.engine, targets, clock=clock)  # type: ignore[arg-type]  # a narrower key
    client = MemoryChannel(clock, dict(targets))

    report = _run(database, client, clock, terms=Terms(page_skus=3))

    assert report.counts == Counts(expected=14, read=14)
    assert client.calls == ["snapshot 6", "snapshot 6", "snapshot 2"]


def test_the_vendor_is_asked_with_no_transaction_open_and_the_lease_is_renewed(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {f"TEA-{n}": 5 for n in range(8)}, clock=clock)
    client = SlowChannel(clock, {(f"TEA-{n}", OSLO): 5 for n in range(8)})
    client.database, client.seconds = database, 30.0

    report = _run(database, client, clock)

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
        _run(database, DyingChannel(clock, dict(shows)), clock, terms=terms)

    healthy = MemoryChannel(clock, dict(shows))
    held = _run(database, healthy, clock, window_at=window_at, terms=terms)
    clock.advance(60)
    with transaction(database.engine) as connection:
        swept = runs.open_runs(connection, clock.now)
    report = _run(database, healthy, clock, window_at=window_at, terms=terms)

    assert held.state == "skipped"
    assert swept == [("reconcile", CHANNEL, window_at)]
    # TEA-1 was made due by the attempt that died, a minute ago.
    assert (report.state, report.counts.drifted) == ("done", 2)
    assert rows(database.engine, "SELECT sku, times FROM drift ORDER BY sku") == [
        ("TEA-1", 1),
        ("TEA-2", 1),
    ]
    assert [sku for sku, _, _ in _due(database)] == ["TEA-1", "TEA-2"]


def test_a_worker_that_was_taken_over_writes_nothing_more(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = OvertakenChannel(clock, {("TEA-1", OSLO): 50})
    client.database = database

    report = _run(database, client, clock)

    assert report.state == "skipped"
    assert _drifts(database) == _due(database) == []
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
    client = _shows(clock, TEA_1=30)
    client.faults = [fault]

    report = _run(database, client, clock)

    assert (report.state, report.again_at) == ("later", clock.now + timedelta(seconds=again_s))
    assert _run(database, client, clock, window_at=window_at).state == "skipped"
    clock.advance(again_s)
    assert _run(database, client, clock, window_at=window_at).state == "done"


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
    client = _shows(clock, TEA_1=30)
    client.faults = [fault]

    report = _run(database, client, clock)

    assert report.state == "failed"
    words = f"{type(fault).__name__}: {fault}"
    assert rows(database.engine, "SELECT state, error FROM run") == [("failed", words)]


def test_a_halted_sku_that_shows_units_again_is_stopped_again(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    with transaction(database.engine) as connection:
        halt_id, _ = halt_store.set_halt(connection, CHANNEL, "TEA-1", "recall", "ann", clock.now)
        halt_store.keep_undo(connection, halt_id, OSLO, {"policy": "CONTINUE"})
        halt_store.mark_set(connection, halt_id, clock.now)

    report = _run(database, _shows(clock, TEA_1=30), clock)

    assert report.ring_halts
    assert _drifts(database) == [("TEA-1", 0, 30, "unknown", "halt again", True)]
    assert _due(database) == []
    assert rows(database.engine, "SELECT state, set_by, undo FROM halt") == [
        ("setting", "ann", {OSLO: {"policy": "CONTINUE"}})
    ]


def test_the_rule_lifts_what_it_halted_when_two_windows_were_calm(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = _shows(clock, TEA_1=50)
    _run(database, client, clock)
    with transaction(database.engine) as connection:
        (halt,) = halt_store.open_halts(connection)
        halt_store.mark_set(connection, halt.halt_id, clock.now)
    client.shows["TEA-1", OSLO] = 0

    reports = []
    for _ in range(2):
        clock.advance(900)
        reports.append(_run(database, client, clock))

    assert [report.lifted for report in reports] == [(), ("TEA-1",)]
    assert rows(database.engine, "SELECT state, lifted_by FROM halt") == [
        ("lifting", "rule:reconcile")
    ]
    assert rows(database.engine, "SELECT result FROM drift") == [("halted: it shows nothing",)]


def test_the_rule_does_not_lift_what_it_cannot_read(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = _shows(clock, TEA_1=50)
    _run(database, client, clock)
    with transaction(database.engine) as connection:
        (halt,) = halt_store.open_halts(connection)
        halt_store.mark_set(connection, halt.halt_id, clock.now)
    client.shows["TEA-1", OSLO] = None
    clock.advance(3600)

    assert _run(database, client, clock).lifted == ()


def test_a_missed_window_is_handed_to_the_caller(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    flow.open_windows(database.engine, now=clock.now, window_s=900)
    silent = clock.now + timedelta(seconds=900)

    windows = flow.open_windows(database.engine, now=clock.advance(1800), window_s=900)

    assert windows.missed == [(CHANNEL, silent)]
    assert windows.opened == [(CHANNEL, clock.now)]


def test_a_channel_nobody_knows_is_an_error(database: Database, clock: Clock) -> None:
    with pytest.raises(flow.UnknownChannel, match="shopify"):
        _run(database, _shows(clock), clock, window_at=clock.now)


def test_the_terms_come_from_the_settings() -> None:
    terms = Terms.of(
        Settings(push_limit_s=30, verify_after_s=1, halt_percent=5, halt_units=2, reconcile_s=10)
    )

    second = timedelta(seconds=1)
    assert terms.limits == Limits(30 * second, second, 30 * second)
    assert terms.rule == HaltRule(5, 2)
    assert (terms.window_s, terms.calm) == (10, 20 * second)
