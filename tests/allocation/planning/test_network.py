"""How a SKU stands in Amazon's network: the worked examples, and what must hold of any.

AZ-1 to AZ-4 and ST-2 as in `test_ageing`, here as one standing. DOC-1: 140 sold in 28 days, 180 there, 60 coming.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning.ageing import Aged, Layer, layers
from allocation.planning.network import Factors, Held, factors, next_snapshot, stand

TODAY = date(2025, 10, 15)
ARRIVALS = (
    Layer(date(2025, 1, 10), 100),
    Layer(date(2025, 5, 1), 50),
    Layer(date(2025, 8, 20), 80),
)


def held(
    on_hand: int = 110,
    *,
    available: int | None = None,
    inbound: int = 0,
    shipped: int = 0,
    snapshots: tuple[int, ...] = (110,),
    per_day: float = 0.5,
    stranded: int | None = 0,
    cubic_feet: Decimal | None = Decimal("0.5"),
    charged: bool = True,
    in_stock: float | None = None,
) -> Held:
    return Held(
        on_hand,
        on_hand if available is None else available,
        inbound,
        ARRIVALS,
        shipped,
        shipped,
        snapshots,
        per_day,
        stranded,
        cubic_feet,
        charged,
        in_stock,
    )


def test_what_is_left_of_three_arrivals_is_aged_by_fifo() -> None:
    """AZ-4."""
    found = stand(held(), TODAY)

    assert list(found.aged) == [Aged(167, 30), Aged(56, 80)]
    assert (found.oldest_days, found.aged_units) == (167, 0)
    assert found.surcharge == Decimal("0.00")


def test_an_order_less_and_ten_units_are_charged_at_the_next_snapshot() -> None:
    """AZ-4 with 90 shipped: 10 units of 278 days, half a cubic foot each, at 3.80."""
    found = stand(held(140), TODAY)

    assert (found.oldest_days, found.aged_units) == (278, 10)
    assert found.surcharge == Decimal("19.00")


def test_ninety_days_of_supply_are_no_excess_and_more_is() -> None:
    """AZ-3."""
    found = stand(held(500, per_day=4), TODAY)

    assert (found.days_of_supply, found.excess_units) == (125, 140)


def test_days_of_supply_count_what_is_coming_and_are_unknown_where_nothing_sells() -> None:
    """DOC-1."""
    assert stand(held(180, per_day=140 / 28), TODAY).days_of_supply == pytest.approx(36)
    assert stand(held(180, inbound=60, per_day=5.0), TODAY).days_of_supply == pytest.approx(48)
    assert stand(held(180, per_day=0), TODAY).days_of_supply is None


def test_sell_through_is_what_was_shipped_over_the_mean_of_four_snapshots() -> None:
    """ST-2."""
    found = stand(held(100, shipped=360, snapshots=(100, 140, 160, 200)), TODAY)

    assert found.sell_through == pytest.approx(2.4)


def test_what_will_pass_180_days_unsold_is_to_be_removed_and_saves_its_surcharge() -> None:
    # 167 days old: 13 more until 180, in which 6 of the 30 are sold; 24 x 0.5 cubic feet x 0.50.
    found = stand(held(), TODAY)

    assert found.removal is not None
    assert (found.removal.units, found.first_surcharge) == (24, Decimal("6.00"))


def test_without_a_size_or_outside_the_tables_units_are_known_and_dollars_are_not() -> None:
    sizeless, elsewhere = stand(held(cubic_feet=None), TODAY), stand(held(charged=False), TODAY)
    long_ago = stand(held(), date(2020, 1, 1))

    for found in (sizeless, elsewhere):
        assert found.removal is not None
        assert (found.removal.units, found.surcharge, found.worth) == (24, None, None)
    assert (long_ago.surcharge, long_ago.removal) == (None, None)


def test_a_removal_that_costs_more_than_it_saves_is_not_proposed_and_that_is_said() -> None:
    dear = stand(replace(held(), removal_fee=Decimal(100)), TODAY)

    assert (dear.removal, dear.worth) == (None, None)
    assert dear.why == (
        "24 of 110 will pass 180 days unsold; 220 days of supply;"
        " 24 stay: taking one out costs 100.00 dollars, keeping it less"
    )


def test_of_a_removal_only_the_units_that_save_more_than_their_fee_are_left() -> None:
    cheap = stand(replace(held(per_day=0), removal_fee=Decimal(1)), TODAY)
    middling = stand(replace(held(), removal_fee=Decimal(6)), TODAY)

    assert cheap.removal is not None
    assert cheap.worth is not None
    assert (cheap.removal.units, cheap.stays) == (30, "")
    assert cheap.worth.fee == Decimal("30.00")
    assert middling.removal is not None
    assert middling.worth is not None
    assert 0 < middling.removal.units == middling.worth.units < 24
    assert middling.worth.net is not None
    assert middling.worth.net > 0
    assert middling.why.endswith("stay: taking one out costs 6.00 dollars, keeping it less")


def test_what_came_before_arrivals_are_known_is_as_old_as_they_are_at_least() -> None:
    before = replace(held(330, per_day=0), known_since=date(2025, 1, 1))
    never = replace(held(330, per_day=0), arrivals=())

    found, nothing = stand(before, TODAY), stand(never, TODAY)

    # 230 came; a hundred were there on the first of January and cost at least what 287 days cost.
    assert found.layers[0] == Layer(None, 100)
    assert found.aged[0] == Aged(287, 100)
    assert (found.oldest_days, found.aged_units) == (None, 200)
    assert found.surcharge == Decimal("380.00")
    assert (nothing.aged_units, nothing.surcharge, nothing.removal) == (0, Decimal("0.00"), None)


@pytest.mark.parametrize(
    ("today", "snapshot"),
    [
        (date(2026, 2, 1), date(2026, 2, 15)),
        (date(2026, 2, 15), date(2026, 2, 15)),
        (date(2026, 1, 31), date(2026, 2, 15)),
        (date(2026, 12, 16), date(2027, 1, 15)),
    ],
)
def test_the_next_snapshot_is_on_the_15th(today: date, snapshot: date) -> None:
    assert next_snapshot(today) == snapshot


def test_the_factors_are_of_all_units_together() -> None:
    slow = held(500, per_day=4, shipped=360, snapshots=(500, 300), stranded=0, in_stock=1.0)
    fast = held(
        100,
        per_day=20,
        shipped=1080,
        snapshots=(100, 100),
        stranded=50,
        cubic_feet=None,
        in_stock=0.5,
    )

    found = factors([stand(slow, TODAY), stand(fast, TODAY)])

    assert (found.skus, found.on_hand) == (2, 600)
    assert found.excess_ratio == pytest.approx(140 / 600)
    assert found.sell_through == pytest.approx(1440 / 500)
    assert found.stranded_ratio == pytest.approx(50 / 600)
    assert found.in_stock_ratio == pytest.approx((1.0 * 360 + 0.5 * 1080) / 1440)
    # 400 on average, 4 a day: the size cancels out, and the SKU without one is left out.
    assert found.storage_weeks == pytest.approx(400 / 4 / 7)


def test_the_storage_ratio_of_the_published_example() -> None:
    """AZ-1: 40,000 cubic feet, 200 shipped a day."""
    found = factors(
        [
            stand(
                held(
                    40_000, shipped=18_000, snapshots=(40_000,), per_day=200, cubic_feet=Decimal(1)
                ),
                TODAY,
            )
        ]
    )

    assert found.storage_weeks == pytest.approx(28.571, abs=1e-3)


def test_of_nothing_nothing_is_known() -> None:
    assert factors([]) == Factors(0, 0, None, None, None, None, None)
    assert factors([stand(held(stranded=None), TODAY)]).stranded_ratio is None


moves = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=40
)


@given(moves)
def test_over_any_arrivals_and_departures_the_ages_are_those_of_a_queue(
    played: list[tuple[bool, int, int]],
) -> None:
    """Each unit in a queue of its own, the oldest leaves first: the layers say the same of it, day by day."""
    queue: deque[date] = deque()
    arrivals: list[Layer] = []
    day = date(2025, 1, 1)
    for comes, units, days in played:
        day += timedelta(days=days)
        if comes:
            queue.extend([day] * units)
            arrivals.append(Layer(day, units))
        else:
            for _ in range(min(units, len(queue))):
                queue.popleft()

        found = layers(arrivals, len(queue))

        assert [layer.came_on for layer in found for _ in range(layer.units)] == list(queue)
        assert sum(layer.units for layer in found) == len(queue)
