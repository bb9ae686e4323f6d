"""Rules that can never take effect are found, and only those; so are numbers that contradict for some SKU."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from allocation.document import read
from allocation.document.classes import classes_of
from allocation.document.patterns import TooMany, automaton, covers, kinds
from allocation.document.reach import overrides as found_in
from allocation.document.reach import safeties as safeties_in
from allocation.rules import fitting, in_force, rule_for
from allocation.types import (
    ChannelRule,
    LocationRule,
    Override,
    Rule,
    Rules,
    Safety,
    Show,
    Span,
    Which,
)
from tests.allocation.rule_text import HOUSE, LINES, override, problems, safety

WEB = 'channel = "shop"\n'


# --- told with line and remedy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statements",
    [
        # A longer pattern that fits all the same.
        ['sku = "A*"\ncap = 1', 'sku = "A**"\ncap = 2'],
        # All that a tag stands for is said SKU by SKU.
        ['tag = "pair"\ncap = 1', 'sku = "A-1"\ncap = 2', 'sku = "A-2"\ncap = 3'],
        # Every channel says it for itself.
        [
            'sku = "A"\ncap = 1',
            *(f'sku = "A"\nchannel = "{name}"\ncap = 2' for name in ("shop", "market", "till")),
        ],
        # A season within one that comes later in the file.
        [
            f'sku = "A"\n{WEB}cap = 1\nfrom = 2026-11-27\nuntil = 2026-11-30',
            f'sku = "A"\n{WEB}cap = 2\nfrom = 2026-11-01\nuntil = 2026-12-24',
        ],
        # Seasons that leave no time between them.
        [
            f'sku = "A"\n{WEB}cap = 1',
            f'sku = "A"\n{WEB}cap = 2\nuntil = 2026-11-01',
            f'sku = "A"\n{WEB}cap = 3\nfrom = 2026-11-01',
        ],
        # A weight takes the place of a percent.
        ['sku = "A*"\npercent = 5', 'sku = "A**"\nweight = 2'],
    ],
)
def test_an_override_that_others_always_beat_is_unreachable(statements: list[str]) -> None:
    source = HOUSE + "".join(override(fields) for fields in statements)

    (problem,) = problems(f'{source}[tags]\npair = ["A-1", "A-2"]\n')

    assert problem.startswith(f"{LINES + 1}: overrides.0: can never take effect: overrides.1")
    assert "state the same, and win, whenever it holds; remove it or change what it fits" in problem


@pytest.mark.parametrize(
    "statements",
    [
        ['sku = "A*"\ncap = 1', 'sku = "A-*"\ncap = 2'],
        ['sku = "A*"\ncap = 1\nbuffer = 1', 'sku = "A**"\ncap = 2'],
        ['sku = "*A"\ncap = 1', 'sku = "A*"\ncap = 2'],
        ['tag = "pair"\ncap = 1', 'sku = "A-1"\ncap = 2'],
        ['sku = "A"\ncap = 1', 'sku = "A"\nchannel = "shop"\ncap = 2'],
        [f'sku = "A"\n{WEB}cap = 1', f'sku = "A"\n{WEB}cap = 2\nfrom = 2026-11-01'],
    ],
)
def test_an_override_that_holds_for_some_sku_at_some_time_is_fine(statements: list[str]) -> None:
    source = HOUSE + "".join(override(fields) for fields in statements)

    read(f'{source}[tags]\npair = ["A-1", "A-2"]\n')


def test_what_is_said_of_skus_that_stay_excluded_is_unreachable() -> None:
    source = HOUSE.replace(
        '[channels.market]\nkind = "shopify"\n',
        '[channels.market]\nkind = "shopify"\nexclude = true\n',
    )
    named = override('sku = "A"\nchannel = "market"\nfloor = 2')

    (problem,) = problems(source + named)

    assert problem == (
        f"{LINES + 2}: overrides.0: can never take effect: market excludes all SKUs that it fits; state"
        " exclude = false or remove it"
    )
    read(source + named + override('sku = "A*"\nchannel = "market"\nexclude = false'))


def test_a_safety_stock_that_others_always_beat_is_unreachable() -> None:
    source = HOUSE + "".join(
        [
            safety('sku = "A"\nunits = 1'),
            safety('sku = "A"\nlocation = "WH"\nunits = 2'),
            safety('sku = "A"\nlocation = "ST"\nunits = 3'),
        ]
    )

    (problem,) = problems(source)

    assert (
        f"{LINES + 1}: safety_stock.0: can never take effect: safety_stock.1, safety_stock.2"
        in problem
    )
    read(source.replace('location = "ST"', 'location = "ST"\nfrom = 2026-11-01'))


def test_many_who_beat_one_are_not_all_named() -> None:
    names = [f"A-{n}" for n in range(9)]
    tags = f"[tags]\nall = {names}\n".replace("'", '"')
    each = "".join(override(f'sku = "{name}"\ncap = 2') for name in names)

    (problem,) = problems(HOUSE + tags + override('tag = "all"\ncap = 1') + each)

    assert "overrides.1, overrides.2, overrides.3 and 6 more state the same" in problem


# --- against all SKUs there are ---------------------------------------------------------------------------------------

LETTERS = "AB"
SKUS = ["".join(word) for n in range(1, 4) for word in itertools.product("ABC", repeat=n)]
DAYS = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=n) for n in range(4)]
MOMENTS = [DAYS[0] - timedelta(days=2), *DAYS]
PATTERNS = st.text(alphabet=LETTERS + "*", min_size=1, max_size=3)
NAMES = ("shop", "market")


@st.composite
def spans(draw: st.DrawFn) -> Span:
    since, until = sorted(
        draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2, unique=True))
    )
    return Span(since if draw(st.booleans()) else None, until if draw(st.booleans()) else None)


WHICH = st.one_of(
    PATTERNS.map(lambda sku: Which(sku=sku)),
    st.sampled_from(["one", "two"]).map(lambda tag: Which(tag=tag)),
)
OVERRIDES = st.builds(
    Override,
    which=WHICH,
    channel=st.sampled_from([None, *NAMES]),
    percent=st.sampled_from([None, Decimal(30), Decimal(80)]),
    cap=st.sampled_from([None, 3, 9]),
    floor=st.sampled_from([None, 1, 5]),
    exclude=st.sampled_from([None, None, True, False]),
    span=spans(),
)
TAGS = st.fixed_dictionaries(
    {tag: st.lists(PATTERNS, max_size=2).map(tuple) for tag in ("one", "two")}
)


def a_channel(name: str, excluded: bool) -> ChannelRule:
    return ChannelRule(
        name, "shopify", "", "", ("WH",), Show.POOLED, "WH", Rule(excluded=excluded), False, {}
    )


HOUSES = st.builds(
    lambda excluded, overrides, tags: Rules(
        channels=tuple(a_channel(n, x) for n, x in zip(NAMES, excluded, strict=True)),
        overrides=tuple(overrides),
        tags=tags,
    ),
    st.tuples(st.booleans(), st.booleans()),
    st.lists(OVERRIDES, max_size=4),
    TAGS,
)


def skus_of(rules: Rules) -> list[str]:
    """All short SKUs, and one of each kind that the patterns tell apart, which may be longer."""
    named = {one.which.sku for one in rules.overrides} | {s.which.sku for s in rules.safeties}
    patterns = {name for name in named if name}.union(*rules.tags.values())
    return [*SKUS, *kinds(patterns).values()]


def effective(rules: Rules) -> Iterator[dict[str, Rule]]:
    """The rules of every short SKU at every moment, without their reasons; what is excluded says nothing else."""
    holding = [in_force(rules, moment) for moment in MOMENTS]
    for now, sku in itertools.product(holding, skus_of(rules)):
        fits = fitting(now, sku).overrides
        by_name = {c.name: rule_for(c.name, c.rule, fits) for c in rules.channels}
        yield {
            name: Rule(excluded=True) if rule.excluded else replace(rule, why=())
            for name, rule in by_name.items()
        }


def marked(rules: Rules, place: int) -> Rules:
    """The rules, with numbers in one override that nothing else says."""
    old = rules.overrides[place]
    new = replace(
        old,
        percent=None if old.percent is None else Decimal(1),
        cap=None if old.cap is None else 777,
        floor=None if old.floor is None else 778,
        exclude=None if old.exclude is None else not old.exclude,
    )
    return replace(rules, overrides=(*rules.overrides[:place], new, *rules.overrides[place + 1 :]))


@given(HOUSES)
def test_an_override_is_unreachable_exactly_if_no_sku_ever_feels_it(rules: Rules) -> None:
    found = found_in(rules, classes_of(rules.overrides, rules.tags))
    told = {f.path[1] for f in found if "can never take effect" in f.message}
    now = list(effective(rules))

    for place, one in enumerate(rules.overrides):
        holds = any(one in fitting(rules, sku).overrides for sku in skus_of(rules))
        says = any(v is not None for v in (one.percent, one.cap, one.floor, one.exclude))
        felt = list(effective(marked(rules, place))) != now
        assert (place in told) == (holds and says and not felt), (place, found)


@given(HOUSES)
def test_numbers_contradict_exactly_if_they_do_for_some_sku(rules: Rules) -> None:
    found = found_in(rules, classes_of(rules.overrides, rules.tags))
    messages = " ".join(finding.message for finding in found)

    over = above = False
    for by_name in effective(rules):
        over |= sum(rule.percent or 0 for rule in by_name.values()) > 100
        above |= any(rule.cap is not None and rule.cap < rule.floor for rule in by_name.values())

    assert ("sum to" in messages) == over
    assert ("is above cap" in messages) == above


@given(
    st.lists(
        st.builds(
            Safety,
            which=WHICH,
            location=st.sampled_from([None, "WH", "ST"]),
            units=st.just(1),
            span=spans(),
        ),
        max_size=4,
    ),
    TAGS,
)
def test_a_safety_stock_is_unreachable_exactly_if_it_never_decides(
    stocks: list[Safety], tags: dict[str, tuple[str, ...]]
) -> None:
    numbered = tuple(replace(stock, units=n) for n, stock in enumerate(stocks))
    places = {name: LocationRule(name, "", "store", 0) for name in ("WH", "ST")}
    rules = Rules(locations=places, safeties=numbered, tags=tags)

    told = {f.path[1] for f in safeties_in(rules, classes_of(rules.safeties, tags))}

    decides, fits = set(), set()
    for moment, sku, place in itertools.product(MOMENTS, skus_of(rules), places):
        mine = [
            s.units
            for s in fitting(in_force(rules, moment), sku).safeties
            if s.location in (None, place)
        ]
        fits.update(mine)
        decides.update(mine[-1:])
    assert told == fits - decides


# --- patterns ---------------------------------------------------------------------------------------------------------


@given(st.lists(PATTERNS, max_size=4, unique=True))
@example(["*", "A*B", "*AB*"])
def test_every_set_of_patterns_that_some_sku_fits_is_found(patterns: list[str]) -> None:
    machine = automaton(patterns)
    rules = {p: Rules(overrides=(Override(Which(sku=p), None, cap=1),)) for p in patterns}

    def fits(sku: str) -> frozenset[str]:
        return frozenset(p for p, of in rules.items() if fitting(of, sku).overrides)

    found = kinds(patterns)

    assert {fits(sku) for sku in SKUS} <= set(found)
    assert all(fits(sku) == names == machine.fitting(sku) for names, sku in found.items())


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("TEE-*", "TEE-RED-*", True),
        ("TEE-RED-*", "TEE-*", False),
        ("*A*", "*BA*C", True),
        ("A*A", "AA", True),
        ("A*A", "A", False),
        ("*", "**", True),
    ],
)
def test_a_pattern_covers_what_fits_it_anyhow(wide: str, narrow: str, covered: bool) -> None:
    assert covers(wide, narrow) is covered


def tangled() -> list[str]:
    return [f"*{letter * 3}*" for letter in "ABCDEFGHIJKLMNOP"]


def test_patterns_that_overlap_in_too_many_ways_are_checked_one_by_one() -> None:
    with pytest.raises(TooMany):
        kinds(tangled())
    wild = "".join(override(f'sku = "{name}"\ncap = 1') for name in tangled())

    read(HOUSE + wild)

    assert "floor 5 is above cap 1" in "".join(
        problems(HOUSE + wild + override('sku = "*AAA*"\nchannel = "shop"\nfloor = 5'))
    )


# --- no false alarm ---------------------------------------------------------------------------------------------------


STATED = st.sampled_from(
    ["percent = 90", "weight = 2", "cap = 1", "floor = 9", "buffer = 3", "cut_off = 4"]
)


@given(
    st.dictionaries(
        st.text(alphabet="ABC-0", min_size=1, max_size=6),
        st.tuples(STATED, st.sampled_from(["", WEB]), st.sampled_from(["", "from = 2026-11-01"])),
        max_size=6,
    )
)
def test_overrides_of_skus_apart_are_never_refused(said: dict[str, tuple[str, str, str]]) -> None:
    # No channel of the house has a share, so that no percent of one can be too much with another's; one that is said
    # for all channels is.
    source = HOUSE + "".join(
        override(f'sku = "{sku}"\n{WEB if "percent" in stated else where}{stated}\n{season}')
        for sku, (stated, where, season) in said.items()
    )

    assert len(read(source).overrides) == len(said)


def test_five_thousand_overrides_are_checked_in_seconds() -> None:
    source = HOUSE + "".join(
        override(f'sku = "SKU-{n:05}"\n{WEB}percent = {n % 90}\ncap = {n + 1}')
        for n in range(5_000)
    )
    wide = "".join(override(f'sku = "SKU-{n:02}*"\n{WEB}floor = 0') for n in range(99))
    began = time.monotonic()

    document = read(source + wide)

    assert len(document.overrides) == 5_099
    assert time.monotonic() - began < 40
