"""A page of a large catalogue is compared with an export, or with what was last read, by keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, text

from tests.databases import Shelf
from tests.plans.test_push_plans import SEED, indexes, scanned_whole
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply
from workers.flows import catalogue_reads

ROWS = 30_000
PAGE = 1000


@pytest.fixture(scope="module")
def large(shelf: Shelf) -> Iterator[Connection]:
    """A house with thirty thousand listings, each shown, and an export of all of them taken in."""
    database = shelf.lend()
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        numbers = "SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) n"
        connection.execute(text(f"INSERT INTO sku (sku) {numbers}"), {"n": ROWS})
        apply(connection, RULES, FIRST_NOW)
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})
        connection.execute(
            text(
                "INSERT INTO bulk_level (channel, item_id, vendor_location_id, units, changed_at)"
                " SELECT 'shop', 'item-' || sku, 'gid://1', 5, :now FROM sku"
            ),
            {"now": FIRST_NOW},
        )
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    with database.engine.connect() as connection:
        yield connection
        connection.rollback()
    shelf.take_back(database)


def plan(connection: Connection, statement: TextClause) -> list[dict[str, Any]]:
    skus = [f"S{number:06}" for number in range(1, PAGE + 1)]
    keys = {
        "channel": "shop",
        "skus": skus,
        "locations": ["WH"] * PAGE,
        "items": [f"item-{sku}" for sku in skus],
        "places": ["gid://1"] * PAGE,
        "packs": [1] * PAGE,
    }
    found = connection.execute(text(f"EXPLAIN (FORMAT JSON) {statement.text}"), keys).scalar_one()
    return list(_nodes(found[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from _nodes(inner)


def test_a_page_meets_the_export_by_keys(large: Connection) -> None:
    nodes = plan(large, catalogue_reads.TOLD)

    assert scanned_whole(nodes) == set()
    assert not [
        n for n in nodes if n.get("Relation Name") == "bulk_level" and "Seq" in n["Node Type"]
    ]
    assert {"bulk_level_pkey"} <= indexes(nodes)


def test_a_page_meets_what_was_last_read_by_keys(large: Connection) -> None:
    nodes = plan(large, catalogue_reads.LAST_READ)

    assert scanned_whole(nodes) == set()
    assert {"shown_pkey"} <= indexes(nodes)
