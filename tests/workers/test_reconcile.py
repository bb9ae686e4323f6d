"""What a run of reconciliation finds, and what it does about it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from reconcile.types import Cause, Counts
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, pushed, rows
from tests.servers import Clock, Database
from tests.workers.rounds import drifts, due, run_once, shows
from workers.flows.reconcile import Terms


def test_a_channel_in_step_leaves_a_clean_run(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 0}, clock=clock)

    report = run_once(database, shows(clock, TEA_1=30, TEA_2=-2), clock)

    assert (report.state, report.counts) == ("done", Counts(expected=2, read=2))
    assert drifts(database) == due(database) == []
    assert rows(database.engine, "SELECT state, expected, read FROM run") == [("done", 2, 2)]


def test_a_swallowed_update_is_found_and_pushed_again(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 50}, clock=clock)
    pushed(database.engine, "TEA-1", 52, number=1, at=clock.now - timedelta(hours=2))
    pushed(database.engine, "TEA-1", 50, number=2, at=clock.now - timedelta(hours=1))

    report = run_once(database, shows(clock, TEA_1=52), clock)

    assert report.ring_push
    assert not report.ring_halts
    assert drifts(database) == [("TEA-1", 50, 52, "swallowed_update", "re-push", True)]
    assert due(database) == [("TEA-1", 1, clock.now)]
    assert rows(database.engine, "SELECT units, read_units, read_at FROM shown") == [
        (50, 52, clock.now)
    ]


def test_the_drift_is_resolved_by_the_run_that_reads_the_target(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 50}, clock=clock)
    run_once(database, shows(clock, TEA_1=52), clock)
    clock.advance(900)

    report = run_once(database, shows(clock, TEA_1=50), clock)

    assert report.counts.drifted == 0
    assert rows(database.engine, "SELECT resolved_at, result FROM drift") == [
        (clock.now, "the channel came to the 50 units expected")
    ]


def test_showing_too_little_waits_for_orders_that_may_be_on_their_way(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    run_once(database, shows(clock, TEA_1=27), clock)

    assert due(database) == [("TEA-1", 3, clock.now + timedelta(seconds=60))]
    assert rows(database.engine, "SELECT count(*) FROM halt") == [(0,)]


def test_showing_too_little_is_repaired_at_once_when_all_orders_are_in(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    rows(database.engine, "UPDATE channel SET orders_mark = :at RETURNING 1", at=clock.now)

    run_once(database, shows(clock, TEA_1=27), clock)

    assert due(database) == [("TEA-1", 3, clock.now)]


def test_an_order_that_was_late_is_seen_when_the_target_comes_to_the_reading(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = shows(clock, TEA_1=27)
    run_once(database, client, clock)
    rows(database.engine, "UPDATE target SET units = 27, number = 3 RETURNING 1")
    clock.advance(900)

    run_once(database, client, clock)

    assert drifts(database)[0][3] == Cause.LATE_EVENT
    assert drifts(database)[0][5] is False


def test_what_the_channel_does_not_say_is_unknown_not_zero(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"ABSENT": 30, "UNTRACKED": 30, "TEA-1": 30}, clock=clock)

    report = run_once(database, shows(clock, UNTRACKED=None, TEA_1=30), clock)

    assert report.counts == Counts(expected=3, read=1, unknown=2)
    assert drifts(database) == due(database) == []


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

    report = run_once(database, shows(clock, TEA_1=50), clock)

    assert report.counts == Counts(expected=1, read=1, in_flight=1)
    assert drifts(database) == []


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

    report = run_once(database, shows(clock, TEA_1=27, TEA_2=27), clock)

    assert {finding.case.sku for finding in report.findings} == drifting


def test_a_delivery_that_is_stuck_excuses_nothing(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    _deliver(database, b'{"order_id": "o-17"}', clock.now - timedelta(seconds=61))

    report = run_once(database, shows(clock, TEA_1=27), clock)

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

    run_once(database, shows(clock, TEA_1=32, TEA_2=32, TEA_3=50), clock)

    assert rows(
        database.engine, "SELECT sku, priority, since, run_at, parked FROM push_due ORDER BY sku"
    ) == [
        ("TEA-1", 1, long_ago, later, False),
        ("TEA-2", 3, long_ago, later, True),
        ("TEA-3", 3, long_ago, later, True),
    ]
    assert drifts(database)[1][3:5] == ("rejected_in_batch", "none: the item is parked, fix it")


def test_the_newest_number_read_is_what_the_next_push_compares_with(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    run_once(database, shows(clock, TEA_1=32), clock)
    clock.advance(900)

    run_once(database, shows(clock, TEA_1=31), clock)

    assert rows(database.engine, "SELECT read_units, read_at FROM shown") == [(31, clock.now)]


def test_a_reading_from_before_the_last_push_is_not_kept(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    later = clock.now + timedelta(seconds=1)
    rows(database.engine, "UPDATE shown SET confirmed_at = :at RETURNING 1", at=later)

    report = run_once(database, shows(clock, TEA_1=50), clock)

    assert report.counts == Counts(expected=1, read=1, in_flight=1)
    assert rows(database.engine, "SELECT read_units FROM shown") == [(None,)]


def test_a_number_that_is_no_news_is_written_once_an_hour(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client, first = shows(clock, TEA_1=30), clock.now

    read_at = []
    for _ in range(6):
        run_once(database, client, clock)
        (row,) = rows(database.engine, "SELECT read_at FROM shown")
        read_at.append(row[0])
        clock.advance(900)

    hour = timedelta(seconds=5 * 900)
    assert read_at == [first] * 5 + [first + hour]


def test_a_dry_run_tells_all_and_writes_nothing(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9}, clock=clock)
    client = shows(clock, TEA_1=50, TEA_2=9)

    report = run_once(database, client, clock, dry_run=True)

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

    report = run_once(database, client, clock, terms=Terms(page_skus=3))

    assert report.counts == Counts(expected=14, read=14)
    assert client.calls == ["snapshot 6", "snapshot 6", "snapshot 2"]
