"""`lockstep history import`: past events through the real door, and files that are no history."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database

EVENTS = """\
seq,event_id,occurred_at,event_type,channel,location_id,sku,quantity_delta,order_id,line_no,reason_code,reason_text,ref
1,E1,2026-01-02 09:00:00,receipt,,OSLO,MUG,10,,,,,PO-1
2,E2,2026-01-02 10:00:00,order,web,OSLO,MUG,-3,1001,1,,,
3,E3,2026-01-03 10:00:00,order_cancel,web,OSLO,MUG,1,1001,1,,,E2
4,E4,2026-01-04 10:00:00,write_off,,OSLO,MUG,-2,,,BROKEN,fell,
"""
BALANCES = "sku,location_id,opening,closing\nMUG,OSLO,5,11\n"
Files = Callable[..., list[str]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def write(events: str = EVENTS, opening: str = BALANCES, closing: str = BALANCES) -> list[str]:
        (tmp_path / "events.csv").write_text(events)
        (tmp_path / "opening.csv").write_text(opening)
        (tmp_path / "closing.csv").write_text(closing)
        return [
            "history", "import", str(tmp_path / "events.csv"),
            "--opening", str(tmp_path / "opening.csv"), "--tie-out", str(tmp_path / "closing.csv"),
        ]  # fmt: skip

    return write


@pytest.fixture
def run(database: Database) -> Callable[..., Said]:
    return lambda *command: lockstep(*command, environment=surroundings(database))


def test_a_history_that_ties_out_is_code_0(run: Callable[..., Said], files: Files) -> None:
    said = run(*files(), "--json")

    assert (said.code, said.read["events"], said.read["differences"]) == (0, 4, 0)
    assert (said.read["applied"], said.read["closing_units"]) == (4, 11)


def test_what_is_to_come_is_imported_and_ties_out_without_being_on_hand(
    run: Callable[..., Said], files: Files
) -> None:
    events = EVENTS.replace(",ref\n", ",ref,due_at\n", 1) + (
        "5,E5,2026-01-01 08:00:00,expected,,OSLO,MUG,12,,,,,PO-1,2026-01-05\n"
        "6,E6,2026-01-04 11:00:00,pull_forward,,OSLO,MUG,4,,,,needed for the fair,,2026-01-09\n"
    )

    said = run(*files(events), "--json")

    assert (said.code, said.read["parked"], said.read["differences"]) == (0, 0, 0)
    # Ten of the twelve came before anybody said what to expect.
    (supply,) = run("supply", "list", "--json").read
    (request,) = run("supply", "requests", "--json").read
    assert (supply["expected"], supply["received"], supply["due_at"][:10]) == (12, 10, "2026-01-05")
    assert (request["units"], request["reason"]) == (4, "needed for the fair")


def test_a_second_import_changes_nothing(run: Callable[..., Said], files: Files) -> None:
    run(*files())

    said = run(*files(), "--json")

    assert (said.code, said.read["duplicates"], said.read["differences"]) == (0, 4, 0)


def test_differences_are_code_3_and_named(run: Callable[..., Said], files: Files) -> None:
    said = run(*files(closing=BALANCES.replace("11", "12")))

    assert said.code == 3
    assert "MUG at OSLO: expected 12, the book has 11" in said.out


@pytest.mark.slow
def test_a_throw_away_house_needs_nothing_but_the_files(files: Files, tmp_path: Path) -> None:
    said = lockstep(
        *files(),
        "--ephemeral",
        "--disturb",
        "7",
        environment={"LOCKSTEP_HOME": str(tmp_path / "h")},
    )

    assert said.code == 0
    assert "0 differences" in said.out
    assert not (tmp_path / "h").exists()


def test_gzip_and_zones_are_read(run: Callable[..., Said], files: Files, tmp_path: Path) -> None:
    command = files()
    packed = tmp_path / "events.csv.gz"
    packed.write_bytes(gzip.compress(EVENTS.encode()))

    said = run(*command[:2], str(packed), *command[3:], "--timezone", "Europe/Oslo")

    assert said.code == 0


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ("", "no column"),
        ("a,b\n1,2\n", "no column event_id"),
        (EVENTS.replace("sku", "item"), "no column sku"),
    ],
)
def test_a_file_without_its_columns_is_refused(
    run: Callable[..., Said], files: Files, events: str, reason: str
) -> None:
    said = run(*files(events=events))

    assert said.code == 1
    assert reason in said.err


def test_a_file_that_only_says_it_is_packed_is_refused(
    run: Callable[..., Said], files: Files, tmp_path: Path
) -> None:
    command = files()
    (tmp_path / "fake.csv.gz").write_text(EVENTS)

    said = run(*command[:2], str(tmp_path / "fake.csv.gz"), *command[3:])

    assert said.code == 1
    assert "fake.csv.gz cannot be read" in said.err


def test_files_and_zones_that_are_not_there_are_wrong_usage(
    run: Callable[..., Said], files: Files
) -> None:
    command = files()

    assert run(*command[:2], "nowhere.csv", *command[3:]).code == 2
    assert run(*command, "--timezone", "Middle/Earth").code == 2


@pytest.mark.parametrize(
    "rubbish",
    [
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO,MUG,many,,,,,\n",
        "5,E5,yesterday,receipt,,OSLO,MUG,1,,,,,\n",
        "5,E5,2026-01-04 10:00:00,gift,,OSLO,MUG,1,,,,,\n",
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO,MUG,1.5,,,,,\n",
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO,MUG,99999999999999999999999,,,,,\n",
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO,,1,,,,,\n",
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO,x\x07y,1,,,,,\n",
        "5,E5,2026-01-04 10:00:00,receipt,,OSLO," + "x" * 129 + ",1,,,,,\n",
        "5,E5\n",
        "5,,2026-01-04 10:00:00,receipt,,OSLO,MUG,1,,,,,\n",
    ],
)
def test_a_rubbish_row_is_named_and_the_rest_is_imported(
    run: Callable[..., Said], files: Files, rubbish: str
) -> None:
    said = run(*files(events=EVENTS + rubbish), "--json")

    assert said.code == 0, said.err
    assert (said.read["applied"], said.read["parked"], said.read["differences"]) == (4, 1, 0)
    assert said.read["first_parked"]


@pytest.mark.parametrize("closing", ["MUG,OSLO,5,eleven", "MUG,OSLO,5,", "MUG"])
def test_a_closing_balance_that_is_no_number_is_refused_by_name(
    run: Callable[..., Said], files: Files, closing: str
) -> None:
    said = run(*files(closing=f"sku,location_id,opening,closing\n{closing}\n"))

    assert said.code in (1, 3)
    assert "closing.csv" in said.err or "MUG" in said.out
