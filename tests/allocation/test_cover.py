"""Safety stock, cover and protection: checked numbers, and how rules use them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocation.cover import (
    days_of_cover,
    littlewood,
    nested_protections,
    protected_units,
    reorder_point,
    safety_stock,
    safety_units,
)
from allocation.engine import allocate
from allocation.risk import poisson_quantile
from allocation.types import LocationRule, Outlook, Pace, Protection, Rule, Rules, Safety, Which
from tests.allocation.houses import a_channel

ALL = Which(sku="*")
DAY_S = 86_400


def test_safety_stock_of_king() -> None:
    """SS-1."""
    demand = safety_stock(0.95, 40, 12, 7)
    lead = safety_stock(0.95, 40, 0, 7, 2)
    both = safety_stock(0.95, 40, 12, 7, 2)

    assert (demand, lead, both) == pytest.approx((52.222484, 131.58829, 141.572123), abs=1e-5)
    assert demand + lead == pytest.approx(183.810774, abs=1e-5)
    assert reorder_point(40, 7, both) == pytest.approx(421.572123, abs=1e-5)


def test_safety_stock_with_a_review() -> None:
    """SS-2."""
    safety = safety_stock(0.95, 40, 12, 7, 2, review_days=7)

    assert safety == pytest.approx(150.896831, abs=1e-5)
    assert 40 * (7 + 7) + safety == pytest.approx(710.896831, abs=1e-5)


@pytest.mark.parametrize(
    ("service", "z"),
    [(0.9, 1.281552), (0.95, 1.644854), (0.98, 2.053749), (0.99, 2.326348), (0.999, 3.090232)],
)
def test_the_deviations_of_a_service_level(service: float, z: float) -> None:
    assert safety_stock(service, 0, 1, 1) == pytest.approx(z, abs=1e-6)


def test_days_of_cover_are_unknown_where_nothing_sells() -> None:
    """DOC-1: 140 sold in 28 days."""
    per_day = 140 / 28

    assert days_of_cover(180, per_day) == 36
    assert days_of_cover(180 + 60, per_day) == 48
    assert days_of_cover(180, 0) is None


def test_littlewood_and_its_nested_form() -> None:
    """AL-7, AL-8, AL-9."""
    assert littlewood(800, 300, 120, 50) == pytest.approx(135.932, abs=1e-3)
    assert poisson_quantile(20, 99 / 499) == 24
    levels = nested_protections(
        (1200, 1000, 800, 600, 400, 200),
        (31.2, 10.9, 14.8, 19.9, 26.9, 36.3),
        (11.2, 6.6, 7.7, 8.9, 10.4, 12),
    )
    assert levels == pytest.approx((20.365, 35.405, 54.339, 80.074, 117.436), abs=1e-3)


def test_safety_by_units_by_days_and_by_service() -> None:
    paces = [Pace(30 / DAY_S), Pace(10 / DAY_S)]

    assert safety_units(Safety(ALL, None, units=7), paces) == 7
    assert safety_units(Safety(ALL, None, days=Decimal("2.5")), paces) == 100
    service = Safety(
        ALL, None, service=Decimal("0.95"), lead_days=Decimal(7), lead_sd_days=Decimal(2)
    )
    assert safety_units(service, paces) == 135
    assert safety_units(service, []) == 0


def test_a_protection_by_margin_is_littlewoods() -> None:
    protection = Protection(
        ALL, "web", ("outlet",), margin=Decimal(499), against_margin=Decimal(99), days=Decimal(2)
    )

    assert protected_units(protection, [Pace(10 / DAY_S)]) == 24
    assert protected_units(protection, []) == 0


def test_safety_and_protection_take_part_in_the_numbers() -> None:
    rules = Rules(
        {"WH": LocationRule("WH", "", "warehouse", 5)},
        (
            a_channel("web", Rule(percent=Decimal(50))),
            a_channel("outlet", Rule(percent=Decimal(50))),
        ),
        safeties=(Safety(ALL, "WH", days=Decimal(1)),),
        protections=(Protection(ALL, "web", ("outlet",), units=70),),
    )
    outlook = Outlook(paces={("web", "WH"): Pace(20 / DAY_S)})

    web, outlet = sorted(
        allocate("SKU", {"WH": 120}, rules, [("web", "WH"), ("outlet", "WH")], outlook),
        key=lambda target: target.channel != "web",
    )

    assert (web.safety, web.pool, web.share, web.units) == (20, 100, 50, 50)
    assert (outlet.pool, outlet.protected, outlet.units) == (100, 20, 30)
