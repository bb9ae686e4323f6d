"""The book's last days as a history to simulate: what was sold, what came, and what was there before."""

from __future__ import annotations

from typing import Any

import pytest

from allocation.document import read
from allocation.simulate.replay import simulate
from allocation.simulate.types import Delays, Line, Movement, Unusable, Way
from tests.builders import NOON, a_fact, book, minutes, stock_the_house
from tests.servers import Database
from workers.flows.simulate import from_ledger

RULES = read(
    """\
[locations.OSLO]
[channels.shopify]
kind = "shopify"
base_url = "https://shop.example"
locations = ["OSLO"]
vendor_locations = { "gid://1" = "OSLO" }
"""
).rules()


def at(count: float) -> dict[str, Any]:
    return {"occurred_at": NOON + minutes(count)}


@pytest.fixture
def booked(database: Database) -> Database:
    stock_the_house(database.engine)
    book(
        database.engine,
        a_fact("receipt", units=10, **at(-60)),
        a_fact("order", id="o1", units=3, **at(1)),
        a_fact("order_cancel", id="c1", units=1, **at(2)),
        a_fact("receipt", id="r2", units=5, **at(3)),
        a_fact("adjustment", id="a1", units=-2, **at(4)),
        a_fact("receipt", id="r3", units=7, location="BERGEN", **at(4)),
        now=NOON + minutes(10),
    )
    return database


def test_the_book_tells_what_was_sold_and_what_came_since_then(booked: Database) -> None:
    history = from_ledger(booked.engine, NOON, NOON + minutes(10), RULES, 1)

    (stream,) = history.streams
    order, cancel, receipt, adjustment = stream.events
    assert stream.opening == {"OSLO": 10}
    assert isinstance(order, Line)
    assert (order.channel, order.units, order.price) == ("shopify", 3, None)
    assert isinstance(cancel, Movement)
    assert (cancel.way, cancel.units, cancel.ref) == (Way.CANCEL, 1, order.key)
    assert [e.units for e in (receipt, adjustment)] == [5, -2]


def test_what_happened_outside_the_time_is_not_replayed_but_counts_for_the_opening(
    booked: Database,
) -> None:
    history = from_ledger(booked.engine, NOON + minutes(1.5), NOON + minutes(3.5), RULES, 1)

    (stream,) = history.streams
    assert stream.opening == {"OSLO": 7}
    assert [event.units for event in stream.events] == [1, 5]


def test_the_book_knows_no_prices_so_there_is_no_revenue(booked: Database) -> None:
    history = from_ledger(booked.engine, NOON, NOON + minutes(10), RULES, 1)

    found = simulate(history, {"lockstep": RULES}, Delays(), 1)

    assert found["lockstep"].revenue is None
    assert found["lockstep"].sold_units == 3


def test_a_time_in_which_nothing_happened_is_refused(booked: Database) -> None:
    with pytest.raises(Unusable, match="no events"):
        from_ledger(booked.engine, NOON + minutes(20), NOON + minutes(30), RULES, 1)
