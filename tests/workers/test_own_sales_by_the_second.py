"""What a channel is believed to show follows orders stamped with the whole second of a reading or of a push."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from allocation import missing, own_sales
from allocation.own_sales import OwnSale
from allocation.sql import SEEN
from ledger.db import transaction
from tests.servers import FIRST_NOW, Clock, Database
from tests.workers.shelf import House, a_house

#: A whole second, as some vendors stamp them.
SECOND = FIRST_NOW.replace(microsecond=0)


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    house = a_house(database.engine, clock, "A")
    house.set(A=10)
    return house


def confirmed(connection: Connection, units: int, at_s: float) -> None:
    connection.execute(
        text(
            "INSERT INTO shown (channel, sku, location, units, number, confirmed_at)"
            " VALUES ('shop', 'A', 'WH', :units, 1, :at) ON CONFLICT (channel, sku, location)"
            " DO UPDATE SET units = excluded.units, confirmed_at = excluded.confirmed_at"
        ),
        {"units": units, "at": at(at_s)},
    )


def reads(connection: Connection, units: int, at_s: float) -> None:
    """A read-back, as reconciliation notes one."""
    missing.fear(connection, "shop", ["A"], ["WH"], [units], [at(at_s)], answered=True)
    connection.execute(
        text("UPDATE shown SET read_units = :units, read_at = :at WHERE sku = 'A'"),
        {"units": units, "at": at(at_s)},
    )


def hears(connection: Connection, *sold: tuple[int, float]) -> None:
    """Orders of one drain: (units, second)."""
    own_sales.follow(connection, [OwnSale("shop", "A", "WH", n, at(at_s)) for n, at_s in sold])


def at(seconds: float) -> datetime:
    return SECOND + timedelta(seconds=seconds)


def belief(connection: Connection) -> tuple[int, int]:
    """(units it is believed to show, units that are missing)"""
    found = connection.execute(text(f"SELECT {SEEN} AS seen, missing FROM shown AS s")).one()  # noqa: S608
    return found.seen, found.missing


def test_a_sale_in_the_second_of_a_reading_after_it_is_not_feared_by_the_next(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 10, 0.4)
        # Sold at 0.8, stamped with the whole second.
        hears(connection, (1, 0.0))
        reads(connection, 9, 5.0)

        assert belief(connection) == (9, 0)


def test_a_sale_in_the_second_of_a_reading_before_it_is_what_that_reading_missed(
    house: House,
) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 9, 0.4)
        assert belief(connection) == (9, 1)
        hears(connection, (1, 0.0))
        assert belief(connection) == (9, 0)
        reads(connection, 9, 5.0)

        assert belief(connection) == (9, 0)


def test_of_two_sales_in_the_second_of_a_reading_one_was_missed_and_one_came_after_it(
    house: House,
) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 9, 0.4)
        hears(connection, (1, 0.0))
        hears(connection, (1, 0.0))

        assert belief(connection) == (8, 0)


def test_a_write_that_takes_effect_after_a_reading_has_sold_nothing(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 62, -60.0)
        confirmed(connection, 0, 0.0)
        reads(connection, 62, 4.0)
        reads(connection, 0, 7.0)

        assert belief(connection) == (0, 0)


def test_what_is_below_a_write_that_took_effect_late_is_feared_sold(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 62, -60.0)
        confirmed(connection, 20, 0.0)
        reads(connection, 62, 4.0)
        reads(connection, 19, 7.0)

        assert belief(connection) == (19, 43)


def test_a_sale_in_the_second_of_a_push_that_was_compared_came_after_it(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, 0.4)
        hears(connection, (1, 0.0))
        reads(connection, 9, 5.0)

        assert belief(connection) == (9, 0)


def test_orders_of_one_drain_on_both_sides_of_a_reading_are_told_apart(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 8, 10.4)
        hears(connection, (2, 3.0), (3, 12.0))

        assert belief(connection) == (5, 0)


def test_a_sale_well_before_a_reading_lowers_no_belief(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 8, 10.4)
        hears(connection, (2, 3.0))
        hears(connection, (1, 2.0))

        assert belief(connection) == (8, 0)


def test_a_plain_write_may_have_overwritten_a_sale_in_its_second(house: House) -> None:
    with transaction(house.engine) as connection:
        connection.execute(text("UPDATE channel SET kind = 'amazon' WHERE channel = 'shop'"))
        confirmed(connection, 10, 0.4)
        hears(connection, (1, 0.0))

        assert belief(connection) == (10, 0)


def test_a_sale_by_a_clock_that_counts_fractions_is_on_the_side_it_says(house: House) -> None:
    with transaction(house.engine) as connection:
        confirmed(connection, 10, -60.0)
        reads(connection, 10, 0.4)
        hears(connection, (1, 0.3))

        assert belief(connection) == (10, 0)
