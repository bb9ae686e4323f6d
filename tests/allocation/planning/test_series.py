"""Demand as it would have been: what is left out, for how long, and what a period comes to then."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.series import (
    Bought,
    Closed,
    Series,
    bulk_limit,
    open_parts,
    per_day_spread,
    periods,
    series,
    together,
)

FIRST = date(2026, 3, 2)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = FIRST + timedelta(days=7)


def bought(day: int, units: int, lines: int = 1, channel: str = "web") -> Bought:
    return Bought("MUG", channel, "OSLO", FIRST + timedelta(days=day), units, lines)


def shut(since_h: float, until_h: float, location: str | None = None) -> Closed:
    since, until = (MONDAY + timedelta(hours=hours) for hours in (since_h, until_h))
    return Closed("MUG", "web", location, since, until, "halted")


def one(rows: list[Bought], closed: list[Closed] | None = None) -> Series:
    (found,) = series(rows, closed or [], FIRST, WEEK)
    return found


def test_every_day_of_the_span_is_there() -> None:
    found = one([bought(0, 2, lines=3), bought(0, 1), bought(4, 5)])

    assert found.place == ("MUG", "web", "OSLO")
    assert found.units == (7, 0, 0, 0, 5, 0, 0)
    assert found.open == (1.0,) * 7
    assert found.per_day == pytest.approx(12 / 7)


def test_a_day_on_which_nothing_could_be_bought_says_nothing() -> None:
    found = one([bought(0, 6), bought(1, 6)], [shut(48, 120)])

    assert list(found.open) == [1, 1, 0, 0, 0, 1, 1]
    assert found.per_day == pytest.approx(12 / 4)


def test_a_day_counts_for_the_part_it_was_open() -> None:
    found = one([bought(0, 6), bought(1, 3)], [shut(24, 36), shut(48, 168)])

    assert list(found.open) == [1, 0.5, 0, 0, 0, 0, 0]
    assert found.per_day == pytest.approx(9 / 1.5)


def test_less_than_half_a_day_says_nothing_not_even_by_what_was_sold_in_it() -> None:
    found = one([bought(0, 6), bought(1, 90)], [shut(25, 38), shut(48, 168)])

    assert found.per_day == pytest.approx(6)


def test_stretches_that_overlap_are_closed_once() -> None:
    assert open_parts(
        [(s.since, s.until) for s in (shut(0, 6), shut(3, 9), shut(3, 4))], FIRST, 2
    ) == [
        pytest.approx(15 / 24),
        1.0,
    ]


def test_a_stretch_at_another_location_closes_nothing_here() -> None:
    elsewhere = [shut(0, 168, "BERGEN")]

    assert one([bought(0, 1)], elsewhere).open == (1.0,) * 7
    assert one([bought(0, 1)], [shut(0, 168, "OSLO")]).open == (0.0,) * 7


def test_a_one_off_bulk_line_is_no_demand_and_is_named() -> None:
    usual = [bought(day, 2, lines=3) for day in range(7)]
    bulk = bought(3, 1200)

    found = one([*usual, bulk])

    assert found.units == (6,) * 7
    assert found.bulk == (bulk,)


def test_who_always_buys_in_bulk_is_measured_by_himself() -> None:
    rows = [bought(day, 2) for day in range(7)]
    rows += [bought(day, 600, channel="edi") for day in range(6)]

    web, edi = sorted(series(rows, [], FIRST, WEEK), key=lambda of: of.place[1], reverse=True)

    assert web.bulk == edi.bulk == ()
    assert sum(edi.units) == 3600


@pytest.mark.parametrize(
    ("sizes", "limit"),
    [
        ({1: 4}, float("inf")),
        ({1: 5}, 10),
        ({2: 4, 500: 1}, 20),
        ({2: 19, 500: 1}, 20),
        ({2: 38, 500: 2}, 20),
        ({2: 37, 500: 3}, 5000),
    ],
)
def test_usual_are_all_lines_but_the_largest_twentieth(sizes: dict[int, int], limit: float) -> None:
    assert bulk_limit(sizes) == limit


def test_a_week_counts_as_if_it_had_been_open_throughout() -> None:
    units = [1] * 7 + [2] * 7 + [9] * 7
    opened = [1.0] * 7 + [1.0] * 4 + [0.0] * 3 + [0.0] * 4 + [1.0] * 3

    assert periods(units, opened) == [7, 14, None]
    assert periods(units[3:], opened[3:]) == [14, None]


def test_places_together_are_as_open_as_those_that_sell() -> None:
    place = ("MUG", "web", "OSLO")
    large = Series(place, FIRST, (9, 9, 0), (1.0, 1.0, 0.0))
    small = Series(place, FIRST, (1, 1, 1), (1.0, 1.0, 1.0))

    units, opened = together([large, small])

    assert units == (10, 10, 1)
    assert list(opened) == pytest.approx([1.0, 1.0, 0.1])
    never = Series(place, FIRST, (0, 0, 0), (0.0, 0.0, 1.0))
    assert together([never]) == ((0, 0, 0), (0.0, 0.0, 1.0))


def test_the_spread_of_days_of_which_something_can_be_said() -> None:
    assert per_day_spread([4, 6, 0], [1.0, 1.0, 0.0]) == pytest.approx(2**0.5)
    assert per_day_spread([4, 0], [1.0, 0.1]) == 0


hours = st.integers(-30, 200)
rows = st.builds(bought, st.integers(0, 6), st.integers(1, 40), st.integers(1, 5))


@given(st.lists(rows, min_size=1, max_size=40), st.lists(st.tuples(hours, hours), max_size=5))
def test_no_unit_is_lost_or_made(told: list[Bought], stretches: list[tuple[int, int]]) -> None:
    found = one(told, [shut(min(pair), max(pair)) for pair in stretches])

    kept_back = sum(row.units * row.lines for row in found.bulk)
    assert sum(found.units) + kept_back == sum(row.units * row.lines for row in told)
    assert all(0 <= part <= 1 for part in found.open)
    sizes = Counter({row.units: row.lines for row in told})
    assert kept_back == 0 or sum(sizes.values()) > 4
