"""Whatever is in a rule file, it is a document or a list of problems; and what is written is what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from allocation.document import Document, RuleFileError, read, read_stored, remarks, tables
from allocation.document.lines import line_of
from allocation.types import Override, Quota, Span, Which
from tests.allocation.rule_text import HOUSE, channel

EXAMPLE = (Path(__file__).parents[2] / "lockstep.example.toml").read_text()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def taken(source: str) -> None:
    """Read it all ways; what is refused says something of every problem."""
    for way in (read, read_stored):
        lines = len(source.splitlines()) + 1
        found = outcome(way, source)
        if isinstance(found, RuleFileError):
            assert found.problems
            assert all(problem.message for problem in found.problems)
            assert all(p.line is None or 1 <= p.line <= lines for p in found.problems)
        else:
            found.rules()
            found.model_dump_json(exclude_defaults=True)
            remarks(source, found, "f", NOW)


def outcome(way: Callable[[str, str], Document], source: str) -> Document | RuleFileError:
    try:
        return way(source, "f")
    except RuleFileError as error:
        return error


@given(st.text())
@example("\ufeff")
@example("a = " + "[" * 5_000)
@example("a = " + "9" * 5_000)
@example("a." * 5_000 + "a = 1")
@example("[channels." + "a." * 3_000 + "a]")
@example("[locations.WH]\nsafety_units = 1e99999999999999999999")
@example("[safety]\ndefault_units = nan")
@example("[exposure]\nrisk = 1e999999\nlag_s = -inf\nper_day = 1e999999999")
@example('[[protection]]\nchannel = "a"\nagainst = ["b"]\nmargin = 1e-999999\ndays = nan')
@example("[[overrides]]\nfrom = 0001-01-01\nuntil = 9999-12-31T23:59:59-12:00")
@example("[[overrides]]\nfrom = 10:00:00")
@example('[tags]\n"\\u0000" = ["\\u0000"]')
@example('[[overrides]]\nsku = "' + "*" * 128 + '"')
def test_any_text_is_a_document_or_problems(source: str) -> None:
    taken(source)


@given(st.integers(0, len(EXAMPLE)), st.integers(0, 40), st.text(max_size=5))
def test_an_example_that_was_damaged_anywhere_is_a_document_or_problems(
    at: int, length: int, put: str
) -> None:
    taken(EXAMPLE[:at] + put + EXAMPLE[at + length :])


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-3, 2_000_000),
        st.floats().map(lambda number: str(number).replace("inf", "1e400")),
        st.dates().map(str),
        st.sampled_from(["WH", "shop", "A", "A*", "*", "tag", ""]),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["units", "since", "x"]), inner, max_size=3),
    ),
    max_leaves=4,
)


def toml(value: object) -> str:
    """A value of Python in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case date():
            return value.isoformat()
        case Decimal() | int() | float():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{json.dumps(k)} = {toml(v)}' for k, v in value.items())} }}"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


KEYS: Mapping[str, type[BaseModel]] = {
    "[locations.WH]": tables.LocationTable,
    "[locations.WH.pickup]": tables.PickupTable,
    "[safety]": tables.SafetyTable,
    "[exposure]": tables.ExposureTable,
    "[tags]": tables.SplitTable,
    "[channels.shop]": tables.ChannelTable,
    "[[overrides]]": tables.OverrideTable,
    "[[safety_stock]]": tables.SafetyStockTable,
    "[[protection]]": tables.ProtectionTable,
}


@st.composite
def odd_tables(draw: st.DrawFn) -> str:
    header = draw(st.sampled_from(sorted(KEYS)))
    names = [field.alias or name for name, field in KEYS[header].model_fields.items()]
    said = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=5))
    return "\n".join([header, *(f"{name} = {toml(value)}" for name, value in said.items())])


@given(st.lists(odd_tables(), max_size=4))
def test_settings_with_any_values_are_a_document_or_problems(parts: list[str]) -> None:
    taken("\n".join(parts))


@given(odd_tables())
def test_one_odd_table_in_a_good_file_is_a_document_or_problems(part: str) -> None:
    taken(f"{HOUSE}{part}\n")


# --- what is written is what is read ----------------------------------------------------------------------------------

UNITS = st.none() | st.integers(0, 1_000_000_000)
INSTANTS = st.integers(946_800_000, 32_503_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
NAMES = st.text(min_size=1, max_size=20)
OVERRIDES = st.builds(
    Override,
    which=st.builds(Which, sku=NAMES) | st.builds(Which, tag=NAMES),
    channel=st.none() | NAMES,
    percent=st.none() | st.decimals(0, 100, places=2),
    weight=st.none() | st.integers(1, 1_000_000),
    buffer=UNITS,
    cap=UNITS,
    floor=UNITS,
    cut_off=UNITS,
    quota=st.none() | st.builds(Quota, st.integers(0, 10**9), INSTANTS),
    exclude=st.none() | st.booleans(),
    why=st.text(min_size=1).map(str.strip),
    span=st.builds(Span, st.none() | INSTANTS, st.none() | INSTANTS),
)


def fields_of(override: Override) -> Mapping[str, object]:
    said = {
        name: getattr(override, name)
        for name in (
            "channel",
            "percent",
            "weight",
            "buffer",
            "cap",
            "floor",
            "cut_off",
            "exclude",
            "why",
        )
    }
    said |= {"sku": override.which.sku, "tag": override.which.tag}
    said |= {"from": override.span.since, "until": override.span.until}
    if override.quota is not None:
        said["quota"] = {"units": override.quota.units, "since": override.quota.since}
    return {name: value for name, value in said.items() if value is not None}


@given(st.lists(OVERRIDES, max_size=4), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_overrides_are_read_as_they_were_written(overrides: list[Override], zone: str) -> None:
    source = f'timezone = "{zone}"\n' + "".join(
        "".join(["[[overrides]]\n", *(f"{n} = {toml(v)}\n" for n, v in fields_of(one).items())])
        for one in overrides
    )

    assert read_stored(source).rules().overrides == tuple(overrides)


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "quoted=key"), 2),
        (("a", "text"), 3),
        (("a", "after"), 7),
        (("a", "list", 1), 9),
        (("a", "list", 1, "k"), 9),
        (("a", "list", 2), 10),
        (("a", "c", 0), 12),
        (("a", "c", 0, "inner", "x"), 14),
        (("a", "c", 1, "inner", "x"), 17),
        (("a", "c", 1, "deep", 0, "y"), 19),
        (("a", "last"), 1),
    ],
)
def test_lines_are_found_through_strings_lists_and_tables_of_tables(
    path: tuple[int | str, ...], line: int
) -> None:
    source = (
        '[a]\n"quoted=key" = 1\ntext = """\n[no]\nneither = 1 # nor " this\n"""\nafter = \'#\' # "\n'
        "list = [ { k = 1 },\n  { k = [ { k = 2 } ] },\n  { k = 3 },\n]\n"
        "[[a.c]]\n[a.c.inner]\nx = 1\n[[a.c]]\n[a.c.inner]\nx = 2\n[[a.c.deep]]\ny = 1\n"
    )

    assert line_of(source, path) == line


def test_a_long_file_with_many_problems_is_read_in_seconds() -> None:
    source = channel("shop") + "".join(
        f'[[overrides]]\nsku = "A{n}"\nx = 1\n' for n in range(5_000)
    )

    with pytest.raises(RuleFileError) as caught:
        read(source)

    assert len(caught.value.problems) == 5_000
    assert caught.value.problems[-1].line == len(source.splitlines())
