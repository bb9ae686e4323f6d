"""Buffers against lag: the checked numbers, and what the arithmetic promises."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.risk import (
    buffer_of_sizes,
    buffer_units,
    economic_risk,
    expected_oversold,
    poisson_pmf,
    poisson_quantile,
    units_pmf,
)

RATE_PER_MIN = 17.142857
RISKS = (0.05, 0.01, 0.001)


@pytest.mark.parametrize(
    ("vector", "lag_s", "others", "buffers", "oversold"),
    [
        ("OV-2", 10, 1.428571, (4, 5, 6), 1.428571),
        ("OV-2", 30, 4.285714, (8, 10, 12), 4.285714),
        ("OV-2", 60, 8.571429, (14, 16, 19), 8.571429),
        ("OV-2", 120, 17.142857, (24, 27, 31), 17.142857),
        ("OV-2", 900, 128.571429, (147, 156, 165), 128.571429),
    ],
)
def test_the_buffers_of_two_equal_channels(
    vector: str, lag_s: int, others: float, buffers: tuple[int, ...], oversold: float
) -> None:
    per_s = RATE_PER_MIN / 60

    assert per_s / 2 * lag_s == pytest.approx(others, rel=1e-6), vector
    assert tuple(poisson_quantile(others, risk) for risk in RISKS) == buffers
    assert expected_oversold(per_s, lag_s, (0.5, 0.5)) == pytest.approx(oversold, rel=1e-6)


@pytest.mark.parametrize(
    ("mean", "buffers"),
    [
        (0.01, (0, 0, 1)),
        (0.05, (0, 1, 2)),
        (0.1, (1, 1, 2)),
        (0.5, (2, 3, 4)),
        (1.0, (3, 4, 5)),
        (2.0, (5, 6, 8)),
        (5.0, (9, 11, 13)),
    ],
)
def test_the_quick_table(mean: float, buffers: tuple[int, ...]) -> None:
    assert tuple(poisson_quantile(mean, risk) for risk in RISKS) == buffers


def test_a_slow_sku_on_three_channels() -> None:
    """OV-3: 20 a day, 60/25/15, quarter-hourly."""
    per_s = 20 / 86_400

    assert expected_oversold(per_s, 900, (0.6, 0.25, 0.15)) == pytest.approx(0.115625, abs=1e-6)
    others = per_s * 900 * (1 - 0.15)
    assert 1 - sum(poisson_pmf(others, 1)) == pytest.approx(0.013946, rel=0.1)


def test_lines_of_several_units_are_convolved() -> None:
    """OV-4: the mean is 4 units, and Poisson on units would keep too little back."""
    sizes = {1: 0.6, 2: 0.25, 6: 0.15}
    chances = units_pmf(2, sizes, 200)

    assert sum(units * chance for units, chance in enumerate(chances)) == pytest.approx(4.0)
    assert buffer_of_sizes(2, sizes, 0.01) > poisson_quantile(4.0, 0.01)


def test_the_economic_buffer() -> None:
    """OV-5: an oversell costs 55, a unit kept back 2."""
    risk = economic_risk(55, 2)

    assert 1 - risk == pytest.approx(0.964912, abs=1e-6)
    assert poisson_quantile(8.57, risk) == 14


def test_lines_that_are_all_alike_need_whole_lines() -> None:
    assert buffer_units(1.0, 12, 144, 0.01) == 12 * poisson_quantile(1.0, 0.01)


@given(st.floats(0, 3000), st.sampled_from(RISKS))
def test_a_quantile_is_the_smallest_that_will_do(mean: float, risk: float) -> None:
    units = poisson_quantile(mean, risk)

    assert 1 - sum(poisson_pmf(mean, units)) <= risk + 1e-9
    assert units == 0 or 1 - sum(poisson_pmf(mean, units - 1)) > risk - 1e-9


@given(
    st.floats(0.001, 30), st.floats(1, 40), st.floats(1, 6), st.sampled_from(RISKS), st.floats(1, 3)
)
def test_more_demand_never_needs_less(
    lines: float, mean: float, spread: float, risk: float, more: float
) -> None:
    square = mean * mean * spread

    assert buffer_units(lines * more, mean, square, risk) >= buffer_units(lines, mean, square, risk)


@given(
    st.floats(0.01, 8),
    st.dictionaries(st.integers(1, 12), st.integers(1, 9), min_size=1, max_size=4),
)
def test_two_sizes_stand_for_all(lines: float, parts: dict[int, int]) -> None:
    """What is left of the risk is never far from what is allowed, whatever the real sizes of lines are."""
    whole = sum(parts.values())
    sizes = {size: part / whole for size, part in parts.items()}
    mean = sum(size * part for size, part in sizes.items())
    square = sum(size * size * part for size, part in sizes.items())

    buffer = buffer_units(lines, mean, square, 0.01)

    assert 1 - sum(units_pmf(lines, sizes, buffer)) <= 4 * 0.01


def test_chances_of_a_great_mean_sum_to_one() -> None:
    assert sum(poisson_pmf(2000, 3000)) == pytest.approx(1.0, abs=1e-9)
    assert all(a <= b for a, b in pairwise(poisson_quantile(m, 0.01) for m in range(0, 2000, 7)))
