"""What cannot be true at once in a rule file, each with its line and its remedy."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocation.document import read, read_stored
from tests.allocation.rule_text import (
    HOUSE,
    LINES,
    PLACES,
    channel,
    override,
    problems,
    protection,
    safety,
)


@pytest.mark.parametrize(
    ("fields", "line", "problem"),
    [
        (
            "percent = 5\nweight = 2\n",
            9,
            "channels.shop.weight: percent and weight exclude each other; keep one",
        ),
        (
            "cost_oversell = 5\n",
            8,
            "channels.shop.cost_oversell: means nothing without margin; add margin = ... or remove it",
        ),
        (
            "margin = 5\n",
            8,
            "channels.shop.margin: means nothing without cost_oversell; add cost_oversell = ... or remove it",
        ),
        (
            "cost_oversell = 0\nmargin = 0.00\n",
            9,
            "channels.shop.margin: cost_oversell and margin are both 0, so that no risk follows from them; state what"
            " a unit costs that was sold and is not there, or remove both: then [exposure] risk holds",
        ),
        (
            "exclude = true\nfloor = 2\n",
            9,
            "channels.shop.floor: is never shown: the channel excludes every SKU and no override brings one back;"
            " remove the floor, or add an override with exclude = false",
        ),
    ],
)
def test_a_channel_that_cannot_be_meant_is_refused(fields: str, line: int, problem: str) -> None:
    assert problems(PLACES + channel("shop", fields)) == [f"{line}: {problem}"]


def test_costs_of_nothing_that_were_put_in_force_once_are_still_read() -> None:
    rules = read_stored(PLACES + channel("shop", "cost_oversell = 0\nmargin = 0\n")).rules()

    assert rules.channels[0].cost_oversell == rules.channels[0].margin == Decimal(0)


def test_a_floor_on_an_excluded_channel_holds_for_what_an_override_brings_back() -> None:
    back = override('sku = "A"\nexclude = false')

    read(PLACES + channel("shop", "exclude = true\nfloor = 2\n") + back)


@pytest.mark.parametrize(
    ("table", "line", "problem"),
    [
        (
            override('sku = "A"\ntag = "limited"\ncap = 1'),
            3,
            "overrides.0.tag: sku and tag exclude each other; keep one",
        ),
        (
            override("cap = 1"),
            1,
            "overrides.0: says not which SKUs; add sku = ... or tag = ...",
        ),
        (
            override('tag = "limted"\ncap = 1'),
            2,
            "overrides.0.tag: there is no tag limted; did you mean limited?",
        ),
        (
            override('tag = "zzz"\ncap = 1'),
            2,
            'overrides.0.tag: there is no tag zzz; add [tags] with zzz = ["..."]',
        ),
        (
            override('sku = "A"\npercent = 1\nweight = 1'),
            4,
            "overrides.0.weight: percent and weight exclude each other; keep one",
        ),
        (
            override('sku = "A"\ncap = 1\nfrom = 2026-12-01\nuntil = 2026-11-01'),
            5,
            "overrides.0.until: ends before it begins, from 2026-12-01; correct one of the two",
        ),
        (
            safety('sku = "A"\nlocation = "WHH"\nunits = 1'),
            3,
            "safety_stock.0.location: there is no location WHH; did you mean WH?",
        ),
        (
            safety('sku = "A"'),
            1,
            "safety_stock.0: says not how much stays back; state units, days or service",
        ),
        (
            safety('sku = "A"\nunits = 1\ndays = 2'),
            4,
            "safety_stock.0.days: units and days exclude each other; keep one",
        ),
        (
            safety('sku = "A"\nservice = 0.9'),
            3,
            "safety_stock.0.service: needs the lead time: add lead_days = ..., and lead_sd_days where it varies",
        ),
        (
            safety('sku = "A"\nunits = 1\nlead_days = 2'),
            4,
            "safety_stock.0.lead_days: means nothing without service; add service = ... or remove it",
        ),
        (
            safety("units = 1"),
            1,
            "safety_stock.0: says not which SKUs; add sku = ... or tag = ...",
        ),
        (
            protection('channel = "shp"\nagainst = ["market"]\nunits = 1'),
            2,
            "protection.0.channel: there is no channel shp; did you mean shop?",
        ),
        (
            protection('channel = "shop"\nagainst = ["market", "market"]\nunits = 1'),
            3,
            "protection.0.against: market is named 2 times; name it once",
        ),
        (
            protection('channel = "shop"\nagainst = ["shop"]\nunits = 1'),
            3,
            "protection.0.against: shop cannot be protected from itself; remove it",
        ),
        (
            protection('channel = "shop"\nagainst = ["till"]\nunits = 1'),
            3,
            "protection.0.against: shop and till share no location, so there is nothing to protect; remove till",
        ),
        (
            protection('channel = "shop"\nagainst = ["market"]'),
            1,
            "protection.0: says not how many units; state units, or margin, against_margin and days",
        ),
        (
            protection('channel = "shop"\nagainst = ["market"]\nmargin = 2'),
            1,
            "protection.0: says not how many units; add against_margin, days",
        ),
        (
            protection('channel = "shop"\nagainst = ["market"]\nunits = 1\ndays = 2'),
            4,
            "protection.0.units: units and days exclude each other; keep one way",
        ),
        (
            protection(
                'channel = "shop"\nagainst = ["market"]\nmargin = 5\nagainst_margin = 7\ndays = 2'
            ),
            4,
            "protection.0.margin: margin 5 is not above against_margin 7, so nothing would be protected; protect the"
            " channel that earns more",
        ),
        (
            "[tags]\nother = []\n",
            2,
            "tags.other: names no SKU; name some, or remove the tag",
        ),
    ],
)
def test_a_statement_that_cannot_be_meant_is_refused(table: str, line: int, problem: str) -> None:
    before = HOUSE if table.startswith("[tags]") else HOUSE + '[tags]\nlimited = ["TEE-1"]\n'

    (found,) = problems(before + table)

    assert found == f"{before.count(chr(10)) + line}: {problem}"


# --- numbers that contradict for some SKUs, at some time --------------------------------------------------------------


def shares(shop: str, market: str) -> str:
    return PLACES + channel("shop", f"{shop}\n") + channel("market", f"{market}\n")


def test_percents_and_weights_do_not_meet_at_a_location() -> None:
    (problem,) = problems(shares("percent = 50", "weight = 2"))

    assert problem == (
        "15: channels.market.weight: shop, market share WH, shop by percent and market by weight; give all of them"
        " percents or all weights"
    )


def test_percents_and_weights_at_places_apart_are_fine() -> None:
    read(PLACES + channel("shop", "percent = 50\n") + channel("till", "weight = 2\n", at="ST"))


def test_an_override_that_brings_a_weight_among_percents_is_refused() -> None:
    (problem,) = problems(
        shares("percent = 50", "percent = 20") + override('sku = "A"\nchannel = "shop"\nweight = 2')
    )

    assert ": overrides.0: for SKU A: shop, market share WH, market by percent and shop" in problem


def test_an_override_may_bring_weights_for_all_who_share() -> None:
    read(shares("percent = 50", "percent = 20") + override('sku = "A"\nweight = 2'))


def test_percents_are_summed_for_skus_that_two_patterns_fit_together() -> None:
    source = shares("percent = 50", "percent = 20") + "".join(
        [
            override('sku = "TEE-*"\nchannel = "shop"\npercent = 70'),
            override('sku = "*-RED"\nchannel = "market"\npercent = 40'),
        ]
    )

    (problem,) = problems(source)

    assert problem.startswith("22: overrides.1: for SKU *-RED and TEE-*: shop, market share WH")
    assert "sum to 110; lower one" in problem


def test_percents_are_summed_in_every_season() -> None:
    source = shares("percent = 50", "percent = 20") + "".join(
        [
            override(
                'sku = "A"\nchannel = "shop"\npercent = 70\nfrom = 2026-11-01\nuntil = 2026-12-01'
            ),
            override('sku = "A"\nchannel = "market"\npercent = 40\nfrom = 2026-11-20'),
        ]
    )

    (problem,) = problems(source)

    assert ": overrides.1: for SKU A at 2026-11-20 00:00 UTC: shop, market share WH" in problem
    read(source.replace("from = 2026-11-20", "from = 2026-12-01"))


def test_the_percent_of_a_channel_that_is_excluded_is_nobodys() -> None:
    read(
        shares("percent = 50", "percent = 20")
        + override('sku = "A"\nchannel = "market"\nexclude = true')
        + override('sku = "A"\nchannel = "shop"\npercent = 100')
    )


def test_a_floor_above_a_cap_is_found_where_two_overrides_meet() -> None:
    source = HOUSE + "".join(
        [
            override('tag = "limited"\nfloor = 5'),
            override('sku = "CAP-RED"\nchannel = "shop"\ncap = 2'),
        ]
    )

    (problem,) = problems(f'{source}[tags]\nlimited = ["TEE-1", "CAP-*"]\n')

    assert ": overrides.1: for SKU CAP-RED: floor 5 is above cap 2; lower the floor" in problem


def test_a_contradiction_is_told_once_for_each_override() -> None:
    source = shares("percent = 50", "percent = 20") + override(
        'sku = "TEE-*"\nchannel = "shop"\npercent = 90'
    )
    more = "".join(override(f'sku = "TEE-{n}"\nchannel = "shop"\ncap = {n + 1}') for n in range(9))

    assert len(problems(source + more)) == 1


# --- said twice -------------------------------------------------------------------------------------------------------


def twice(first: str, second: str) -> str:
    fields = 'sku = "A"\nchannel = "shop"\n'
    return HOUSE + override(f"{fields}{first}") + override(f"{fields}{second}")


def test_seasons_that_are_the_same_are_refused() -> None:
    season = "from = 2026-11-01\nuntil = 2026-12-01"

    found = problems(twice(f"cap = 1\n{season}", f"cap = 2\n{season}"))

    assert found[-1] == (
        f"{LINES + 11}: overrides.1.cap: is said by overrides.0 for the same SKU and channel; keep one"
    )


def test_seasons_that_cross_are_refused() -> None:
    first, second = (
        "from = 2026-11-01\nuntil = 2026-12-01",
        "from = 2026-11-20\nuntil = 2026-12-20",
    )

    (problem,) = problems(twice(f"cap = 1\n{first}", f"cap = 2\n{second}"))

    assert problem == (
        f"{LINES + 11}: overrides.1.cap: its season begins or ends within that of overrides.0, which says it for the"
        " same SKU and channel; let one end where the other begins"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from = 2026-11-01\nuntil = 2026-12-01", "from = 2026-12-01\nuntil = 2026-12-20"),
        ("from = 2026-11-01\nuntil = 2026-12-24", "from = 2026-11-27\nuntil = 2026-11-30"),
        ("from = 2026-11-01", "from = 2026-12-01"),
        ("", "from = 2026-12-01"),
    ],
)
def test_seasons_that_follow_or_lie_within_each_other_are_fine(first: str, second: str) -> None:
    read(twice(f"cap = 1\n{first}", f"cap = 2\n{second}"))


def test_a_percent_and_a_weight_say_the_same_twice() -> None:
    found = problems(twice("percent = 1", "weight = 2"))

    assert f"{LINES + 9}: overrides.1.weight: is said by overrides.0 for the same" in found[-1]


def test_a_safety_stock_and_a_protection_are_said_once() -> None:
    stocks = safety('sku = "A"\nunits = 1') + safety('sku = "A"\ndays = 2')
    protected = protection('channel = "shop"\nagainst = ["market"]\nunits = 1')

    assert "safety_stock.1: is said by safety_stock.0" in "".join(problems(HOUSE + stocks))
    assert "protection.1: is said by protection.0" in "".join(problems(HOUSE + 2 * protected))


# --- circles ----------------------------------------------------------------------------------------------------------


def guarded(channel: str, against: str, more: str = "") -> str:
    return protection(f'channel = "{channel}"\nagainst = ["{against}"]\nunits = 1\n{more}')


def test_channels_cannot_be_protected_from_each_other() -> None:
    (problem,) = problems(HOUSE + guarded("shop", "market") + guarded("market", "shop"))

    assert problem == (
        f"{LINES + 7}: protection.1: for SKU *: shop > market > shop protects them from each other; remove one"
    )


def test_a_circle_of_three_is_found() -> None:
    third = PLACES + channel("a") + channel("b") + channel("c")

    (problem,) = problems(third + guarded("a", "b") + guarded("b", "c") + guarded("c", "a"))

    assert "a > b > c > a protects them" in problem


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('sku = "A-*"', 'sku = "B-*"'),
        ("until = 2026-11-01", "from = 2026-11-01"),
    ],
)
def test_protections_of_other_skus_or_times_are_no_circle(first: str, second: str) -> None:
    read(HOUSE + guarded("shop", "market", first) + guarded("market", "shop", second))
