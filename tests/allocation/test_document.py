"""The rule file: what is read, and how each mistake is told with its line and its remedy."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from allocation.document import RuleFileError, read
from allocation.document.lines import line_of
from allocation.rules import fitting, rule_for
from allocation.types import Rule, Show

EXAMPLE = Path(__file__).parents[2] / "lockstep.example.toml"

SMALL = """\
[locations.WH]
[locations.ST]
kind = "store"
safety_units = 1
why = "one in the window"

[safety]
default_units = 3
why = "counts are off by three"

[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
account = "shop"
locations = ["WH", "ST"]
show_at = "WH"
percent = 62.5
buffer = 2
why = "own shop"
[channels.shop.vendor_locations]
"gid://1" = "WH"
"""


def problems(source: str) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        read(source, "rules.toml")
    return [str(problem) for problem in caught.value.problems]


def with_override(fields: str) -> str:
    return f'{SMALL}\n[[overrides]]\n{fields}\nwhy = "because"\n'


def test_a_file_is_read_into_the_words_of_the_engine() -> None:
    rules = read(SMALL).rules()

    (channel,) = rules.channels
    assert {name: place.safety for name, place in rules.locations.items()} == {"WH": 3, "ST": 1}
    assert channel.locations == ("WH", "ST")
    assert (channel.show, channel.show_at) == (Show.POOLED, "WH")
    assert channel.rule == Rule(percent=Decimal("62.5"), buffer=2, why=("own shop",))
    assert channel.rule.claim == 6250
    assert channel.vendor_locations == {"gid://1": "WH"}


def test_the_example_file_is_right() -> None:
    document = read(EXAMPLE.read_text(), EXAMPLE.name)

    assert [channel.name for channel in document.rules().channels] == [
        "shopify",
        "outlet",
        "amazon",
        "till",
        "grocer",
    ]


def test_what_only_the_lane_knows_is_handed_on() -> None:
    (channel,) = (
        read(SMALL.replace("buffer = 2", 'options = { api_version = "2026-07" }')).rules().channels
    )

    assert channel.options == {"api_version": "2026-07"}


def test_an_empty_file_serves_nobody() -> None:
    assert read("").rules().channels == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "percent = 62.5",
            "percnt = 6",
            "17: channels.shop.percnt: is not a setting; did you mean percent?",
        ),
        (
            "buffer = 2",
            'token = "x"',
            "18: channels.shop.token: secrets do not belong into this file; put it into LOCKSTEP_CHANNEL_SECRETS",
        ),
        (
            "buffer = 2",
            "buffer = -2",
            "18: channels.shop.buffer: input should be greater than or equal to 0, but it is -2; correct the value",
        ),
        (
            "buffer = 2",
            'buffer = "2"',
            "18: channels.shop.buffer: input should be a valid integer, but it is '2'; correct the value",
        ),
        (
            "buffer = 2",
            "cap = 1\nfloor = 2",
            "19: channels.shop.floor: floor 2 is above cap 1; lower the floor or raise the cap",
        ),
        (
            "https://shop",
            "https://me:pass@shop",
            "13: channels.shop.base_url: is not a plain address; write https://host (sftp://host/path, file:///path)"
            " without user or password (secrets go into LOCKSTEP_CHANNEL_SECRETS)",
        ),
        ('kind = "shopify"\n', "", "11: channels.shop.kind: is missing; add kind = ..."),
        ("[channels.shop]", "[channels.Shop]\nkind = 1", None),
        (
            '["WH", "ST"]',
            '["WH", "STO"]',
            "15: channels.shop.locations: there is no location STO; did you mean ST?",
        ),
        (
            '["WH", "ST"]',
            '["WH", "WH"]',
            "15: channels.shop.locations: WH is named 2 times; name it once",
        ),
        (
            '["WH", "ST"]',
            "[]",
            "15: channels.shop.locations: tuple should have at least 1 item after validation, not 0,"
            " but it is []; correct the value",
        ),
        (
            'show_at = "WH"',
            "",
            "11: channels.shop.show_at: which location carries the number? choose one of WH, ST",
        ),
        (
            'show_at = "WH"',
            'show_at = "ST"',
            '20: channels.shop.vendor_locations: no location of the vendor stands for ST; add "<vendor id>" = "ST"',
        ),
        (
            'show_at = "WH"',
            'show = "per_location"\nshow_at = "WH"',
            "17: channels.shop.show_at: show = per_location shows each location by itself; leave show_at out",
        ),
        (
            '"gid://1" = "WH"',
            '"gid://1" = "NOWHERE"',
            "21: channels.shop.vendor_locations.gid://1: there is no location NOWHERE; add [locations.NOWHERE]",
        ),
        (
            '"gid://1" = "WH"',
            '"gid://1" = "WH"\n"gid://2" = "WH"',
            "20: channels.shop.vendor_locations: 2 locations of the vendor stand for WH; give each its own location",
        ),
        (
            "[locations.ST]",
            "[locations.OUTSIDE]\n[locations.ST]",
            "2: locations.OUTSIDE: this name is used by the ledger itself; choose another",
        ),
        ("percent = 62.5", "percent = 62.5.1", None),
        ("percent = 62.5", "percent = 101", None),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(
    old: str, new: str, problem: str | None
) -> None:
    assert old in SMALL

    found = problems(SMALL.replace(old, new))

    if problem is not None:
        assert f"rules.toml:{problem}" in found
    assert all(entry.startswith("rules.toml:") for entry in found)


def test_a_line_that_is_not_toml_is_named() -> None:
    (problem,) = problems("[safety]\ndefault_units = = 3\n")

    assert problem.startswith("rules.toml:2: not valid TOML:")
    assert problem.endswith("correct this line")


def test_percents_above_a_hundred_at_one_location_are_refused() -> None:
    second = (
        SMALL[SMALL.index("[channels.shop]") :]
        .replace("shop", "outlet")
        .replace("outletify", "shopify")
    )

    (problem,) = problems(f"{SMALL}\n{second}")

    assert "shop, outlet share WH and their percents sum to 125.0" in problem


def test_one_account_is_one_channel() -> None:
    second = (
        SMALL[SMALL.index("[channels.shop]") :]
        .replace("channels.shop", "channels.twin")
        .replace("percent = 62.5", "")
    )

    (problem,) = problems(f"{SMALL}\n{second}")

    assert "channels.twin.account: is the account of channel shop too" in problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            'sku = "A"\nchannel = "shp"\ncap = 1',
            "channel: there is no channel shp; did you mean shop?",
        ),
        (
            'sku = "A"',
            "overrides.0: changes nothing; state percent, weight, buffer, buffer_by_tier, cap, floor, cut_off, quota or"
            " exclude",
        ),
        ('sku = "A"\ncap = 1\nfloor = 2', "overrides.0: for SKU A: floor 2 is above cap 1"),
        (
            'sku = "A"\ncap = 1\nwhy = "x"\n[[overrides]]\nsku = "A"\ncap = 2',
            "overrides.1.cap: is said by overrides.0 for the same SKU and channel; keep one",
        ),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(fields: str, problem: str) -> None:
    assert any(problem in entry for entry in problems(with_override(fields)))


def test_an_override_says_why() -> None:
    (problem,) = problems(f'{SMALL}\n[[overrides]]\nsku = "A"\ncap = 1\n')

    assert problem == "rules.toml:23: overrides.0.why: is missing; add why = ..."


def test_an_override_that_breaks_the_sum_of_percents_is_refused() -> None:
    second = (
        SMALL[SMALL.index("[channels.shop]") :]
        .replace("shop", "outlet")
        .replace("outletify", "shopify")
        .replace("62.5", "30")
    )

    (problem,) = problems(
        f'{SMALL}\n{second}\n[[overrides]]\nsku = "TEE-*"\nchannel = "shop"\npercent = 80\nwhy = "x"\n'
    )

    assert "for SKU TEE-*: shop, outlet share WH and their percents sum to 110" in problem


def test_the_most_particular_override_wins_field_by_field() -> None:
    source = SMALL + "".join(
        f'[[overrides]]\n{fields}\nwhy = "{why}"\n'
        for why, fields in {
            "exact": 'sku = "TEE-RED-1"\ncap = 1',
            "long": 'sku = "TEE-RED-*"\ncap = 2\nbuffer = 20',
            "named": 'sku = "TEE-*"\nchannel = "shop"\ncap = 3\nbuffer = 30\nfloor = 1',
            "all": 'sku = "TEE-*"\ncap = 4\nbuffer = 40\nfloor = 0\ncut_off = 5',
        }.items()
    )
    rules = read(source).rules()
    (shop,) = rules.channels

    rule = rule_for("shop", shop.rule, fitting(rules, "TEE-RED-1").overrides)

    assert (rule.cap, rule.buffer, rule.floor) == (1, 20, 1)
    assert rule.why == ("own shop", "all", "named", "long", "exact")
    assert rule_for("shop", shop.rule, fitting(rules, "HAT-1").overrides) == shop.rule
    assert rule_for("shop", shop.rule, fitting(rules, "TEE-BLUE").overrides).cap == 3


def test_the_line_of_a_setting_is_found_in_nested_tables_and_lists() -> None:
    source = (
        '[a]\n"x y" = 1\nlist = [\n  "[no]",\n]\n[[o]]\nk = 1\n[[o]]\nk = 2\n[a.b."c d"]\nq.r = 1\n'
    )

    assert line_of(source, ("a", "x y")) == 2
    assert line_of(source, ("o", 1, "k")) == 9
    assert line_of(source, ("a", "b", "c d", "q", "r")) == 11
    assert line_of(source, ("a", "missing")) == 1
    assert line_of(source, ("nowhere",)) is None
