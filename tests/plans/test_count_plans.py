"""What the look at counts asks is found by its indexes, however many events, counts and orders there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text

from allocation import pickup_store
from reconcile import count_checks, count_orders, count_store
from reconcile.counting.judging import Standing
from reconcile.counting.types import CUSUM, Terms
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of, scanned_whole
from tests.servers import FIRST_NOW

TERMS = Terms()
LAST = UUID(int=0xFFFF << 112)
SEED = (
    "INSERT INTO location (location, kind) SELECT 'STORE-' || n, 'store' FROM generate_series(1, 4) n",
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 5, '0') FROM generate_series(1, 4000) n",
    "INSERT INTO balance (sku, location, state, units, version)"
    " SELECT sku, location, 'available', 5, 1 FROM sku CROSS JOIN location WHERE kind = 'store'",
    # One event in five is a count; the others are orders.
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at)"
    " SELECT uuidv7(), CASE WHEN n % 5 = 0 THEN 'count' ELSE 'order' END, 'wms', n::text,"
    "        :now - n * interval '1 minute', :now FROM generate_series(1, 40000) n",
    "INSERT INTO count_mark (event_id, sku, location, counted_at, counted)"
    " SELECT id, 'S' || lpad((1 + source_id::int % 4000)::text, 5, '0'), 'STORE-' || (1 + source_id::int / 5 % 4),"
    "        occurred_at, 5 FROM event WHERE kind = 'count'",
    "INSERT INTO count_variance (event_id, sku, location, counted_at, counted, position, moves, sigma, tier, within,"
    "                            reason, recount, undone)"
    " SELECT event_id, sku, location, counted_at, 5, 5, 3, 1, 'B', true,"
    "        CASE WHEN random() < 0.01 THEN 'theft' ELSE '' END, false, false FROM count_mark",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    "                     to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, 'S' || lpad((1 + source_id::int % 4000)::text, 5, '0'), 1, 'STORE-1', 'available', 2, 1, 1,"
    "        'STORE-1', 'committed', 0, 1, 1, occurred_at, :now FROM event",
    "INSERT INTO count_order (rule, object, sku, location, since, ordered_at, ordered_by)"
    " SELECT 'count.variance', 'place:' || sku || '@STORE-2', sku, 'STORE-2', :now, :now, 'lockstep' FROM sku",
)  # fmt: skip


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """A house with 40,000 events, 8,000 counts and 4,000 recounts ordered."""

    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})

    with filled(shelf, fill) as engine:
        yield engine


def test_news_are_found_among_all_events(full: Connection) -> None:
    nodes = plan_of(full, lambda: count_store.news(full, LAST, 2000))

    assert scanned_whole(nodes) == set()
    assert "event_counts" in indexes(nodes)
    full.execute(
        text("INSERT INTO count_look (seen, looked_at) VALUES (:seen, :now)"),
        {"seen": LAST, "now": FIRST_NOW},
    )
    nodes = plan_of(full, lambda: count_store.waits(full, FIRST_NOW - timedelta(hours=1)))
    assert scanned_whole(nodes) == set()


def test_counts_are_followed_by_their_keys(full: Connection) -> None:
    ids = list(full.execute(text("SELECT event_id FROM count_mark LIMIT 50")).scalars())

    nodes = plan_of(full, lambda: count_store.follow(full, ids, TERMS, FIRST_NOW))

    assert scanned_whole(nodes) <= {"count_tier", "count_variance"}
    assert {"count_mark_pkey", "count_mark_place", "event_pkey", "posting_sku"} <= indexes(nodes)


def test_places_are_judged_by_their_keys(full: Connection) -> None:
    places = [(f"S{n:05}", "STORE-2") for n in range(1, 50)]

    nodes = plan_of(full, lambda: count_store.histories(full, places, FIRST_NOW))
    assert scanned_whole(nodes) == set()
    nodes = plan_of(
        full, lambda: count_checks.check(full, [(n, *p, FIRST_NOW) for n, p in enumerate(places)])
    )
    assert scanned_whole(nodes) <= {"bundle", "count_tier", "location"}


@pytest.mark.parametrize("places", [1, 200])
def test_doubts_about_places_are_looked_up_by_their_keys(full: Connection, places: int) -> None:
    keys = [(f"S{n:05}", "STORE-2") for n in range(1, places + 1)]

    nodes = plan_of(full, lambda: pickup_store.look(full, keys))

    assert scanned_whole(nodes) <= {"bundle", "rule_set", "pace"}, "all are empty here"
    assert "count_order_pkey" in indexes(nodes)


def test_a_pool_is_read_by_its_name(full: Connection) -> None:
    later = FIRST_NOW + timedelta(days=8)

    nodes = plan_of(full, lambda: count_store.weeks(full, "reason", "theft", TERMS, later))

    assert scanned_whole(nodes) == set()
    assert "count_variance_reason" in indexes(nodes)


def test_orders_are_withdrawn_by_what_they_belong_to(full: Connection) -> None:
    judged = {(CUSUM, f"place:S{n:05}@STORE-2") for n in range(1, 50)}

    nodes = plan_of(full, lambda: count_orders.settle(full, judged, Standing(), FIRST_NOW))

    assert "count_order_object" in indexes(nodes)
