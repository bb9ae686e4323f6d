"""Halting looks at percent, units, direction and what is on its way; lifting at how long the stop has held."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconcile.compare import compare
from reconcile.halts import RULE, StandingHalt, halt_reason, lift_reason
from reconcile.types import Case, HaltRule, Limits, Observation, OpenDrift
from tests.reconcile.cases import READ_AT, a_case, a_wait

RULE_10_3 = HaltRule(percent_over=10.0, units_at_least=3)
CALM = timedelta(minutes=30)


def _halts(case: Case, rule: HaltRule = RULE_10_3) -> bool:
    return halt_reason(case, compare(case, Limits()), rule) is not None


@pytest.mark.parametrize(
    ("expected", "read", "halts"),
    [
        (0, 0, False),
        (0, 2, False),  # 200 % of the floor of 1, but 2 units
        (0, 3, True),  # 300 % of the floor of 1
        (0, 4, True),  # 400 %
        (3, 4, False),  # 33.3 %, but 1 unit
        (3, 5, False),  # 66.7 %, but 2 units
        (3, 6, True),  # 100 %
        (3, 0, False),  # 100 %, showing too little
        (5, 4, False),  # 20 %, showing too little
        (30, 33, False),  # exactly 10.0 %
        (30, 34, True),  # 13.3 %
        (30, 50, True),  # 66.7 %
        (30, 10, False),  # 66.7 %, showing too little
        (990, 1089, False),  # 10.0 %
        (990, 1090, True),  # 10.1 %
        (3000, 3003, False),  # 0.1 %: 3 units of a best seller are orders on their way
        (3000, 3300, False),  # exactly 10.0 %
        (3000, 3303, True),  # 10.1 %
        (3000, 2697, False),  # 10.1 %, showing too little
    ],
)
def test_a_drift_halts_above_the_percent_and_the_units_and_only_upward(
    expected: int, read: int, halts: bool
) -> None:
    assert _halts(a_case(read, target=expected)) is halts


@pytest.mark.parametrize(("read", "halts"), [(1101, False), (1102, True)])
def test_a_threshold_of_10_1_percent_is_exact(read: int, halts: bool) -> None:
    assert _halts(a_case(read, target=1000), HaltRule(10.1, 3)) is halts


def test_what_is_on_its_way_does_not_halt() -> None:
    assert not _halts(a_case(500, waiting=a_wait(since_s_ago=10)))


def test_what_is_unknown_does_not_halt() -> None:
    assert not _halts(a_case(None, target=0))


def test_a_mirror_halts_on_the_second_window_never_on_the_first() -> None:
    assert not _halts(a_case(50, mirror=True))
    assert _halts(a_case(50, mirror=True, times=1))


def test_a_mirror_does_not_halt_twice_seen_in_one_and_the_same_reading() -> None:
    window_at = READ_AT - timedelta(minutes=15)
    case = replace(
        a_case(50, mirror=True, times=1, set_s_ago=86_400, confirmed_s_ago=86_400),
        open_drift=OpenDrift(1, 30, 50, 1, window_at),
    )

    def made(at: datetime) -> Case:
        return replace(case, reading=Observation(50, at, READ_AT))

    assert not _halts(made(window_at - timedelta(minutes=1)))
    assert _halts(made(window_at + timedelta(minutes=1)))


def test_the_reason_says_place_numbers_and_percent() -> None:
    case = a_case(50)

    reason = halt_reason(case, compare(case, Limits()), RULE_10_3)

    assert reason == "OSLO shows 50, expected 30: 20 units (66.7 %) too many"


def _standing(
    *,
    set_by: str = RULE,
    cause: str | None = "swallowed_update",
    calm_s: float = 1800,
    lifted_before: int = 0,
) -> StandingHalt:
    confirmed_at = READ_AT - timedelta(seconds=calm_s)
    return StandingHalt(7, "TEA-1", set_by, cause, confirmed_at, lifted_before)


@pytest.mark.parametrize(
    ("halt", "lifts"),
    [
        pytest.param(_standing(), True, id="held for two windows"),
        pytest.param(_standing(calm_s=1799), False, id="not yet"),
        pytest.param(_standing(set_by="ann", cause=None), False, id="a person's halt"),
        pytest.param(_standing(cause="mapping_error"), False, id="a person must mend the mapping"),
        pytest.param(_standing(lifted_before=1), False, id="lifted once today, and it came back"),
    ],
)
def test_the_rule_lifts_its_own_halts_once_a_day_when_the_stop_has_held(
    halt: StandingHalt, lifts: bool
) -> None:
    assert (lift_reason(halt, now=READ_AT, calm=CALM) is not None) is lifts
