"""What a run of reconciliation halts, stops again and lifts."""

from __future__ import annotations

from ledger.db import transaction
from reconcile import halt_store
from reconcile.types import Counts
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import drifts, due, run_once, shows


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
