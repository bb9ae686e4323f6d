"""Age, excess and removal of stock at Amazon: worked examples, and what must hold of any.

AZ-1: the worked example published with the fee (28.6 weeks). AZ-2: Seller Central help 201104750. AZ-3: Seller Central,
excess is over 90 days of supply. AZ-4: FIFO over the whole network, snapshot on the 15th. ST-2: Seller Central, units
shipped in 90 days over the mean on hand.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning import ageing
from allocation.planning.ageing import Aged, Layer, Removal, ages, layers, removal, surcharge
from allocation.planning.surcharges import BY_DATE, NoSurcharges, bands_on

SNAPSHOT = date(2025, 10, 15)
ARRIVALS = [
    Layer(date(2025, 1, 10), 100),
    Layer(date(2025, 5, 1), 50),
    Layer(date(2025, 8, 20), 80),
]
FOOT = Decimal(1)


def test_storage_utilisation() -> None:
    """AZ-1."""
    assert ageing.storage_weeks(40_000, 200) == pytest.approx(28.571, abs=1e-3)
    assert ageing.storage_weeks(40_000, 0) is None


def test_weeks_of_cover() -> None:
    """AZ-2."""
    assert ageing.weeks_of_cover(300, 120, 70) == 6
    assert ageing.weeks_of_cover(300, 120, 0) is None


def test_what_lasts_longer_than_ninety_days_is_excess() -> None:
    """AZ-3."""
    assert ageing.days_of_supply(500, 0, 4) == 125
    assert ageing.excess_units(500, 0, 4) == 140
    assert ageing.excess_units(500, 60, 4) == 200
    assert ageing.excess_units(300, 0, 4) == 0
    assert ageing.excess_units(300, 0, 0) == 300
    assert ageing.days_of_supply(300, 0, 0) is None


def test_sell_through_of_ninety_days() -> None:
    """ST-2."""
    assert ageing.sell_through(360, [100, 140, 160, 200]) == pytest.approx(2.4)
    assert ageing.sell_through(0, [0, 0, 0, 0]) is None


def test_what_leaves_is_taken_off_the_oldest_arrival() -> None:
    """AZ-4."""
    there = layers(ARRIVALS, 230 - 120)

    assert there == [Layer(date(2025, 5, 1), 30), Layer(date(2025, 8, 20), 80)]
    aged = ages(there, SNAPSHOT)
    assert aged == [Aged(167, 30), Aged(56, 80)]
    assert ageing.units_aged(aged, 181) == 0
    assert surcharge(aged, FOOT, SNAPSHOT) == 0


def test_with_less_sold_the_oldest_are_aged() -> None:
    """AZ-4, only 90 shipped."""
    aged = ages(layers(ARRIVALS, 230 - 90), SNAPSHOT)

    assert aged == [Aged(278, 10), Aged(167, 50), Aged(56, 80)]
    assert ageing.units_aged(aged, 181) == 10
    assert surcharge(aged, Decimal("0.5"), SNAPSHOT) == Decimal("19.00")


def test_arrivals_at_several_buildings_are_one_network() -> None:
    split = [Layer(a.came_on, a.units // 2) for a in ARRIVALS]

    assert layers(split + split[::-1], 110) == layers(ARRIVALS, 110)


def test_units_from_before_anything_is_known_are_the_oldest() -> None:
    aged = ages(layers(ARRIVALS, 240), SNAPSHOT)

    assert aged[0] == Aged(None, 10)
    assert ageing.units_aged(aged, 1000) == 10
    assert surcharge([aged[0]], FOOT, SNAPSHOT) == Decimal("69.00")


def test_a_book_below_zero_has_nothing_that_could_age() -> None:
    assert layers(ARRIVALS, -3) == []


@pytest.mark.parametrize(
    ("on", "days", "dollars"),
    [
        (date(2023, 4, 15), 180, "0"),
        (date(2023, 4, 15), 181, "0.50"),
        (date(2023, 4, 15), 240, "1.00"),
        (date(2023, 4, 15), 270, "1.50"),
        (date(2023, 4, 15), 271, "3.80"),
        (date(2023, 4, 15), 330, "4.00"),
        (date(2023, 4, 15), 365, "4.20"),
        (date(2023, 4, 15), 366, "6.90"),
        (date(2026, 1, 15), 500, "6.90"),
        (date(2026, 2, 15), 455, "6.90"),
        (date(2026, 2, 15), 456, "7.90"),
    ],
)
def test_a_cubic_foot_costs_what_its_age_costs_on_that_day(
    on: date, days: int, dollars: str
) -> None:
    assert surcharge([Aged(days, 1)], FOOT, on) == Decimal(dollars)


@pytest.mark.parametrize(
    ("on", "days", "dollars"),
    [
        (date(2025, 10, 15), 400, "0.15"),
        (date(2026, 2, 15), 400, "0.30"),
        (date(2026, 2, 15), 460, "0.35"),
    ],
)
def test_small_units_cost_the_price_of_a_unit(on: date, days: int, dollars: str) -> None:
    assert surcharge([Aged(days, 100)], Decimal("0.01"), on) == 100 * Decimal(dollars)


def test_before_the_first_table_nothing_is_made_up() -> None:
    with pytest.raises(NoSurcharges, match="the first table is of 2023-04-15"):
        bands_on(date(2020, 1, 1), BY_DATE)


def test_what_will_not_be_sold_before_it_is_aged_is_to_be_removed() -> None:
    # 167 days: 13 more until 180; at half a unit a day 6 are sold by then, 24 are not.
    found = removal([Aged(167, 30), Aged(56, 80)], 0.5, None, FOOT, SNAPSHOT)

    why = "24 of 110 will pass 180 days unsold; 220 days of supply"
    assert found == Removal(24, why, Decimal("12.00"))


def test_the_oldest_are_sold_first() -> None:
    # 20 days at one a day: the older ten go in their ten days, and ten of the younger.
    found = removal([Aged(170, 10), Aged(160, 40), Aged(10, 60)], 1.0, None, FOOT, SNAPSHOT)

    assert found is not None
    assert found.units == 30


@pytest.mark.parametrize(
    ("there", "per_day", "sold_through"),
    [
        ([Aged(149, 30), Aged(56, 80)], 0.5, 0.1),  # nothing is old enough
        ([Aged(167, 30), Aged(56, 50)], 1.0, 0.9),  # 80 days of supply, and it sells
        ([Aged(167, 30), Aged(56, 280)], 3.0, None),  # what is old will be sold
        ([], 0.0, None),
    ],
)
def test_what_sells_in_time_stays(
    there: list[Aged], per_day: float, sold_through: float | None
) -> None:
    assert removal(there, per_day, sold_through, FOOT, SNAPSHOT) is None


def test_what_sells_slowly_is_removed_though_there_is_little_of_it() -> None:
    found = removal([Aged(178, 40)], 0.5, 0.3, FOOT, SNAPSHOT)

    assert found is not None
    assert found.units == 39


def test_where_nothing_sells_all_that_is_old_is_removed() -> None:
    found = removal([Aged(None, 5), Aged(400, 10), Aged(10, 3)], 0.0, None, FOOT, SNAPSHOT)

    why = "15 of 18 will pass 180 days unsold; nothing sells"
    assert found == Removal(15, why, Decimal("103.50"))


days = st.dates(date(2024, 1, 1), SNAPSHOT)
arrivals = st.lists(st.builds(Layer, days, st.integers(0, 500)), max_size=8)


@given(arrivals, st.integers(0, 3000))
def test_layers_come_to_what_is_there_oldest_first(came: list[Layer], on_hand: int) -> None:
    there = layers(came, on_hand)

    assert sum(layer.units for layer in there) == on_hand
    known = [layer.came_on for layer in there if layer.came_on is not None]
    assert known == sorted(set(known))
    assert all(layer.units > 0 for layer in there)


@given(arrivals, st.integers(0, 3000), st.floats(0, 20))
def test_selling_more_never_removes_more(came: list[Layer], on_hand: int, per_day: float) -> None:
    there = ages(layers(came, on_hand), SNAPSHOT + timedelta(days=30))

    slow = removal(there, per_day, 0.1, FOOT, SNAPSHOT)
    fast = removal(there, per_day + 1, 0.1, FOOT, SNAPSHOT)

    assert (fast.units if fast else 0) <= (slow.units if slow else 0)
    assert slow is None or slow.units <= ageing.units_aged(there, ageing.LOOK_FROM_DAYS)
