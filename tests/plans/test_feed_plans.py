"""What readers outside ask is found by indexes and block ranges, however long the book is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from reconcile.completeness import completeness
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of, scanned_whole
from tests.servers import FIRST_NOW
from workers.feed import hook_store

_FILL = (
    "SET session_replication_role = replica",
    """INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at)
       SELECT uuidv7(), 'receipt', 'wms', n::text, at, at FROM (
           SELECT n, CAST(:now AS timestamptz) - make_interval(mins => 40000 - n) AS at
           FROM generate_series(1, 40000) AS n) AS given ORDER BY n""",
    """INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after,
                            from_version, to_location, to_state, to_before, to_after, to_version, occurred_at,
                            recorded_at)
       SELECT id, 1, 's' || seq % 500, 1, 'OUTSIDE', 'supplier', 0, -1, seq, 'WH', 'available', 0, 1, seq,
              occurred_at, recorded_at FROM event ORDER BY seq""",
    """INSERT INTO balance (sku, location, state, units, version)
       SELECT 's' || n, 'WH', 'available', 1, 1 FROM generate_series(0, 499) AS n""",
    """INSERT INTO channel (channel, kind, base_url) VALUES ('shop', 'shopify', 'https://shop.example')""",
    """INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at, error)
       SELECT 'shop', n::text, 'orders/updated', '', CAST(:now AS timestamptz) - make_interval(mins => 40000 - n),
              CASE WHEN n % 4000 > 0 THEN 'applied' ELSE 'parked' END, :now, ''
       FROM generate_series(1, 40000) AS n ORDER BY n""",
    """INSERT INTO hook (name, url, kinds, salt, proof, created_at, created_by, next_at)
       SELECT 'h' || n, 'https://erp.example/', '{halt.set}', decode(repeat('00', 32), 'hex'),
              decode(repeat('00', 32), 'hex'), :now, 'ann', :now FROM generate_series(1, 3) AS n""",
    """INSERT INTO hook_event (kind, object, content, at)
       SELECT 'halt.set', n::text, '{}', :now FROM generate_series(1, 20000) AS n""",
    """INSERT INTO hook_post (hook_id, event_id, run_at, state, told_at)
       SELECT 1, id, :now, CASE WHEN object::integer % 4000 > 0 THEN 'told' ELSE 'due' END,
              CASE WHEN object::integer % 4000 > 0 THEN CAST(:now AS timestamptz) END FROM hook_event""",
)


def fill(connection: Connection) -> None:
    for statement in _FILL:
        values = {"now": FIRST_NOW} if ":now" in statement else {}
        connection.execute(text(statement), values)


@pytest.fixture(scope="module")
def full(shelf: Shelf) -> Iterator[Connection]:
    with filled(shelf, fill) as engine, engine.connect() as connection:
        yield connection


def asked(connection: Connection, statement: str, **values: Any) -> list[dict[str, Any]]:
    return plan_of(connection, lambda: connection.execute(text(statement), values).all())


def test_a_range_of_events_is_read_by_its_blocks(full: Connection) -> None:
    nodes = asked(
        full,
        "SELECT * FROM feed.event_v1 WHERE seq > :after AND seq <= :upto ORDER BY seq, line",
        after=1000,
        upto=1500,
    )

    assert scanned_whole(nodes) == set()
    assert {"event_seq", "posting_pkey"} <= set(indexes(nodes))


def test_days_are_read_by_the_blocks_of_the_book(full: Connection) -> None:
    day = (FIRST_NOW - timedelta(days=3)).date()
    given = (
        "SELECT (p.recorded_at AT TIME ZONE 'UTC')::date, p.sku FROM posting AS p"
        " WHERE p.recorded_at >= (CAST(:day AS date)::timestamp AT TIME ZONE 'UTC')"
        " AND p.recorded_at < ((CAST(:day AS date) + 1)::timestamp AT TIME ZONE 'UTC')"
    )

    nodes = asked(full, given, day=day)
    rows = full.execute(
        text("SELECT count(*) FROM feed.balance_days_v1(:day, :day)"), {"day": day}
    ).scalar_one()

    assert scanned_whole(nodes) == set()
    assert "posting_recorded" in indexes(nodes)
    # 1440 postings of a day, at two places each of at most 500 SKUs.
    assert 500 < rows <= 1000


def test_a_sku_is_read_by_its_index_whatever_view_asks(full: Connection) -> None:
    nodes = asked(full, "SELECT * FROM feed.balance_day_v1 WHERE sku = 's7'")

    assert scanned_whole(nodes) == set()
    assert "posting_sku" in indexes(nodes)


def test_missing_orders_are_found_by_the_index_of_what_is_not_booked(full: Connection) -> None:
    nodes = plan_of(full, lambda: completeness(full, FIRST_NOW - timedelta(hours=1)))

    assert scanned_whole(nodes) <= {"channel"}
    assert {"inbox_received", "inbox_parked"} <= set(indexes(nodes))


def test_what_is_to_be_told_is_found_among_what_was(full: Connection) -> None:
    nodes = plan_of(full, lambda: hook_store.claim(full, FIRST_NOW))

    assert scanned_whole(nodes) <= {"hook"}
    assert "hook_post_due" in indexes(nodes)
