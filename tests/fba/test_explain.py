"""A change of what can be sold, by cause: pure arithmetic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.amazon.fba import Parts
from channels.amazon.mirror import Change, Moves, Off, explain, held_units, still_off, unexplained

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
BEFORE = Parts(fulfillable=20, pending_orders=2, transshipment=1, researching=1)
NOTHING = Change(0, 0, 0, 0, 0, 0, 0, 0)


def after(**deltas: int) -> Parts:
    return replace(BEFORE, **{name: getattr(BEFORE, name) + d for name, d in deltas.items()})


@pytest.mark.parametrize(
    ("what", "parts", "moves", "change"),
    [
        ("nothing", after(), Moves(), NOTHING),
        (
            "an order is placed",
            after(fulfillable=-3, pending_orders=3),
            Moves(),
            replace(NOTHING, sale=-3),
        ),
        (
            "an order is cancelled",
            after(fulfillable=2, pending_orders=-2),
            Moves(),
            replace(NOTHING, sale=2),
        ),
        ("an order is shipped", after(pending_orders=-2), Moves(shipped=2), NOTHING),
        (
            "an order is placed and shipped",
            after(fulfillable=-3),
            Moves(shipped=3),
            replace(NOTHING, sale=-3),
        ),
        (
            "an MCF order is placed beside a sale",
            after(fulfillable=-5, pending_orders=5),
            Moves(mcf_ordered=4),
            replace(NOTHING, sale=-1, mcf=-4),
        ),
        (
            "a shipment is received",
            after(fulfillable=7),
            Moves(received=7),
            replace(NOTHING, inbound=7),
        ),
        (
            "a customer's return",
            after(fulfillable=1),
            Moves(returned=1),
            replace(NOTHING, returned=1),
        ),
        ("a removal", after(fulfillable=-4), Moves(removed=-4), replace(NOTHING, removal=-4)),
        ("a loss", after(fulfillable=-2), Moves(adjusted=-2), replace(NOTHING, adjustment=-2)),
        (
            "units go on a journey",
            after(fulfillable=-6, transshipment=6),
            Moves(),
            replace(NOTHING, transfer=-6),
        ),
        (
            "researched units are lost",
            after(researching=-1),
            Moves(adjusted=-1),
            replace(NOTHING, adjustment=-1, transfer=1),
        ),
        ("units vanish", after(fulfillable=-2), Moves(), replace(NOTHING, rest=-2)),
        ("damaged units are thrown away", after(unfulfillable=-0), Moves(), NOTHING),
        ("inbound alone", after(inbound_shipped=9), Moves(), NOTHING),
    ],
)
def test_what_happened_is_named(what: str, parts: Parts, moves: Moves, change: Change) -> None:
    assert explain(BEFORE, parts, moves) == change, what


units = st.integers(0, 10_000)
signed = st.integers(-10_000, 10_000)
parts = st.builds(Parts, *[units] * 9)
moves = st.builds(Moves, units, units, signed, signed, units, signed)


@given(parts, parts, moves)
def test_the_causes_always_sum_to_the_change(before: Parts, after: Parts, moves: Moves) -> None:
    change = explain(before, after, moves)

    assert change.fulfillable == after.fulfillable - before.fulfillable


@given(parts, parts, parts, moves, moves)
def test_two_changes_explain_what_one_over_both_would(
    first: Parts, second: Parts, third: Parts, early: Moves, late: Moves
) -> None:
    both = Moves(
        *(a + b for a, b in zip(_plain(early), _plain(late), strict=True)),
    )

    one, two, whole = (
        explain(first, second, early),
        explain(second, third, late),
        explain(first, third, both),
    )

    assert whole.rest == one.rest + two.rest
    assert whole.sale == one.sale + two.sale


def _plain(moves: Moves) -> tuple[int, ...]:
    return (
        moves.received,
        moves.returned,
        moves.removed,
        moves.adjusted,
        moves.shipped,
        moves.mcf_ordered,
    )


@given(parts, st.integers(1, 24), st.integers(-500, 500))
def test_what_is_left_to_promise_is_what_amazon_can_sell_less_what_it_does_not_know(
    parts: Parts, pack: int, committed: int
) -> None:
    """The book holds all that is there: kept apart and committed taken off, nothing above `fulfillable` is left."""
    available = parts.in_house * pack - max(0, committed) - held_units(parts, pack, committed)

    unknown_to_amazon = max(0, max(0, committed) - parts.pending_orders * pack)
    assert available == parts.fulfillable * pack - unknown_to_amazon


def test_a_difference_is_counted_by_windows_and_anew_when_it_turns() -> None:
    windows = [NOON + timedelta(minutes=15 * n) for n in range(4)]
    first = still_off(None, -3, windows[0])
    same_window = still_off(first, -3, windows[0])
    second = still_off(same_window, -5, windows[1])

    assert (first, same_window) == (Off(-3, 1, windows[0]), Off(-3, 1, windows[0]))
    assert second == Off(-5, 2, windows[1])
    assert still_off(second, 4, windows[2]) == Off(4, 1, windows[2])
    assert still_off(second, 0, windows[2]) is None


def test_a_row_that_waits_for_its_order_is_no_difference() -> None:
    assert unexplained(after(fulfillable=-2), 1, (24, 24), 0) == -2
    assert unexplained(after(fulfillable=-2), 1, (24, 24), -2) == 0
    assert unexplained(BEFORE, 6, (24 * 6, 0), 0) == 0
