"""Halts and read-backs go by their indexes with fifty thousand halts (in force, waiting, lifted) and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, Engine

from allocation import backlog, verifying
from reconcile import halt_scopes, halt_store, velocity
from reconcile.halt_scopes import Scope
from tests.databases import Shelf
from tests.plans.large import filled, seed
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES

SEED = (
    "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, 50000) n",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shop', sku, 'WH', 'item-' || sku, 'gid://1' FROM sku",
    "INSERT INTO halt_scope (channel, reason, set_by, set_at, filled_at) VALUES ('shop', 'r', 'ann', :now, :now)",
    "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, own, state, confirmed_at)"
    " SELECT 'shop', sku, 'r', 'ann', :now, :now, sku < 'S000100',"
    "        CASE WHEN sku < 'S001000' THEN 'setting' WHEN sku < 'S040000' THEN 'set' ELSE 'lifted' END, :now FROM sku",
    "INSERT INTO halt_hold (halt_id, scope_id) SELECT halt.id, s.id FROM halt, halt_scope s WHERE state <> 'lifted'",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at, verify_at, verify_first)"
    " SELECT 'shop', sku, 'WH', 4, 1, :now, CASE WHEN sku < 'S002000' THEN CAST(:now AS timestamptz) END,"
    "        sku < 'S000100' FROM sku",
    "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, 'shop', 'WH', 1, 1, 1, 1, :now, :now FROM sku",
)
SMALL = {"channel", "halt_scope", "early_read", "exposure", "push_due", "location", "bundle"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in such a house."""

    with filled(shelf, lambda connection: seed(connection, 0, RULES, SEED)) as engine:
        yield engine


def scanned_whole(nodes: list[dict[str, object]]) -> set[object]:
    """Tables but the small ones that are read from end to end."""
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return scanned - SMALL


LATER = FIRST_NOW + timedelta(seconds=10)


def test_halts_that_wait_are_found_by_their_time(full: Connection) -> None:
    for own in (True, False):
        nodes = plan_of(full, partial(halt_store.take_halts, full, "shop", LATER, 60, 20, own=own))
        assert scanned_whole(nodes) == set()
        assert "halt_work" in indexes(nodes)
    assert (
        scanned_whole(plan_of(full, lambda: full.execute(halt_store.WAITING, {"now": LATER}).all()))
        == set()
    )
    assert scanned_whole(plan_of(full, lambda: halt_store.over(full, LATER))) == set()


def test_one_halt_is_set_and_lifted_by_its_key(full: Connection) -> None:
    def turn() -> None:
        halt_store.lift_halt(full, "shop", "S002000", "ann", "ok", LATER)
        halt_store.set_halt(full, "shop", "S041000", "r", "ann", LATER)

    assert scanned_whole(plan_of(full, turn)) == set()


def test_a_batch_of_a_scope_is_set_and_let_go_by_keys(full: Connection) -> None:
    def turn() -> None:
        number, _ = halt_scopes.begin(full, Scope(sku="S003000"), "r", "ann", LATER)
        halt_scopes.fill(full, number, {}, LATER)
        halt_scopes.lift(full, Scope(sku="S003000"), "ann", "ok", LATER)
        halt_scopes.let_go(full, number, LATER)

    assert scanned_whole(plan_of(full, turn)) == set()


def test_read_backs_of_both_kinds_are_found_by_their_time(full: Connection) -> None:
    for sample, index in ((False, "shown_verify"), (True, "shown_sample")):
        nodes = plan_of(
            full,
            partial(verifying.claim_verify, full, "shop", 250, LATER, 60.0, sample=sample),
        )
        assert scanned_whole(nodes) == set()
        assert index in indexes(nodes)


def test_what_of_the_sample_is_too_old_is_found_by_its_time(full: Connection) -> None:
    nodes = plan_of(full, lambda: verifying.leave_sample(full, "shop", FIRST_NOW - timedelta(1)))

    assert scanned_whole(nodes) == set()


def test_how_fast_and_how_scarce_is_asked_by_sku(full: Connection) -> None:
    skus = [f"S{n:06d}" for n in range(1, 251)]

    def ask() -> None:
        velocity.fast_skus(full, "shop", skus, LATER, 24)
        velocity.scarce_skus(full, skus)
        backlog.pushes_wait(full, "shop", LATER)

    assert scanned_whole(plan_of(full, ask)) == set()
