"""The hot statements of Amazon's mirror go by their indexes with ten thousand SKUs and months of postings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from channels.amazon import fba_store, movement_store, standing_store
from ledger.db import connect
from tests.databases import Shelf
from tests.servers import FIRST_NOW

SKUS = 10_000
SEED = (
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) AS n",
    "INSERT INTO location (location, kind) VALUES ('FBA-US', 'mirror')",
    "INSERT INTO channel (channel, kind, base_url) VALUES ('amazon', 'amazon', 'http://127.0.0.1')",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, read_only)"
    " SELECT 'amazon', sku, 'FBA-US', sku, 'FBA', true FROM sku",
    "INSERT INTO balance (sku, location, state, units) SELECT sku, 'FBA-US', 'available', 20 FROM sku",
    "INSERT INTO fba_reading (channel, seller_sku, as_of, read_at, source, fulfillable, pending_orders, transshipment,"
    " processing, inbound_working, inbound_shipped, inbound_receiving, researching, unfulfillable)"
    " SELECT 'amazon', sku, CAST(:now AS timestamptz) - make_interval(hours => h * 24 + 1), :now, 'summary', 20 + h,"
    " 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(5, 0, -1) AS h CROSS JOIN sku ORDER BY h DESC, sku",
    "INSERT INTO fba_mirror (channel, seller_sku, reading_id, opened_at)"
    " SELECT channel, seller_sku, max(id), min(as_of) FROM fba_reading GROUP BY channel, seller_sku",
    "INSERT INTO fba_change SELECT a.id, b.id, a.channel, a.seller_sku, b.as_of, a.as_of, -1, 0, 0, 0, 0, 0, 0, 0, -1,"
    " :now"
    " FROM fba_reading AS a JOIN fba_reading AS b ON b.seller_sku = a.seller_sku"
    " AND b.as_of = a.as_of - interval '1 day'",
    "INSERT INTO posting SELECT uuidv7(), 1, sku, 1, 'FBA-US', 'committed', 20, 19, 1, 'OUTSIDE', 'customer', 0, 1, 1,"
    " CAST(:now AS timestamptz) - make_interval(days => d), :now FROM sku CROSS JOIN generate_series(1, 20) AS d",
    "INSERT INTO fba_row (channel, row_id, at, seller_sku, event, units, disposition, seen_at, state)"
    " SELECT 'amazon', sku || d, CAST(:now AS timestamptz) - make_interval(days => d), sku, 'Shipments', -1,"
    " 'SELLABLE', CAST(:now AS timestamptz) - interval '1 hour', 'kept'"
    " FROM sku CROSS JOIN generate_series(1, 10) AS d",
)


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house whose SKUs are all at Amazon."""
    database = shelf.lend()
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in SEED:
            connection.execute(text(statement), {"n": SKUS, "now": FIRST_NOW})
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    engine = connect(database.app_url)
    yield engine
    engine.dispose()
    shelf.take_back(database)


def plan(engine: Engine, call: Callable[[Connection], object]) -> list[dict[str, Any]]:
    """Every node of the plan of the statement that `call` sends."""
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        said.append((statement, values))

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        call(connection)
        event.remove(connection, "before_cursor_execute", note)
        statement, values = said[0]
        answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
        (found,) = answer.scalar_one() if answer.returns_rows else ({},)
        connection.rollback()
    document = json.loads(found) if isinstance(found, str) else found
    return list(_nodes(document["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def scanned_whole(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}


def test_following_touches_only_the_postings_since_the_readings(stocked: Engine) -> None:
    nodes = plan(
        stocked,
        lambda c: fba_store.followed(
            c, "amazon", slack_s=120, horizon=FIRST_NOW - timedelta(days=300)
        ),
    )

    assert not scanned_whole(nodes) & {"posting", "fba_row", "fba_reading"}
    assert "posting_sku" in {node.get("Index Name") for node in nodes}


def test_explaining_looks_up_what_moved_between_two_readings(stocked: Engine) -> None:
    nodes = plan(
        stocked,
        lambda c: movement_store.pairs(
            c,
            "amazon",
            young=FIRST_NOW - timedelta(days=3),
            old=FIRST_NOW - timedelta(days=30),
        ),
    )

    names = {node.get("Index Name") for node in nodes}
    assert {"fba_row_of", "posting_sku", "fba_reading_newest"} <= names
    assert "posting" not in scanned_whole(nodes)


def test_rows_to_decide_about_are_found_among_all_rows(stocked: Engine) -> None:
    nodes = plan(stocked, lambda c: movement_store.new_rows(c, "amazon", at_most=1000))

    assert "fba_row_new" in {node.get("Index Name") for node in nodes}
    assert "fba_row" not in scanned_whole(nodes)


def test_what_some_skus_are_judged_by_is_found_by_their_names(stocked: Engine) -> None:
    some = [f"S{number:06}" for number in range(1, 201)]

    nodes = plan(stocked, lambda c: standing_store.stock(c, "amazon", some, FIRST_NOW))
    came = plan(stocked, lambda c: standing_store.arrivals(c, "amazon", some, FIRST_NOW))

    names = {node.get("Index Name") for node in nodes}
    assert {"posting_sku", "fba_reading_newest"} <= names
    assert not scanned_whole(nodes) & {"posting", "fba_reading", "balance", "fba_mirror"}
    assert "fba_row" not in scanned_whole(came)
