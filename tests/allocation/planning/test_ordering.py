"""A line of the reorder list: lead times learned, the day it runs out, what is ordered and the reasons given."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.chances import Shape
from allocation.planning.classes import DemandClass
from allocation.planning.need import demand_of, forecast
from allocation.planning.ordering import (
    Advice,
    Lead,
    Level,
    Said,
    Terms,
    advise,
    chance_of,
    learned_lead,
    level,
    runs_out_on,
    terms_of,
)
from allocation.planning.replenishment import Standing
from allocation.planning.series import Bought, Series

TODAY = date(2026, 3, 2)
FORTNIGHT = Lead(14)


def a_series(*units: int, channel: str = "web", closed: int = 0, bulk: int = 0) -> Series:
    """Days until yesterday, over and over to half a year; the first of them were closed."""
    days = (units * 200)[:182]
    first = TODAY - timedelta(days=182)
    place = ("MUG", channel, "OSLO")
    line = Bought(*place, first, bulk, 1)
    opened = (0.0,) * closed + (1.0,) * (182 - closed)
    return Series(place, first, days, opened, (line,) if bulk else ())


def a_level(*parts: Series, terms: Terms | None = None, lead: Lead = FORTNIGHT) -> Level:
    series = parts or (a_series(4, 5, 6),)
    terms = terms or Terms()
    said = forecast(demand_of(series), lead.days + terms.review_days)
    return level(("MUG", "OSLO"), said, lead, terms, price=12.0, cost=4.0)


def advice(
    standing: Standing, *parts: Series, terms: Terms | None = None, lead: Lead = FORTNIGHT
) -> Advice:
    return advise(a_level(*parts, terms=terms, lead=lead), standing, [], TODAY)


def test_a_lead_time_is_learned_from_three_receipts_by_their_units() -> None:
    assert learned_lead([(10, 5), (12, 5)], FORTNIGHT) == FORTNIGHT

    found = learned_lead([(10, 100), (10, 100), (20, 200)], FORTNIGHT)

    assert (found.days, found.sd_days, found.receipts) == (15, 5, 3)


def test_steady_demand_is_ordered_up_to_what_a_review_later_needs() -> None:
    found = advice(Standing(on_hand=60))

    of = found.level
    assert of.kind == DemandClass.SMOOTH
    assert of.per_day == pytest.approx(5, rel=0.01)
    assert of.shape == Shape.NORMAL
    # 14 days of 4.99, and 1.645 * sqrt(14) * 0.82 = 74.9; with a week more 111.0.
    assert (of.reorder_point, of.order_up_to) == (75, 112)
    assert found.units == 112 - 60
    assert found.why[0] == "position 60 at or below 75"


def test_above_the_reorder_point_nothing_is_ordered() -> None:
    found = advice(Standing(on_hand=70, on_order=20))

    assert found.units == 0
    assert chance_of(found.level, found.standing.position) > 0.95
    assert chance_of(found.level, 0) < 0.01
    assert found.why == ("lead time assumed",)


def test_what_is_sold_and_not_there_is_ordered_as_well() -> None:
    found = advice(Standing(on_hand=-9))

    assert found.units == found.level.order_up_to + 9
    assert found.why[0] == "9 sold and not there"
    assert found.runs_out_on == TODAY


def test_whole_packs_and_the_minimum_are_told() -> None:
    found = advice(Standing(on_hand=70), terms=Terms(pack=24, minimum=100))

    assert found.units == 120
    assert "42 in whole packs or the minimum" in found.why


def test_a_longer_or_less_certain_lead_time_orders_earlier() -> None:
    standing = Standing(on_hand=60)
    usual = a_level().reorder_point

    assert a_level(lead=Lead(21)).reorder_point > usual
    unsure = advice(standing, lead=Lead(14, 4, 9))
    assert unsure.level.reorder_point > usual
    assert "lead time of 9 receipts" in unsure.why


def test_channels_of_a_location_are_planned_together() -> None:
    both = a_level(a_series(4, 5, 6), a_series(1, 0, channel="till"))

    assert both.per_day == pytest.approx(5.5, rel=0.05)


def test_days_before_the_first_sale_are_no_demand_and_no_absence_of_it() -> None:
    old = a_series(5)
    late = Series(old.place, old.first, (0,) * 100 + (5,) * 82, old.open)

    demand = demand_of([late])
    assert forecast(demand, 28).per_day == pytest.approx(5)
    assert len(demand.weeks) == 82 // 7


def test_closed_days_do_not_lower_what_is_forecast() -> None:
    full = a_series(5)
    gap = Series(full.place, full.first, (5,) * 150 + (0,) * 32, (1.0,) * 150 + (0.0,) * 32)

    found = forecast(demand_of([gap]), 28)

    assert found.per_day == pytest.approx(5)
    assert found.demand.weeks[-1] is None


def test_lines_left_out_are_named() -> None:
    found = demand_of([a_series(5, bulk=900)])

    assert found.left_out == ("1 x 900 on 2025-09-01 (web)",)


def test_a_short_past_says_so() -> None:
    days = Series(("MUG", "web", "OSLO"), TODAY - timedelta(days=21), (3,) * 21, (1.0,) * 21)

    found = advice(Standing(0), days)

    assert found.level.folds == 0
    assert "too short a past to choose a model by" in found.why


@pytest.mark.parametrize(
    ("free", "per_day", "coming", "days"),
    [
        (50, 5.0, [], 10),
        (52, 5.0, [], 10),
        (-3, 5.0, [], 0),
        (50, 0.0, [], None),
        (50, 0.001, [], None),
        (50, 5.0, [(5, 25)], 15),
        (50, 5.0, [(11, 500)], 10),
        (50, 5.0, [(-4, 25)], 15),
        (50, 5.0, [(9, 5), (10, 5)], 12),
    ],
)
def test_the_day_on_which_nothing_is_left(
    free: int, per_day: float, coming: list[tuple[int, int]], days: int | None
) -> None:
    due = [(TODAY + timedelta(days=day), units) for day, units in coming]

    found = runs_out_on(free, per_day, due, TODAY)

    assert found == (None if days is None else TODAY + timedelta(days=days))


def test_what_runs_out_before_an_order_can_be_there_is_told() -> None:
    found = advice(Standing(on_hand=20, on_order=100))

    assert found.units == 0
    assert found.runs_out_on == TODAY + timedelta(days=4)
    assert "runs out on 2026-03-06, before an order of today is there" in found.why


@given(st.integers(-50, 400), st.integers(0, 300), st.integers(1, 100))
def test_more_stock_never_orders_more(free: int, coming: int, more: int) -> None:
    few = advice(Standing(free, coming), a_series(0, 3, 0, 0, 7))
    many = advice(Standing(free + more, coming), a_series(0, 3, 0, 0, 7))

    assert many.units <= few.units
    assert few.units == 0 or few.standing.position + few.units >= few.level.order_up_to


def test_a_lot_that_pays_is_ordered_where_costs_are_known() -> None:
    # Five a day, 45 an order, 30 % of 4 a year to keep one: sqrt(2 * 45 * 1825 / 1.2).
    costs = Terms(order_cost=45, holding=0.3)

    of = a_level(terms=costs)
    found = advise(of, Standing(70), [], TODAY)

    assert of.lot_units == pytest.approx(370, abs=2)
    assert found.units == of.lot_units
    assert f"{of.lot_units} is the economic lot" in found.why
    assert a_level().lot_units == 0


def test_an_hour_without_it_costs_what_is_not_sold() -> None:
    assert a_level().lost_per_hour == pytest.approx(12 * 5 / 24, rel=0.01)


def test_a_skus_own_terms_come_before_its_suppliers_and_those_before_the_houses() -> None:
    own = Said(supplier="Acme", pack=6)
    supplier = Said(pack=12, lead_days=30, service=0.98)
    house = Said(service=0.9, review_days=3, minimum=0)

    found = terms_of(own, supplier, house)

    assert (found.supplier, found.pack, found.lead.days) == ("Acme", 6, 30)
    assert (found.service, found.review_days, found.minimum) == (0.98, 3, 0)
    assert terms_of(Said()) == Terms()
