"""What other systems call their quantities, in the states of this book; each row is a published or checked vector."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation.promising import cumulative
from tests.builders import a_fact, balance, book, stock_the_house
from tests.servers import Database


@pytest.fixture
def engine(database: Database) -> Engine:
    stock_the_house(database.engine)
    return database.engine


def position(engine: Engine) -> dict[str, int]:
    """The row of the view for MUG-RED in OSLO."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT on_hand, available, unavailable, committed, reserved FROM position"
                " WHERE sku = 'MUG-RED' AND location = 'OSLO'"
            )
        ).one()
    return {name: int(units) for name, units in row._mapping.items()}


def sold(units: int, order: str = "1") -> dict[str, Any]:
    return a_fact("order", id=f"o:{order}", order=order, units=units)


def test_the_identity_of_available(engine: Engine) -> None:
    """BAL-1: on hand 120, committed 18, reserved 7, damaged 3, quality control 2, safety stock 10: available 80.

    Safety stock is kept back by the rules and not by the book: it is what they take off before anything is shown.
    """
    book(
        engine,
        a_fact("receipt", units=115),
        a_fact("return", id="damaged", units=3, disposition="hold"),
        a_fact("return", id="quality", units=2, disposition="hold"),
        sold(18),
        a_fact("reservation", units=7),
        a_fact("expected", units=40),
    )

    held, safety = position(engine), 10
    assert held == {
        "on_hand": 120,
        "available": 90,
        "unavailable": 5,
        "committed": 18,
        "reserved": 7,
    }
    assert held["available"] - safety == 80
    # Its "unavailable" of 22 is all that is on hand, neither sold nor for sale.
    assert held["on_hand"] - held["committed"] - (held["available"] - safety) == 22
    # And incoming is not counted.
    assert balance(engine)["incoming"] == 40


def test_reservations_are_never_taken_back_but_answered(engine: Engine) -> None:
    """BAL-2: salable 25, 17 after orders of 5 and 3, 18 after one is cancelled, 18 after 4 are shipped; source 21."""
    book(engine, a_fact("receipt", units=25))
    salable = [position(engine)["available"]]
    book(engine, sold(5, "1"), sold(3, "2"))
    salable.append(position(engine)["available"])
    book(engine, a_fact("order_cancel", order="2", units=1))
    salable.append(position(engine)["available"])
    book(engine, a_fact("ship", order="1", channel="shopify", line="1", units=4))
    salable.append(position(engine)["available"])

    assert salable == [25, 17, 18, 18]
    assert position(engine)["on_hand"] == 21
    assert position(engine)["committed"] == 3


def test_projected_is_available_and_incoming(engine: Engine) -> None:
    """BAL-3: actual 100, ordered 40, indented 10, planned 0, reserved 30 and 5 for production: projected 115."""
    book(
        engine,
        a_fact("receipt", units=100),
        a_fact("expected", id="ordered", units=40),
        a_fact("expected", id="indented", units=10, reference="MR-1"),
        sold(30),
        a_fact("reservation", units=5),
    )

    held = balance(engine)
    assert held["available"] + held["incoming"] == 115


def test_free_and_forecast(engine: Engine) -> None:
    """BAL-4: on hand 50, reserved 12, incoming 30, outgoing 20 (the 12 among them): free 38, forecast 60."""
    book(
        engine,
        a_fact("receipt", units=50),
        a_fact("expected", units=30),
        a_fact("reservation", units=12),
    )

    held = balance(engine)
    assert held["available"] == 38
    assert cumulative(position(engine)["on_hand"], [held["incoming"]], [20]) == [60]
