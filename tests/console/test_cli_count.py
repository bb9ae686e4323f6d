"""`lockstep count`: a plan to be filled, the sheet handed in, recounts, and the two reports."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.counting.file import COLUMNS
from tests.builders import a_fact, balance, book, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database

HOUR = timedelta(hours=1)


@pytest.fixture
def stocked(database: Database) -> Database:
    """28 red mugs and 100 blue ones in Oslo, since an hour ago."""
    stock_the_house(database.engine)
    now = datetime.now(UTC)
    facts = [
        a_fact("receipt", id=sku, sku=sku, units=units, occurred_at=now - HOUR)
        for sku, units in (("MUG-RED", 28), ("MUG-BLUE", 100))
    ]
    book(database.engine, *facts, now=now)
    return database


def count(database: Database, *words: str) -> Said:
    return lockstep("count", *words, environment=surroundings(database))


def a_file(folder: Path, *lines: str) -> str:
    path = folder / "sheet.csv"
    path.write_text("\n".join(("sku,location,counted,reason", *lines, "")))
    return str(path)


def test_a_plan_is_printed_filled_and_handed_in(stocked: Database, tmp_path: Path) -> None:
    count(stocked, "order", "MUG-RED", "--location", "OSLO", "--reason", "looks empty")
    printed = count(stocked, "plan", "--csv").out
    (row,) = csv.DictReader(io.StringIO(printed))
    assert list(row) == list(COLUMNS)
    assert (row["sku"], row["counted"], row["why"]) == ("MUG-RED", "", "person")
    filled = tmp_path / "filled.csv"
    filled.write_text(printed.replace("OSLO,,", "OSLO,28,"))

    said = count(stocked, "submit", str(filled))

    assert said.code == 0, said.err
    assert "within 1, outside 0, escalated 0" in said.out
    assert count(stocked, "orders", "--json").read == []
    assert count(stocked, "plan", "--json").read == []


def test_a_count_that_is_far_off_is_told_at_once(stocked: Database, tmp_path: Path) -> None:
    file = a_file(tmp_path, "MUG-RED,OSLO,23,theft", "MUG-BLUE,OSLO,,")

    said = count(stocked, "submit", file, "--by", "ann", "--json")

    assert said.code == 3, said.err
    assert [said.read[name] for name in ("lines", "blank", "escalated", "units")] == [1, 1, 1, -5]
    assert said.read["alarms"] == ["count.variance place:MUG-RED@OSLO"]
    (line,) = said.read["counts"]
    assert (line["variance"], line["percent"], line["verdict"]) == (-5, -17.857, "escalated")
    listed = lockstep("alarm", "list", "--json", environment=surroundings(stocked))
    assert [alarm["rule"] for alarm in listed.read] == ["count.variance"]
    assert count(stocked, "orders", "--json").code == 3
    (planned,) = count(stocked, "plan", "--location", "OSLO", "--json").read
    assert planned["why"] == ["count.variance"]


def test_the_same_file_twice_says_so(stocked: Database, tmp_path: Path) -> None:
    file = a_file(tmp_path, "MUG-BLUE,OSLO,99,damage")
    count(stocked, "submit", file)

    said = count(stocked, "submit", file)

    assert said.code == 0
    assert "was booked before" in said.err
    assert balance(stocked.engine, "MUG-BLUE") == {"available": 99}


def test_what_is_wrong_is_said_line_by_line_and_nothing_is_booked(
    stocked: Database, tmp_path: Path
) -> None:
    file = a_file(tmp_path, "MUG-RED,OSLO,-1,", "MUG-BLUE,OSLO,x,", "MUG-BLUE,OSLO,7,")

    said = count(stocked, "submit", file, "--json")

    assert said.code == 1
    assert [fault["line"] for fault in said.read["faults"]] == [2, 3, 4]
    assert f"{file}:2: counted -1 is below zero: a shelf holds 0 or more" in said.err
    assert balance(stocked.engine) == {"available": 28}


def test_a_time_is_given_with_its_offset(stocked: Database, tmp_path: Path) -> None:
    file = a_file(tmp_path, "MUG-RED,OSLO,28,")

    assert "has no offset" in count(stocked, "submit", file, "--at", "2026-03-02T09:00").err
    at = (datetime.now(UTC) - HOUR / 2).isoformat()
    assert count(stocked, "submit", file, "--at", at).code == 0


def test_sheets_are_blind_unless_asked(stocked: Database) -> None:
    count(stocked, "order", "MUG-RED", "--location", "OSLO", "--reason", "looks empty")

    blind, seeing = (count(stocked, "plan", "--sheet", *more).out for more in ((), ("--book",)))

    assert "MUG-RED" in blind
    assert "28" not in blind.split("\n", 1)[1]
    assert "book     28" in seeing
    assert count(stocked, "plan", "--sheet", "--json").code == 2


def test_a_plan_of_a_place_that_is_not_there_names_those_that_are(stocked: Database) -> None:
    said = count(stocked, "plan", "--location", "PARIS")

    assert (said.code, "nobody counts at 'PARIS'; locations are BERGEN, OSLO" in said.err) == (
        1,
        True,
    )


def test_a_recount_is_ordered_of_what_there_is(stocked: Database) -> None:
    said = count(stocked, "order", "MUG-GREEN", "--location", "OSLO", "--reason", "gone")

    assert said.code == 1
    assert "check both names" in said.err


def test_accuracy_tells_of_the_house_and_leaves_recounts_out(
    stocked: Database, tmp_path: Path
) -> None:
    count(stocked, "submit", a_file(tmp_path, "MUG-RED,OSLO,23,theft", "MUG-BLUE,OSLO,99,damage"))
    count(stocked, "submit", a_file(tmp_path, "MUG-RED,OSLO,23,"))

    rows = count(stocked, "accuracy", "--weeks", "1", "--json").read

    scopes = {(row["location"], row["tier"]): row for row in rows}
    assert (scopes["all", "all"]["counted"], scopes["all", "all"]["ira"]) == (2, 0.5)
    assert scopes["OSLO", "C"]["rolling_ira"] == 0.5
    lines = count(stocked, "accuracy", "--weeks", "1", "--csv").out.splitlines()
    assert (
        lines[0]
        == "week,location,tier,counted,within,ira,rolling_counted,rolling_within,rolling_ira"
    )
    assert len(lines) == 1 + len(rows)


def test_shrinkage_in_units_money_and_percent_of_sales(stocked: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    quarter = f"{now.year}Q{(now.month + 2) // 3}"
    facts = [
        a_fact("ship", id="sold", sku="MUG-BLUE", units=10, channel="till", occurred_at=now),
        a_fact("write_off", id="broken", sku="MUG-BLUE", units=2, occurred_at=now),
        a_fact("write_off", id="slip", sku="MUG-BLUE", units=50, occurred_at=now),
        a_fact("reversal", id="back", reverses_source="wms", reverses_id="slip", reason="slip", occurred_at=now),
    ]  # fmt: skip
    book(stocked.engine, *facts, now=now)
    count(stocked, "submit", a_file(tmp_path, "MUG-RED,OSLO,23,theft", "MUG-BLUE,OSLO,89,found"))
    worth = tmp_path / "worth.csv"
    worth.write_text("sku,cost,price\nMUG-BLUE,4.50,12\n")
    assert count(stocked, "worth", str(worth)).out == "1 SKUs\n"

    rows = count(stocked, "shrinkage", "--quarter", quarter, "--json").read

    found = {(row["location"], row["reason"]): row for row in rows}
    assert [found["OSLO", reason]["units"] for reason in ("theft", "found", "write_off")] == [
        5,
        -1,
        2,
    ]
    all_of_it = found["all", "all"]
    assert (all_of_it["lost"], all_of_it["found"], all_of_it["units"]) == (7, 1, 6)
    assert (all_of_it["cost"], all_of_it["uncosted_units"]) == (4.5, 5)
    assert (all_of_it["sold_units"], all_of_it["sales"]) == (10, 120.0)
    assert (all_of_it["percent_of_sales"], all_of_it["percent_of_units"]) == (3.75, 60.0)
    lines = count(stocked, "shrinkage", "--quarter", quarter, "--csv").out.splitlines()
    assert len(lines) == 1 + len(rows)


def test_a_quarter_is_named(stocked: Database) -> None:
    said = count(stocked, "shrinkage", "--quarter", "2026-4")

    assert (said.code, "write 2026Q4" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("MUG-GREEN,1,2", "unknown SKU 'MUG-GREEN'"),
        ("MUG-RED,free,2", "'free' is no amount: write 12.50"),
        ("MUG-RED,-1,2", "'-1' is no amount of 0 to"),
        ("MUG-RED,1,2\nMUG-RED,1,3", "MUG-RED stands twice: keep one"),
    ],
)
def test_what_a_unit_cannot_be_worth_is_refused(
    stocked: Database, tmp_path: Path, line: str, why: str
) -> None:
    file = tmp_path / "worth.csv"
    file.write_text(f"sku,cost,price\n{line}\n")

    said = count(stocked, "worth", str(file))

    assert said.code == 1
    assert why in said.err
