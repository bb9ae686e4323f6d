"""The demand of some SKUs is found by their keys, however much others sold and for however long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from allocation.document import read
from allocation.planning import demand_store, order_store
from ledger.db import connect
from reconcile.in_sync import out_of_sync
from tests.databases import Shelf
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply

SKUS = 600
LINES = 12_000
SEED = (
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :skus) AS n",
    "INSERT INTO balance (sku, location, state, units, version) SELECT sku, 'WH', 'available', 5, 1 FROM sku",
    "CREATE TEMP TABLE told AS SELECT n, uuidv7() AS id, 'S' || lpad((1 + n % :skus)::text, 6, '0') AS sku,"
    " CAST(:now AS timestamptz) - (n % 700) * interval '1 day' AS at FROM generate_series(1, :lines) AS n",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)"
    " SELECT id, 'order', 'shop', 'order:' || n, at, at, 'shop', 'O' || n, '1' FROM told ORDER BY at",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units)"
    " SELECT 'shop', 'O' || n, '1', sku, 'WH', at, 2 FROM told",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, sku, 2, 'WH', 'available', 2, 0, 1, 'WH', 'committed', 0, 2, 1, at, at FROM told",
    "INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)"
    " SELECT 'shop', sku, 'WH', n, n % 3, 1, at, '{}' FROM told",
    "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, state, lifted_at)"
    " SELECT 'shop', sku, 'r', 'ann', at, at, 'lifted', at + interval '1 hour' FROM told WHERE n % 3 = 0",
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)"
    " SELECT 'shop', sku, 'WH', 1, 2, 'unknown', 'push', at, at, CASE WHEN n > 20 THEN at END FROM told",
)
LARGE = {"event", "order_line", "posting", "target_history", "halt", "drift"}
FEW = ["S000003", "S000300"]


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    database = shelf.lend()
    with database.superuser.begin() as connection:
        apply(connection, RULES, FIRST_NOW)
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in SEED:
            said = {"now": FIRST_NOW, "skus": SKUS, "lines": LINES}
            connection.execute(text(statement), said)
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    engine = connect(database.app_url)
    yield engine
    engine.dispose()
    shelf.take_back(database)


def read_whole(nodes: list[dict[str, str]]) -> set[str]:
    """Large tables that were read from one end to the other."""
    return {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"} & LARGE


def test_what_some_skus_sold_in_two_years_is_found_by_their_postings(stocked: Engine) -> None:
    until = FIRST_NOW.date() + timedelta(days=1)
    first = until - timedelta(days=728)
    with stocked.connect() as connection:
        nodes = plan_of(connection, lambda: demand_store.bought(connection, FEW, first, until))
        found = demand_store.bought(connection, FEW, first, until)

    assert read_whole(nodes) == set()
    assert {"posting_sku", "event_order"} <= indexes(nodes)
    assert sum(row.units * row.lines for row in found) == 2 * 2 * LINES // SKUS


def test_when_some_skus_were_closed_is_found_by_their_numbers_and_halts(stocked: Engine) -> None:
    until = FIRST_NOW.date() + timedelta(days=1)
    first = until - timedelta(days=728)
    rules = read(RULES).rules()
    with stocked.connect() as connection:
        nodes = plan_of(
            connection, lambda: demand_store.closed(connection, FEW, rules, first, until)
        )

    assert read_whole(nodes) == set()
    assert {"target_history_of", "halt_of"} <= indexes(nodes)


def test_what_an_order_is_decided_by_is_found_by_keys(stocked: Engine) -> None:
    with stocked.connect() as connection:
        for ask in (
            lambda: order_store.free(connection, FEW),
            lambda: order_store.lead_times(connection, FEW, FIRST_NOW - timedelta(days=700)),
            lambda: out_of_sync(connection, FEW),
        ):
            assert read_whole(plan_of(connection, ask)) == set()
