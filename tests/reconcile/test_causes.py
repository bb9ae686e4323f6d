"""The evidence names the cause; where it does not, the cause is unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconcile.causes import name
from reconcile.compare import compare
from reconcile.types import Case, Cause, Limits, SentPush
from tests.reconcile.cases import READ_AT, a_case, a_push, a_wait, ago

#: 50 was confirmed two hours ago, then 30 an hour ago.
FIFTY_THEN_THIRTY = (a_push(30, 2), a_push(50, 1, sent_s_ago=7200))
#: 50, then 40, then 30.
DOWN_IN_STEPS = (a_push(30, 3), a_push(40, 2, sent_s_ago=5400), a_push(50, 1, sent_s_ago=7200))


def still_fifty(*pushes: SentPush, **more: Any) -> Case:
    """The channel shows the 50 it confirmed first, and none of the later `pushes`."""
    return a_case(50, pushes=(*pushes, a_push(50, 1)), shown=50, shown_number=1, **more)


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        pytest.param(
            still_fifty(waiting=a_wait(since_s_ago=300)),
            Cause.PENDING_PUSH,
            id="the push was never sent",
        ),
        pytest.param(still_fifty(), Cause.PENDING_PUSH, id="the push was never even queued"),
        pytest.param(
            still_fifty(
                a_push(30, 2, sent_s_ago=120, outcome="unknown"), waiting=a_wait(since_s_ago=300)
            ),
            Cause.PENDING_PUSH,
            id="the push was sent into the dark and had no effect",
        ),
        pytest.param(
            still_fifty(waiting=a_wait(since_s_ago=300), throttled=True),
            Cause.RATE_LIMIT_LAG,
            id="the channel may not be called",
        ),
        pytest.param(
            still_fifty(
                a_push(30, 2, sent_s_ago=100, outcome="throttled"), waiting=a_wait(since_s_ago=300)
            ),
            Cause.RATE_LIMIT_LAG,
            id="the push was throttled since it is due",
        ),
        pytest.param(
            still_fifty(
                a_push(30, 2, sent_s_ago=300, outcome="rejected"),
                waiting=a_wait(since_s_ago=400, parked=True),
            ),
            Cause.REJECTED,
            id="the row was refused and is parked",
        ),
        pytest.param(
            still_fifty(
                a_push(32, 2, sent_s_ago=400, outcome="rejected"),
                number=3,
                waiting=a_wait(since_s_ago=100),
            ),
            Cause.REJECTED,
            id="the row was refused, and a newer number is not sent yet",
        ),
        pytest.param(
            still_fifty(
                a_push(30, 3, sent_s_ago=200),
                a_push(32, 2, sent_s_ago=400, outcome="rejected"),
                number=4,
                waiting=a_wait(since_s_ago=100),
            ),
            Cause.PENDING_PUSH,
            id="an item that was put right, and a newer number is not sent yet",
        ),
        pytest.param(
            a_case(50, pushes=FIFTY_THEN_THIRTY), Cause.SWALLOWED, id="acknowledged, shows the old"
        ),
        pytest.param(
            a_case(50, pushes=(a_push(30, 2, expected=50),)),
            Cause.SWALLOWED,
            id="acknowledged, shows what the push compared with",
        ),
        pytest.param(
            a_case(44, pushes=FIFTY_THEN_THIRTY, updated_s_ago=5000),
            Cause.SWALLOWED,
            id="acknowledged, and not changed since before it",
        ),
        pytest.param(
            a_case(50, pushes=DOWN_IN_STEPS, number=3, shown_number=3),
            Cause.STALE_OVERWRITE,
            id="shows the push before the one before",
        ),
        pytest.param(
            a_case(50, pushes=FIFTY_THEN_THIRTY, updated_s_ago=600),
            Cause.STALE_OVERWRITE,
            id="an older number, written after the newest was acknowledged",
        ),
        pytest.param(
            a_case(44, updated_s_ago=600, orders_mark=ago(60)),
            Cause.EXTERNAL_EDIT,
            id="changed after our push, and all orders are known",
        ),
        pytest.param(
            a_case(44, updated_s_ago=600, orders_mark=ago(700)),
            Cause.UNKNOWN,
            id="changed after our push, but an order may explain it",
        ),
        pytest.param(
            a_case(44, updated_s_ago=600), Cause.UNKNOWN, id="orders were never read back"
        ),
        pytest.param(a_case(44), Cause.UNKNOWN, id="no evidence at all"),
        pytest.param(
            a_case(9, halt_state="set", pushes=FIFTY_THEN_THIRTY),
            Cause.UNKNOWN,
            id="a halted SKU is not explained by the pushes before the halt",
        ),
    ],
)
def test_the_first_test_that_matches_names_the_cause(case: Case, cause: Cause) -> None:
    comparison = compare(case, Limits())

    assert name(case, comparison, {}).cause is cause


def test_a_sum_that_is_right_at_the_wrong_places_is_a_location_mismatch() -> None:
    case = a_case(5, target=10)

    named = name(case, compare(case, Limits()), {"L1": (10, 5), "L2": (5, 10)})

    assert named.cause is Cause.LOCATION_MISMATCH
    assert named.evidence["at L2"] == "5 expected, 10 shown"


def test_a_location_that_was_not_read_proves_no_mismatch() -> None:
    case = a_case(7, target=10)

    named = name(case, compare(case, Limits()), {"L1": (10, 7), "L2": (5, None)})

    assert named.cause is Cause.UNKNOWN


def test_a_swallowed_update_names_the_push_that_was_swallowed() -> None:
    case = a_case(50, pushes=FIFTY_THEN_THIRTY)

    evidence = name(case, compare(case, Limits()), {}).evidence

    assert evidence["push_id"] == 20
    assert (evidence["pushed"], evidence["before"]) == (30, 50)
    assert evidence["observed_at"] == READ_AT.isoformat()


def test_an_unknown_cause_says_what_is_missing() -> None:
    case = a_case(44, updated_s_ago=600, orders_mark=READ_AT - timedelta(hours=1))

    evidence = name(case, compare(case, Limits()), {}).evidence

    assert evidence["missing"] == "orders are not read up to the change"
