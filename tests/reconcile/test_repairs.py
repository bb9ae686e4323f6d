"""What is done about a drift follows from its cause, and no repair goes on for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.clues import Clues
from reconcile.compare import compare
from reconcile.repairs import finding, is_put_back
from reconcile.types import Action, Case, Cause, Finding, HaltRule, Limits, Named
from tests.reconcile.cases import READ_AT, a_case

RULE = HaltRule()


def found(case: Case, cause: Cause, rule: HaltRule | None = RULE) -> Finding:
    return finding(case, compare(case, Limits()), Named(cause), Limits(), rule)


def spent(read: int, times: int = 4) -> Case:
    """Pushed again and taken so often, and still wrong."""
    return replace(a_case(read, times=1), clues=Clues(cured_not=times))


@pytest.mark.parametrize(
    ("cause", "action"),
    [
        (Cause.LATE_EVENT, Action.BACKFILL),
        (Cause.UNLEDGERED_SALE, Action.BACKFILL),
        (Cause.MISSED_CANCEL, Action.BACKFILL),
        (Cause.DUPLICATE_EVENT, Action.REVERSE),
    ],
)
def test_what_is_shown_is_right_when_the_book_is_behind(cause: Cause, action: Action) -> None:
    done = found(a_case(60), cause)

    assert (done.action, done.halt_reason) == (action, None)


def test_what_own_sales_took_off_a_target_that_stayed_is_put_back() -> None:
    case = spent(27)
    named = Named(Cause.LATE_EVENT, {"own_sales": 3})

    done = finding(case, compare(case, Limits()), named, Limits(), RULE)

    assert (done.action, done.halt_reason) == (Action.REPUSH_AFTER_GRACE, None)


@pytest.mark.parametrize("read", [27, 36])
def test_what_own_orders_moved_off_a_target_that_stayed_is_no_drift_at_first(read: int) -> None:
    case, named = (
        a_case(read, orders_mark=READ_AT),
        Named(Cause.LATE_EVENT, {"own_sales": 30 - read}),
    )

    done = finding(case, compare(case, Limits()), named, Limits(), RULE)

    assert is_put_back(case, named)
    assert (done.action, done.halt_reason) == (Action.REPUSH, None)
    assert not is_put_back(replace(case, open_drift=a_case(read, times=1).open_drift), named)
    assert not is_put_back(replace(case, halt_state="set"), named)
    assert not is_put_back(case, Named(Cause.LATE_EVENT))


@pytest.mark.parametrize(
    "cause", [Cause.MAPPING_ERROR, Cause.UNIT_OF_MEASURE, Cause.STATE_SEMANTICS]
)
@pytest.mark.parametrize("read", [10, 60])
def test_what_no_push_cures_stops_the_sku_and_calls_a_person(cause: Cause, read: int) -> None:
    done = found(a_case(read, updated_s_ago=3599), cause)

    assert done.action is Action.CALL
    assert done.halt_reason


def test_a_ratio_that_may_be_an_accident_is_pushed_once_before_anybody_is_called() -> None:
    first, again = a_case(15), a_case(15, times=1)

    assert found(first, Cause.UNIT_OF_MEASURE).action is Action.REPUSH_AFTER_GRACE
    assert found(again, Cause.UNIT_OF_MEASURE).action is Action.CALL


def test_pushes_end_in_quarantine() -> None:
    assert found(spent(26, times=3), Cause.UNKNOWN).action is Action.REPUSH_AFTER_GRACE
    assert found(spent(26), Cause.UNKNOWN).action is Action.QUARANTINE


def test_what_stays_in_quarantine_and_shows_too_much_is_taken_off_sale() -> None:
    few, less = found(spent(31), Cause.UNKNOWN), found(spent(29), Cause.UNKNOWN)

    assert few.halt_reason == "OSLO is in quarantine and shows 1 too many"
    assert less.halt_reason is None


@pytest.mark.parametrize("cause", [Cause.PENDING_PUSH, Cause.RATE_LIMIT_LAG, Cause.REJECTED])
def test_what_was_never_taken_is_not_isolated(cause: Cause) -> None:
    assert found(spent(31), cause).action is not Action.QUARANTINE


def test_nothing_is_halted_on_a_paused_channel() -> None:
    assert found(spent(60), Cause.UNKNOWN, None).halt_reason is None
    assert found(a_case(60, times=1), Cause.MAPPING_ERROR, None).action is Action.REPUSH
