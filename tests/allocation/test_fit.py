"""Weights beside demand: what is compared, when it is flagged, what is suggested."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.fit import (
    WEEK,
    Circle,
    Fit,
    Verdict,
    Week,
    circles,
    effectiveness,
    fits,
    snippet,
    suggest,
    verdict,
    week_of,
)
from allocation.types import ChannelRule, Rule, Rules
from tests.allocation.houses import a_channel

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = {"web": 60, "market": 25, "wholesale": 15}


def percents(weights: Mapping[str, int], **changed: object) -> Circle:
    return Circle({name: Decimal(weight) for name, weight in weights.items()}, percent=True)


def a_rule(percent: int | None = None, weight: int | None = None) -> Rule:
    return Rule(percent=None if percent is None else Decimal(percent), weight=weight)


def rules(*channels: ChannelRule) -> Rules:
    return Rules(channels=channels)


def house(weights: Mapping[str, int] = FIRST) -> Rules:
    return rules(*(a_channel(name, a_rule(percent)) for name, percent in weights.items()))


def sales(*weeks: Mapping[str, int], shown: int = 1) -> list[Week]:
    return [
        Week(name, MONDAY + n * WEEK, sold, shown=shown)
        for n, of in enumerate(weeks)
        for name, sold in of.items()
    ]


def of(found: Sequence[Fit], name: str = "wholesale") -> Fit:
    return next(each for each in found if each.channel == name)


def test_effectiveness_is_what_was_sold_of_what_could_have_been() -> None:
    """Demand 60/50/10, shown 70/30/20: 100 of 120; the twenty of Amazon's buyers stood elsewhere."""
    demand, shown = (60, 50, 10), (70, 30, 20)
    sold = sum(map(min, demand, shown))
    regret = min(sum(demand), sum(shown)) - sold

    assert effectiveness(sold, regret) == pytest.approx(0.833333, abs=1e-6)
    assert effectiveness(30, 20) == 0.6
    assert effectiveness(0, 0) is None


def test_a_week_begins_on_monday_in_utc() -> None:
    assert week_of(datetime(2026, 3, 8, 23, 59, tzinfo=UTC)) == MONDAY
    tokyo = datetime.fromisoformat("2026-03-09T08:59:00+09:00")
    assert week_of(tokyo) == MONDAY
    assert week_of(tokyo + timedelta(minutes=1)) == MONDAY + WEEK


def test_channels_compare_where_they_divide_the_same_stock() -> None:
    found = circles(
        rules(
            a_channel("web", a_rule(60), ("WH", "ST")),
            a_channel("market", a_rule(40), ("ST", "WH")),
            a_channel("store", a_rule(100), ("KI",)),
            a_channel("pos", a_rule(), ("WH", "ST")),
            a_channel("gone", replace(a_rule(10), excluded=True), ("WH", "ST")),
            a_channel("one", a_rule(weight=2), ("MX",)),
            a_channel("two", a_rule(weight=1), ("MX",)),
        )
    )

    assert [(list(circle.weights), circle.percent) for circle in found] == [
        (["web", "market"], True),
        (["store"], True),
        (["one", "two"], False),
    ]


def test_shares_are_of_the_circle_and_of_the_house_for_those_in_none() -> None:
    with_pos = rules(*house().channels, a_channel("pos", a_rule()))
    found = fits(with_pos, sales({"web": 42, "market": 18, "wholesale": 40, "pos": 100}))

    wholesale, pos = of(found), of(found, "pos")
    assert (wholesale.weight_points, wholesale.demand_points, wholesale.gaps) == (15, 40, (25,))
    assert wholesale.stock_points == pytest.approx(100 / 3)
    assert (pos.weight, pos.suggested, pos.demand_points, pos.gaps) == (None, None, 50, ())


def test_what_could_not_be_sold_counts_as_demand() -> None:
    weeks = [Week("web", MONDAY, 60), Week("market", MONDAY, 25), Week("wholesale", MONDAY, 5)]
    dry = [replace(week, regret=30.0) if week.channel == "wholesale" else week for week in weeks]

    assert of(fits(house(), weeks)).demand_points == pytest.approx(100 * 5 / 90)
    assert of(fits(house(), dry)).demand_points == pytest.approx(100 * 35 / 120)
    assert of(fits(house(), dry)).effectiveness == pytest.approx(5 / 35)


def test_weeks_before_anything_was_sold_or_shown_are_not_looked_at() -> None:
    nothing = sales(dict.fromkeys(FIRST, 0), dict.fromkeys(FIRST, 0), shown=0)
    late = [
        replace(week, week=week.week + 2 * WEEK)
        for week in sales({"web": 1, "market": 1, "wholesale": 1}, dict.fromkeys(FIRST, 0), shown=1)
    ]

    found = of(fits(house(), nothing + late))

    assert [week.week for week in found.weeks] == [MONDAY + 2 * WEEK, MONDAY + 3 * WEEK]
    assert found.gaps[1] is None
    assert fits(house(), [])[0].weeks == ()


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ((25, 25), Verdict.OPEN),
        ((25, 25, 25), Verdict.OFF),
        ((2, 11, 12, 10.1), Verdict.OFF),
        ((11, 12, 10), Verdict.FITS),
        ((-25, -11, -12), Verdict.OFF),
        ((25, -25, 25), Verdict.OPEN),
        ((25, 5, 25), Verdict.OPEN),
        ((25, 25, 5), Verdict.FITS),
        ((25, 25, None), Verdict.OPEN),
        ((), Verdict.OPEN),
    ],
)
def test_a_channel_is_off_after_three_weeks_to_the_same_side(
    gaps: tuple[float | None, ...], expected: Verdict
) -> None:
    found = Fit("web", Decimal(15), None, 15.0, None, None, gaps, ())

    assert verdict(found) is expected
    assert verdict(replace(found, weight=None, gaps=())) is Verdict.FITS


