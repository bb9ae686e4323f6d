"""Lags: what our records say of each stage, and the value that buffers are computed with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.lags import (
    STAGES,
    Measured,
    Record,
    Sample,
    behind_s,
    chosen,
    in_use_s,
    measured,
    nearest_rank,
    on_grid,
)
from allocation.types import Lag
from tests.builders import NOON, minutes

positive = st.floats(min_value=0, max_value=1e6)


def samples(*lags_s: float, ago: timedelta = timedelta(minutes=1)) -> list[Sample]:
    return [Sample(NOON - ago, lag_s) for lag_s in lags_s]


def record(stale: timedelta | None = None, **stages: list[Sample]) -> Record:
    return Record("shop", stages, None if stale is None else NOON - stale)


@pytest.mark.parametrize(("quantile", "expected"), [(0.5, 7), (0.9, 45), (0.95, 130), (0.99, 130)])
def test_percentiles_go_by_nearest_rank(quantile: float, expected: float) -> None:
    assert nearest_rank([130, 3, 4, 5, 6, 7, 9, 12, 20, 45], quantile) == expected


@given(st.lists(positive, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_one_of_the_values_and_so_many_do_not_exceed_it(
    values: list[float], quantile: float
) -> None:
    found = nearest_rank(values, quantile)

    assert found in values
    assert sum(value <= found for value in values) >= quantile * len(values) - 1e-9


def test_a_message_that_was_lost_counts_with_its_share() -> None:
    told, lost = [4.0] * 98, [900.0] * 2

    assert behind_s(told + lost) == pytest.approx(4 + 2 * 896 / 100)


def test_a_channel_that_is_late_with_many_is_behind_by_all_of_it() -> None:
    assert behind_s([4.0] * 90 + [900.0] * 10) == 900


@given(st.lists(positive, min_size=1, max_size=200))
def test_a_stage_is_behind_by_its_mean_at_least_and_by_no_more_than_its_latest(
    lags_s: list[float],
) -> None:
    found = behind_s(lags_s)

    assert found >= sum(lags_s) / len(lags_s) * (1 - 1e-9)
    assert found <= max(lags_s) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("in_hour", "before", "counted"),
    [(20, 100, 20), (19, 0, 19), (19, 100, 119), (2, 3, 5), (2, 2, 0), (0, 0, 0)],
)
def test_an_hour_counts_when_it_has_twenty_a_day_when_it_has_five(
    in_hour: int, before: int, counted: int
) -> None:
    told = samples(*[1.0] * in_hour) + samples(*[9.0] * before, ago=timedelta(hours=2))
    told += samples(99.0, ago=timedelta(hours=25))

    assert len(chosen(told, NOON)) == counted


def test_a_stage_that_was_never_measured_counts_with_its_share_of_the_default() -> None:
    found = measured(record(push=samples(*[10.0] * 5)), None, 60.0, NOON)

    assert found.stages == {"push": 10.0}
    assert found.assumed == ("detect", "queue", "visible")
    # 15 to hear of it; 15 + 10 + 15 to show it.
    assert found.in_use == Lag(hear_s=on_grid(15), show_s=on_grid(40))


def test_a_channel_that_was_never_measured_has_no_lag() -> None:
    assert measured(record(), None, 60.0, NOON).in_use is None


def test_a_stage_with_too_few_samples_now_keeps_what_was_measured() -> None:
    before = measured(record(detect=samples(*[300.0] * 20)), None, 60.0, NOON)

    found = measured(record(detect=samples(1.0)), before, 60.0, NOON)

    assert found.stages == {"detect": 300.0}
    assert found.samples["detect"] == 0


def test_what_waits_longer_than_usual_is_stale_and_a_channel_unknown_so_far_is_then_late() -> None:
    usual = {"queue": samples(*[2.0] * 20), "push": samples(*[3.0] * 20)}

    assert measured(record(minutes(0.05), **usual), None, 60.0, NOON).stale_s == 0
    found = measured(record(minutes(10), **usual), None, 60.0, NOON)
    assert found.stale_s == 595
    assert found.show_s == on_grid(2 + 3 + 15 + 595)
    unknown = measured(record(minutes(10)), None, 60.0, NOON)
    assert unknown.in_use == Lag(hear_s=on_grid(15), show_s=on_grid(45 + 570))


def test_a_read_back_that_nobody_asked_for_is_stale() -> None:
    overdue = Record("shop", {}, None, NOON - minutes(5))

    assert measured(overdue, None, 60.0, NOON).stale_s == 285


@pytest.mark.parametrize(
    ("now_s", "before_s", "expected"),
    [
        (10.0, None, 10.0),
        (99.0, 100.0, 100.0),
        (62.6, 100.0, 100.0),
        (62.4, 100.0, 62.4),
        (101.0, 100.0, 101.0),
    ],
)
def test_what_is_in_use_rises_at_once_and_falls_late(
    now_s: float, before_s: float | None, expected: float
) -> None:
    found = in_use_s(now_s, before_s)

    assert found == (before_s if expected == before_s else on_grid(expected))


@given(positive)
def test_the_grid_rounds_up_by_less_than_a_step_and_stays_where_it_is(lag_s: float) -> None:
    found = on_grid(lag_s)

    assert found >= max(1.0, lag_s) * (1 - 1e-8)
    assert found <= max(1.0, lag_s) * 1.25
    assert on_grid(found) == found


@given(st.lists(positive, min_size=1, max_size=50))
def test_what_is_in_use_is_never_less_than_what_is_measured(lags_s: list[float]) -> None:
    before: float | None = None
    for lag_s in lags_s:
        before = in_use_s(lag_s, before)
        assert lag_s * (1 - 1e-8) <= before <= max(lag_s * 1.6, lag_s * 1.25, 1.25)


def test_stages_are_named_in_their_order() -> None:
    found = Measured("shop", {}, 0.0, {}, None, None, NOON)

    assert found.assumed == STAGES
