"""Scopes of halts in batches: whoever sets them may die, thousands are little work, and a lift waits its turn."""

from __future__ import annotations

from threading import Thread

import pytest
from sqlalchemy import text

from reconcile import halt_scopes as scopes
from reconcile import halt_store
from tests.reconcile.house import CHANNEL, furnish, rows
from tests.servers import Clock, Database
from tests.workers.shelf import House, Shelf
from tests.workers.test_halt_scopes import SHOP, STATES, lift_by_bob, set_by_ann
from tests.workers.waiting import until_somebody_waits
from workers.flows.halt_scopes import tend
from workers.flows.halts import halt, lift


@pytest.fixture
def two_channels(database: Database, clock: Clock) -> Database:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9, "TEA-3": 0}, clock=clock)
    return database


def test_whoever_sets_a_scope_may_die_between_two_batches(
    two_channels: Database, clock: Clock
) -> None:
    with two_channels.engine.begin() as connection:
        number, _ = scopes.begin(connection, SHOP, "recall", "ann", clock.now)
        assert scopes.fill(connection, number, {}, clock.now, at_most=2)
    assert len(rows(two_channels.engine, STATES)) == 2

    tend(two_channels.engine, now=clock.now)

    assert len(rows(two_channels.engine, STATES)) == 3
    with two_channels.engine.begin() as connection:
        scopes.lift(connection, SHOP, "bob", "mended", clock.now)
        assert scopes.let_go(connection, number, clock.now, at_most=2)
    tend(two_channels.engine, now=clock.now)
    assert {state for _, _, state in rows(two_channels.engine, STATES)} == {"lifting"}
    with two_channels.engine.begin() as connection:
        assert scopes.to_do(connection, clock.now) == ([], [])


def test_twelve_thousand_skus_are_halted_and_lifted_in_batches(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, 12000) n")
        )
        connection.execute(
            text(
                "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
                " SELECT 'shopify', sku, 'OSLO', sku, 'x' FROM sku WHERE sku LIKE 'S%'"
            )
        )

    set_by_ann(database, SHOP, clock)

    counted = "SELECT state, count(*) FROM halt GROUP BY state"
    assert rows(database.engine, counted) == [("setting", 12_001)]
    with database.engine.begin() as connection:
        (folded,) = scopes.open_scopes(connection)
        assert (folded.setting, folded.filled) == (12_001, True)
        assert halt_store.open_halts(connection, own=True) == []
    lift_by_bob(database, SHOP, clock)
    assert rows(database.engine, counted) == [("lifting", 12_001)]


def test_a_lift_that_comes_while_a_scope_takes_hold_finds_it_held(
    two_channels: Database, clock: Clock
) -> None:
    halt(two_channels.engine, channel=CHANNEL, sku="TEA-1", reason="r", by="cid", now=clock.now)
    lifts: list[tuple[int, bool]] = []

    def lifting() -> None:
        lifts.append(
            lift(
                two_channels.engine,
                channel=CHANNEL,
                sku="TEA-1",
                reason="ok",
                by="cid",
                now=clock.now,
            )
        )

    with two_channels.engine.begin() as connection:
        number, _ = scopes.begin(connection, SHOP, "recall", "ann", clock.now)
        scopes.fill(connection, number, {}, clock.now)
        other = Thread(target=lifting)
        other.start()
        until_somebody_waits(House(two_channels.engine, clock, Shelf(clock)))
    other.join()

    assert [began for _, began in lifts] == [False]
    assert (CHANNEL, "TEA-1", "setting") in rows(two_channels.engine, STATES)
