"""What a pick-up number follows from is found by keys, however many SKUs, counts and sales there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from allocation import pickup_store
from ledger.db import connect
from tests.databases import Shelf
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW

SKUS = 20_000
SEED = (
    "INSERT INTO location (location, kind) SELECT 'STORE-' || n, 'store' FROM generate_series(1, 3) n",
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) n",
    "INSERT INTO balance (sku, location, state, units, version)"
    " SELECT sku, location, 'available', 5, 1 FROM sku CROSS JOIN location WHERE kind = 'store'",
    "INSERT INTO count_mark (event_id, sku, location, counted_at, counted)"
    " SELECT uuidv7(), sku, location, :now, 5 FROM sku CROSS JOIN location, generate_series(1, 2) WHERE kind = 'store'",
    "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, 'till', location, 3, 3, 3, :now, :now FROM sku CROSS JOIN location WHERE kind = 'store'",
)


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house with three stores of twenty thousand SKUs."""
    database = shelf.lend()
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW, "n": SKUS})
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    engine = connect(database.app_url)
    yield engine
    engine.dispose()
    shelf.take_back(database)


@pytest.mark.parametrize("places", [1, 200])
def test_places_are_looked_up_by_their_keys(full: Connection, places: int) -> None:
    keys = [(f"S{number:06}", "STORE-2") for number in range(1, places + 1)]

    nodes = plan_of(full, lambda: pickup_store.look(full, keys))

    read_whole = {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"}
    assert read_whole <= {"bundle", "rule_set", "count_order", "event"}, "all are empty here"
    assert {"sku_pkey", "balance_pkey", "count_mark_place", "pace_pkey"} <= indexes(nodes)
