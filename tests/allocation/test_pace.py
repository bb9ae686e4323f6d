"""Pace: sums that fade, whatever the order in which sales are told, and the rates that follow from them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.pace import (
    FAST_S,
    LOOK_AGAIN,
    SLOW_S,
    Sold,
    Sums,
    gathered,
    look_again_at,
    pace_of,
    rates,
)
from tests.builders import NOON

DAY = timedelta(days=1)


def sold(units: int = 1, *, ago: timedelta = timedelta(0), lines: int = 1) -> Sold:
    return Sold("A", "shop", "WH", NOON - ago, units, lines)


def sums(*lines: Sold) -> Sums:
    """What lines of one place come to."""
    (found,) = gathered(lines)
    return found


def steady(per_day: float, days: int, *, units: int = 1) -> Sums:
    """So many lines a day, evenly, for so many days until noon."""
    step = DAY / per_day
    return sums(*(sold(units, ago=step * (n + 0.5)) for n in range(int(per_day * days))))


@pytest.mark.parametrize("days", [2, 7, 28, 100])
def test_a_hundred_and_forty_in_twenty_eight_days_are_five_a_day_however_young_the_sku(
    days: int,
) -> None:
    found = rates(replace(steady(5, days), since=NOON - days * DAY), NOON)

    assert found is not None
    assert found.slow.units_per_day == pytest.approx(5, rel=0.002)
    assert 180 / found.in_use.units_per_day == pytest.approx(36, rel=0.002)


def test_a_full_window_of_the_slow_sum_is_the_rate_times_the_time_constant() -> None:
    full = Sums("A", "shop", "WH", NOON, NOON - 4000 * DAY, 0.0, 140.0, 140.0, 140.0)

    found = rates(full, NOON)

    assert found is not None
    assert found.slow.units_per_day == pytest.approx(5)


def test_the_first_sale_a_moment_ago_counts_as_one_a_day() -> None:
    found = rates(sums(sold()), NOON)

    assert found is not None
    assert found.in_use.units_per_day == pytest.approx(1, rel=0.02)


def test_units_and_squares_of_a_line_are_means() -> None:
    found = rates(sums(sold(1), sold(1), sold(10)), NOON)

    assert found is not None
    assert found.slow.units_per_line == pytest.approx(4)
    assert found.slow.square_per_line == pytest.approx(34)


@pytest.mark.parametrize(
    ("lines", "fast", "spike"),
    [(1, False, False), (2, True, False), (3, True, True), (20, True, True)],
)
def test_a_fast_rate_counts_from_two_lines_and_a_spike_from_three(
    lines: int, fast: bool, spike: bool
) -> None:
    found = rates(sums(*[sold()] * lines), NOON)

    assert found is not None
    assert (found.is_fast, found.spike) == (fast, spike)
    assert found.in_use.lines_per_s == (found.fast if fast else found.slow).lines_per_s
    assert found.fast.lines_per_s == pytest.approx(lines / FAST_S)


def test_a_rush_on_what_always_sells_so_fast_is_no_spike() -> None:
    # One a minute for weeks: ten in the fast sum.
    always = Sums("A", "", "WH", NOON, NOON - 400 * DAY, 10.0, 40320.0, 40320.0, 40320.0)

    found = rates(always, NOON)

    assert found is not None
    assert not found.spike
    assert found.in_use.lines_per_s == pytest.approx(1 / 60)


def test_a_spike_fades_and_is_looked_at_again_until_it_has() -> None:
    rush = [sums(*[sold()] * 5)]

    assert look_again_at(rush, NOON) == NOON + LOOK_AGAIN
    assert look_again_at(rush, NOON + timedelta(minutes=20)) is None
    later = pace_of(rush, NOON + timedelta(minutes=5))["shop", "WH"]
    assert 0 < later.lines_per_s < pace_of(rush, NOON)["shop", "WH"].lines_per_s


def test_what_never_sold_has_no_pace() -> None:
    cancelled = sums(sold(80_995), sold(80_995, ago=timedelta(minutes=-12), lines=-1))
    long_ago = sums(sold(ago=2000 * DAY))

    assert pace_of([], NOON) == {}
    assert pace_of([replace(cancelled, slow_lines=1e-17)], NOON) == {}
    assert pace_of([long_ago], NOON) == {}


def test_taking_back_as_of_the_orders_time_leaves_nothing() -> None:
    bulk = sold(80_995, ago=timedelta(minutes=12))
    before = steady(5, 28)

    after = before + sums(bulk) + sums(bulk._replace(lines=-1))

    _same(after, before.faded(after.at), absolute=1e-5)


moments = st.integers(min_value=0, max_value=100 * 86_400).map(lambda s: timedelta(seconds=s))
lines = st.builds(
    lambda units, ago: sold(units, ago=ago), st.integers(min_value=1, max_value=1000), moments
)


@given(st.lists(lines, min_size=1, max_size=30), st.randoms(), st.integers(1, 5))
def test_the_order_and_the_batches_in_which_sales_are_told_do_not_matter(
    told: list[Sold], chance: object, size: int
) -> None:
    shuffled = list(told)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own random
    batches = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]

    found = sums(*batches[0])
    for batch in batches[1:]:
        found = found + sums(*batch)

    _same(found, _by_definition(told))


@given(st.lists(lines, min_size=1, max_size=30), moments)
def test_a_sum_only_shrinks_with_time_and_its_pace_is_never_below_zero(
    told: list[Sold], later: timedelta
) -> None:
    found = sums(*told)
    faded = found.faded(found.at + later)

    assert 0 <= faded.slow_units <= found.slow_units
    rate = rates(found, found.at + later)
    assert rate is None or (
        rate.in_use.lines_per_s >= 0
        and rate.in_use.units_per_line >= 1
        and rate.in_use.square_per_line >= rate.in_use.units_per_line**2 * (1 - 1e-12)
    )


def _by_definition(told: list[Sold]) -> Sums:
    at = max(line.at for line in told)

    def total(of: str, tau: float) -> float:
        return math.fsum(
            {"lines": 1, "units": line.units, "squares": line.units**2}[of]
            * math.exp(-_age(line.at, at) / tau)
            for line in told
        )

    return Sums(
        "A",
        "shop",
        "WH",
        at,
        min(line.at for line in told),
        total("lines", FAST_S),
        total("lines", SLOW_S),
        total("units", SLOW_S),
        total("squares", SLOW_S),
    )


def _age(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()


def _same(found: Sums, expected: Sums, *, absolute: float = 1e-12) -> None:
    assert (found.at, found.since) == (expected.at, expected.since)
    for name in ("fast_lines", "slow_lines", "slow_units", "slow_squares"):
        assert getattr(found, name) == pytest.approx(
            getattr(expected, name), rel=1e-9, abs=absolute
        )
