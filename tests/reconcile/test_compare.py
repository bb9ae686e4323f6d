"""A reading is judged by what should have been shown when it was taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Binding, Reading
from reconcile.compare import compare, newest, percent
from reconcile.types import Case, Limits, Verdict
from tests.reconcile.cases import READ_AT, a_case, a_push, a_wait, ago

LIMITS = Limits(push_limit=timedelta(seconds=60), settle=timedelta(seconds=2))


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        pytest.param(a_case(30), Verdict.EQUAL, id="what was expected"),
        pytest.param(a_case(50), Verdict.DRIFT, id="too much"),
        pytest.param(a_case(27), Verdict.DRIFT, id="too little"),
        pytest.param(a_case(-2, target=0), Verdict.EQUAL, id="below zero sells as little as zero"),
        pytest.param(a_case(-2, target=1), Verdict.DRIFT, id="below zero where one is expected"),
        pytest.param(a_case(27, unseen=3), Verdict.EQUAL, id="the channel sold 3 we have not seen"),
        pytest.param(
            a_case(30, unseen=3), Verdict.DRIFT, id="a sale that did not lower the number"
        ),
        pytest.param(a_case(0, unseen=40), Verdict.EQUAL, id="more unseen than the target"),
        pytest.param(
            a_case(50, waiting=a_wait(since_s_ago=59)), Verdict.IN_FLIGHT, id="due for 59 s"
        ),
        pytest.param(a_case(50, waiting=a_wait(since_s_ago=60)), Verdict.DRIFT, id="due for 60 s"),
        pytest.param(
            a_case(50, waiting=a_wait(since_s_ago=5, parked=True)),
            Verdict.DRIFT,
            id="a parked row is not on its way",
        ),
        pytest.param(
            a_case(50, pushes=(a_push(30, 2, sent_s_ago=59, outcome="sent"),)),
            Verdict.IN_FLIGHT,
            id="sent 59 s before, not answered",
        ),
        pytest.param(
            a_case(50, pushes=(a_push(30, 2, sent_s_ago=60, outcome="unknown"),)),
            Verdict.DRIFT,
            id="outcome unknown for 60 s",
        ),
        pytest.param(
            a_case(50, pushes=(a_push(30, 3, sent_s_ago=-5, outcome="throttled"), a_push(30, 2))),
            Verdict.DRIFT,
            id="what was throttled after the reading changed nothing",
        ),
        pytest.param(
            a_case(50, confirmed_s_ago=1), Verdict.IN_FLIGHT, id="confirmed 1 s before: settling"
        ),
        pytest.param(a_case(50, confirmed_s_ago=2), Verdict.DRIFT, id="confirmed 2 s before"),
        pytest.param(
            a_case(50, confirmed_s_ago=-1, pushes=()),
            Verdict.NOT_COMPARABLE,
            id="confirmed after the reading",
        ),
        pytest.param(
            a_case(50, pushes=(a_push(30, 2, sent_s_ago=-1, outcome="sent"),)),
            Verdict.NOT_COMPARABLE,
            id="sent after the reading",
        ),
        pytest.param(
            a_case(50, set_s_ago=-1), Verdict.NOT_COMPARABLE, id="target set after the reading"
        ),
        pytest.param(
            a_case(50, recompute_s_ago=5), Verdict.IN_FLIGHT, id="target is computed again"
        ),
        pytest.param(
            a_case(50, recompute_s_ago=90), Verdict.DRIFT, id="computing the target is stuck"
        ),
        pytest.param(
            a_case(27, delivery_waiting=True), Verdict.IN_FLIGHT, id="a delivery may explain it"
        ),
        pytest.param(a_case(0, halt_state="set"), Verdict.EQUAL, id="halted and shows nothing"),
        pytest.param(a_case(30, halt_state="set"), Verdict.DRIFT, id="halted and shows units"),
        pytest.param(
            a_case(30, halt_state="set", waiting=a_wait(since_s_ago=1), set_s_ago=-5),
            Verdict.DRIFT,
            id="nothing is pushed to a halted SKU, so nothing excuses it",
        ),
        pytest.param(
            a_case(30, halt_state="setting"), Verdict.IN_FLIGHT, id="the halt is being set"
        ),
        pytest.param(
            a_case(30, halt_state="lifting"), Verdict.IN_FLIGHT, id="the halt is being lifted"
        ),
    ],
)
def test_a_reading_is_judged_by_the_moment_it_was_taken(case: Case, verdict: Verdict) -> None:
    assert compare(case, LIMITS).verdict is verdict


@given(target=st.integers(0, 10_000), unseen=st.integers(-50, 50), halted=st.booleans())
def test_unknown_never_drifts_and_is_never_zero(target: int, unseen: int, halted: bool) -> None:
    case = a_case(None, target=target, unseen=unseen, halt_state="set" if halted else None)

    comparison = compare(case, LIMITS)

    assert comparison.verdict is Verdict.UNKNOWN
    assert comparison.actual is None
    assert comparison.delta_units == 0


@given(target=st.integers(0, 1000), read=st.integers(-100, 1000))
def test_a_place_at_rest_drifts_exactly_when_it_sells_another_number(
    target: int, read: int
) -> None:
    verdict = compare(a_case(read, target=target), LIMITS).verdict

    assert (verdict is Verdict.DRIFT) == (max(read, 0) != target)


readings = st.builds(
    Reading,
    binding=st.builds(
        Binding,
        channel=st.just("shopify"),
        sku=st.sampled_from(["TEA-1", "TEA-2"]),
        location=st.sampled_from(["OSLO", "BERGEN"]),
        item_id=st.just("1"),
        vendor_location_id=st.just("1"),
    ),
    units=st.none() | st.integers(-3, 9),
    committed=st.none(),
    updated_at=st.none(),
    observed_at=st.integers(0, 3).map(lambda s: READ_AT + timedelta(seconds=s)),
)


@given(given_readings=st.lists(readings, max_size=12), data=st.data())
def test_the_order_of_readings_does_not_matter(
    given_readings: list[Reading], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(given_readings))

    assert newest(shuffled) == newest(given_readings)


@pytest.mark.parametrize(
    ("expected", "actual", "drift"),
    [(30, 50, 66.667), (0, 4, 400.0), (0, 0, 0.0), (5, 0, 100.0)],
)
def test_percent_is_of_what_was_expected_and_of_one_unit_when_nothing_was(
    expected: int, actual: int, drift: float
) -> None:
    assert round(percent(expected, actual), 3) == drift


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        pytest.param(a_case(50, orders_mark=ago(1)), Verdict.UNHEARD, id="orders are not heard"),
        pytest.param(a_case(50, orders_mark=READ_AT), Verdict.DRIFT, id="orders are heard"),
        pytest.param(
            a_case(50, orders_mark=READ_AT, delivery_waiting=True),
            Verdict.UNHEARD,
            id="a delivery is not booked",
        ),
        pytest.param(
            a_case(50, orders_mark=READ_AT, recompute_s_ago=5),
            Verdict.UNHEARD,
            id="a target is computed",
        ),
        pytest.param(
            a_case(50, orders_mark=ago(1), set_s_ago=-1),
            Verdict.UNHEARD,
            id="the target moved since, and orders are not heard",
        ),
        pytest.param(
            a_case(50, orders_mark=READ_AT, set_s_ago=-1),
            Verdict.NOT_COMPARABLE,
            id="the target moved since, and what moved it is not known",
        ),
        pytest.param(
            a_case(50, orders_mark=ago(1), waiting=a_wait(since_s_ago=5)),
            Verdict.IN_FLIGHT,
            id="a push that is due makes the reading useless",
        ),
        pytest.param(
            a_case(50, delivery_waiting=True),
            Verdict.IN_FLIGHT,
            id="a channel that tells no orders is not asked",
        ),
    ],
)
def test_what_waits_for_orders_is_kept_where_they_can_be_asked_for(
    case: Case, verdict: Verdict
) -> None:
    assert compare(case, replace(LIMITS, hears_first=True)).verdict is verdict
