"""Buffers by tier of velocity: what the file may say, which number holds, and that it does not flap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.by_tier import ByTier, tier_of
from allocation.document import read
from allocation.engine import allocate
from allocation.planning.tiers import FALLS_AFTER, Kept, Tier, kept
from allocation.rules import goes_by_tier
from allocation.simulate.replay import simulate
from allocation.simulate.types import Delays, History, Line, Stream
from allocation.types import Outlook, Rule, Rules, Target
from tests.allocation.houses import House, a_channel, houses
from tests.allocation.rule_text import HOUSE, LINES, PLACES, channel, override, problems

TIERS = "buffer_by_tier = { A = 8, B = 3, C = 1 }\n"
ONE = PLACES + channel("shop", TIERS)
DAY = timedelta(days=1)


def target(source: str, tier: Tier | None, sku: str = "MUG", stock: int = 50) -> Target:
    rules = read(source).rules()
    quiet = replace(rules, exposure=replace(rules.exposure, on=False))
    (found,) = allocate(sku, {"WH": stock}, quiet, [("shop", "WH")], Outlook(tier=tier))
    return found


@pytest.mark.parametrize(("tier", "units"), [(Tier.A, 42), (Tier.B, 47), (Tier.C, 49), (None, 42)])
def test_the_buffer_is_that_of_the_tier_and_the_largest_where_none_is_known(
    tier: Tier | None, units: int
) -> None:
    assert target(ONE, tier).units == units


def test_an_override_says_a_buffer_in_either_way_and_takes_the_place_of_the_other() -> None:
    source = (
        ONE
        + override('sku = "MUG"\nbuffer = 20')
        + override('sku = "TEE-*"\n' + TIERS.replace("8", "30"))
    )

    assert target(source, Tier.A).units == 30
    assert target(source, Tier.A, "TEE-1").units == 20
    assert target(source, Tier.C, "TEE-1").units == 49
    assert target(source, Tier.A, "CAP").units == 42


def test_rules_ask_for_tiers_only_where_they_go_by_them() -> None:
    assert goes_by_tier(read(ONE).rules())
    assert goes_by_tier(read(HOUSE + override('sku = "A"\n' + TIERS)).rules())
    assert not goes_by_tier(read(HOUSE + override('sku = "A"\nbuffer = 3')).rules())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("buffer_by_tier = { A = 8, B = 3 }\n", "buffer_by_tier.C: is missing"),
        ("buffer_by_tier = { A = 8, B = 3, C = 1, D = 0 }\n", "buffer_by_tier.D: is not a setting"),
        (
            "buffer_by_tier = { A = -1, B = 3, C = 1 }\n",
            "buffer_by_tier.A: input should be greater",
        ),
        (
            'buffer_by_tier = { A = "x", B = 3, C = 1 }\n',
            "buffer_by_tier.A: input should be a valid",
        ),
        ("buffer_by_tier = 4\n", "buffer_by_tier: "),
        (
            f"buffer = 2\n{TIERS}",
            "buffer_by_tier: buffer and buffer_by_tier exclude each other; keep one",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(said: str, problem: str) -> None:
    (found,) = problems(PLACES + channel("shop", said))

    assert f": channels.shop.{problem}" in found
    assert found.partition(":")[0].isdigit()


def test_two_buffers_of_one_override_are_refused_and_so_is_one_said_twice() -> None:
    both = problems(HOUSE + override(f'sku = "A"\nbuffer = 2\n{TIERS}'))
    twice = problems(HOUSE + override('sku = "A"\nbuffer = 2') + override(f'sku = "A"\n{TIERS}'))

    assert both == [
        f"{LINES + 4}: overrides.0.buffer_by_tier: buffer and buffer_by_tier exclude each other; keep one"
    ]
    assert any("overrides.1.buffer_by_tier: is said by overrides.0 for" in said for said in twice)


def test_a_channel_with_buffers_by_tier_owes_a_reason() -> None:
    (found,) = problems(PLACES + channel("shop", TIERS, why=False))

    assert "add why = ... (the channel states buffer_by_tier)" in found


def test_a_bundle_goes_by_the_fastest_of_its_parts_once_all_are_known() -> None:
    tiers = {"MUG": Tier.C, "TEE": Tier.A, "SET-2": Tier.B}

    assert tier_of("SET", ["MUG", "TEE"], tiers) is Tier.A
    assert tier_of("SET", ["MUG", "CAP"], tiers) is None
    assert tier_of("SET-2", ["MUG", "TEE"], tiers) is Tier.B
    assert tier_of("NEW", [], tiers) is None


@given(houses(), st.sampled_from((None, *Tier)))
def test_in_any_house_a_tier_gives_what_its_number_alone_would_give(
    house: House, tier: Tier | None
) -> None:
    def plain(rule: Rule) -> Rule:
        return replace(rule.at(tier), buffer_by_tier=None, tier=None)

    channels = tuple(replace(c, rule=plain(c.rule)) for c in house.rules.channels)
    outlook = replace(house.outlook, tier=tier)

    by_tier = replace(house, outlook=outlook).numbers()
    alone = replace(house, outlook=outlook, rules=replace(house.rules, channels=channels)).numbers()

    assert by_tier == alone


@given(houses())
def test_a_house_that_says_nothing_by_tier_does_not_look_at_it(house: House) -> None:
    channels = tuple(
        replace(c, rule=replace(c.rule, buffer_by_tier=None)) for c in house.rules.channels
    )
    silent = replace(house, rules=replace(house.rules, channels=channels))

    numbers = [
        replace(silent, outlook=replace(house.outlook, tier=tier)).numbers()
        for tier in (None, *Tier)
    ]

    assert all(found == numbers[0] for found in numbers)


@given(st.lists(st.sampled_from(Tier), min_size=1, max_size=80), st.permutations((9, 4, 1)))
def test_a_number_falls_to_a_lower_tier_two_weeks_apart_however_the_pace_jumps(
    found: list[Tier], units: list[int]
) -> None:
    by, was = ByTier(*units), None
    began = datetime(2026, 3, 2, tzinfo=UTC)
    changes: list[tuple[datetime, int, int]] = []
    for day, tier in enumerate(found):
        now = began + day * DAY
        after = kept(was, tier, now)
        if was is not None and after.tier is not was.tier:
            changes.append((now, was.tier.rank, after.tier.rank))
            assert by.of(was.tier) != by.of(after.tier)
        was = after

    falls = [at for at, before, after in changes if after > before]
    assert all(late - early >= FALLS_AFTER for early, late in pairwise(falls))
    # Each rise but two follows a fall: from C to A it takes two at most.
    assert len(changes) <= 2 * len(falls) + 2 + len(falls)
    assert len(falls) <= len(found) // FALLS_AFTER.days


def test_a_tier_that_flickers_every_day_changes_no_number() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    was = Kept(Tier.A, now)
    seen = set()
    for day in range(120):
        was = kept(was, Tier.C if day % 2 else Tier.A, now + day * DAY)
        seen.add(ByTier(8, 3, 1).of(was.tier))

    assert seen == {8}


def test_a_simulation_gives_each_sku_the_buffer_of_its_tier() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    lines = {
        sku: [Line(60.0 * n, f"{sku}{n}", "shop", "WH", 1) for n in range(1, units + 1)]
        for sku, units in (("FAST", 40), ("MID", 8), ("SLOW", 2))
    }
    streams = [Stream(sku, {"WH": len(of)}, of) for sku, of in lines.items()]
    history = History(start, 3600.0, streams)

    def left(said: str) -> int:
        rules: Rules = read(PLACES + channel("shop", said)).rules()
        return simulate(history, {"lockstep": rules}, Delays(), 1)["lockstep"].sold_units

    plain, by_tier = left(""), left("buffer_by_tier = { A = 5, B = 2, C = 1 }\n")

    assert plain - by_tier == 5 + 2 + 1


def test_the_same_rule_of_a_channel_holds_for_all_tiers_where_it_says_one_number() -> None:
    rule = a_channel("web", Rule(buffer=4)).rule

    assert {rule.at(tier).buffer for tier in (None, *Tier)} == {4}
