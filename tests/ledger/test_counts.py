"""A count is as of its minute, whatever is sold meanwhile and whatever arrives late."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text

from ledger.verify import verify
from tests.builders import NOON, a_fact, balance, book, minutes, stock_the_house
from tests.servers import Database


def on_hand(database: Database) -> int:
    held = balance(database.engine)
    return sum(held.get(s, 0) for s in ("available", "unavailable", "committed", "reserved"))


def test_the_variance_is_counted_less_the_position_at_that_minute(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=100))
    book(database.engine, a_fact("ship", id="sold-after", units=10, occurred_at=NOON + minutes(14)))

    # At 12:10 the book said 100 and the shelf held 95: 5 are gone. What was sold at 12:14 is another matter.
    book(database.engine, a_fact("count", counted=95, occurred_at=NOON + minutes(10)))

    assert on_hand(database) == 100 - 10 - 5


def test_a_count_at_its_minute_includes_what_happened_in_that_minute(database: Database) -> None:
    stock_the_house(database.engine)
    book(
        database.engine,
        a_fact("receipt", units=100),
        a_fact("ship", units=4, occurred_at=NOON + minutes(5)),
    )

    book(database.engine, a_fact("count", counted=96, occurred_at=NOON + minutes(5)))

    assert on_hand(database) == 96


def test_a_sale_that_happened_before_the_count_and_arrives_after_it_restates_the_count(
    database: Database,
) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=100))
    book(database.engine, a_fact("count", counted=95, occurred_at=NOON + minutes(10)))

    book(database.engine, a_fact("ship", id="late", units=5, occurred_at=NOON + minutes(2)))

    # The shelf was counted after those 5 had left: it held 95 then and holds 95 now.
    assert on_hand(database) == 95
    with database.engine.connect() as connection:
        restated = connection.execute(
            text("SELECT reason FROM event WHERE kind = 'count' AND source = 'lockstep'")
        ).scalar_one()
    assert "ship late happened before this count" in restated


def test_an_order_before_the_count_changes_nothing_on_the_shelf(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=100))
    book(database.engine, a_fact("count", counted=95, occurred_at=NOON + minutes(10)))

    book(database.engine, a_fact("order", units=7, occurred_at=NOON + minutes(2)))

    assert on_hand(database) == 95
    assert balance(database.engine) == {"available": 88, "committed": 7}


EVENTS = (
    a_fact("receipt", id="r", units=100, occurred_at=NOON - minutes(60)),
    a_fact("ship", id="s", units=6, occurred_at=NOON + minutes(5)),
    a_fact("count", id="c1", counted=90, occurred_at=NOON + minutes(10)),
    a_fact("ship", id="t", units=3, occurred_at=NOON + minutes(15)),
    a_fact("count", id="c2", counted=88, occurred_at=NOON + minutes(20)),
    a_fact("ship", id="u", units=8, occurred_at=NOON + minutes(25)),
)


@pytest.mark.parametrize("order", [*itertools.islice(itertools.permutations(range(6)), 0, 720, 37)])
def test_two_counts_and_the_sales_around_them_come_to_the_same_in_any_order(
    database: Database, order: tuple[int, ...]
) -> None:
    stock_the_house(database.engine)

    for position in order:
        book(database.engine, EVENTS[position], now=NOON + minutes(60))

    assert on_hand(database) == 88 - 8
    assert verify(database.engine).clean


def test_counts_and_sales_in_one_batch_come_to_the_same(database: Database) -> None:
    stock_the_house(database.engine)

    book(database.engine, *EVENTS[::-1], now=NOON + minutes(60))

    assert on_hand(database) == 88 - 8
