"""Classes, forecasts and their measures.

FC-1: statsforecast 2.1.1 (CrostonClassic, CrostonSBA, TSB) gives the same numbers; FC-2: utilsforecast (mase, rmsse,
quantile_loss) does.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning import accuracy, models
from allocation.planning.accuracy import Score, from_first_sale, score, together
from allocation.planning.backtest import USUAL, choose, origins
from allocation.planning.classes import DemandClass, pattern
from allocation.planning.models import MODELS, seasonal_naive

SELDOM = [0.0, 0, 5, 0, 0, 0, 3, 0, 4, 0, 0, 2]
GAPPY = [0.0, None, 0, 5, 0, None, 0, 0, 3, 0, None, 4, 0, 0, 2]


@pytest.mark.parametrize("periods", [SELDOM, GAPPY])
def test_forecasts_of_what_is_wanted_seldom(periods: list[float | None]) -> None:
    """FC-1; a period of which nothing can be said changes none of them."""
    assert models.croston(periods) == pytest.approx(1.48712805, abs=1e-8)
    assert models.sba(periods) == pytest.approx(1.41277165, abs=1e-8)
    assert models.tsb(periods) == pytest.approx(1.20403379, abs=1e-8)
    assert models.tsb(periods, 0.2, 0.05) == pytest.approx(0.64967195, abs=1e-8)


@pytest.mark.parametrize("periods", [SELDOM, GAPPY])
def test_the_class_of_what_is_wanted_seldom(periods: list[float | None]) -> None:
    """FC-1."""
    found = pattern(periods)

    assert found is not None
    assert (found.adi, found.cv2) == pytest.approx((3, 0.10204082), abs=1e-8)
    assert found.kind is DemandClass.INTERMITTENT


@pytest.mark.parametrize(
    ("periods", "kind"),
    [
        ([5.0, 6, 5, 4, 5], DemandClass.SMOOTH),
        ([1.0, 1, 30, 1, 1], DemandClass.ERRATIC),
        ([0.0, 5, 0, 5, 0], DemandClass.INTERMITTENT),
        ([0.0, 1, 0, 40, 0, 2, 0], DemandClass.LUMPY),
    ],
)
def test_how_often_and_how_evenly_make_the_class(periods: list[float], kind: DemandClass) -> None:
    found = pattern(periods)

    assert found is not None
    assert found.kind is kind


def test_what_was_never_wanted_has_no_class_and_is_forecast_as_nothing() -> None:
    assert pattern([0.0, None, 0]) is None
    assert pattern([]) is None
    for name, model in MODELS.items():
        assert model([0.0, None, 0], 3) == [0, 0, 0], name
        assert model([], 2) == [0, 0], name


def test_measures_of_a_forecast() -> None:
    """FC-2."""
    actual, ones = [0.0, 3, 0, 1], [1.0] * 4

    assert accuracy.mase(SELDOM, actual, ones) == pytest.approx(0.423077, abs=1e-6)
    assert accuracy.rmsse(SELDOM, actual, ones) == pytest.approx(0.398314, abs=1e-6)
    begun = from_first_sale(SELDOM)
    assert accuracy.rmsse(begun, actual, ones) == pytest.approx(0.413384, abs=1e-6)
    assert accuracy.pinball(actual, [2.0] * 4, 0.9) == pytest.approx(0.35)
    assert accuracy.wape(actual, ones) == pytest.approx(1.0)
    assert accuracy.bias(SELDOM, actual, ones) == pytest.approx(0.0)
    assert accuracy.sum_error(SELDOM, actual, ones) == pytest.approx(0.0)


def test_a_forecast_of_nothing_has_the_least_absolute_error_and_not_the_best_score() -> None:
    train, actual = SELDOM * 3, [0.0, 0, 5, 0, 0, 0]
    usual = MODELS["moving_average"](train, 6)
    nothing = [models.zero(train)] * 6

    least = accuracy.mase(train, actual, nothing)
    more = accuracy.mase(train, actual, usual)
    assert least is not None
    assert more is not None
    assert least < more
    bad, good = score(train, actual, nothing), score(train, actual, usual)
    assert bad is not None
    assert good is not None
    assert good.total < bad.total


def test_a_period_of_which_nothing_can_be_said_is_in_no_measure() -> None:
    with_gap = accuracy.rmsse(SELDOM, [0.0, None, 3, 0, 1], [1.0, 99, 1, 1, 1])

    assert with_gap == accuracy.rmsse(SELDOM, [0.0, 3, 0, 1], [1.0] * 4)
    assert accuracy.rmsse(SELDOM, [None], [1.0]) is None
    assert accuracy.pinball([None], [1.0], 0.9) is None
    assert accuracy.wape([0.0], [1.0]) is None


def test_a_train_without_steps_measures_nothing() -> None:
    assert score([0.0, 0, 7], [1.0], [1.0]) is None
    assert score([0.0, 0, 0], [1.0], [1.0]) is None
    assert accuracy.mase([3.0, 3, 3], [1.0], [1.0]) is None


def test_biases_of_both_signs_cancel_and_errors_do_not() -> None:
    assert together([Score(1, 0.5, 0.5), Score(3, -0.5, 0.5)]) == Score(2, 0, 0.5)


def test_a_season_repeats_itself_and_where_it_is_not_known_the_usual_holds() -> None:
    year = [float(week) for week in range(52)]

    assert seasonal_naive([*year], 3) == [0, 1, 2]
    assert seasonal_naive([*year], 54)[-2:] == [0, 1]
    masked: list[float | None] = [None, *year[1:]]
    assert seasonal_naive(masked, 2) == [pytest.approx(sum(range(40, 52)) / 12), 1]
    assert seasonal_naive([4.0, 6], 2) == [5, 5]


def test_origins_leave_a_train_before_them_and_a_future_after() -> None:
    assert origins([1.0] * 30, 4) == [26, 22, 18, 14]
    assert origins([0.0] * 10 + [1.0] * 20, 4) == [26, 22]
    assert origins([1.0] * 12, 4) == []


def test_the_model_that_would_have_been_best_is_chosen_with_its_table() -> None:
    # It doubles and halves with the year: only who remembers a year ago is right.
    year = [10.0 + 8 * math.sin(2 * math.pi * week / 52) for week in range(52)]

    seasonal = choose(year * 2, 4)
    assert seasonal.model == "seasonal_naive"
    assert seasonal.scores["seasonal_naive"].total == pytest.approx(0)
    assert set(seasonal.scores) == set(MODELS)
    assert seasonal.folds == 6


def test_a_short_past_is_forecast_as_usual_and_says_that_nothing_was_compared() -> None:
    found = choose([3.0, 4, 5], 4)

    assert (found.model, found.scores, found.folds) == (USUAL, {}, 0)


def test_of_models_that_are_equally_good_the_simpler_is_taken() -> None:
    # Where something is wanted every week, Croston's interval is 1 and his size is what SES smooths.
    always = [2.0, 5.0, 3.0] * 10

    found = choose(always, 2, models=("ses", "croston"))

    assert found.scores["ses"].total == pytest.approx(found.scores["croston"].total, abs=1e-12)
    assert found.model == "ses"


amounts = st.lists(st.one_of(st.none(), st.integers(0, 50).map(float)), max_size=60)


@given(amounts)
def test_forecasts_lie_between_nothing_and_the_most_that_was_wanted(
    periods: list[float | None],
) -> None:
    most = max(models.known(periods), default=0.0)

    for name, model in MODELS.items():
        for units in model(periods, 3):
            assert 0 <= units <= most + 1e-9, name
