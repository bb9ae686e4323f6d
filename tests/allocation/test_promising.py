"""Available to promise: the published tables, and what no table can show."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.promising import (
    Dated,
    accumulated,
    carried_back,
    cumulative,
    discrete,
    earliest,
    look_ahead,
    most,
    periods,
    uncarried,
    uncovered,
)

TODAY = date(2026, 3, 2)
FAR = TODAY + timedelta(days=400)


def day(after: int) -> date:
    return TODAY + timedelta(days=after)


# The table of JD Edwards' CATP; its blanks are filled.
ATP_1 = (80, [0, 0, 60, 0, 0, 60, 0, 0], [30, 25, 30, 10, 0, 35, 0, 0])
# NetSuite's table of discrete ATP by supply order.
ATP_2 = (0, [50, 40, 50, 50], [30, 40, 10, 0])
ATP_3 = (20, [0, 0, 30, 0, 40, 0], [5, 5, 25, 15, 20, 5])
# Oracle Inventory, table 1-23: accumulation with backward consumption.
ATP_4 = ([6, 4, 2, 4, 8, 4, 4, 4], [6, 2, 3, 6, 6, 1, 2, 2])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(ATP_1, [25, 0, 20, 0, 0, 25, 0, 0], id="ATP-1"),
        pytest.param(ATP_2, [20, 0, 40, 50], id="ATP-2"),
        pytest.param(ATP_3, [0, 0, 0, 0, 15, 0], id="ATP-3"),
        pytest.param((0, [5, 0], [9, 0]), [-4, 0], id="what nothing covers shows where it arose"),
    ],
)
def test_discrete_is_what_each_supply_has_left(
    given: tuple[int, list[int], list[int]], expected: list[int]
) -> None:
    assert discrete(*given) == expected


@pytest.mark.parametrize(
    ("given", "running", "ahead"),
    [
        pytest.param(
            ATP_1,
            [50, 25, 55, 45, 45, 70, 70, 70],
            [25, 25, 45, 45, 45, 70, 70, 70],
            id="ATP-1",
        ),
        pytest.param(ATP_3, [15, 10, 15, 0, 20, 15], [0, 0, 0, 0, 15, 15], id="ATP-3"),
    ],
)
def test_cumulative_may_fall_again_and_look_ahead_never_does(
    given: tuple[int, list[int], list[int]], running: list[int], ahead: list[int]
) -> None:
    assert cumulative(*given) == running
    assert look_ahead(running) == ahead


def test_a_shortage_is_taken_from_the_periods_before_it() -> None:
    """ATP-3."""
    assert uncarried(*ATP_3) == [10, 0, -10, 0, 15, 0]
    assert carried_back([10, 0, -10, 0, 15, 0]) == [0, 0, 0, 0, 15, 0]


@pytest.mark.parametrize(("units", "supply"), [(10, 0), (30, 2)])
def test_a_request_goes_to_the_first_supply_that_has_enough_left(units: int, supply: int) -> None:
    """ATP-2: 10 from the first supply, 30 from the third."""
    left = discrete(*ATP_2)

    assert next(t for t, units_left in enumerate(left) if units_left >= units) == supply


def test_accumulation_with_backward_consumption() -> None:
    """ATP-4."""
    supply, demand = ATP_4

    assert [s - d for s, d in zip(supply, demand, strict=True)] == [0, 2, -1, -2, 2, 3, 2, 2]
    assert accumulated(supply, demand) == [0, 0, 0, -1, 2, 5, 7, 9]


def test_what_is_dated_becomes_periods_and_what_is_overdue_is_no_supply() -> None:
    found = periods(
        10,
        [Dated(day(-1), 99), Dated(day(3), 20), Dated(day(3), 5)],
        [Dated(day(-2), 4), Dated(day(5), 12)],
        TODAY,
    )

    assert [(p.day, p.supply, p.demand) for p in found] == [
        (TODAY, 0, 4),
        (day(3), 25, 0),
        (day(5), 0, 12),
    ]
    assert [p.cumulative for p in found] == [6, 31, 19]
    assert [p.look_ahead for p in found] == [6, 19, 19]
    assert [p.discrete for p in found] == [6, 13, 0]


@pytest.mark.parametrize(
    ("units", "promised"),
    [
        (6, 0),  # free now
        (7, 3),  # with the supply of the third day
        (19, 3),  # 10 - 4 + 25 - 12
        (20, None),  # the twelve of the fifth day are promised to somebody
    ],
)
def test_the_earliest_day_breaks_no_promise_made_for_later(
    units: int, promised: int | None
) -> None:
    supplies = [Dated(day(3), 25)]
    commitments = [Dated(TODAY, 4), Dated(day(5), 12)]

    found = earliest(10, supplies, commitments, units, TODAY, FAR)

    assert found == (None if promised is None else day(promised))
    assert most(10, supplies, commitments, TODAY) == 19


def test_nothing_is_promised_beyond_the_horizon() -> None:
    assert earliest(0, [Dated(day(30), 5)], [], 5, TODAY, day(29)) is None
    assert earliest(0, [Dated(day(30), 5)], [], 5, TODAY, day(30)) == day(30)


@pytest.mark.parametrize(
    ("available", "supplies", "promises", "expected"),
    [
        (0, [], [(10, 4)], [4]),
        (3, [], [(10, 4)], [1]),
        (-5, [(5, 12)], [(10, 10)], [3]),  # 12 - 5 = 7
        (0, [(30, 100)], [(10, 4), (30, 98)], [4, 2]),  # the 100 come too late for the first
        (0, [(5, 6)], [(9, 4), (7, 4)], [2, 0]),  # the earlier day first, in whatever order
        (0, [(-1, 9)], [(10, 4)], [4]),  # overdue
        (0, [(0, 4)], [(-3, 4)], [0]),  # overdue itself, and there today
    ],
)
def test_what_no_supply_covers_by_its_day_is_uncovered(
    available: int,
    supplies: list[tuple[int, int]],
    promises: list[tuple[int, int]],
    expected: list[int],
) -> None:
    comes = [Dated(day(after), units) for after, units in supplies]
    promised = [Dated(day(after), units) for after, units in promises]

    assert uncovered(available, comes, promised, TODAY) == expected


some_units = st.integers(1, 50)
dated = st.builds(Dated, st.integers(0, 20).map(day), some_units)
series = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        st.integers(-50, 100),
        st.lists(st.integers(0, 50), min_size=n, max_size=n),
        st.lists(st.integers(0, 50), min_size=n, max_size=n),
    )
)


@given(series)
def test_look_ahead_never_falls_and_never_exceeds_cumulative(
    given: tuple[int, list[int], list[int]],
) -> None:
    running = cumulative(*given)
    ahead = look_ahead(running)

    assert ahead == sorted(ahead)
    assert all(a <= c for a, c in zip(ahead, running, strict=True))


@given(series)
def test_carrying_back_loses_and_invents_nothing(given: tuple[int, list[int], list[int]]) -> None:
    left = discrete(*given)

    assert sum(left) == cumulative(*given)[-1]
    for t, units in enumerate(left):
        if units < 0:
            assert all(earlier <= 0 for earlier in left[:t])


@given(
    available=st.integers(0, 60),
    supplies=st.lists(dated, max_size=6),
    wanted=st.lists(some_units, max_size=8),
)
def test_a_promise_never_makes_another_one_late(
    available: int, supplies: list[Dated], wanted: list[int]
) -> None:
    promised: list[Dated] = []
    for units in wanted:
        found = earliest(available, supplies, promised, units, TODAY, FAR)
        if found is not None:
            promised.append(Dated(found, units))

        assert not any(uncovered(available, supplies, promised, TODAY))
        assert all(p.cumulative >= 0 for p in periods(available, supplies, promised, TODAY))


@given(
    available=st.integers(-20, 60),
    supplies=st.lists(dated, max_size=6),
    promised=st.lists(dated, max_size=6),
    units=some_units,
)
def test_the_day_found_is_the_first_that_serves(
    available: int, supplies: list[Dated], promised: list[Dated], units: int
) -> None:
    found = earliest(available, supplies, promised, units, TODAY, FAR)
    rows = periods(available, supplies, promised, TODAY)

    assert (found is None) == (most(available, supplies, promised, TODAY) < units)
    assert found == next((row.day for row in rows if row.look_ahead >= units), None)
