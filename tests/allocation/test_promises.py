"""What the engine promises, for houses of any shape. `make test-proof` tries each with ten thousand of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.engine import drawn_on
from allocation.types import (
    Exposure,
    LocationRule,
    Outlook,
    Pace,
    Protection,
    Quota,
    Rule,
    Rules,
    Safety,
    Show,
    Which,
)
from tests.allocation.houses import CHANNELS, LOCATIONS, House, a_channel, houses

more = st.integers(1, 30)


@given(houses())
def test_no_number_is_below_zero_and_none_above_its_pool(house: House) -> None:
    for target in house.compute().targets:
        assert 0 <= target.units <= target.pool


@given(houses())
def test_the_same_input_gives_the_same_numbers(house: House) -> None:
    assert house.compute() == house.compute()


@given(houses())
def test_the_terms_of_every_number_add_up(house: House) -> None:
    for t in house.compute().targets:
        if t.rule is None:
            assert t.units == 0
            continue
        assert t.pool == t.available - t.safety + t.owed
        assert t.share == t.pool - t.protected - t.others
        assert t.units == (
            t.share
            - t.exposed
            - t.buffered
            - t.capped
            - t.spent
            + t.floored
            - t.cut
            - t.unpacked
            - t.held
        )
        terms = (t.owed, t.protected, t.others, t.exposed, t.buffered, t.capped, t.spent, t.floored)
        assert min(*terms, t.cut, t.unpacked, t.held) >= 0


@given(houses(), st.sampled_from(LOCATIONS), more)
def test_more_stock_never_lowers_a_number(house: House, location: str, units: int) -> None:
    before, after = house.numbers(), house.with_more(location, units).numbers()

    assert {place: n for place, n in before.items() if after[place] < n} == {}


@given(houses(), st.sampled_from(CHANNELS), more)
def test_a_larger_buffer_never_raises_a_number(house: House, channel: str, units: int) -> None:
    before, after = house.numbers(), house.with_buffer(channel, units).numbers()

    raised = {place: n for place, n in before.items() if after[place] > n}
    assert {place for place in raised if place[0] == channel} == set()


@given(houses())
def test_quotas_never_sum_to_more_than_is_there(house: House) -> None:
    allotment = house.compute()
    for division in allotment.divisions:
        if division.scarce:
            assert sum(part.units for part in division.parts) <= division.units
            assert all(part.limit <= part.units for part in division.parts)


@given(houses(only_sharing=True))
def test_when_scarce_all_numbers_together_are_at_most_what_is_there(house: House) -> None:
    allotment = house.compute()
    if all(d.scarce or d.units == 0 for d in allotment.divisions):
        assert sum(t.units for t in allotment.targets) <= max(0, house.stock["WH"])


def test_what_a_capped_channel_cannot_show_of_scarce_stock_is_shown_by_the_others() -> None:
    channels = (a_channel("web", Rule()), a_channel("fbm", Rule(cap=1)))
    rules = Rules({"WH": LocationRule("WH", "", "", 0)}, channels)
    busy = {("web", "WH"): Pace(1.0), ("fbm", "WH"): Pace(1.0)}
    house = House(rules, Outlook(paces=busy), {"WH": 8})

    assert house.numbers() == {("web", "WH"): 7, ("fbm", "WH"): 1}


def test_a_channel_that_says_a_mistake_costs_nothing_and_earns_nothing_takes_the_risk_of_the_house() -> (
    None
):
    web, fbm = a_channel("web", Rule()), a_channel("fbm", Rule())
    free = replace(web, cost_oversell=Decimal(0), margin=Decimal(0))
    locations = {"WH": LocationRule("WH", "", "", 0)}

    said, silent = (
        House(Rules(locations, (one, fbm)), Outlook(), {"WH": 80}).numbers() for one in (free, web)
    )

    assert said == silent


@pytest.mark.parametrize(
    "safety",
    [
        Safety(Which(sku="*"), None, days=Decimal(7)),
        Safety(Which(sku="*"), None, service=Decimal("0.99"), lead_days=Decimal(7)),
    ],
)
def test_safety_by_demand_keeps_what_the_location_keeps_while_demand_is_unknown(
    safety: Safety,
) -> None:
    locations = {"WH": LocationRule("WH", "", "", 5)}
    rules = Rules(locations, (a_channel("web", Rule()),), safeties=(safety,))
    sold = Outlook(paces={("web", "WH"): Pace(1e-9)})

    assert House(rules, Outlook(), {"WH": 80}).numbers() == {("web", "WH"): 75}
    assert House(rules, sold, {"WH": 80}).numbers() == {("web", "WH"): 79}


@given(houses(only_sharing=True))
def test_when_deep_each_channel_keeps_its_whole_buffer_back(house: House) -> None:
    allotment = house.compute()
    shown = {t.channel: t.units for t in allotment.targets}
    for division in allotment.divisions:
        if division.threshold is not None and division.units > division.threshold:
            for member, risk in zip(division.zone.members, division.risks, strict=True):
                assert shown[member.channel] == division.units - risk.buffer


@given(houses())
def test_floors_hold_on_every_channel_or_the_shortage_is_told(house: House) -> None:
    for target in house.compute().targets:
        rule = target.rule
        if rule is None or rule.excluded:
            continue
        floor = rule.floor if rule.cap is None else min(rule.floor, rule.cap)
        assert target.units + target.short >= floor


@given(houses())
def test_what_a_number_draws_on_is_what_its_channel_serves(house: House) -> None:
    for target in house.compute().targets:
        channel = next(c for c in house.rules.channels if c.name == target.channel)
        if target.rule is not None:
            drawn = drawn_on(channel, target.location)
            assert target.available == sum(house.stock[at] for at in drawn)


WH = {"WH": LocationRule("WH", "", "", 0)}
BOTH = {("web", "WH"): Pace(1.0), ("fbm", "WH"): Pace(1.0)}
SPRING = datetime(2026, 3, 1, tzinfo=UTC)


def two(web: Rule, fbm: Rule, stock: int, **known: Any) -> dict[tuple[str, str], int]:
    """The numbers of two channels that sell fast from the same location."""
    rules = Rules(WH, (a_channel("web", web), a_channel("fbm", fbm)))
    return House(rules, Outlook(paces=BOTH, **known), {"WH": stock}).numbers()


@pytest.mark.parametrize(
    ("sold", "web", "fbm"), [(0, 4, 4), (7, 3, 5), (9, 1, 7), (10, 0, 8), (12, 0, 8)]
)
def test_what_a_limit_in_a_window_leaves_of_scarce_stock_is_shown_by_the_others(
    sold: int, web: int, fbm: int
) -> None:
    numbers = two(Rule(quota=Quota(10, SPRING)), Rule(), 8, sold={"web": sold})

    assert numbers == {("web", "WH"): web, ("fbm", "WH"): fbm}


@pytest.mark.parametrize(("stock", "web", "fbm"), [(4, 4, 0), (6, 6, 0), (9, 6, 3), (20, 10, 10)])
def test_scarce_stock_that_is_left_for_a_better_channel_is_shown_by_it(
    stock: int, web: int, fbm: int
) -> None:
    better = Protection(Which(sku="*"), "web", ("fbm",), units=6)
    rules = Rules(WH, (a_channel("web", Rule()), a_channel("fbm", Rule())), protections=(better,))

    numbers = House(rules, Outlook(paces=BOTH), {"WH": stock}).numbers()

    assert numbers == {("web", "WH"): web, ("fbm", "WH"): fbm}


def test_two_lesser_channels_together_leave_scarce_stock_for_the_better_one() -> None:
    better = Protection(Which(sku="*"), "web", ("fbm", "pos"), units=6)
    channels = tuple(a_channel(name, Rule()) for name in ("web", "fbm", "pos"))
    paces = dict.fromkeys([(c.name, "WH") for c in channels], Pace(1.0))

    numbers = House(
        Rules(WH, channels, protections=(better,)), Outlook(paces=paces), {"WH": 9}
    ).numbers()

    assert numbers == {("web", "WH"): 6, ("fbm", "WH"): 2, ("pos", "WH"): 1}


@pytest.mark.parametrize(("stock", "web", "fbm"), [(4, 0, 4), (9, 0, 5), (10, 5, 5)])
def test_what_a_cut_off_hides_of_scarce_stock_is_shown_by_the_others_as_far_as_they_keep_it(
    stock: int, web: int, fbm: int
) -> None:
    assert two(Rule(cut_off=10), Rule(), stock) == {("web", "WH"): web, ("fbm", "WH"): fbm}


def test_a_location_where_a_channel_does_not_list_the_sku_is_left_to_the_others() -> None:
    channels = tuple(
        a_channel(name, Rule(), ("WH", "ST"), show=Show.PER_LOCATION) for name in ("web", "fbm")
    )
    places = {at: LocationRule(at, "", "", 0) for at in ("WH", "ST")}
    paces = dict.fromkeys([(c.name, at) for c in channels for at in places], Pace(1.0))
    house = House(Rules(places, channels), Outlook(paces=paces), {"WH": 8, "ST": 8})

    numbers = replace(house, unlisted=frozenset({("fbm", "ST")})).numbers()

    assert numbers == {("web", "WH"): 4, ("web", "ST"): 8, ("fbm", "WH"): 4}


def test_a_pooled_channel_that_lists_the_sku_only_where_it_shows_no_number_has_no_part() -> None:
    channels = (a_channel("web", Rule(), ("WH", "ST")), a_channel("fbm", Rule(), ("WH", "ST")))
    places = {at: LocationRule(at, "", "", 0) for at in ("WH", "ST")}
    house = House(Rules(places, channels), Outlook(), {"WH": 8})

    numbers = replace(house, unlisted=frozenset({("fbm", "WH")})).numbers()

    assert numbers == {("web", "WH"): 8, ("web", "ST"): 0, ("fbm", "ST"): 0}


def test_a_channel_that_sold_only_elsewhere_is_taken_to_sell_here_as_one_unknown() -> None:
    places = {at: LocationRule(at, "", "", 0) for at in ("WH", "ST")}
    channels = (a_channel("web", Rule(), ("WH", "ST")), a_channel("fbm", Rule()))
    rules = Rules(places, channels, exposure=Exposure(per_day=20_000))
    paces = {("fbm", "WH"): Pace(0.001)}

    never, elsewhere = (
        House(rules, Outlook(paces=paces | of), {"WH": 80, "ST": 0}).numbers()["fbm", "WH"]
        for of in ({}, {("web", "ST"): Pace(0.001)})
    )

    assert never == elsewhere < 80


@pytest.mark.parametrize("stock", [1, 50])
def test_a_plain_vendor_alone_shows_all_there_is(stock: int) -> None:
    """No sale elsewhere makes it be written to; to keep the last unit back would hide every SKU that has one."""
    amazon = a_channel("fbm", Rule(), kind="amazon")

    numbers = House(
        Rules(WH, (amazon,)), Outlook(paces={("fbm", "WH"): Pace(1.0)}), {"WH": stock}
    ).numbers()

    assert numbers == {("fbm", "WH"): stock}
