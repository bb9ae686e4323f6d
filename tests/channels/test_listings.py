"""The mapping file: packs, units of measure, bundles, and every mistake by its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.listings import read
from channels.names import Part

HEADER = "listing,sku,units,uom\n"


def test_one_row_is_a_pack_and_several_rows_are_a_bundle() -> None:
    assortment = read(HEADER + "SIX,TEE,6,\nBOX,TEE,2,\nBOX,MUG,1,\n")

    assert assortment.problems == ()
    assert assortment.parts == {"SIX": (Part("TEE", 6),), "BOX": (Part("MUG", 1), Part("TEE", 2))}


def test_a_unit_of_measure_with_a_size_of_its_own_needs_no_units() -> None:
    assortment = read(HEADER + "A,MUG,,DZ\nB,MUG,,gr\nC,MUG,,\nD,MUG,24,CA\n")

    assert [parts[0].units for parts in assortment.parts.values()] == [12, 144, 1, 24]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("A,MUG,,CA", "2: A: how many units are in one CA? give units"),
        ("A,MUG,10,DZ", "2: A: one DZ is 12 units, not 10; correct one of them"),
        ("A,MUG,0,", "2: A: units must be a whole number from 1 to 1,000,000, not '0'"),
        ("A,MUG,1.5,", "2: A: units must be a whole number from 1 to 1,000,000, not '1.5'"),
        ("A,MUG,٣,", "2: A: units must be a whole number from 1 to 1,000,000, not '٣'"),
        (
            ",MUG,1,",
            "2: listing '' and SKU 'MUG' must both be given, at most 128 characters",
        ),
        ("A,MUG,1,\nA,MUG,2,", "3: A: MUG stands twice; say how many units of it there are"),
        ("A,MUG,1,\na,TEE,2,", "'a' and 'A' differ only by case; correct the wrong one"),
        ("A,MUG,1,XX", "2: A: 'XX' is not a unit of measure we know"),
    ],
)
def test_a_mistake_is_told_by_its_line(row: str, problem: str) -> None:
    (said,) = read(HEADER + row).problems

    assert said.startswith(problem)


@pytest.mark.parametrize("header", ["", "sku,units\n", "listing,sku,price\n", "{}\n"])
def test_a_file_with_another_header_is_refused_whole(header: str) -> None:
    assortment = read(header + "A,MUG,1\n")

    assert assortment.parts == {}
    assert assortment.problems[0].startswith("1: the header")


def test_a_byte_order_mark_blank_lines_and_missing_columns_do_no_harm() -> None:
    assortment = read("\ufefflisting,sku\r\n\r\nA,MUG\r\n,,\r\n")

    assert assortment.parts == {"A": (Part("MUG", 1),)}


@given(st.text(max_size=300))
def test_no_text_is_too_strange_to_be_read(source: str) -> None:
    assortment = read(HEADER + source.replace("\x00", ""))

    assert all(part.units >= 1 for parts in assortment.parts.values() for part in parts)
