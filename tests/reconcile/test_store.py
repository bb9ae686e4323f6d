"""Drift rows: one open per place, seen again, resolved by a later reading."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from reconcile.store import open_drift, open_drifts, resolve_drift
from reconcile.types import Drift
from tests.servers import Clock, Database


def _keep(database: Database, now: datetime, window_at: datetime | None, actual: int = 50) -> int:
    with database.engine.begin() as connection:
        return open_drift(
            connection,
            channel="shopify",
            sku="TEA-1",
            location="OSLO",
            window_at=window_at,
            expected=30,
            actual=actual,
            cause="swallowed_update",
            evidence={"push_id": 7, "sent_at": now.isoformat()},
            action="re-push",
            now=now,
        )


def _rows(database: Database) -> list[tuple[object, ...]]:
    with database.engine.begin() as connection:
        found = connection.execute(
            text(
                "SELECT expected, actual, delta, times, cause, evidence ->> 'push_id', result,"
                " resolved_at IS NULL FROM drift ORDER BY id"
            )
        )
        return [tuple(row) for row in found]


def test_a_drift_seen_in_two_windows_is_one_row_seen_twice(
    database: Database, clock: Clock
) -> None:
    first = _keep(database, clock.now, clock.now)

    second = _keep(database, clock.advance(900), clock.now, actual=48)

    assert first == second
    assert _rows(database) == [(30, 48, 18, 2, "swallowed_update", "7", "", True)]


def test_a_window_done_again_after_a_kill_does_not_count_twice(
    database: Database, clock: Clock
) -> None:
    window_at = clock.now
    _keep(database, clock.now, window_at)

    _keep(database, clock.advance(40), window_at)

    assert [row[3] for row in _rows(database)] == [1]


def test_a_drift_found_outside_a_run_counts_every_time(database: Database, clock: Clock) -> None:
    _keep(database, clock.now, None)

    _keep(database, clock.advance(5), None)

    assert [row[3] for row in _rows(database)] == [2]


def test_a_drift_is_resolved_when_the_channel_comes_to_the_target(
    database: Database, clock: Clock
) -> None:
    _keep(database, clock.now, None)

    with database.engine.begin() as connection:
        resolved = resolve_drift(
            connection, channel="shopify", sku="TEA-1", location="OSLO", units=30, now=clock.now
        )

    assert resolved
    assert _rows(database)[0][4:] == (
        "swallowed_update",
        "7",
        "the channel came to the 30 units expected",
        False,
    )


def test_a_drift_is_a_late_event_when_the_target_comes_to_what_was_shown(
    database: Database, clock: Clock
) -> None:
    _keep(database, clock.now, None, actual=27)

    with database.engine.begin() as connection:
        resolve_drift(
            connection, channel="shopify", sku="TEA-1", location="OSLO", units=27, now=clock.now
        )

    assert _rows(database)[0][4] == "late_event"


def test_a_place_without_drift_has_nothing_to_resolve(database: Database, clock: Clock) -> None:
    with database.engine.begin() as connection:
        resolved = resolve_drift(
            connection, channel="shopify", sku="TEA-1", location="OSLO", units=30, now=clock.now
        )

    assert not resolved


def test_a_drift_that_comes_back_after_it_was_resolved_is_a_new_row(
    database: Database, clock: Clock
) -> None:
    first = _keep(database, clock.now, None)
    with database.engine.begin() as connection:
        resolve_drift(
            connection, channel="shopify", sku="TEA-1", location="OSLO", units=30, now=clock.now
        )

    second = _keep(database, clock.advance(900), clock.now - timedelta(seconds=1))

    assert second != first
    assert [row[-1] for row in _rows(database)] == [False, True]


def test_many_drifts_are_kept_in_one_statement(database: Database, clock: Clock) -> None:
    drifts = [Drift(f"TEA-{n}", "OSLO", 10, 12, "unknown", {}, "re-push") for n in range(500)]

    with database.engine.begin() as connection:
        ids = open_drifts(
            connection, channel="shopify", window_at=clock.now, drifts=drifts, now=clock.now
        )

    assert len(set(ids.values())) == 500
    assert {sku for sku, _ in ids} == {drift.sku for drift in drifts}


def _called(database: Database, now: datetime, cause: str) -> tuple[object, ...]:
    """Found once more under this name; what the row says then: its cause, the first, and a later one."""
    drift = Drift("TEA-1", "OSLO", 30, 50, cause, {"of": cause}, "re-push")
    with database.engine.begin() as connection:
        open_drifts(connection, channel="shopify", window_at=None, drifts=[drift], now=now)
        row = connection.execute(
            text(
                "SELECT cause, evidence ->> 'of', evidence ->> 'first_named', evidence ->> 'later_named' FROM drift"
            )
        ).one()
    return tuple(row)


def test_a_better_name_takes_the_place_of_the_first_which_stays_visible(
    database: Database, clock: Clock
) -> None:
    _called(database, clock.now, "unknown")
    _called(database, clock.now, "swallowed_update")

    refined = _called(database, clock.now, "mapping_error")
    again = _called(database, clock.now, "mapping_error")

    assert refined == again == ("mapping_error", "mapping_error", "swallowed_update", None)


def test_what_is_found_by_exclusion_stands_beside_a_name_that_evidence_gave(
    database: Database, clock: Clock
) -> None:
    _called(database, clock.now, "mapping_error")

    later = _called(database, clock.now, "external_edit")
    at_last = _called(database, clock.now, "unknown")

    assert later == at_last == ("mapping_error", "mapping_error", None, "external_edit")


def test_a_drift_that_ends_with_a_halt_keeps_its_name(database: Database, clock: Clock) -> None:
    _keep(database, clock.now, None, actual=0)

    with database.engine.begin() as connection:
        resolve_drift(
            connection,
            channel="shopify",
            sku="TEA-1",
            location="OSLO",
            units=0,
            now=clock.now,
            result="halted: it shows nothing",
        )

    assert _rows(database)[0][4] == "swallowed_update"
