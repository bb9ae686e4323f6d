"""`lockstep pickup`: the arithmetic of a store's number, and a failed pick as the count it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.builders import a_fact, balance, book, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import apply

RULES = """\
[locations.OSLO]
kind = "store"
safety_units = 1
why = "shelf"
[locations.OSLO.pickup]
threshold = 2
hours = 0
loss_per_day = 0
why = "the last two are hard to find"
[locations.BERGEN]
"""


@pytest.fixture
def stocked(database: Database) -> Database:
    stock_the_house(database.engine, ("MUG-RED",), ())
    with database.engine.begin() as connection:
        apply(connection, RULES, datetime.now(UTC))
    receipt = a_fact("receipt", units=9, occurred_at=datetime.now(UTC))
    book(database.engine, receipt, now=datetime.now(UTC))
    return database


def pickup(database: Database, *words: str) -> Said:
    return lockstep("pickup", *words, environment=surroundings(database))


def test_a_number_is_shown_with_its_arithmetic(stocked: Database) -> None:
    (row,) = pickup(stocked, "show", "MUG-RED", "--json").read

    assert (row["location"], row["shown"]) == ("OSLO", 6)
    assert [row[term] for term in ("available", "safety", "threshold", "owed")] == [9, 1, 2, 0]
    assert row["pace_assumed"] is True


def test_a_failed_pick_is_a_count_of_nothing(stocked: Database) -> None:
    said = pickup(stocked, "failed", "MUG-RED", "--location", "OSLO", "--by", "ann")

    assert said.code == 0, said.err
    assert balance(stocked.engine) == {}
    (row,) = pickup(stocked, "show", "MUG-RED", "--json").read
    assert (row["shown"], row["available"]) == (0, 0)
    assert row["counted_at"] is not None


def test_what_waits_for_other_customers_is_there(stocked: Database) -> None:
    order = a_fact("order", units=3, occurred_at=datetime.now(UTC))
    book(stocked.engine, order, now=datetime.now(UTC))

    pickup(stocked, "failed", "MUG-RED", "--location", "OSLO", "--set-aside", "3")

    assert balance(stocked.engine) == {"committed": 3}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "MUG-GREEN"), "nothing is known of SKU 'MUG-GREEN'"),
        (("show", "MUG-RED", "--location", "BERGEN"), "they are at OSLO"),
    ],
)
def test_what_is_not_there_is_named(stocked: Database, words: tuple[str, ...], why: str) -> None:
    said = pickup(stocked, *words)

    assert said.code == 1
    assert why in said.err


def test_without_a_pickup_rule_the_next_step_is_told(database: Database) -> None:
    stock_the_house(database.engine)

    said = pickup(database, "show", "MUG-RED")

    assert said.code == 1
    assert "[locations.<name>.pickup]" in said.err
