"""What taking units out of Amazon's network costs and saves: published prices, worked examples, what must always hold.

Prices: Seller Central, "2022 FBA removal and disposal order fee changes"; marketgapblog.com/?p=5295 (2023);
ecomcrew.com/amazon-fba-removal-disposal-fees-per-unit-change (2026); Seller Central GJ9NNG7RK4TU6E3Z (storage).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.ageing import Aged
from allocation.planning.network import snapshots
from allocation.planning.removal_fees import NoFees, removal_fee, storage_fee
from allocation.planning.removing import SNAPSHOTS, Unit, Worth, worth

TINY = Decimal("0.001")
TODAY = date(2026, 2, 1)


@pytest.mark.parametrize(
    ("on", "pounds", "kind", "dollars"),
    [
        (date(2022, 1, 18), "0.5", "standard", "0.52"),
        (date(2022, 6, 1), "3", "standard", "2.14"),
        (date(2022, 6, 1), "11.2", "oversize", "8.51"),
        (date(2023, 1, 16), "0.4", "standard", "0.52"),
        (date(2023, 1, 17), "0.4", "standard", "0.97"),
        (date(2023, 1, 17), "10", "oversize", "9.43"),
        (date(2026, 1, 14), "0.5", "standard", "1.04"),
        (date(2026, 1, 15), "0.5", "standard", "0.84"),
        (date(2026, 1, 15), "0.51", "standard", "1.53"),
        (date(2026, 1, 15), "2", "standard", "2.27"),
        (date(2026, 1, 15), "2.1", "standard", "3.95"),
        (date(2026, 1, 15), "4", "standard", "5.01"),
        (date(2026, 1, 15), "1", "extra-large", "3.12"),
        (date(2026, 1, 15), "12", "extra-large", "16.44"),
        (date(2026, 1, 15), "0.5", "apparel", "3.12"),
    ],
)
def test_taking_a_unit_out_costs_what_its_weight_costs_on_that_day(
    on: date, pounds: str, kind: str, dollars: str
) -> None:
    assert removal_fee(Decimal(pounds), TINY, kind, on) == Decimal(dollars)


def test_a_large_light_unit_weighs_what_its_room_weighs() -> None:
    # A cubic foot is 1,728 cubic inches: 12.43 pounds at 139, 11 of them above two.
    fee = removal_fee(Decimal("0.5"), Decimal(1), "standard", date(2026, 2, 1))

    assert fee == Decimal("2.89") + 11 * Decimal("1.06")


def test_before_the_first_table_no_fee_is_made_up() -> None:
    with pytest.raises(NoFees, match="the first table is of 2022-01-18"):
        removal_fee(Decimal(1), TINY, "standard", date(2021, 12, 31))
    with pytest.raises(NoFees, match="the first table is of 2023-04-15"):
        storage_fee(Decimal(1), "standard", date(2023, 1, 1))


@pytest.mark.parametrize(
    ("on", "kind", "dollars"),
    [
        (date(2024, 3, 31), "standard", "0.87"),
        (date(2024, 4, 1), "standard", "0.78"),
        (date(2026, 9, 30), "standard", "0.78"),
        (date(2026, 10, 1), "standard", "2.40"),
        (date(2026, 12, 31), "oversize", "1.40"),
        (date(2026, 1, 1), "oversize", "0.56"),
        (date(2026, 1, 1), "footwear", "0.56"),
    ],
)
def test_a_cubic_foot_is_kept_for_the_price_of_its_month(on: date, kind: str, dollars: str) -> None:
    assert storage_fee(Decimal(1), kind, on) == Decimal(dollars)


def test_what_never_sells_saves_twelve_months_of_storage_and_surcharges() -> None:
    # One cubic foot of 400 days on the first of February 2026: nine months at 0.78, three at 2.40. Of age 414 and 442
    # on the first two snapshots 6.90, then of more than 455 days 7.90.
    days = snapshots(TODAY, SNAPSHOTS)

    found = worth(
        [Aged(400, 1)], 0.0, Unit(Decimal(1), "standard", Decimal("14.55")), 1, TODAY, days
    )

    saved = 9 * Decimal("0.78") + 3 * Decimal("2.40") + 2 * Decimal("6.90") + 10 * Decimal("7.90")
    assert (days[0], days[-1]) == (date(2026, 2, 15), date(2027, 1, 15))
    assert found == Worth(1, saved, Decimal("14.55"))
    assert found.net == saved - Decimal("14.55")


def test_what_is_sold_before_the_next_snapshot_saves_nothing() -> None:
    days = snapshots(TODAY, SNAPSHOTS)

    found = worth(
        [Aged(400, 10)], 1.0, Unit(Decimal(1), "standard", Decimal("0.84")), 10, TODAY, days
    )

    assert found == Worth(0, Decimal(0), Decimal(0))


def test_without_a_weight_the_saving_is_known_and_what_is_left_is_not() -> None:
    found = worth(
        [Aged(400, 5)],
        0.0,
        Unit(Decimal(1), "standard", None),
        5,
        TODAY,
        snapshots(TODAY, SNAPSHOTS),
    )

    assert (found.units, found.fee, found.net) == (5, None, None)
    assert found.saved > 5 * Decimal("6.90") * 12


layers = st.lists(st.tuples(st.integers(0, 700), st.integers(1, 60)), min_size=1, max_size=5)
feet = st.decimals("0.001", "3", places=3)
fees = st.decimals("0.50", "20", places=2)


@given(layers, st.floats(0, 3), feet, fees)
def test_nothing_is_proposed_that_another_number_of_units_would_beat(
    there: list[tuple[int, int]], per_day: float, cubic_feet: Decimal, fee: Decimal
) -> None:
    aged = [Aged(days, units) for days, units in sorted(there, reverse=True)]
    most = sum(layer.units for layer in aged)
    days = snapshots(TODAY, SNAPSHOTS)

    found = worth(aged, per_day, Unit(cubic_feet, "standard", fee), most, TODAY, days)

    assert found.net is not None
    assert found.net >= 0
    assert (found.net > 0) == (found.units > 0)
    for other in {0, 1, most // 2, max(0, found.units - 1), min(most, found.units + 1), most}:
        free = worth(aged, per_day, Unit(cubic_feet, "standard", None), other, TODAY, days)
        assert free.saved - other * fee <= found.net + Decimal("0.01")


@given(layers, st.floats(0, 3), feet, fees)
def test_a_higher_fee_never_takes_more_out(
    there: list[tuple[int, int]], per_day: float, cubic_feet: Decimal, fee: Decimal
) -> None:
    aged = [Aged(days, units) for days, units in sorted(there, reverse=True)]
    most = sum(layer.units for layer in aged)
    days = snapshots(TODAY, SNAPSHOTS)

    cheap = worth(aged, per_day, Unit(cubic_feet, "standard", fee), most, TODAY, days)
    dear = worth(aged, per_day, Unit(cubic_feet, "standard", fee + 1), most, TODAY, days)

    assert dear.units <= cheap.units
