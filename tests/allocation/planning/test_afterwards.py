"""Forecasts held against what came after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from allocation.planning.afterwards import Kept, apart, foreseen, held

DAY = date(2026, 3, 1)
#: Eight weeks that were known, and three that came.
KNOWN = [7.0, 14, 7, 14, 7, 14, 7, 14]
SAID = Kept(("MUG", "WH"), "smooth", DAY, 21, 1.5, 40.0, [*KNOWN, 7.0, 14, 21], DAY + timedelta(21))
ALWAYS = (date(2020, 1, 1), date(2030, 1, 1))


def test_a_forecast_is_held_against_the_weeks_of_its_horizon_and_no_others() -> None:
    longer = replace(SAID, weeks=[*SAID.weeks, 900.0], weeks_until=DAY + timedelta(28))

    found = held(SAID, *ALWAYS)

    assert found is not None
    # 42 units came where 31.5 were said, of a mean of 10.5 and steps of 7.
    assert (found.came, found.said, found.was_enough) == (42, 31.5, False)
    assert found.score.bias == pytest.approx(10.5 / 3 / 10.5)
    assert found.score.sum_error == pytest.approx(10.5 / 3 / 10.5)
    assert found.score.rmsse == pytest.approx(((3.5**2 + 3.5**2 + 10.5**2) / 3) ** 0.5 / 7)
    assert held(longer, *ALWAYS) == found


def test_a_week_that_the_forecast_partly_knew_judges_nothing() -> None:
    # The newest weeks end three days later: the one that began before the forecast's last day is left out.
    off = replace(SAID, weeks_until=SAID.weeks_until + timedelta(3))

    found = held(off, *ALWAYS)

    assert found is not None
    assert (found.came, found.was_enough) == (42, False)
    early = held(replace(SAID, weeks_until=SAID.weeks_until - timedelta(3)), *ALWAYS)
    assert early is not None
    assert (early.came, early.was_enough) == (35, None)


def test_only_weeks_of_the_span_judge_and_a_horizon_must_be_whole_to_be_enough() -> None:
    week = timedelta(7)

    found = held(SAID, DAY + week, DAY + 2 * week)

    assert found is not None
    assert (found.came, found.was_enough) == (14, None)
    assert held(SAID, DAY - 4 * week, DAY) is None


def test_a_masked_week_is_neither_demand_nor_its_absence() -> None:
    found = held(replace(SAID, weeks=[*KNOWN, 7.0, None, 21]), *ALWAYS)

    assert found is not None
    assert (found.came, found.said, found.was_enough) == (28, 21, None)
    assert held(replace(SAID, weeks=[*KNOWN, None, None, None]), *ALWAYS) is None


def test_forecasts_are_told_together_and_by_kind() -> None:
    other = replace(SAID, place=("CUP", "WH"), kind="lumpy", enough=50.0)
    again = replace(SAID, until_day=DAY - timedelta(7))

    rows = foreseen([SAID, other, again, replace(other, kind=None)], *ALWAYS)

    assert [(row.kind, row.places, row.forecasts) for row in rows] == [
        ("all", 2, 4), ("lumpy", 1, 1), ("none", 1, 1), ("smooth", 1, 2),
    ]  # fmt: skip
    by_kind = {row.kind: row for row in rows}
    assert by_kind["lumpy"].reached == 1
    assert by_kind["lumpy"].units_off == pytest.approx(0.25)
    assert by_kind["all"].reached == pytest.approx(3 / 4)
    assert foreseen([], *ALWAYS) == []


def test_of_a_run_a_night_those_four_weeks_apart_are_held() -> None:
    nights = [DAY + timedelta(number) for number in range(-40, 80)]

    found = apart(nights, DAY)

    assert found == [DAY, DAY + timedelta(28), DAY + timedelta(56)]
    assert apart([DAY + timedelta(9)], DAY) == [DAY + timedelta(9)]
    assert apart([DAY - timedelta(28)], DAY) == []
