"""Webster apportionment: the checked numbers, the slow method by its definition, and more stock never taking a unit."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.webster import Party, apportion


def by_definition(total: int, parties: list[Party]) -> list[int]:
    """One unit at a time, as Sainte-Lague's rule is told."""
    units = [0] * len(parties)
    for index, party in enumerate(parties):
        units[index] = min(party.least, total - sum(units))
    while sum(units) < total:
        free = [
            i for i, p in enumerate(parties) if p.weight and (p.most is None or units[i] < p.most)
        ]
        if not free:
            break
        best = max(free, key=lambda i: (Fraction(parties[i].weight, 2 * units[i] + 1), -i))
        units[best] += 1
    return units


@st.composite
def any_party(draw: st.DrawFn) -> Party:
    least = draw(st.integers(0, 6))
    most = draw(st.none() | st.integers(least, least + 40))
    return Party(draw(st.integers(0, 10_000)), least, most)


@pytest.mark.parametrize(
    ("total", "units"),
    [
        (0, [0, 0, 0]),
        (1, [1, 0, 0]),
        (3, [2, 1, 0]),
        (7, [4, 2, 1]),
        (10, [6, 3, 1]),
        (99, [59, 25, 15]),
        (100, [60, 25, 15]),
        (101, [61, 25, 15]),
    ],
)
def test_sixty_twentyfive_fifteen_divides_as_largest_remainders_do(
    total: int, units: list[int]
) -> None:
    assert apportion(total, [Party(60), Party(25), Party(15)]) == units


@pytest.mark.parametrize(("total", "units"), [(25, [8, 8, 4, 2, 2, 1]), (26, [8, 8, 5, 2, 2, 1])])
def test_the_alabama_paradox_does_not_happen(total: int, units: list[int]) -> None:
    weights = [1500, 1500, 900, 500, 500, 200]

    assert apportion(total, [Party(weight) for weight in weights]) == units


@pytest.mark.parametrize(
    ("caps", "units"), [((40, 100, 100), [40, 38, 22]), ((40, 30, 100), [40, 30, 30])]
)
def test_what_a_full_party_cannot_take_goes_to_the_others(
    caps: tuple[int, ...], units: list[int]
) -> None:
    parties = [Party(w, most=cap) for w, cap in zip((60, 25, 15), caps, strict=True)]

    assert apportion(100, parties) == units


def test_known_demand_is_rationed_at_an_equal_fill_rate() -> None:
    assert apportion(50, [Party(d, most=d) for d in (40, 30, 20)]) == [22, 17, 11]


def test_minimums_are_served_in_order_while_units_last() -> None:
    parties = [Party(1, least=5), Party(99, least=3)]

    assert apportion(6, parties) == [5, 1]
    assert apportion(9, parties) == [5, 4]


def test_units_nobody_can_take_are_left() -> None:
    assert apportion(10, [Party(1, most=2), Party(0)]) == [2, 0]
    assert apportion(10, []) == []


def test_a_most_below_its_least_is_refused() -> None:
    with pytest.raises(ValueError, match="most 1 is below least 2"):
        apportion(10, [Party(1, least=2, most=1)])


@given(st.integers(0, 120), st.lists(any_party(), max_size=6))
def test_the_formula_agrees_with_the_definition(total: int, parties: list[Party]) -> None:
    assert apportion(total, parties) == by_definition(total, parties)


@given(st.integers(0, 10**9), st.lists(any_party(), max_size=8))
def test_one_unit_more_takes_none_from_anybody(total: int, parties: list[Party]) -> None:
    before, after = apportion(total, parties), apportion(total + 1, parties)

    assert sum(before) <= total
    assert all(b <= a for b, a in zip(before, after, strict=True))


def test_a_billion_units_are_divided_in_a_millisecond() -> None:
    parties = [Party(weight) for weight in (6000, 2500, 1400, 100)]
    started = time.process_time()

    for _ in range(20):
        units = apportion(10**9, parties)

    assert units == [600_000_000, 250_000_000, 140_000_000, 10_000_000]
    assert (time.process_time() - started) / 20 < 0.005
