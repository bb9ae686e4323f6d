"""The hot statements of the push queue go by their indexes with fifty thousand rows waiting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Self

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from allocation import pushes, store, verifying
from allocation.positions import positions
from allocation.types import Target
from tests.databases import Shelf
from tests.plans.large import filled, seed
from tests.servers import Clock
from tests.workers.shelf import RULES

ROWS = 50_000


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house with fifty thousand SKUs due, queued, shown and listed."""

    with filled(shelf, lambda connection: seed(connection, ROWS, RULES, SEED)) as engine:
        yield engine


SEED = (
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shop', sku, 'WH', 'item-' || sku, 'gid://1' FROM sku",
    "INSERT INTO balance (sku, location, state, units) SELECT sku, 'WH', 'available', 5 FROM sku",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', sku, 'WH', 5, 2, 1, :now FROM sku",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at, verify_at)"
    " SELECT 'shop', sku, 'WH', 6, 1, :now, :now FROM sku",
    "INSERT INTO push_due (channel, sku, location, priority, since, run_at)"
    " SELECT 'shop', sku, 'WH', row_number() OVER (ORDER BY sku) % 4, :now, :now FROM sku",
)


def plan_of(connection: Connection, work: Callable[[], object]) -> list[dict[str, Any]]:
    """The nodes of the plans of everything `work` executes; the statements are explained and then executed."""
    nodes: list[dict[str, Any]] = []
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)

    class Explaining(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
            statement = query if isinstance(query, bytes) else query.encode()
            with psycopg.Cursor(self.connection) as before:
                (found,) = before.execute(b"EXPLAIN (FORMAT JSON) " + statement, params).fetchall()
            nodes.extend(_nodes(found[0][0]["Plan"]))
            return super().execute(query, params, **how)

    driver.cursor_factory = Explaining
    try:
        work()
    finally:
        driver.cursor_factory = psycopg.Cursor
    return nodes


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def scanned_whole(nodes: list[dict[str, Any]], more: Collection[str] = ()) -> set[str]:
    """Large tables that are read from end to end."""
    large = {"sku", "due", "binding", "balance", "target", "shown", "push_due", *more}
    return {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large
    }


def indexes(nodes: list[dict[str, Any]]) -> set[str]:
    """Names of the indexes used."""
    return {node["Index Name"] for node in nodes if "Index Name" in node}


def test_rows_to_push_are_claimed_in_the_order_of_their_index(
    full: Connection, clock: Clock
) -> None:
    nodes = plan_of(full, lambda: pushes.claim_pushes(full, "shop", 250, clock.now, 60.0, "key"))

    assert scanned_whole(nodes) == set()
    assert {"push_due_next", "binding_pkey", "due_pkey"} <= indexes(nodes)


def test_claimed_rows_are_settled_by_their_keys(full: Connection, clock: Clock) -> None:
    claimed = pushes.claim_pushes(full, "shop", 250, clock.now, 60.0, "key")
    answers = [pushes.Answer(push, "confirmed") for push in claimed]

    nodes = plan_of(full, lambda: pushes.settle_pushes(full, answers, clock.now, clock.now))

    assert len(claimed) == 250
    assert scanned_whole(nodes) == set()
    assert "push_due_pkey" in indexes(nodes)


def test_targets_are_saved_by_their_keys(full: Connection, clock: Clock) -> None:
    targets = [Target("shop", f"S{number:06}", "WH", 3) for number in range(1, 501)]

    nodes = plan_of(full, lambda: store.save_targets(full, targets, {}, 1, clock.now, clock.now))

    assert scanned_whole(nodes) == set()
    assert {"binding_pkey", "shown_pkey", "push_due_pkey"} <= indexes(nodes)


def test_positions_are_read_by_their_keys(full: Connection) -> None:
    skus = [f"S{number:06}" for number in range(1, 501)]

    nodes = plan_of(full, lambda: positions(full, skus))

    assert scanned_whole(nodes) == set()
    assert {"balance_pkey", "binding_pkey"} <= indexes(nodes)


def test_numbers_to_be_read_back_are_found_by_their_time(full: Connection, clock: Clock) -> None:
    nodes = plan_of(full, lambda: verifying.claim_verify(full, "shop", 250, clock.now, 60.0))

    assert scanned_whole(nodes) == set()
    assert "shown_verify" in indexes(nodes)


def test_due_skus_are_found_by_their_age_and_taken_away_by_their_key(full: Connection) -> None:
    nodes = plan_of(full, lambda: store.claim_due(full, 500))

    assert scanned_whole(nodes) == set()
    assert {"due_since", "due_pkey"} <= indexes(nodes)
