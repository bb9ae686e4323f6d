"""A draft is compared with the numbers in force batch by batch, by keys, in a house of many SKUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, text

from allocation import drafts
from tests.databases import Shelf
from tests.plans.test_push_plans import SEED, indexes, scanned_whole
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply

ROWS = 30_000


@pytest.fixture(scope="module")
def large(shelf: Shelf) -> Iterator[Connection]:
    """A house with thirty thousand SKUs that have their numbers."""
    database = shelf.lend()
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        numbers = "SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) n"
        connection.execute(text(f"INSERT INTO sku (sku) {numbers}"), {"n": ROWS})
        apply(connection, RULES, FIRST_NOW)
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    with database.engine.connect() as connection:
        yield connection
        connection.rollback()
    shelf.take_back(database)


def nodes(connection: Connection, statement: TextClause, **values: object) -> list[dict[str, Any]]:
    found = connection.execute(text(f"EXPLAIN (FORMAT JSON) {statement.text}"), values).scalar_one()
    return list(_inner(found[0]["Plan"]))


def _inner(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from _inner(inner)


def test_the_next_skus_are_taken_from_the_key_in_order(large: Connection) -> None:
    found = nodes(large, drafts.SKUS, after="S015000", like="%", limit=500)

    assert {node["Node Type"] for node in found} <= {"Limit", "Index Only Scan", "Index Scan"}
    assert indexes(found) == {"sku_pkey"}


def test_the_numbers_of_a_batch_are_met_by_keys(large: Connection) -> None:
    skus = [f"S{number:06}" for number in range(1, 501)]

    found = nodes(large, drafts.TARGETS, skus=skus)

    assert "target" not in scanned_whole(found)
    assert "target_sku" in indexes(found)


def test_channels_that_list_anything_are_found_without_reading_all_listings(
    large: Connection,
) -> None:
    found = nodes(large, drafts.LISTED)

    assert not [n for n in found if n.get("Relation Name") == "binding" and "Seq" in n["Node Type"]]
