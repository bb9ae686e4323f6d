"""The halt rule at its thresholds, in both directions, with orders on their way and without; by channel and by tier."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from allocation.document import RuleFileError, read
from allocation.halt_terms import Halting
from reconcile.compare import compare
from reconcile.halts import halt_reason, rule_of
from reconcile.types import Case, HaltRule, Limits
from tests.reconcile.cases import a_case, a_wait
from tests.workers.shelf import RULES

TEN_AND_THREE = HaltRule(percent_over=10.0, units_at_least=3)


def _halts(case: Case, rule: HaltRule = TEN_AND_THREE) -> bool:
    return halt_reason(case, compare(case, Limits()), rule) is not None


# expected, too many shown, halts: 10.0 % is not above 10 %, and 3 units are the least.
TABLE = [
    (0, 2, False),  # 200 % of the floor of one unit, and two units
    (0, 3, True),  # 300 %
    (0, 3000, True),
    (3, 1, False),  # 33.3 %, one unit
    (3, 2, False),  # 66.7 %, two units
    (3, 3, True),  # 100 %
    (29, 3, True),  # 10.3 %
    (30, 3, False),  # 10.0 %
    (990, 99, False),  # 10.0 %
    (990, 100, True),  # 10.1 %
    (3000, 3, False),  # 0.1 %
    (3000, 300, False),  # 10.0 %
    (3000, 303, True),  # 10.1 %
    (3000, 3000, True),
]


@pytest.mark.parametrize(("expected", "too_many", "halts"), TABLE)
def test_showing_too_much_halts_above_both_thresholds(
    expected: int, too_many: int, halts: bool
) -> None:
    assert _halts(a_case(expected + too_many, target=expected)) is halts


@pytest.mark.parametrize(("expected", "too_few", "_"), TABLE)
def test_showing_too_little_never_halts(expected: int, too_few: int, _: bool) -> None:
    assert not _halts(a_case(max(0, expected - too_few), target=expected))


@pytest.mark.parametrize(("expected", "too_many", "halts"), TABLE)
@pytest.mark.parametrize("ordered", [1, 2, 40])
def test_orders_on_their_way_lower_what_is_expected_and_do_not_halt_by_themselves(
    expected: int, too_many: int, halts: bool, ordered: int
) -> None:
    as_it_should_be = a_case(expected, target=expected + ordered, unseen=ordered)
    too_much = a_case(expected + too_many, target=expected + ordered, unseen=ordered)

    assert not _halts(as_it_should_be)
    assert _halts(too_much) is halts


@pytest.mark.parametrize(("expected", "too_many", "_"), TABLE)
@pytest.mark.parametrize(
    "on_its_way",
    [
        {"waiting": a_wait(since_s_ago=10)},
        {"delivery_waiting": True},
        {"recompute_s_ago": 5},
        {"confirmed_s_ago": 1},
    ],
    ids=lambda way: next(iter(way)),
)
def test_what_is_on_its_way_halts_nothing(
    expected: int, too_many: int, _: bool, on_its_way: dict[str, object]
) -> None:
    case = a_case(expected + too_many, target=expected, **on_its_way)  # type: ignore[arg-type]  # of the builder

    assert not _halts(case)


# --- by channel and by tier -------------------------------------------------------------------------------------------

OF_THE_FILE = """
[halt]
percent = 8
calm_windows = 3
why = "our own appetite"
[halt.fast]
percent = 4
units = 2
[channels.shop.halt]
units = 5
ttl_hours = 1.5
why = "the shop's returns are slow"
[channels.shop.halt.slow]
percent = 20
"""


def _rule(more: str, channel: str = "shop") -> HaltRule:
    return rule_of(read(RULES + more).halting(), channel, TEN_AND_THREE)


def test_without_a_word_in_the_file_the_settings_hold() -> None:
    assert _rule("") == TEN_AND_THREE
    assert rule_of(Halting(), "shop", TEN_AND_THREE) == TEN_AND_THREE


def test_a_channels_word_goes_before_the_houses_and_a_tiers_before_both() -> None:
    house, shop = _rule(OF_THE_FILE, "other"), _rule(OF_THE_FILE)

    assert (house.percent_over, house.units_at_least, house.calm_windows) == (8.0, 3, 3)
    assert house.fast == replace(house, percent_over=4.0, units_at_least=2, fast=None)
    assert (shop.percent_over, shop.units_at_least) == (20.0, 5)
    assert shop.fast == replace(shop, percent_over=4.0, fast=None)
    assert shop.ttl == timedelta(hours=1.5)


def test_a_fast_seller_is_judged_by_its_own_rule() -> None:
    rule = _rule(OF_THE_FILE, "other")
    case = a_case(105, target=100)  # 5 %

    assert not _halts(case, rule)
    assert _halts(replace(case, fast=True), rule)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("[halt]\npercent = 8\n", "halt.why: is missing"),
        ("[channels.shop.halt]\nunits = 5\n", "channels.shop.halt.why: is missing"),
        ("[halt]\npercent = 0\nwhy = 'x'\n", "halt.percent: input should be greater than 0"),
        ("[halt]\nunit = 3\nwhy = 'x'\n", "halt.unit: is not a setting; did you mean units?"),
        ("[channels.shop.halt.fast]\nunit = 3\n", "did you mean units?"),
        ("[halt]\ncalm_windows = 0\nwhy = 'x'\n", "halt.calm_windows: input should be greater"),
    ],
)
def test_a_halt_table_that_makes_no_sense_is_refused_with_its_line(more: str, wrong: str) -> None:
    with pytest.raises(RuleFileError, match=r"lockstep\.toml:") as refused:
        read(RULES + more)

    assert wrong in str(refused.value)
