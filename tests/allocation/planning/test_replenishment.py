"""Reorder points, lots and what they are made of: the checked numbers, and what must hold of any.

Vectors SS, EOQ, NV, BS, NB, FRT, MM, DOC and ST: King 2011, "Crack the code" (APICS magazine); stockpyl 1.x for EOQ-1
(Snyder and Shen, example 3.1), NV-1 and NV-2; the rest by hand.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.cover import days_of_cover, reorder_point, safety_stock
from allocation.planning import chances, replenishment
from allocation.planning.chances import Shape, Wanted, fill_rate, newsvendor, quantile, shape_of
from allocation.planning.classes import DemandClass
from allocation.planning.replenishment import (
    Standing,
    economic_lot,
    min_max,
    order_up_to,
    rounded,
    safety_stocks,
    sell_through,
)

NORMAL, POISSON, BINOMIAL = Shape


def test_the_safety_stocks_of_king() -> None:
    """SS-1."""
    found = safety_stocks(0.95, 40, 12, 7, 2)
    rows = (found.demand_only, found.lead_only, found.both, found.dependent)
    assert rows == pytest.approx((52.222484, 131.58829, 141.572123, 183.810774), abs=1e-5)

    demand = chances.wanted(40, 12, 7, 2)
    assert reorder_point(40, 7, found.both) == pytest.approx(421.572123, abs=1e-5)
    assert quantile(demand, NORMAL, 0.95) == pytest.approx(421.572123, abs=1e-5)
    assert replenishment.reorder_point(demand, NORMAL, 0.95) == 422


def test_a_review_lengthens_what_must_be_covered() -> None:
    """SS-2."""
    safety = safety_stock(0.95, 40, 12, 7, 2, review_days=7)

    assert safety == pytest.approx(150.896831, abs=1e-5)
    assert order_up_to(40, 7, 7, safety) == pytest.approx(710.896831, abs=1e-5)
    demand = chances.wanted(40, 12, 7, 2, review_days=7)
    assert quantile(demand, NORMAL, 0.95) == pytest.approx(710.896831, abs=1e-5)


@pytest.mark.parametrize(
    ("vector", "order_cost", "holding_cost", "per_year", "units", "orders", "cost"),
    [
        ("EOQ-1", 8, 0.225, 1300, 304.0467800, 1300 / 304.0467800, 68.4105255),
        ("EOQ-2", 45, 2.4, 12000, 670.820393, 17.888544, 1609.968944),
    ],
)
def test_the_economic_lot(
    vector: str,
    order_cost: float,
    holding_cost: float,
    per_year: float,
    units: float,
    orders: float,
    cost: float,
) -> None:
    lot = economic_lot(order_cost, holding_cost, per_year)

    found = (lot.units, lot.orders_per_year, lot.cost_per_year)
    assert found == pytest.approx((units, orders, cost), abs=1e-5), vector


@pytest.mark.parametrize(
    ("vector", "demand", "shape", "short", "over", "units"),
    [
        ("NV-1", Wanted(50, 64), NORMAL, 0.70, 0.18, 56.60395592743389),
        ("NV-2", Wanted(50, 50), POISSON, 4, 1, 56),
    ],
)
def test_the_newsvendor(
    vector: str, demand: Wanted, shape: Shape, short: float, over: float, units: float
) -> None:
    assert newsvendor(demand, shape, short, over) == pytest.approx(units, abs=1e-8), vector


@pytest.mark.parametrize(
    ("vector", "demand", "shape", "units", "chance"),
    [
        ("BS-1", Wanted(4, 4), POISSON, 8, 0.978637),
        ("NB-1", Wanted(4, 10), BINOMIAL, 10, 0.957844),
    ],
)
def test_what_is_wanted_seldom_is_counted_in_units(
    vector: str, demand: Wanted, shape: Shape, units: int, chance: float
) -> None:
    assert shape_of(demand) is shape
    assert replenishment.reorder_point(demand, shape, 0.95) == units, vector
    assert chances.chance_enough(demand, shape, units) == pytest.approx(chance, abs=1e-6)
    assert chances.chance_enough(demand, shape, units - 1) < 0.95


def test_the_negative_binomial_of_a_mean_and_a_variance() -> None:
    """NB-1."""
    assert chances.negative_binomial(Wanted(4, 10)) == pytest.approx((2.666667, 0.4), abs=1e-6)
    assert replenishment.reorder_point(Wanted(4, 10), POISSON, 0.95) == 8


def test_the_fill_rate_of_a_reorder_point() -> None:
    """FRT-1."""
    demand = Wanted(4, 4)

    assert chances.expected_short(demand, POISSON, 8) == pytest.approx(0.033627, abs=1e-6)
    assert fill_rate(demand, POISSON, 8, 10) == pytest.approx(0.996637, abs=1e-6)


def test_units_short_on_average_are_those_of_the_definition() -> None:
    for demand, shape in ((Wanted(4, 4), POISSON), (Wanted(4, 10), BINOMIAL)):
        below = [chances.chance_enough(demand, shape, n) for n in range(-1, 400)]
        each = [now - before for before, now in pairwise(below)]
        for units in (0, 1, 7):
            by_definition = sum((n - units) * chance for n, chance in enumerate(each) if n > units)
            found = chances.expected_short(demand, shape, units)
            assert found == pytest.approx(by_definition, abs=1e-9)
    # Of a normal at its mean: sd / sqrt(2 pi).
    assert chances.expected_short(Wanted(50, 64), NORMAL, 50) == pytest.approx(3.191538, abs=1e-6)


def test_ordering_up_to_a_maximum() -> None:
    """MM-1."""
    standing = Standing(on_hand=28, on_order=6, committed=9)

    assert standing.position == 25
    assert min_max(standing.position, 40, 120) == 95
    assert min_max(40, 40, 120) == 80
    assert min_max(41, 40, 120) == 0
    assert Standing(on_hand=5, committed=2, backorders=9).position == -6


def test_days_of_cover_with_and_without_what_is_coming() -> None:
    """DOC-1."""
    per_day = 140 / 28

    assert per_day == 5
    assert days_of_cover(180, per_day) == 36
    assert days_of_cover(180 + 60, per_day) == 48
    assert days_of_cover(180, 0) is None


def test_sell_through_of_a_shop() -> None:
    """ST-1."""
    assert sell_through(120, opening=200, received=100) == pytest.approx(0.4)
    assert sell_through(0, opening=0, received=0) is None


@pytest.mark.parametrize(
    ("units", "pack", "minimum", "ordered"),
    [
        (95, 1, 0, 95),
        (95, 12, 0, 96),
        (96, 12, 0, 96),
        (5, 12, 50, 60),
        (5, 1, 50, 50),
        (0, 12, 50, 0),
        (-3, 12, 50, 0),
    ],
)
def test_a_supplier_sends_whole_packs_and_no_fewer_than_his_minimum(
    units: int, pack: int, minimum: int, ordered: int
) -> None:
    assert rounded(units, pack=pack, minimum=minimum) == ordered


def test_a_pack_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a pack of 0 units"):
        rounded(5, pack=0)


@pytest.mark.parametrize(
    ("demand", "kind", "shape"),
    [
        (Wanted(280, 300), DemandClass.SMOOTH, NORMAL),
        (Wanted(5, 9), DemandClass.SMOOTH, BINOMIAL),
        (Wanted(280, 900), DemandClass.LUMPY, BINOMIAL),
        (Wanted(4, 4.1), DemandClass.INTERMITTENT, POISSON),
        (Wanted(4, 1), None, POISSON),
    ],
)
def test_only_what_sells_steadily_and_much_is_taken_as_normal(
    demand: Wanted, kind: DemandClass | None, shape: Shape
) -> None:
    assert shape_of(demand, kind) is shape


def test_what_is_not_wanted_needs_no_stock() -> None:
    nothing = Wanted(0, 0)

    assert replenishment.reorder_point(nothing, POISSON, 0.99) == 0
    assert chances.chance_enough(nothing, POISSON, 0) == 1
    assert chances.expected_short(nothing, POISSON, 0) == 0


def test_what_never_varies_needs_its_mean_and_no_more() -> None:
    always = Wanted(42, 0)

    assert replenishment.reorder_point(always, NORMAL, 0.99) == 42
    assert chances.chance_enough(always, NORMAL, 42) == 1
    assert chances.chance_enough(always, NORMAL, 41) == 0
    assert chances.expected_short(always, NORMAL, 40) == 2
    assert fill_rate(always, NORMAL, 42, 10) == 1


means = st.floats(0.05, 400)
services = st.floats(0.5, 0.995)


@given(means, st.floats(1.1, 6), services)
def test_a_reorder_point_is_the_least_that_is_enough(
    mean: float, times: float, service: float
) -> None:
    for demand, shape in ((Wanted(mean, mean), POISSON), (Wanted(mean, mean * times), BINOMIAL)):
        units = replenishment.reorder_point(demand, shape, service)

        assert chances.chance_enough(demand, shape, units) >= service - 1e-9
        assert units == 0 or chances.chance_enough(demand, shape, units - 1) < service + 1e-9


@given(means, st.floats(1.1, 6), services, st.floats(0.001, 0.004))
def test_more_service_and_more_spread_never_lower_a_reorder_point(
    mean: float, times: float, service: float, more: float
) -> None:
    demand = Wanted(mean, mean * times)
    units = replenishment.reorder_point(demand, BINOMIAL, service)

    assert replenishment.reorder_point(demand, BINOMIAL, service + more) >= units
    assert chances.expected_short(demand, BINOMIAL, units + 1) <= chances.expected_short(
        demand, BINOMIAL, units
    )


@given(st.integers(-50, 10_000), st.integers(1, 144), st.integers(0, 500))
def test_what_is_ordered_is_enough_and_at_most_a_pack_too_much(
    units: int, pack: int, minimum: int
) -> None:
    ordered = rounded(units, pack=pack, minimum=minimum)

    assert ordered % pack == 0
    if units <= 0:
        assert ordered == 0
    else:
        assert max(units, minimum) <= ordered < max(units, minimum) + pack
