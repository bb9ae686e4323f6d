"""Orders asked for ahead of their window: where a sale that nobody told of would be sold once more."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, sells
from tests.servers import Clock, Database
from workers.flows import early_reads
from workers.flows.reconcile import Terms


def heard_ahead(database: Database, client: MemoryChannel, clock: Clock) -> int:
    """How often a go asks for orders ahead of the windows."""
    asked: list[str] = []
    early_reads.go(
        database.engine,
        client,
        channel=CHANNEL,
        now=lambda: clock.now,
        terms=Terms(),
        hear=lambda: None,
        hear_ahead=lambda: asked.append(CHANNEL),
    )
    return len(asked)


def sets_plainly(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE channel SET kind = 'amazon'"))


@pytest.fixture
def shop(database: Database, clock: Clock) -> MemoryChannel:
    """A shop of which one SKU sells out within minutes."""
    furnish(database.engine, {"HOT": 10}, clock=clock)
    sells(database, clock, "HOT", 17.142857)
    return MemoryChannel(clock, {("HOT", OSLO): 10})


def test_while_a_sku_sells_out_a_channel_that_sets_plainly_is_asked_for_orders_once_a_minute(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    sets_plainly(database)

    asked = []
    for _ in range(3):
        asked.append(heard_ahead(database, shop, clock))
        clock.advance(30)

    assert asked == [1, 0, 1]


def test_a_channel_that_compares_before_it_sets_is_not_asked_ahead(
    database: Database, clock: Clock, shop: MemoryChannel
) -> None:
    assert heard_ahead(database, shop, clock) == 0


def test_where_nothing_sells_out_before_its_window_the_windows_ask(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"SLOW": 5, "SPIKE": 5000}, clock=clock)
    sells(database, clock, "SLOW", 0.01)
    sells(database, clock, "SPIKE", 0.2, fast=2.0)
    sets_plainly(database)

    assert heard_ahead(database, MemoryChannel(clock, {}), clock) == 0


def test_it_is_asked_where_quotas_leave_it_nothing_until_its_last_sale_is_heard(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"GONE": 0}, clock=clock)
    sells(database, clock, "GONE", 2.0)
    sets_plainly(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE pace SET channel = :c"), {"c": CHANNEL})
        connection.execute(
            text(
                "INSERT INTO exposure (sku, scarce, held, since) VALUES ('GONE', '{OSLO}', false, :now)"
            ),
            {"now": clock.now},
        )
    shop = MemoryChannel(clock, {("GONE", OSLO): 0})

    assert heard_ahead(database, shop, clock) == 1
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE channel SET orders_mark = :now"), {"now": clock.now})
    clock.advance(60)
    assert heard_ahead(database, shop, clock) == 0


@pytest.mark.parametrize(
    ("window_s", "lag_s", "age_s"),
    [(900, 5.0, 180.0), (900, 120.0, 180.0), (60, 5.0, 17.0), (10, 5.0, 7.0), (10, 120.0, 122.0)],
)
def test_what_waits_for_its_orders_asks_for_them_within_its_window_however_short_that_is(
    window_s: int, lag_s: float, age_s: float
) -> None:
    assert Terms(window_s=window_s, orders_lag_s=lag_s).hear_s == age_s
