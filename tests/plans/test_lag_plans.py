"""Measuring lags, reading and keeping pace go by their indexes with a hundred thousand pushes, events and rows due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from allocation import lag_store, pace_store
from allocation.pace import Sold
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply

ROWS = 100_000
SEED = (
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shop', sku, 'WH', 'item-' || sku, 'gid://1' FROM sku",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', sku, 'WH', 5, 2, 1, :now FROM sku",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at, verify_at)"
    " SELECT 'shop', sku, 'WH', 4, 1, :now, :now FROM sku",
    "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
    " SELECT 'shop', sku, 'WH', row_number() OVER () % 4, :now, :now FROM sku",
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, due_since, answered_at, outcome)"
    " SELECT 'k' || sku, 'shop', sku, 'WH', 5, 1, at, at, at, 'confirmed'"
    " FROM (SELECT sku, CAST(:now AS timestamptz) - make_interval(secs => row_number() OVER ()) AS at FROM sku) AS s",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id, inbox_id)"
    " SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'order' ELSE 'receipt' END, 'shop', n::text, at, at,"
    " 'shop', n::text, '1', n"
    " FROM (SELECT n, CAST(:now AS timestamptz) - make_interval(secs => n) AS at"
    "       FROM generate_series(1, 100000) n) AS s",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at)"
    " SELECT 'shop', n::text, 'fact', '', :now, 'applied', :now FROM generate_series(1, 100000) n",
    "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, 'shop', 'WH', 1, 1, 1, 1, :now, :now FROM sku",
)


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house that has pushed, heard and sold a hundred thousand times."""

    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(
            text("INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, :n) n"), {"n": ROWS}
        )
        apply(connection, RULES, FIRST_NOW)
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})

    with filled(shelf, fill) as engine:
        yield engine


def scanned_whole(nodes: list[dict[str, object]]) -> set[object]:
    """Tables but the small ones (channels, lags, halts) that are read from end to end."""
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return scanned - {"channel", "lag", "halt"}


def test_records_are_read_by_their_time(full: Connection) -> None:
    nodes = plan_of(full, lambda: lag_store.records(full, FIRST_NOW + timedelta(seconds=10)))

    assert scanned_whole(nodes) == set()
    assert {"event_heard", "push_sent", "push_due_oldest", "shown_verify"} <= indexes(nodes)


def test_the_newest_are_enough_of_many(full: Connection) -> None:
    (found,) = lag_store.records(full, FIRST_NOW + timedelta(seconds=10))

    assert {stage: len(samples) for stage, samples in found.samples.items()} == {
        "detect": 2000,
        "queue": 2000,
        "push": 2000,
    }
    assert (found.unshown, found.unread) == (FIRST_NOW, FIRST_NOW)


def test_a_push_that_was_seen_is_found_by_its_id(full: Connection) -> None:
    nodes = plan_of(
        full, lambda: lag_store.note_seen(full, dict.fromkeys(range(1, 251), FIRST_NOW))
    )

    assert scanned_whole(nodes) == set()


def test_paces_are_read_by_their_skus(full: Connection) -> None:
    skus = [f"S{number}" for number in range(1, 2001)]

    nodes = plan_of(full, lambda: pace_store.paces(full, skus, FIRST_NOW))

    assert scanned_whole(nodes) == set()
    assert "pace_pkey" in indexes(nodes)


def test_what_is_taken_back_is_found_by_its_place(full: Connection) -> None:
    sold = [Sold(f"S{number}", "shop", "WH", FIRST_NOW, 1, -1) for number in range(1, 251)]

    nodes = plan_of(full, lambda: pace_store.write(full, sold))

    assert scanned_whole(nodes) == set()
    assert "pace_pkey" in indexes(nodes)
