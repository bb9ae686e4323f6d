"""How many units a store may promise: the checked numbers, the arithmetic of an answer, and what never happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.pickup import Counted, Number, Shelf, chance, fewest, number, per_day
from allocation.types import LocationRule, Pace, Pickup, Rules, Safety, Which
from tests.builders import NOON

DAY_S = 86_400.0
PLAIN = Pickup(confidence=0.97, threshold=0, hours=3.0, loss_per_day=0.05)


def days(count: float) -> timedelta:
    return timedelta(days=count)


def a_shelf(available: int = 10, *, counted: float | None = 30, **more: Any) -> Shelf:
    """A SKU counted 30 days ago, of which 4 a day are sold there, one a line."""
    said: dict[str, Any] = {
        "sku": "MUG-RED",
        "location": "STORE-1",
        "available": available,
        "version": 7,
        "counted_at": None if counted is None else NOON - days(counted),
        "known_since": NOON - days(400),
        "paces": (Pace(4 / DAY_S),),
    }
    return Shelf(**said | more)


def promised(
    *shelves: Shelf | tuple[Shelf, int],
    rule: Pickup = PLAIN,
    safety: int = 0,
    counted: Mapping[str, Counted] | None = None,
    at: datetime = NOON,
    **rules: Any,
) -> Number:
    here = LocationRule("STORE-1", "", "store", safety, rule)
    pairs = [shelf if isinstance(shelf, tuple) else (shelf, 1) for shelf in shelves]
    said = Rules(locations={"STORE-1": here}, **rules)
    return number("MUG-RED", "STORE-1", pairs, said, counted or {}, at)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (1, 0.135335),
        (2, 0.406006),
        (3, 0.676676),
        (4, 0.857123),
        (5, 0.947347),
        (6, 0.983436),
        (7, 0.995466),
    ],
)
def test_the_chance_to_find_one_unit_grows_with_the_record(record: int, expected: float) -> None:
    """0.05 lost a day over 30 days, and 4 sold a day over 3 hours: 2.0 units may be gone."""
    assert chance(1, record, 0.05 * 30 + 4 * 0.125) == pytest.approx(expected, abs=5e-7)


def test_what_is_not_on_the_book_cannot_be_picked() -> None:
    assert chance(3, 2, 0.5) == 0
    assert (chance(1, 1, 0), chance(2, 1, 0)) == (1, 0)


def test_pick_up_is_shown_from_the_sixth_unit_on_for_97_percent() -> None:
    assert fewest(2.0, 0.97) == 6
    assert [promised(a_shelf(units)).units for units in (0, 1, 5, 6, 7, 20)] == [0, 0, 0, 1, 2, 15]


def test_every_unit_that_is_shown_can_be_picked_with_the_confidence() -> None:
    for record in range(30):
        shown = promised(a_shelf(record)).units
        assert shown == 0 or chance(shown, record, 2.0) >= 0.97
        assert chance(shown + 1, record, 2.0) < 0.97


def test_the_terms_add_up_and_say_what_was_expected() -> None:
    (part,) = promised(a_shelf(12), safety=2).parts

    assert (part.available, part.safety, part.threshold, part.owed) == (12, 2, 5, 0)
    assert part.units == 5
    assert [part.lost, part.sold] == pytest.approx([1.5, 0.5])
    assert not part.assumed


def test_what_is_owed_brings_a_number_up_to_nothing() -> None:
    (part,) = promised(a_shelf(-3), safety=2).parts

    assert (part.units, part.owed) == (0, 10)


def test_a_threshold_of_the_rules_counts_where_it_is_higher() -> None:
    assert promised(a_shelf(20), rule=replace(PLAIN, threshold=4)).units == 15
    assert promised(a_shelf(20), rule=replace(PLAIN, threshold=9)).units == 11


def test_a_count_sets_the_loss_back() -> None:
    assert promised(a_shelf(20, counted=30)).units < promised(a_shelf(20, counted=0)).units


def test_a_sku_that_was_never_counted_may_have_lost_since_it_is_known() -> None:
    never, long_ago = a_shelf(60, counted=None), a_shelf(60, counted=400)

    assert promised(never).units == promised(long_ago).units
    assert promised(never).parts[0].counted_at is None


def test_a_count_of_tomorrow_is_one_of_now() -> None:
    assert promised(a_shelf(20, counted=-1)).parts[0].lost == 0


def test_where_nothing_was_ever_sold_the_pace_of_the_rules_is_taken_and_said() -> None:
    (part,) = promised(a_shelf(40, counted=0, paces=())).parts

    assert part.assumed
    assert part.sold == pytest.approx(20 * 3 / 24)
    assert part.threshold == fewest(2.5, 0.97) - 1


def test_lines_of_many_units_keep_more_back_than_as_many_single_ones() -> None:
    single = a_shelf(60, counted=0, paces=(Pace(24 / DAY_S),))
    dozens = a_shelf(60, counted=0, paces=(Pace(2 / DAY_S, 12.0, 144.0),))

    assert promised(single).parts[0].sold == promised(dozens).parts[0].sold == pytest.approx(3)
    assert promised(dozens).units < promised(single).units


def test_the_most_particular_safety_of_the_place_is_kept_back() -> None:
    everywhere = Safety(Which("MUG-*"), None, units=3)
    here = Safety(Which("MUG-RED"), "STORE-1", days=Decimal(2))
    elsewhere = Safety(Which("MUG-RED"), "STORE-2", units=99)

    (part,) = promised(a_shelf(40), safety=1, safeties=(everywhere, here, elsewhere)).parts

    assert part.safety == 8, "two days at four a day"


def test_the_scarcest_part_decides_for_a_bundle() -> None:
    mugs = a_shelf(40, counted=0, sku="MUG", version=3)
    pads = a_shelf(40, counted=0, sku="PAD", version=4)

    bundle = promised((mugs, 4), (pads, 1))

    assert [part.each for part in bundle.parts] == [4, 1]
    assert bundle.units == bundle.parts[0].units // 4
    assert bundle.version == 7


def test_all_parts_of_a_bundle_are_found_with_the_confidence_together() -> None:
    mean = 4 * 0.125
    parts = [(a_shelf(20, counted=0, sku=name), 1) for name in ("A", "B", "C")]

    bundle = promised(*parts)

    assert chance(bundle.units, 20, mean) ** 3 >= 0.97
    assert bundle.units <= promised(a_shelf(20, counted=0)).units


def test_a_loss_beyond_all_measure_leaves_nothing_and_takes_no_time() -> None:
    absurd = replace(PLAIN, loss_per_day=1e9, hours=1e9)

    assert promised(a_shelf(1000), rule=absurd).units == 0
    assert promised(a_shelf(1000, paces=(Pace(1.0, 9.0, 99.0),)), rule=absurd).units == 0


def test_few_counts_leave_the_loss_to_the_rule_and_many_tell_it() -> None:
    assert per_day(PLAIN, None) == 0.05
    assert per_day(PLAIN, Counted(counts=29, days=4000, missing=0)) == 0.05
    assert per_day(PLAIN, Counted(counts=200, days=300, missing=0)) == 0.05
    assert per_day(PLAIN, Counted(counts=30, days=1000, missing=9)) == 0.01


def test_a_loss_that_was_counted_takes_the_place_of_the_rules() -> None:
    honest = {"STORE-1": Counted(counts=40, days=4000, missing=3)}

    assert promised(a_shelf(20), counted=honest).units > promised(a_shelf(20)).units


PACES = st.lists(
    st.tuples(st.floats(0, 200), st.floats(1, 30), st.floats(1, 3)).map(
        lambda said: Pace(said[0] / DAY_S, said[1], said[1] ** 2 * said[2])
    ),
    max_size=3,
).map(tuple)
SHELVES = st.builds(
    a_shelf,
    st.integers(-20, 500),
    counted=st.none() | st.floats(0, 1000),
    paces=PACES,
)
CONFIDENCE = st.floats(0.01, 0.9999)
RULES = st.builds(
    Pickup,
    confidence=CONFIDENCE,
    threshold=st.integers(0, 50),
    hours=st.floats(0, 240),
    loss_per_day=st.floats(0, 2),
)
SAFETY = st.integers(0, 30)


@given(SHELVES, RULES, SAFETY)
def test_the_terms_always_add_up_and_no_number_is_below_zero(
    shelf: Shelf, rule: Pickup, safety: int
) -> None:
    said = promised(shelf, rule=rule, safety=safety)

    (part,) = said.parts
    assert said.units == part.units == part.available - part.safety - part.threshold + part.owed
    assert 0 <= said.units <= max(0, shelf.available)
    assert part.owed == 0 or part.units == 0
    assert part.threshold >= rule.threshold


@given(SHELVES, RULES, SAFETY, st.integers(0, 100))
def test_more_stock_never_lowers_a_number(
    shelf: Shelf, rule: Pickup, safety: int, more: int
) -> None:
    fuller = replace(shelf, available=shelf.available + more)

    assert (
        promised(fuller, rule=rule, safety=safety).units
        >= promised(shelf, rule=rule, safety=safety).units
    )


@given(SHELVES, RULES, CONFIDENCE)
def test_more_confidence_never_raises_a_number(shelf: Shelf, rule: Pickup, other: float) -> None:
    low, high = sorted((rule.confidence, other))

    assert (
        promised(shelf, rule=replace(rule, confidence=high)).units
        <= promised(shelf, rule=replace(rule, confidence=low)).units
    )


@given(SHELVES, RULES, st.floats(0, 500))
def test_a_longer_time_since_the_count_never_raises_a_number(
    shelf: Shelf, rule: Pickup, later: float
) -> None:
    assert (
        promised(shelf, rule=rule, at=NOON + days(later)).units <= promised(shelf, rule=rule).units
    )


@given(SHELVES, RULES, st.floats(0, 100))
def test_a_longer_way_to_the_picking_never_raises_a_number(
    shelf: Shelf, rule: Pickup, more: float
) -> None:
    longer = replace(rule, hours=rule.hours + more)

    assert promised(shelf, rule=longer).units <= promised(shelf, rule=rule).units
