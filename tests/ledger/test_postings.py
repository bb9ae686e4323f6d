"""Which way each kind of event goes; every row carries its arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import postings
from ledger.events import Order, OrderCancel, Ship
from ledger.postings import OrderLine
from ledger.types import Move
from tests.builders import NOON, a_fact, minutes, read


@pytest.mark.parametrize(
    ("fact", "came_from", "went_to"),
    [
        (a_fact("receipt", units=5), "supplier", "available"),
        (a_fact("transfer_ship", units=5), "available", "in_transit"),
        (a_fact("transfer_receive", units=5), "in_transit", "available"),
        (a_fact("adjustment", units=5), "found", "available"),
        (a_fact("adjustment", units=-5), "available", "loss"),
        (a_fact("write_off", units=5), "available", "loss"),
        (a_fact("reservation", units=5), "available", "reserved"),
        (a_fact("release", units=5), "reserved", "available"),
        (a_fact("opening", units=5), "opening", "available"),
        (a_fact("opening", units=5, location="IN-TRANSIT"), "opening", "in_transit"),
        (a_fact("return", units=5), "customer", "available"),
        (a_fact("return", units=5, disposition="hold"), "customer", "unavailable"),
        (a_fact("count", variance=5), "found", "available"),
        (a_fact("count", variance=-5), "available", "loss"),
        (a_fact("ship", units=5), "available", "customer"),
    ],
)
def test_each_kind_takes_units_from_one_place_to_another(
    fact: dict[str, Any], came_from: str, went_to: str
) -> None:
    moves = postings.unlined(read(fact))  # type: ignore[arg-type]  # the table holds no order kinds

    assert [(m.from_state, m.to_state, m.units) for m in moves] == [(came_from, went_to, 5)]


def _order(units: int, after: float = 0, **said: Any) -> Order:
    fact = read(a_fact("order", units=units, revision=NOON + minutes(after), **said))
    assert isinstance(fact, Order)
    return fact


def test_a_first_snapshot_commits_what_was_ordered() -> None:
    moves, line = postings.order(_order(3), None)

    assert moves == [Move("MUG-RED", "OSLO", "available", "OSLO", "committed", 3)]
    assert line.open_units == 3


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (5, ("available", "committed", 2)),  # 5 - 3 = 2 more
        (1, ("committed", "available", 2)),  # 1 - 3 = 2 less
    ],
)
def test_a_newer_snapshot_posts_the_difference(then: int, expected: tuple[str, str, int]) -> None:
    _, line = postings.order(_order(3), None)

    moves, newer = postings.order(_order(then, after=1), line)

    assert [(m.from_state, m.to_state, m.units) for m in moves] == [expected]
    assert newer.ordered_units == then


@pytest.mark.parametrize("after", [0, -1])
def test_an_older_or_equal_snapshot_posts_nothing(after: float) -> None:
    _, line = postings.order(_order(3), None)

    moves, same = postings.order(_order(9, after=after), line)

    assert moves == []
    assert same is line


def test_a_line_given_to_another_location_is_let_go_there_and_committed_here() -> None:
    _, line = postings.order(_order(3), None)

    moves, newer = postings.order(_order(4, after=1, location="BERGEN"), line)

    assert moves == [
        Move("MUG-RED", "OSLO", "committed", "OSLO", "available", 3),
        Move("MUG-RED", "BERGEN", "available", "BERGEN", "committed", 4),
    ]
    assert newer.location == "BERGEN"


def test_units_cancelled_on_hold_do_not_become_available() -> None:
    _, line = postings.order(_order(3), None)
    fact = read(a_fact("order_cancel", units=2, disposition="hold"))
    assert isinstance(fact, OrderCancel)

    moves, after = postings.cancel(fact, line)

    assert moves == [Move("MUG-RED", "OSLO", "committed", "OSLO", "unavailable", 2)]
    assert after.open_units == 1


def test_a_shipment_from_elsewhere_frees_the_promise_and_takes_the_shelf_it_left_from() -> None:
    _, line = postings.order(_order(3), None)
    fact = read(
        a_fact(
            "ship", units=3, channel="shopify", order="1001", line="1", sku=None, location="BERGEN"
        )
    )
    assert isinstance(fact, Ship)

    moves, after = postings.ship(fact, line)

    assert moves == [
        Move("MUG-RED", "OSLO", "committed", "OSLO", "available", 3),
        Move("MUG-RED", "BERGEN", "available", "OUTSIDE", "customer", 3),
    ]
    assert after.open_units == 0


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["snapshot", "cancel", "ship"]), st.integers(1, 9), st.integers(0, 20)
        ),
        max_size=12,
    )
)
def test_what_is_committed_is_always_what_the_line_has_open(
    steps: list[tuple[str, int, int]],
) -> None:
    line: OrderLine | None = None
    committed = 0
    for kind, units, at in steps:
        moves: list[Move] = []
        if kind == "snapshot":
            moves, line = postings.order(_order(units, after=at), line)
        elif line is not None and kind == "cancel":
            fact = read(a_fact("order_cancel", units=units))
            assert isinstance(fact, OrderCancel)
            moves, line = postings.cancel(fact, line)
        elif line is not None:
            shipped = read(a_fact("ship", units=units, channel="shopify", order="1001", line="1"))
            assert isinstance(shipped, Ship)
            moves, line = postings.ship(shipped, line)
        committed += sum(m.units for m in moves if m.to_state == "committed")
        committed -= sum(m.units for m in moves if m.from_state == "committed")

    assert committed == (line.open_units if line else 0)


@given(units=st.integers(1, 50), kind=st.sampled_from(["order", "order_cancel", "ship"]))
def test_an_event_and_its_reversal_change_nothing(units: int, kind: str) -> None:
    _, line = postings.order(_order(20), None)
    if kind == "order":
        moves, after = postings.order(_order(units, after=1), line)
    elif kind == "order_cancel":
        fact = read(a_fact("order_cancel", units=units))
        assert isinstance(fact, OrderCancel)
        moves, after = postings.cancel(fact, line)
    else:
        shipped = read(a_fact("ship", units=units, channel="shopify", order="1001", line="1"))
        assert isinstance(shipped, Ship)
        moves, after = postings.ship(shipped, line)

    undone, back = postings.reversal(kind, moves, after)

    net: dict[tuple[str, str], int] = {}
    for move in [*moves, *undone]:
        net[move.from_location, move.from_state] = (
            net.get((move.from_location, move.from_state), 0) - move.units
        )
        net[move.to_location, move.to_state] = (
            net.get((move.to_location, move.to_state), 0) + move.units
        )
    assert set(net.values()) <= {0}
    assert back is not None
    assert back.open_units == line.open_units
