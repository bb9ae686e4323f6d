"""A filled sheet: everything wrong with it is named by its line, and what was left blank says nothing."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.counting.file import COLUMNS, REASONS, Line, read

HEAD = "sku,location,counted,reason,note,counted_at\n"


def faults(text: str, location: str | None = None) -> list[tuple[int, str]]:
    return [(fault.line, fault.what) for fault in read(text, location).faults]


def test_a_line_is_read_with_what_it_says_beside_the_number() -> None:
    at = "2026-03-02T09:00:00+01:00"

    sheet = read(
        f"{HEAD}MUG-RED,OSLO,23,Wrong Receipt,,\nMUG-BLUE , OSLO, 7 ,theft,back door,{at}\n"
    )

    assert sheet.lines == (
        Line(3, "MUG-BLUE", "OSLO", 7, "theft", "back door", datetime.fromisoformat(at)),
    )
    assert [fault.line for fault in sheet.faults] == [2]


def test_a_sheet_as_it_was_printed_and_one_with_semicolons_are_read() -> None:
    printed = ",".join(COLUMNS) + "\nMUG-RED,Red mug,OSLO,23,,,,tier A\n"

    assert read(printed).lines == read("sku;location;counted\nMUG-RED;OSLO;23\n").lines
    assert read("sku,counted\nMUG-RED,23\n", "OSLO").lines == read(printed).lines


def test_what_was_left_blank_was_not_counted() -> None:
    sheet = read(f"{HEAD}MUG-RED,OSLO,,,,\n\nMUG-BLUE,OSLO,0,,,\n,,,,,\n")

    assert (sheet.blank, [line.counted for line in sheet.lines]) == (1, [0])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("MUG-RED,OSLO,-1,,,", "counted -1 is below zero: a shelf holds 0 or more"),
        ("MUG-RED,OSLO,five,,,", "counted 'five' is no whole number: write digits only, or leave it blank"),
        ("MUG-RED,OSLO,5.0,,,", "counted '5.0' is no whole number: write digits only, or leave it blank"),
        ("MUG-RED,OSLO,²,,,", "counted '²' is no whole number: write digits only, or leave it blank"),
        ("MUG-RED,OSLO,99999999999,,,", "counted 99999999999 is more than 1000000000 units: correct it"),
        (",OSLO,5,,,", "no sku: say which was counted"),
        ("MUG-RED,,5,,,", "no location: say where it was counted"),
        ("MUG-RED,OSLO,5,aliens,,", f"reason 'aliens' is none of {', '.join(REASONS)}: write one, the rest into note"),
        ("MUG-RED,OSLO,5,,,noon", "counted_at 'noon' is no time: write 2026-03-12T09:00+01:00"),
        ("MUG-RED,OSLO,5,,,2026-03-02T09:00", "counted_at '2026-03-02T09:00' has no offset: write 2026-03-02T09:00Z,"
                                              " or 2026-03-02T09:00+01:00"),
        (f"MUG-RED,OSLO,5,,{'x' * 1001},", "the note is longer than 1000 characters: shorten it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line_and_what_to_do(line: str, why: str) -> None:
    assert faults(f"{HEAD}MUG-BLUE,OSLO,1,,,\n{line}\n") == [(3, why)]


def test_the_same_place_twice_names_both_lines() -> None:
    assert faults(f"{HEAD}MUG-RED,OSLO,5,,,\nMUG-RED,BERGEN,5,,,\nMUG-RED,OSLO,6,,,\n") == [
        (4, "MUG-RED at OSLO stands in line 2 already: keep one")
    ]


def test_missing_columns_are_named() -> None:
    said = "the first line must name sku, location, counted"
    assert faults("sku,units\nMUG,5\n") == [(1, f"no column location, counted; {said}")]
    assert faults("", "OSLO") == [(1, f"no column sku, counted; {said}")]


def test_every_line_that_is_wrong_is_told() -> None:
    assert [line for line, _ in faults(f"{HEAD}A,OSLO,x,,,\nB,OSLO,1,,,\nC,OSLO,-2,nope,,\n")] == [
        2,
        4,
        4,
    ]


@given(st.text(max_size=200) | st.text('sku,;"\n\r-0123,location,counted\0', max_size=200))
def test_whatever_is_given_is_read_or_refused(text: str) -> None:
    sheet = read(text)

    assert all(line.counted >= 0 and line.sku and line.location for line in sheet.lines)
    assert len({(line.sku, line.location) for line in sheet.lines}) == len(sheet.lines)
