"""Bundles and their parts over the real flows: limits in a window, and what a channel's own bundles take."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.servers import Clock, Database
from tests.workers.two_shops import SHOPS, TwoShops

LIMIT = """
[[overrides]]
sku = "SET"
channel = "shop"
quota = { units = 9, since = 2026-01-01 }
why = "a limited edition"
"""


@pytest.fixture
def two(database: Database, clock: Clock) -> TwoShops:
    """A set of two A and one B, in deep stock."""
    two = TwoShops(database, clock)
    for sku, units in (("A", 900), ("B", 900), ("SET", 0)):
        two.stock_up(sku, units)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'A', 2), ('SET', 'B', 1)"
            )
        )
        connection.execute(text("INSERT INTO due (sku, since) SELECT 'SET', now()"))
    return two


def targets(two: TwoShops, sku: str) -> dict[str, int]:
    rows = two.rows("SELECT channel, units FROM target WHERE sku = :sku", sku=sku)
    return {row[0]: row[1] for row in rows}


def test_a_limit_in_a_window_counts_the_bundles_that_were_sold(two: TwoShops) -> None:
    two.apply(LIMIT)
    two.calculate()
    before = targets(two, "SET")["shop"]

    two.order("shop", "1", {"1#A": ("A", 8), "1#B": ("B", 4)})
    two.order("shop", "2", {"1": ("A", 5)})  # no bundle
    two.order("mall", "3", {"1#A": ("A", 2), "1#B": ("B", 1)})  # not here
    two.calculate()

    assert before == 9
    assert targets(two, "SET")["shop"] == 9 - 4


def test_a_channel_that_sells_a_part_in_bundles_keeps_more_of_it_back(two: TwoShops) -> None:
    two.stock_up("PLAIN", 900)
    two.calculate()
    bundled, plain = targets(two, "A"), targets(two, "PLAIN")

    assert all(bundled[shop] < plain[shop] for shop in SHOPS)


def test_a_channel_alone_does_not_show_the_last_units_twice_as_bundles(two: TwoShops) -> None:
    with two.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM binding WHERE channel = 'mall'"))
    two.take("A", 880)
    two.settle()

    shown = {sku: two.shelves["shop"].numbers[sku] for sku in ("A", "SET")}
    assert shown["A"] + 2 * shown["SET"] <= two.stock["A"] == 20
