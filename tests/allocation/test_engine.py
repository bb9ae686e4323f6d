"""The engine: checked numbers, one case a rule, and the promises as properties."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from allocation.engine import allocate
from allocation.types import (
    ChannelRule,
    LocationRule,
    OverCap,
    Override,
    Rule,
    Rules,
    Show,
    Which,
)

LOCATIONS = ("WH", "ST", "KI")


def a_channel(
    name: str,
    rule: Rule | None = None,
    *,
    locations: tuple[str, ...] = ("WH",),
    show: Show = Show.POOLED,
) -> ChannelRule:
    pooled = show is Show.POOLED
    return ChannelRule(
        name=name,
        kind="shopify",
        base_url=f"https://{name}.example",
        account=name,
        locations=locations,
        show=show,
        show_at=locations[0] if pooled else None,
        rule=rule or Rule(),
        hide_at_zero=False,
        vendor_locations={location: location for location in locations},
    )


def percent(value: int, **fields: int) -> Rule:
    return Rule(percent=Decimal(value), **fields)  # type: ignore[arg-type]  # whole-number fields only


def rules_of(
    *channels: ChannelRule, safety: int = 0, over_cap: OverCap = OverCap.HOLD_BACK
) -> Rules:
    locations = {n: LocationRule(n, "", "warehouse", safety) for n in LOCATIONS}
    return Rules(locations=locations, channels=channels, over_cap=over_cap)


def places_of(rules: Rules) -> list[tuple[str, str]]:
    return [(c.name, location) for c in rules.channels for location in c.locations]


def shown(rules: Rules, **stock: int) -> dict[str, int]:
    """Units by channel; by `channel@location` where a channel shows several."""
    targets = allocate("SKU", stock, rules, places_of(rules))
    several = {c.name for c in rules.channels if c.show is Show.PER_LOCATION}
    wanted = {c.name: c.show_at for c in rules.channels}
    return {
        f"{t.channel}@{t.location}" if t.channel in several else t.channel: t.units
        for t in targets
        if t.channel in several or t.location == wanted[t.channel]
    }


def test_the_checked_example_of_three_channels() -> None:
    rules = rules_of(
        a_channel("web", percent(60, buffer=6)),
        a_channel("fbm", percent(25, buffer=4, cap=30)),
        a_channel("pos", percent(15)),
        safety=15,
    )
    available = 200 - 20 - 40 - 5

    targets = allocate("SKU", {"WH": available}, rules, places_of(rules))

    assert {t.channel: (t.pool, t.share, t.units) for t in targets} == {
        "web": (120, 72, 66),
        "fbm": (120, 30, 26),
        "pos": (120, 18, 18),
    }


def test_the_example_of_the_readme() -> None:
    rules = rules_of(
        a_channel("web", percent(60, buffer=6), locations=("WH", "ST")),
        a_channel("marketplace", percent(25, buffer=4, cap=20), locations=("WH", "ST")),
        a_channel("outlet", percent(5, buffer=8, floor=2), locations=("WH", "ST")),
        a_channel("wholesale", Rule(buffer=20), locations=("WH", "ST")),
    )
    rules = replace(
        rules, locations={**rules.locations, "WH": LocationRule("WH", "", "warehouse", 10)}
    )

    targets = allocate("SKU", {"WH": 90, "ST": 40}, rules, places_of(rules))

    shown_at = [t for t in targets if t.location == "WH"]
    assert {t.channel: (t.pool, t.share, t.units) for t in shown_at} == {
        "web": (120, 72, 66),
        "marketplace": (120, 30, 20),
        "outlet": (120, 6, 2),
        "wholesale": (120, 120, 100),
    }


def test_a_channel_without_percent_sees_the_whole_pool_less_its_buffer() -> None:
    rules = rules_of(
        a_channel("one", Rule(buffer=2), locations=("WH", "ST")),
        a_channel("two", locations=("WH", "ST")),
    )

    assert shown(rules, WH=10, ST=5, KI=99) == {"one": 13, "two": 14}


def test_percents_below_a_hundred_leave_the_rest_unshown() -> None:
    rules = rules_of(a_channel("one", percent(50)), a_channel("two", percent(20)))

    assert shown(rules, WH=100) == {"one": 50, "two": 20}


def test_the_share_of_a_channel_that_does_not_list_the_sku_falls_to_the_others() -> None:
    rules = rules_of(a_channel("one", percent(60)), a_channel("two", percent(20)))

    targets = allocate("SKU", {"WH": 80}, rules, [("one", "WH")])

    assert [(t.channel, t.units) for t in targets] == [("one", 60)]


def test_an_excluded_sku_is_shown_as_zero_and_its_share_falls_to_the_others() -> None:
    rules = rules_of(a_channel("one", percent(60)), a_channel("two", percent(40)))
    out = Override(Which(sku="SKU"), "two", exclude=True, why="recall")
    rules = replace(rules, overrides=(out,))

    assert shown(rules, WH=50) == {"one": 50, "two": 0}


def test_a_cap_limits_what_is_shown_after_the_buffer() -> None:
    rules = rules_of(a_channel("one", Rule(buffer=5, cap=10)))

    assert shown(rules, WH=14) == {"one": 9}
    assert shown(rules, WH=50) == {"one": 10}


@pytest.mark.parametrize(("stock", "units"), [(0, 0), (1, 1), (2, 2), (6, 2), (7, 2), (8, 3)])
def test_a_floor_is_shown_in_spite_of_the_buffer_while_there_is_stock(
    stock: int, units: int
) -> None:
    rules = rules_of(a_channel("one", Rule(buffer=5, floor=2)))

    assert shown(rules, WH=stock) == {"one": units}


def test_floors_of_percent_channels_are_served_first_in_the_order_of_the_file() -> None:
    rules = rules_of(a_channel("big", percent(95)), a_channel("small", percent(5, floor=2)))

    assert shown(rules, WH=1) == {"big": 0, "small": 1}
    assert shown(rules, WH=5) == {"big": 3, "small": 2}


def test_what_a_cap_cuts_off_stays_back_or_goes_to_the_others() -> None:
    channels = (
        a_channel("web", percent(60, cap=40)),
        a_channel("fbm", percent(25)),
        a_channel("pos", percent(15)),
    )

    assert shown(rules_of(*channels), WH=100) == {"web": 40, "fbm": 25, "pos": 15}
    spread = rules_of(*channels, over_cap=OverCap.SPREAD)
    assert shown(spread, WH=100) == {"web": 40, "fbm": 38, "pos": 22}


def test_each_location_of_a_per_location_channel_shows_its_own_stock() -> None:
    rules = rules_of(
        a_channel("pos", Rule(buffer=1), locations=("WH", "ST"), show=Show.PER_LOCATION)
    )

    assert shown(rules, WH=10, ST=1) == {"pos@WH": 9, "pos@ST": 0}


def test_safety_stays_back_at_each_location() -> None:
    rules = rules_of(a_channel("one", locations=("WH", "ST")), safety=4)

    assert shown(rules, WH=10, ST=3) == {"one": 6}


def test_what_one_location_owes_lessens_the_pool() -> None:
    rules = rules_of(a_channel("one", locations=("WH", "ST")))

    assert shown(rules, WH=10, ST=-3) == {"one": 7}
    assert shown(rules, WH=2, ST=-3) == {"one": 0}


def test_channels_with_overlapping_pools_divide_only_what_they_share() -> None:
    rules = rules_of(
        a_channel("one", percent(50), locations=("WH",)),
        a_channel("two", percent(50), locations=("WH", "ST")),
        a_channel("pos", percent(50), locations=("ST",), show=Show.PER_LOCATION),
    )

    assert shown(rules, WH=10, ST=20) == {"one": 5, "two": 15, "pos@ST": 10}


def test_places_no_rule_serves_are_zero() -> None:
    rules = rules_of(a_channel("one", locations=("WH", "ST")))

    targets = allocate("SKU", {"WH": 5}, rules, [("one", "ST"), ("one", "WH"), ("gone", "WH")])

    assert [(t.channel, t.location, t.units) for t in targets] == [
        ("gone", "WH", 0),
        ("one", "ST", 0),
        ("one", "WH", 5),
    ]


def test_five_hundred_skus_take_less_than_half_a_second() -> None:
    channels = [a_channel(f"c{i}", percent(20, buffer=1), locations=LOCATIONS) for i in range(5)]
    rules = rules_of(*channels)
    places = [(c.name, "WH") for c in channels]
    started = time.process_time()

    for number in range(500):
        allocate(f"SKU-{number}", {"WH": 1000 + number, "ST": 7, "KI": 3}, rules, places)

    assert time.process_time() - started < 0.5


@st.composite
def any_rule(draw: st.DrawFn) -> Rule:
    floor = draw(st.integers(0, 4))
    return Rule(
        percent=draw(st.none() | st.decimals(0, 40, places=2)),
        buffer=draw(st.integers(0, 8)),
        cap=draw(st.none() | st.integers(floor, floor + 30)),
        floor=floor,
        excluded=draw(st.integers(0, 9)) == 0,
    )


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    channels = []
    for number in range(draw(st.integers(1, 5))):
        locations = draw(st.lists(st.sampled_from(LOCATIONS), min_size=1, unique=True))
        show = draw(st.sampled_from(Show))
        channels.append(
            a_channel(f"c{number}", draw(any_rule()), locations=tuple(locations), show=show)
        )
    return rules_of(
        *channels, safety=draw(st.integers(0, 3)), over_cap=draw(st.sampled_from(OverCap))
    )


any_stock = st.fixed_dictionaries({name: st.integers(-5, 80) for name in LOCATIONS})


def numbers(rules: Rules, stock: dict[str, int]) -> dict[tuple[str, str], int]:
    targets = allocate("SKU", stock, rules, places_of(rules))
    return {(t.channel, t.location): t.units for t in targets}


@given(any_rules(), any_stock)
def test_the_percent_channels_never_show_more_than_there_is(
    rules: Rules, stock: dict[str, int]
) -> None:
    targets = allocate("SKU", stock, rules, places_of(rules))

    dividing = [t for t in targets if t.rule and t.rule.percent is not None]
    assert all(t.units >= 0 for t in targets)
    assert all(t.units <= t.share <= t.pool for t in targets if t.rule)
    assert sum(t.units for t in dividing) <= sum(max(0, units) for units in stock.values())


@given(st.lists(any_rule(), min_size=1, max_size=5), any_stock)
def test_percent_channels_of_one_pool_stay_within_that_pool(
    own: list[Rule], stock: dict[str, int]
) -> None:
    rules = rules_of(*(a_channel(f"c{i}", r, locations=LOCATIONS) for i, r in enumerate(own)))

    targets = allocate("SKU", stock, rules, places_of(rules))

    dividing = [t for t in targets if t.rule and t.rule.percent is not None]
    assert sum(t.units for t in dividing) <= max(0, sum(stock.values()))


@given(any_rules(), any_stock, st.sampled_from(LOCATIONS), st.integers(1, 20))
def test_more_stock_never_lowers_a_number(
    rules: Rules, stock: dict[str, int], where: str, more: int
) -> None:
    before = numbers(rules, stock)
    after = numbers(rules, stock | {where: stock[where] + more})

    assert all(before[place] <= after[place] for place in before)


@given(any_rules(), any_stock, st.integers(0, 4), st.integers(1, 10))
def test_a_larger_buffer_never_raises_a_number(
    rules: Rules, stock: dict[str, int], which: int, more: int
) -> None:
    assume(which < len(rules.channels))
    changed = list(rules.channels)
    old = changed[which]
    changed[which] = replace(old, rule=replace(old.rule, buffer=old.rule.buffer + more))
    before, after = numbers(rules, stock), numbers(replace(rules, channels=tuple(changed)), stock)

    assert all(after[place] <= before[place] for place in before)


@given(any_rules(), any_stock)
def test_the_same_input_gives_the_same_numbers(rules: Rules, stock: dict[str, int]) -> None:
    turned = dict(reversed(list(stock.items())))

    assert allocate("SKU", stock, rules, places_of(rules)) == allocate(
        "SKU", turned, rules, list(reversed(places_of(rules)))
    )