def test_suggestions_go_towards_the_demand_and_further_the_longer_it_lasts() -> None:
    week = {"web": 42, "market": 18, "wholesale": 40}
    suggested = [
        {each.channel: each.suggested for each in fits(house(), sales(*([week] * count)))}
        for count in (1, 3, 13)
    ]

    assert [each["wholesale"] for each in suggested] == [27, 33, 36]
    assert [sum(of or 0 for of in each.values()) for each in suggested] == [100] * 3


def test_a_new_trend_counts_more_than_an_old_one() -> None:
    old, new = (
        {"web": 60, "market": 25, "wholesale": 15},
        {"web": 42, "market": 18, "wholesale": 40},
    )

    rising = of(fits(house(), sales(*[old] * 4, *[new] * 4))).suggested
    falling = of(fits(house(), sales(*[new] * 4, *[old] * 4))).suggested

    assert rising is not None
    assert falling is not None
    assert 15 < falling < rising < 40


def test_floors_hold_and_what_they_take_is_taken_from_the_others() -> None:
    demand = {"web": [0.0], "market": [0.0], "wholesale": [900.0]}

    free = suggest(percents(FIRST), demand, {})
    floored = suggest(percents(FIRST), demand, {"web": Decimal(50)})

    assert free == {"web": 30, "market": 13, "wholesale": 57}
    assert floored["web"] == 50
    assert sum(floored.values()) == 100
    with pytest.raises(ValueError, match="come to more than the 100 they have"):
        suggest(percents(FIRST), demand, {"web": Decimal(50), "market": Decimal(51)})


def test_relative_weights_and_percents_with_decimals_stay_what_they_are_when_they_fit() -> None:
    relative = Circle({"one": Decimal(2), "two": Decimal(1)}, percent=False)
    fine = Circle({"one": Decimal("12.5"), "two": Decimal("62.25")}, percent=True)

    assert suggest(relative, {"one": [200], "two": [100]}, {}) == {"one": 2, "two": 1}
    assert suggest(relative, {"one": [100], "two": [200]}, {}) == {"one": 51, "two": 51}
    assert suggest(fine, {"one": [1250], "two": [6225]}, {}) == fine.weights
    assert sum(suggest(fine, {"one": [1], "two": [1]}, {}).values()) == fine.total


def test_the_snippet_is_toml_and_tells_only_what_changes() -> None:
    found = fits(house(), sales({"web": 60, "market": 0, "wholesale": 40}))

    read = tomllib.loads(snippet(found))

    assert read == {"channels": {"market": {"percent": 13}, "wholesale": {"percent": 27}}}
    assert snippet(fits(house(), sales(FIRST))) == ""


NAMES = ("a", "b", "c", "d")
WHOLES = st.integers(0, 100_000)


@st.composite
def trades(draw: st.DrawFn) -> tuple[Circle, dict[str, list[float]]]:
    """A circle, and what was wanted of its channels in some weeks."""
    names = NAMES[: draw(st.integers(2, 4))]
    claims = [draw(st.integers(1, 60)) for _ in names]
    percent = draw(st.booleans()) and sum(claims) <= 100
    count = draw(st.integers(1, 13))
    demand = {name: draw(st.lists(WHOLES, min_size=count, max_size=count)) for name in names}
    weights = dict(zip(names, map(Decimal, claims), strict=True))
    return Circle(weights, percent), {name: list(map(float, of)) for name, of in demand.items()}


def parts(found: Mapping[str, Decimal]) -> dict[str, Fraction]:
    total = Fraction(sum(found.values()))
    return {name: Fraction(of) / total for name, of in found.items()}


@given(trades())
def test_suggestions_come_to_the_same_total_and_leave_nobody_without(
    trade: tuple[Circle, dict[str, list[float]]],
) -> None:
    circle, demand = trade

    found = suggest(circle, demand, {})

    assert all(each >= 1 and each == int(each) for each in found.values())
    assert sum(found.values()) % circle.total == 0
    assert not circle.percent or sum(found.values()) == circle.total


@given(trades(), st.integers(1, 1000))
def test_only_proportions_of_demand_count(
    trade: tuple[Circle, dict[str, list[float]]], times: int
) -> None:
    circle, demand = trade
    scaled = {name: [times * units for units in of] for name, of in demand.items()}

    assert suggest(circle, scaled, {}) == suggest(circle, demand, {})


@given(trades(), st.integers(1, 1000))
def test_demand_like_the_weights_changes_nothing(
    trade: tuple[Circle, dict[str, list[float]]], times: int
) -> None:
    circle, demand = trade
    alike = {name: [times * float(circle.weights[name]) for _ in of] for name, of in demand.items()}

    assert suggest(circle, alike, {}) == circle.weights


@given(trades(), st.data())
def test_more_demand_never_lowers_a_channels_own_part(
    trade: tuple[Circle, dict[str, list[float]]], data: st.DataObject
) -> None:
    circle, demand = trade
    name = data.draw(st.sampled_from(sorted(demand)))
    week = data.draw(st.integers(0, len(demand[name]) - 1))
    more = {each: list(of) for each, of in demand.items()}
    more[name][week] += data.draw(WHOLES)

    before, after = (parts(suggest(circle, of, {}))[name] for of in (demand, more))

    assert after >= before
