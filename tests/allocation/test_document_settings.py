"""Every setting of the rule file, and the word of the engine that it becomes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from allocation.document import read, read_stored, remarks, tables
from allocation.types import Exposure, Pickup, Protection, Quota, Safety, Span, Which
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

EXAMPLE = Path(__file__).parents[2] / "lockstep.example.toml"


def test_a_channel_says_weight_cut_off_quota_and_what_a_mistake_costs() -> None:
    fields = (
        "weight = 3\ncut_off = 7\nquota = { units = 100, since = 2026-11-20 }\nexclude = true\n"
        "cost_oversell = 55.5\nmargin = 2\n"
    )

    (shop,) = read(PLACES + channel("shop", fields)).rules().channels

    assert (shop.rule.weight, shop.rule.claim, shop.rule.cut_off) == (3, 3, 7)
    assert shop.rule.quota == Quota(100, datetime(2026, 11, 20, tzinfo=UTC))
    assert shop.rule.excluded
    assert (shop.cost_oversell, shop.margin) == (Decimal("55.5"), Decimal(2))
    assert shop.rule.why == ("because",)


def test_an_override_says_its_tag_its_season_and_what_it_changes() -> None:
    fields = (
        'tag = "limited"\nchannel = "shop"\nfrom = 2026-11-27\nuntil = 2026-12-01\nweight = 2\n'
        "cut_off = 4\nquota = { units = 9, since = 2026-11-27 }\nexclude = false"
    )

    rules = read(f'{HOUSE}{override(fields)}[tags]\nlimited = ["TEE-1", "CAP-*"]\n').rules()

    (found,) = rules.overrides
    assert rules.tags == {"limited": ("TEE-1", "CAP-*")}
    assert found.which == Which(tag="limited")
    assert found.span == Span(datetime(2026, 11, 27, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert (found.weight, found.cut_off, found.exclude) == (2, 4, False)
    assert found.quota == Quota(9, datetime(2026, 11, 27, tzinfo=UTC))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-27", datetime(2026, 11, 26, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-11-27T06:30:00", datetime(2026, 11, 27, 5, 30, tzinfo=UTC)),
        ("2026-11-27T06:30:00-05:00", datetime(2026, 11, 27, 11, 30, tzinfo=UTC)),
        ("2026-11-27T06:30:00Z", datetime(2026, 11, 27, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_date_is_midnight_in_the_time_zone_of_the_file(written: str, meant: datetime) -> None:
    source = f'timezone = "Europe/Oslo"\n{HOUSE}' + override(
        f'sku = "A"\ncap = 1\nfrom = {written}'
    )

    (found,) = read(source).rules().overrides

    assert found.span.since == meant
    assert found.span.since is not None
    assert found.span.since.utcoffset() == timedelta(0)


def test_safety_stock_is_said_in_units_days_or_service() -> None:
    source = HOUSE + "".join(
        safety(fields)
        for fields in (
            'sku = "A"\nlocation = "WH"\nunits = 4',
            'sku = "B-*"\ndays = 2.5\nuntil = 2027-01-01',
            'sku = "C"\nservice = 0.98\nlead_days = 21\nlead_sd_days = 4',
        )
    )

    assert read(source).rules().safeties == (
        Safety(Which("A"), "WH", units=4, why="because"),
        Safety(
            Which("B-*"),
            None,
            days=Decimal("2.5"),
            why="because",
            span=Span(None, datetime(2027, 1, 1, tzinfo=UTC)),
        ),
        Safety(
            Which("C"),
            None,
            service=Decimal("0.98"),
            lead_days=Decimal(21),
            lead_sd_days=Decimal(4),
            why="because",
        ),
    )


def test_a_protection_is_of_all_skus_unless_it_says_which() -> None:
    source = HOUSE + "".join(
        protection(fields)
        for fields in (
            'channel = "shop"\nagainst = ["market"]\nunits = 5',
            'channel = "shop"\nagainst = ["market"]\nsku = "A"\nmargin = 20\nagainst_margin = 12\ndays = 3',
        )
    )

    assert read(source).rules().protections == (
        Protection(Which("*"), "shop", ("market",), units=5, why="because"),
        Protection(
            Which("A"),
            "shop",
            ("market",),
            margin=Decimal(20),
            against_margin=Decimal(12),
            days=Decimal(3),
            why="because",
        ),
    )


def test_a_location_says_whether_orders_may_be_picked_up_there() -> None:
    pickup = (
        "[locations.ST.pickup]\nconfidence = 0.9\nthreshold = 2\nhours = 4\nloss_per_day = 0.1\n"
    )

    places = read(f'{HOUSE}{pickup}why = "walk-ins"\n').rules().locations

    assert places["ST"].pickup == Pickup(0.9, 2, 4.0, 0.1, "walk-ins")
    assert places["WH"].pickup is None
    assert read(f"{HOUSE}[locations.ST.pickup]\n").rules().locations["ST"].pickup == Pickup()


def test_exposure_is_said_once_for_the_house() -> None:
    fields = "on = false\nrisk = 0.05\nlag_s = 90\nper_day = 5\nhysteresis = 0.5\n"

    assert read(f'{HOUSE}[exposure]\n{fields}why = "x"\n').rules().exposure == Exposure(
        on=False, risk=0.05, lag_s=90.0, per_day=5.0, hysteresis=0.5
    )
    assert read(f"{HOUSE}[exposure]\non = false\n").rules().exposure == Exposure(on=False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("weight = 0", "channels.shop.weight: input should be greater than or equal to 1"),
        ("weight = 1.5", "channels.shop.weight: input should be a valid integer, but it is 1.5"),
        ("margin = true", "channels.shop.margin: input should be a number, but it is true"),
        (
            "cost_oversell = -1",
            "channels.shop.cost_oversell: input should be greater than or equal",
        ),
        ("quota = 5", "channels.shop.quota: is 5 and no table; write [channels.shop.quota]"),
        ("quota = { units = 5 }", "channels.shop.quota.since: is missing; add since = ..."),
        (
            'quota = { units = 5, since = "2026-11-20" }',
            "channels.shop.quota.since: input should be a date (2026-11-20) or a date with time"
            " (2026-11-20T18:00:00), without quotes, but it is '2026-11-20'; correct the value",
        ),
        (
            "quota = { units = 5, since = 1026-11-20 }",
            "channels.shop.quota.since: input should be a year from 2000 to 2999",
        ),
        (
            "quota = { units = 5, snce = 2026-11-20 }",
            "channels.shop.quota.snce: is not a setting; did you mean since?",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_line(line: str, problem: str) -> None:
    found = problems(PLACES + channel("shop", f"{line}\n"))

    assert any(f"8: {problem}" in entry for entry in found), found


@pytest.mark.parametrize("name", ["Europe/Olso", "", "../UTC", "America", "Europe/Oslo\\u0000"])
def test_a_time_zone_that_does_not_exist_is_refused(name: str) -> None:
    (problem,) = problems(f'timezone = "{name}"\n{HOUSE}')

    assert problem.startswith(
        "1: timezone: input should be the name of a time zone, such as Europe/Oslo, but it is "
    )


def test_one_bracket_where_two_are_needed_is_told() -> None:
    (problem,) = problems(f'{HOUSE}[overrides]\nsku = "A"\n')

    assert problem == (
        f"{LINES + 1}: overrides: is no list of tables; write [[overrides]] above each, with two brackets"
    )


# --- reasons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("[locations.FAR]\nsafety_units = 0\n", "locations.FAR.why"),
        ("[safety]\ndefault_units = 1\n", "safety.why"),
        ("[locations.ST.pickup]\nhours = 2\n", "locations.ST.pickup.why"),
        ("[exposure]\nrisk = 0.05\n", "exposure.why"),
        ('[[overrides]]\nsku = "A"\ncap = 1\nwhy = "  "\n', "overrides.0.why"),
        ('[[safety_stock]]\nsku = "A"\nunits = 1\n', "safety_stock.0.why"),
        ('[[protection]]\nchannel = "shop"\nagainst = ["market"]\nunits = 1\n', "protection.0.why"),
    ],
)
def test_whatever_states_a_number_says_why(table: str, where: str) -> None:
    (problem,) = problems(HOUSE + table)

    assert f": {where}: is missing; add why = ..." in problem
    assert int(problem.split(":")[0]) > LINES


@pytest.mark.parametrize(
    "field",
    [
        "percent = 5",
        "weight = 1",
        "buffer = 0",
        "cap = 1",
        "floor = 0",
        "cut_off = 1",
        "quota = { units = 1, since = 2026-01-01 }",
        "exclude = true",
    ],
)
def test_a_channel_owes_a_reason_where_it_states_a_number(field: str) -> None:
    (problem,) = problems(PLACES + channel("shop", f"{field}\n", why=False))

    name = field.split(" ")[0]
    assert problem == (
        f"3: channels.shop.why: is missing; add why = ... (the channel states {name})"
    )


def test_what_states_no_number_owes_no_reason() -> None:
    source = (
        PLACES
        + channel("shop", "hide_at_zero = true\n", why=False)
        + "[safety]\ndefault_units = 0\n[exposure]\non = true\n"
    )

    assert len(read(source).rules().channels) == 1


# --- what is in force -------------------------------------------------------------------------------------------------


def test_what_is_in_force_is_read_by_its_shape_alone() -> None:
    source = (
        PLACES
        + channel("shop", "percent = 80\ncap = 1\nfloor = 2\n", why=False)
        + channel("market", "percent = 80\n", why=False)
        + '[[overrides]]\nsku = "A"\ntag = "nobody"\nchannel = "gone"\n[[overrides]]\ncap = 1\n'
    )
    assert problems(source)

    rules = read_stored(source).rules()

    assert [channel.rule.percent for channel in rules.channels] == [80, 80]


def test_a_document_is_kept_as_json_with_its_moments() -> None:
    kept = json.loads(read(EXAMPLE.read_text()).model_dump_json(exclude_defaults=True))

    assert (kept["overrides"][3]["from"], kept["overrides"][3]["until"]) == (
        "2026-11-27",
        "2026-12-01T06:00:00",
    )


# --- remarks ----------------------------------------------------------------------------------------------------------


def test_what_may_not_be_meant_is_remarked() -> None:
    source = HOUSE + "".join(
        [
            '[tags]\nspare = ["A", "A", "B-*", "B-RED-*", "B-1"]\nused = ["C"]\n',
            override('tag = "used"\nchannel = "shop"\ncap = 1\nuntil = 2026-01-01'),
            override('sku = "D"\nquota = { units = 5, since = 2026-06-01 }'),
        ]
    )
    now = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=1)))

    found = [str(problem) for problem in remarks(source, read(source), "f", now)]

    assert found == [
        f"f:{LINES + 2}: tags.spare: is used by nothing",
        f"f:{LINES + 2}: tags.spare.1: A is named before",
        f"f:{LINES + 2}: tags.spare.3: B-RED-* is covered by B-*",
        f"f:{LINES + 2}: tags.spare.4: B-1 is covered by B-*",
        f"f:{LINES + 8}: overrides.0.until: is over since 2026-01-01 00:00 UTC",
        f"f:{LINES + 12}: overrides.1.quota: begins in the future, at 2026-06-01 00:00 UTC",
    ]


# --- the example ------------------------------------------------------------------------------------------------------


def settings_of(table: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in table.model_fields.items()}


@pytest.mark.parametrize(
    "table",
    [
        kind
        for kind in vars(tables).values()
        if isinstance(kind, type) and issubclass(kind, tables.Table)
    ],
)
def test_the_example_shows_every_setting(table: type[BaseModel]) -> None:
    written = EXAMPLE.read_text()

    missing = {
        name
        for name in settings_of(table)
        if not re.search(rf"\b{name}\b *(=|\.|\]|,|  )", written)
    }

    assert missing == set()


def test_nothing_in_the_example_is_worth_a_remark_but_its_dates() -> None:
    source = EXAMPLE.read_text()
    late = datetime(2026, 11, 25, tzinfo=UTC)

    assert remarks(source, read(source), "f", late) == []
