"""Classes, forecasts and their measures.

FC-1: statsforecast 2.1.1 (CrostonClassic, CrostonSBA, TSB) gives the same numbers; FC-2: utilsforecast (mase, rmsse,
quantile_loss) does.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning import accuracy, models
from allocation.planning.accuracy import Score, from_first_sale, score, together
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
    nothing = [0.0] * 6

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


amounts = st.lists(st.one_of(st.none(), st.integers(0, 50).map(float)), max_size=60)


@given(amounts)
def test_forecasts_lie_between_nothing_and_the_most_that_was_wanted(
    periods: list[float | None],
) -> None:
    most = max(models.known(periods), default=0.0)

    for name, model in MODELS.items():
        # Where more is wanted than a year ago, as much more may be wanted than ever, up to twice.
        times = 2 if name == "seasonal" else 1
        for units in model(periods, 3):
            assert 0 <= units <= times * most + 1e-9, name


def test_a_warm_level_forgets_the_first_period_and_begins_as_a_mean() -> None:
    values = [90.0, 4, 8, 6]

    assert models.smoothed(values, 0.1, warm=True) == pytest.approx([0, 90, 4, 6, 6])
    assert models.smoothed(values, 0.1)[2] == pytest.approx(90 + 0.1 * (4 - 90))
    assert models.tsbs([5.0, 0, 5, 0], 0.1, 0.1, warm=True) == pytest.approx([0, 5, 0, 2.5, 5 / 3])


def test_a_level_of_a_moment_knows_nothing_of_what_came_later() -> None:
    for name, levels in {**models.SINGLE, **models.PARTS}.items():
        whole = levels(SELDOM)
        for known in range(len(SELDOM) + 1):
            assert levels(SELDOM[:known])[-1] == pytest.approx(whole[known]), name


def test_a_season_that_grows_is_told_grown() -> None:
    year = [10.0 if week < 26 else 30.0 for week in range(52)]

    assert models.seasonal([*year, *(2 * units for units in year)], 3) == pytest.approx(
        # Twice as much as then, of the three weeks around each; the last of them were not seen a year ago.
        [140 / 3, 40, 40]
    )
    assert models.seasonal([4.0, 6], 2) == [5, 5]
