"""Causes that only the evidence of a differing place can name: orders, other SKUs, packs, meanings, hands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcile.causes import name
from reconcile.causes_places import pack_of
from reconcile.causes_pushes import PUSHES_SEEN
from reconcile.clues import Clues, Sale, TwiceBooked, UnseenOrder
from reconcile.compare import compare
from reconcile.types import Case, Cause, Limits, Named
from tests.reconcile.cases import READ_AT, a_case, a_push, ago

#: 50 was confirmed two hours ago, then 30 an hour ago.
FIFTY_THEN_THIRTY = (a_push(30, 2), a_push(50, 1, sent_s_ago=7200))


def named(case: Case, clues: Clues | None = None) -> Named:
    """The cause of a place with these clues."""
    case = case if clues is None else replace(case, clues=clues)
    return name(case, compare(case, Limits()), {})


def an_order(
    units: int, *, heard: bool = False, s_ago: float = 300, name: str = "1001"
) -> UnseenOrder:
    return UnseenOrder(name, units, ago(s_ago), (7,), heard)


def test_orders_that_a_notification_named_came_late() -> None:
    # reference: 30 was pushed, 27 is read, orders of 1 and 2 are not in the book
    orders = (an_order(1, heard=True), an_order(2, heard=True, name="1002"))

    found = named(a_case(27), Clues(unseen=orders))

    assert found.cause is Cause.LATE_EVENT
    assert found.evidence["order_ids"] == ["1001", "1002"]
    assert not found.look_again


def test_an_order_that_only_the_order_api_tells_is_late_until_the_grace_is_over() -> None:
    young, old = Clues(unseen=(an_order(3),)), Clues(unseen=(an_order(3),), grace_is_over=True)

    assert named(a_case(27), young).cause is Cause.LATE_EVENT
    assert named(a_case(27), young).look_again
    assert named(a_case(27), old).cause is Cause.UNLEDGERED_SALE


def test_own_sales_below_a_target_that_stayed_are_no_units_of_another_state() -> None:
    # A listing that is capped at 30 sold 3: the target stays, and what it sold is committed.
    clues = Clues(sales=(Sale(3, ago(300)),), committed=3)

    found = named(replace(a_case(27), pushes=FIFTY_THEN_THIRTY), clues)

    assert found.cause is Cause.LATE_EVENT
    assert (found.evidence["pushed"], found.evidence["own_sales"]) == (30, 3)


def test_what_own_cancels_give_back_above_a_target_that_stayed_is_nobody_elses_hand() -> None:
    # A listing that is capped at 30: a cancel of 4 puts them back on its shelf, and the target stays.
    case = a_case(34, updated_s_ago=300, orders_mark=READ_AT)

    found = named(case, Clues(sales=(Sale(-4, ago(300)),), last_order_at=ago(300)))

    assert found.cause is Cause.LATE_EVENT
    assert (found.evidence["pushed"], found.evidence["own_sales"]) == (30, -4)


def test_an_order_in_the_second_of_the_push_or_of_the_reading_may_be_on_either_side_of_it() -> None:
    # Capped at 30 and put back an hour ago: 3 were sold since, 5 in the second of the reading, after it, and 2 in that
    # of the push, before it.
    sales = (Sale(5, READ_AT), Sale(3, ago(300)), Sale(2, ago(3600)))
    case = a_case(27, updated_s_ago=300, orders_mark=READ_AT + timedelta(seconds=9))

    assert named(case, Clues(sales=sales)).cause is Cause.LATE_EVENT
    assert named(replace(case, target=replace(case.target, units=31)), Clues()).cause is not (
        Cause.LATE_EVENT
    )


def test_orders_that_are_not_just_the_difference_explain_nothing() -> None:
    assert named(a_case(27), Clues(unseen=(an_order(2),))).cause is Cause.UNKNOWN


def test_a_cancel_that_is_not_in_the_book_is_missed() -> None:
    found = named(a_case(33), Clues(unseen=(an_order(-3),)))

    assert found.cause is Cause.MISSED_CANCEL
    assert found.evidence["units"] == 3


def test_an_order_in_the_book_twice_is_a_duplicate_when_its_units_are_the_difference() -> None:
    pair = TwiceBooked("1001", 2, "e-1", "e-2", "oms", "oms:1001")

    assert named(a_case(32), Clues(twice=(pair,))).cause is Cause.DUPLICATE_EVENT
    assert named(a_case(33), Clues(twice=(pair,))).cause is Cause.UNKNOWN
    assert named(a_case(28), Clues(twice=(pair,))).cause is Cause.UNKNOWN


def test_a_swallowed_update_is_known_among_sales_in_the_book_and_outside() -> None:
    # 50 was shown, 30 was swallowed; 4 were sold and booked since, 2 more are on their way
    case = a_case(44, target=26, pushes=FIFTY_THEN_THIRTY)

    clues = Clues(sales=(Sale(4, ago(600)),), unseen=(an_order(2),))

    assert named(case, clues).cause is Cause.SWALLOWED


def test_a_number_that_was_read_back_once_was_not_swallowed() -> None:
    pushes = (replace(a_push(30, 2), seen_at=ago(3500)), a_push(50, 1, sent_s_ago=7200))

    assert named(a_case(50, pushes=pushes)).cause is Cause.STALE_OVERWRITE


def test_a_repair_that_repeats_the_number_does_not_hide_what_was_shown_before_it() -> None:
    pushes = (
        a_push(30, 2, sent_s_ago=3000, expected=50),
        a_push(30, 2, sent_s_ago=3600, expected=50),
        a_push(50, 1, sent_s_ago=7200),
    )

    assert named(a_case(50, pushes=pushes)).cause is Cause.SWALLOWED


@pytest.mark.parametrize(
    ("pushed", "shows", "cut", "pack"),
    [
        pytest.param(60, 10, False, 6, id="reference: 60 expected, 10 read is a pack of 6"),
        pytest.param(10, 60, False, 6, id="pieces shown for packs"),
        pytest.param(62, 10, True, 6, id="a remainder was cut off by our own write"),
        pytest.param(62, 10, False, None, id="a remainder, and nobody knows whose hand it was"),
        pytest.param(117, 9, True, 12, id="nine packs of twelve are also thirteen times nine"),
        pytest.param(60, 60, True, None, id="equal"),
        pytest.param(60, 0, True, None, id="nothing is no pack"),
        pytest.param(60, -5, True, None, id="below nothing neither"),
        pytest.param(70, 10, False, None, id="nobody packs by seven"),
    ],
)
def test_a_pack_size_lies_between_two_numbers(
    pushed: int, shows: int, cut: bool, pack: int | None
) -> None:
    assert pack_of(pushed, shows, cut=cut) == pack


def test_a_number_shown_through_a_pack_size_is_a_unit_of_measure_error() -> None:
    case = a_case(10, target=60, pushes=(a_push(60, 2),))

    found = named(case)

    assert found.cause is Cause.UNIT_OF_MEASURE
    assert found.evidence["hint"] == "pack of 6"


def test_a_push_that_changed_nothing_is_packed_where_the_number_before_was_packed_so() -> None:
    # 104 in packs of 4 are 26; one was sold, and 103 in packs of 4 are the 25 that were shown by then.
    before = a_push(104, 2, sent_s_ago=7200)
    pushes = tuple(a_push(103, 3, sent_s_ago=3600 - 60 * n) for n in (2, 1, 0))
    case = a_case(25, target=103, number=3, pushes=(*pushes, before), updated_s_ago=3700)

    packed = named(case, Clues(sales_before=(Sale(1, ago(3700)),)))
    swallowed = named(replace(case, pushes=(*pushes, a_push(90, 2, sent_s_ago=7200))))

    assert packed.cause is Cause.UNIT_OF_MEASURE
    assert packed.evidence["hint"] == "pack of 4"
    assert swallowed.cause is not Cause.UNIT_OF_MEASURE


def test_a_number_that_was_pushed_before_under_another_target_is_no_repair_of_it() -> None:
    # 30 was read back two hours ago; it became 26 by a sale, and 30 again by a receipt that was swallowed.
    seen = replace(a_push(30, 1, sent_s_ago=7200), seen_at=ago(7190))
    case = a_case(26, number=3, pushes=(a_push(30, 3), seen), updated_s_ago=5000)

    assert named(case, Clues(sales_before=(Sale(4, ago(5000)),))).cause is Cause.SWALLOWED


def test_what_was_pushed_too_often_to_look_back_is_not_said_to_be_anothers() -> None:
    repairs = tuple(a_push(30, 3, sent_s_ago=60 * n) for n in range(1, PUSHES_SEEN))
    older = a_push(44, 2, sent_s_ago=7200)
    case = a_case(50, number=3, pushes=(*repairs, older), updated_s_ago=7300)

    assert named(case).cause is Cause.SWALLOWED
    assert named(replace(case, pushes=(*repairs[-3:], older))).cause is Cause.MAPPING_ERROR


@pytest.mark.parametrize(
    "clues", [Clues(committed=4), Clues(reserved=4)], ids=["committed", "reserved"]
)
def test_what_falls_short_by_what_is_committed_or_reserved_is_read_wrongly(clues: Clues) -> None:
    assert named(a_case(26), clues).cause is Cause.STATE_SEMANTICS


def test_a_number_of_our_own_write_is_no_external_edit() -> None:
    # changed in the second of our push, which was answered at once
    case = a_case(26, updated_s_ago=3599, orders_mark=READ_AT)

    assert named(case).cause is Cause.UNKNOWN
    assert named(case, Clues(committed=4)).cause is Cause.STATE_SEMANTICS


def test_what_somebody_else_wrote_is_neither_a_pack_nor_a_meaning() -> None:
    case = a_case(15, updated_s_ago=600, orders_mark=READ_AT)

    assert named(case, Clues(committed=15)).cause is Cause.EXTERNAL_EDIT


def test_two_skus_that_show_each_others_number_are_mapped_wrongly() -> None:
    found = named(a_case(44), Clues(crossed="TEA-2"))

    assert found.cause is Cause.MAPPING_ERROR
    assert found.evidence["crossed_with"] == "TEA-2"


def test_pushes_that_are_taken_twice_and_cure_nothing_are_a_mapping_error() -> None:
    case = a_case(44, updated_s_ago=3599)

    assert named(case, Clues(cured_not=1)).cause is Cause.UNKNOWN
    assert named(case, Clues(cured_not=2)).cause is Cause.MAPPING_ERROR


def test_a_delivery_that_cannot_be_applied_may_explain_what_looks_like_an_edit() -> None:
    case = a_case(44, updated_s_ago=600, orders_mark=READ_AT + timedelta(seconds=1))

    found = named(case, Clues(parked=(12,)))

    assert found.cause is Cause.UNKNOWN
    assert found.evidence["delivery_ids"] == [12]
