"""How soon a SKU is read again: the domain's numbers, and how the interval moves."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.cadence import Early, Outlook, after_read, planned, runs_out_s, sold_by

MINUTE = 60.0
WINDOW_S = 900.0


@pytest.mark.parametrize(
    ("per_minute", "units", "minutes"),
    [
        (17.142857, 200, 9.8337),
        (17.142857, 50, 2.0436),
        (17.142857, 10, 0.2409),
        (0.01, 5, 127.911),
    ],
)
def test_the_time_is_the_low_quantile_of_selling_out(
    per_minute: float, units: int, minutes: float
) -> None:
    assert runs_out_s(units, per_minute / MINUTE, 1) / MINUTE == pytest.approx(minutes, rel=2e-4)


def test_one_unit_is_sold_by_an_exponential() -> None:
    assert 1 - exp(-sold_by(1, 0.01)) == pytest.approx(0.01, rel=1e-8)


@given(units=st.integers(1, 3000), eps=st.sampled_from([0.001, 0.01, 0.1, 0.5]))
def test_more_units_last_longer_and_never_longer_than_on_average(units: int, eps: float) -> None:
    assert 0 < sold_by(units, eps) < sold_by(units + 1, eps)
    assert sold_by(units, eps) < units


@given(units=st.integers(1, 40))
def test_the_quantile_is_where_a_poisson_reaches_the_units(units: int) -> None:
    mean = sold_by(units)
    term, below = exp(-mean), 0.0
    for k in range(units):
        below += term
        term *= mean / (k + 1)

    assert 1 - below == pytest.approx(0.01, rel=1e-5)


def test_lines_of_many_units_empty_a_place_sooner() -> None:
    assert runs_out_s(100, 0.01, 10) == sold_by(10) / 0.01


def outlook(minutes: float, *, cover: float = 1e9, spike: bool = False) -> Outlook:
    return Outlook("A", minutes * MINUTE, cover, spike)


@pytest.mark.parametrize(
    ("seen", "every_minutes"),
    [
        pytest.param(outlook(127.9), None, id="lasts for hours: the windows read it"),
        pytest.param(outlook(15), None, id="lasts for just a window"),
        pytest.param(outlook(9.83), 9.83, id="sold out before the window"),
        pytest.param(outlook(0.24), 1, id="no more often than once a minute"),
        pytest.param(outlook(40, spike=True), 7.5, id="a spike is read twice a window"),
        pytest.param(outlook(20, cover=44 * MINUTE), 7.5, id="less than three windows of cover"),
        pytest.param(outlook(20, cover=46 * MINUTE), None, id="three windows of cover"),
    ],
)
def test_a_sku_is_read_as_soon_as_it_could_be_sold_out(
    seen: Outlook, every_minutes: float | None
) -> None:
    plan = planned(None, seen, window_s=WINDOW_S, new_window=False)

    assert (plan.every_s / MINUTE if plan else None) == pytest.approx(every_minutes)


def test_it_goes_back_after_two_calm_windows() -> None:
    hot = planned(None, outlook(3), window_s=WINDOW_S, new_window=True)
    same_window = planned(hot, None, window_s=WINDOW_S, new_window=False)
    one = planned(same_window, outlook(60), window_s=WINDOW_S, new_window=True)

    assert same_window is not None
    assert (same_window.every_s, same_window.calm) == (3 * MINUTE, 0)
    assert one is not None
    assert one.calm == 1
    assert planned(one, None, window_s=WINDOW_S, new_window=True) is None


def test_a_busy_window_between_makes_it_begin_to_count_anew() -> None:
    hot = Early("A", 180, 180, False, calm=1)

    again = planned(hot, outlook(3), window_s=WINDOW_S, new_window=True)

    assert again is not None
    assert again.calm == 0


def test_a_drift_halves_the_interval_and_clean_reads_lengthen_it_up_to_the_plan() -> None:
    found = after_read(400, drifted=True)
    clean = after_read(found, drifted=False)

    assert (found, clean) == (200, 260)
    assert after_read(70, drifted=True) == 60
    capped = planned(Early("A", 0, 1000, False), outlook(5), window_s=WINDOW_S, new_window=False)
    assert capped is not None
    assert capped.every_s == 300
