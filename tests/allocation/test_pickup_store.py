"""What pick-up numbers follow from, read from the book: the last count, what counts found missing, pace, versions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from allocation import pickup_store
from allocation.pickup import Counted, Shelf
from ledger.db import transaction
from tests.builders import NOON, a_fact, book, stock_the_house
from tests.servers import Database

DAY = timedelta(days=1)


def days_ago(count: float) -> datetime:
    return NOON - count * DAY


def look(database: Database, sku: str = "MUG-RED", location: str = "OSLO") -> Shelf:
    with transaction(database.engine) as connection:
        seen = pickup_store.look(connection, [(sku, location)])
    shelves = seen.shelves[sku, location]
    assert shelves is not None
    ((shelf, each),) = shelves
    assert each == 1
    return shelf


def losses(database: Database, since: datetime = NOON - 700 * DAY) -> dict[str, Counted]:
    with transaction(database.engine) as connection:
        return pickup_store.losses(connection, ["OSLO", "BERGEN"], since)


@pytest.fixture
def counted(database: Database) -> Database:
    """10 came 40 days ago; counted as 10, 8 and, after 2 were found again, 9 ten days apart each."""
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10, occurred_at=days_ago(40)))
    for number, (ago, seen) in enumerate(((30, 10), (20, 8), (10, 9))):
        book(
            database.engine,
            a_fact("count", id=f"count:{number}", counted=seen, occurred_at=days_ago(ago)),
        )
    return database


def test_the_last_count_of_the_place_is_the_one_that_counts(counted: Database) -> None:
    assert look(counted).counted_at == days_ago(10)
    assert look(counted, location="BERGEN").counted_at is None
    assert (look(counted).available, look(counted).version) == (9, 3)


def test_an_unknown_sku_has_no_shelf_and_an_unknown_place_an_empty_one(counted: Database) -> None:
    with transaction(counted.engine) as connection:
        seen = pickup_store.look(connection, [("NONE", "OSLO"), ("MUG-RED", "NOWHERE")])

    assert seen.shelves["NONE", "OSLO"] is None
    ((shelf, _),) = seen.shelves["MUG-RED", "NOWHERE"] or ()
    assert (shelf.available, shelf.version) == (0, 0)
    assert seen.rules_version == 0


def test_what_is_missing_between_two_counts_is_lost_and_what_is_found_is_not_gained(
    counted: Database,
) -> None:
    assert losses(counted) == {"OSLO": Counted(counts=2, days=20.0, missing=2)}


def test_counts_that_are_too_old_tell_nothing(counted: Database) -> None:
    assert losses(counted, since=days_ago(25)) == {"OSLO": Counted(counts=1, days=10.0, missing=0)}
    assert losses(counted, since=days_ago(15)) == {}


def test_the_pace_of_the_place_is_that_of_all_channels_that_sold_there(counted: Database) -> None:
    for number, (channel, place) in enumerate(
        (("till", "OSLO"), ("shopify", "OSLO"), ("till", "BERGEN"))
    ):
        order = a_fact(
            "order", id=f"order:{number}", order=f"{number}", channel=channel, location=place,
            units=2, occurred_at=days_ago(1),
        )  # fmt: skip
        book(counted.engine, order)

    assert len(look(counted).paces) == 2
    assert len(look(counted, location="BERGEN").paces) == 1
    assert look(counted, sku="MUG-BLUE").paces == ()
    assert [pace.units_per_line for pace in look(counted).paces] == [2.0, 2.0]


def test_a_look_says_a_moment_before_its_numbers_were_taken(counted: Database) -> None:
    """Else what is committed between the two had ended before the answer says that it was true."""
    repeatable = counted.owner.execution_options(isolation_level="REPEATABLE READ")
    with repeatable.connect() as reading, reading.begin():
        pickup_store.look(reading, [("MUG-RED", "STORE-2")])
        with counted.owner.connect() as clock:
            later = clock.execute(text("SELECT clock_timestamp()")).scalar_one()

        assert pickup_store.look(reading, [("MUG-RED", "STORE-2")]).at < later
