"""A range of a large catalogue is compared with what was told of it by one merge of the keys, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.snapshots import Told
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import SEED, indexes, plan_of, scanned_whole
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply

ROWS = 30_000
RANGE = 1000
TOLD = Told("shop", "truth", FIRST_NOW)


@pytest.fixture(scope="module")
def catalogue(shelf: Shelf) -> Iterator[Engine]:
    """A house with thirty thousand listings, each shown, and a snapshot of all of them; ten of them differ."""

    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        numbers = "SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) n"
        connection.execute(text(f"INSERT INTO sku (sku) {numbers}"), {"n": ROWS})
        apply(connection, RULES, FIRST_NOW)
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})
        connection.execute(text("UPDATE shown SET units = 5"))
        connection.execute(
            text(
                "INSERT INTO snapshot (channel, job, sku, location, units, changed_at)"
                " SELECT 'shop', 'truth', sku, 'WH', CASE WHEN sku LIKE '%00' AND sku <= 'S001000' THEN 7 ELSE 5 END,"
                " :now FROM sku"
            ),
            {"now": FIRST_NOW},
        )

    with filled(shelf, fill) as engine:
        yield engine


@pytest.fixture
def large(catalogue: Engine) -> Iterator[Connection]:
    with catalogue.connect() as connection:
        yield connection
        connection.rollback()


def test_a_range_is_compared_by_its_keys(large: Connection) -> None:
    found = []

    nodes = plan_of(large, lambda: found.append(TOLD.compare(large, "", RANGE)))

    assert scanned_whole(nodes, {"snapshot"}) == set()
    assert {"target_pkey", "snapshot_pkey", "shown_pkey", "binding_pkey"} <= indexes(nodes)
    assert found[0] is not None
    assert (found[0].cleared, len(found[0].differing)) == (RANGE - 10, 10)


def test_the_last_range_reads_as_little_as_the_first(large: Connection) -> None:
    nodes = plan_of(large, lambda: TOLD.compare(large, f"S{ROWS - RANGE:06}", RANGE))

    assert scanned_whole(nodes, {"snapshot"}) == set()
    for node in nodes:
        if node.get("Relation Name") in ("snapshot", "shown", "target"):
            assert node["Plan Rows"] < 5 * RANGE, node


def test_what_was_told_is_noted_by_its_keys(large: Connection) -> None:
    later = Told("shop", "truth", FIRST_NOW + timedelta(seconds=1))

    nodes = plan_of(large, lambda: later.note(large, "", f"S{RANGE:06}"))

    assert scanned_whole(nodes, {"snapshot"}) == set()
    assert {"snapshot_pkey", "shown_pkey"} <= indexes(nodes)


def test_what_is_known_of_a_few_skus_is_found_by_their_keys(large: Connection) -> None:
    skus = [f"S{number:06}" for number in range(1, 200)]
    nodes = plan_of(large, lambda: TOLD.readings(large, skus))

    assert scanned_whole(nodes, {"snapshot"}) == set()
    assert {"binding_pkey", "snapshot_pkey"} <= indexes(nodes)
