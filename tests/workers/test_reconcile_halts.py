"""What a run of reconciliation halts, stops again and lifts."""

from __future__ import annotations

from datetime import timedelta

from ledger.db import transaction
from reconcile import halt_store
from reconcile.types import Counts
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import drifts, due, run_once, shows
from tests.workers.shelf import RULES as SHELF_RULES
from tests.workers.shelf import apply


def test_a_channel_that_shows_far_too_much_is_halted_and_due_first(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 0}, clock=clock)

    report = run_once(database, shows(clock, TEA_1=50, TEA_2=3), clock)

    assert report.halted == ("TEA-1", "TEA-2")
    assert report.counts == Counts(expected=2, read=2, drifted=2, repushed=2, halted=2)
    assert due(database) == [("TEA-1", 1, clock.now), ("TEA-2", 0, clock.now)]
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

    report = run_once(database, client, clock)

    assert (report.halted, report.counts.halted, report.counts.drifted) == (("TEA-1",), 1, 2)
    assert [row[4] for row in drifts(database)] == ["halt and re-push"] * 2


def test_a_mirror_is_halted_by_its_second_window(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock, kind="mirror")
    client = shows(clock, TEA_1=50)

    first = run_once(database, client, clock)
    rows(database.engine, "DELETE FROM push_due RETURNING 1")
    clock.advance(900)
    second = run_once(database, client, clock)

    assert (first.halted, second.halted) == ((), ("TEA-1",))


def test_a_paused_channel_is_read_but_not_halted(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    rows(database.engine, "UPDATE channel SET paused = true, paused_why = 'move' RETURNING 1")

    report = run_once(database, shows(clock, TEA_1=50), clock)

    assert (report.counts.drifted, report.halted) == (1, ())


def test_a_halted_sku_that_shows_units_again_is_stopped_again(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    with transaction(database.engine) as connection:
        halt_id, _ = halt_store.set_halt(connection, CHANNEL, "TEA-1", "recall", "ann", clock.now)
        halt_store.keep_undo(connection, halt_id, OSLO, {"policy": "CONTINUE"})
        halt_store.mark_set(connection, halt_id, clock.now)

    report = run_once(database, shows(clock, TEA_1=30), clock)

    assert report.ring_halts
    assert drifts(database) == [("TEA-1", 0, 30, "unknown", "halt again", True)]
    assert due(database) == []
    assert rows(database.engine, "SELECT state, set_by, undo FROM halt") == [
        ("setting", "ann", {OSLO: {"policy": "CONTINUE"}})
    ]


def test_the_rule_lifts_what_it_halted_when_two_windows_were_calm(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = shows(clock, TEA_1=50)
    run_once(database, client, clock)
    with transaction(database.engine) as connection:
        (halt,) = halt_store.open_halts(connection)
        halt_store.mark_set(connection, halt.halt_id, clock.now)
    client.shows["TEA-1", OSLO] = 0

    reports = []
    for _ in range(2):
        clock.advance(900)
        reports.append(run_once(database, client, clock))

    assert [report.lifted for report in reports] == [(), ("TEA-1",)]
    assert rows(database.engine, "SELECT state, lifted_by FROM halt") == [
        ("lifting", "rule:reconcile")
    ]
    assert rows(database.engine, "SELECT result FROM drift") == [("halted: it shows nothing",)]


def test_the_rule_does_not_lift_what_it_cannot_read(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = shows(clock, TEA_1=50)
    run_once(database, client, clock)
    with transaction(database.engine) as connection:
        (halt,) = halt_store.open_halts(connection)
        halt_store.mark_set(connection, halt.halt_id, clock.now)
    client.shows["TEA-1", OSLO] = None
    clock.advance(3600)

    assert run_once(database, client, clock).lifted == ()


RULES = """
[channels.shopify.halt]
percent = 50
ttl_hours = 2
calm_windows = 1
why = "its stock is read late"
[channels.shopify.halt.fast]
percent = 20
"""


def test_the_rule_file_says_when_a_channel_halts_and_when_somebody_is_called(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30, "TEA-3": 30}, clock=clock)
    _in_force(database, clock)
    rows(
        database.engine,
        "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
        " VALUES ('TEA-2', 'shopify', 'OSLO', 30, 30, 30, :now, :now) RETURNING 1",
        now=clock.now,
    )

    report = run_once(database, shows(clock, TEA_1=40, TEA_2=40, TEA_3=50), clock)

    assert report.halted == ("TEA-2", "TEA-3")
    called = clock.now + timedelta(hours=2)
    assert rows(database.engine, "SELECT DISTINCT call_at FROM halt") == [(called,)]


def test_the_rule_file_says_how_long_a_stop_must_have_held(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    _in_force(database, clock)
    client = shows(clock, TEA_1=90)
    run_once(database, client, clock)
    with transaction(database.engine) as connection:
        (halt,) = halt_store.open_halts(connection)
        halt_store.mark_set(connection, halt.halt_id, clock.now)
    client.shows["TEA-1", OSLO] = 0
    clock.advance(900)

    assert run_once(database, client, clock).lifted == ("TEA-1",)


def _in_force(database: Database, clock: Clock) -> None:
    with transaction(database.engine) as connection:
        apply(
            connection, SHELF_RULES.replace("channels.shop", "channels.shopify") + RULES, clock.now
        )
        connection.exec_driver_sql("DELETE FROM due")
