"""The commands of supply: what is told is in the book, what is short is listed and exported."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import a_fact, balance, book, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from workers.wiring import now

SOON = (now() + timedelta(days=10)).date().isoformat()


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    stock_the_house(database.engine)
    return surroundings(database)


def supply(environment: dict[str, str], *command: str) -> Said:
    return lockstep("supply", *command, environment=environment)


def expect(environment: dict[str, str], units: int, *more: str, due: str = SOON) -> Said:
    return supply(
        environment, "expect", "MUG-RED", "--location", "OSLO", "--units", str(units), "--due", due,
        "--reference", "PO-7/1", *more,
    )  # fmt: skip


def test_what_is_told_is_incoming_and_listed(
    database: Database, environment: dict[str, str]
) -> None:
    said = expect(environment, 40, "--by", "ann")
    listed = supply(environment, "list", "--json")

    assert (said.code, said.out) == (0, f"PO-7/1: 40 of MUG-RED at OSLO, due {SOON}\n")
    assert balance(database.engine) == {"incoming": 40}
    assert listed.read == [
        {
            "reference": "PO-7/1", "sku": "MUG-RED", "location": "OSLO", "expected": 40,
            "received": 0, "due_at": f"{SOON}T00:00:00+00:00", "open_units": 40, "overdue": False,
        }
    ]  # fmt: skip
    assert "PO-7/1" in supply(environment, "list").out


def test_what_came_or_is_called_off_is_listed_no_longer(
    database: Database, environment: dict[str, str]
) -> None:
    expect(environment, 40)
    at = now()
    book(
        database.engine,
        a_fact("receipt", units=30, reference="PO-7/1", occurred_at=at),
        now=at,
    )
    (rest,) = supply(environment, "list", "--json").read
    expect(environment, 0)

    assert (rest["received"], rest["open_units"]) == (30, 10)
    assert supply(environment, "list", "--json").read == []
    assert balance(database.engine) == {"available": 30}


@pytest.mark.parametrize(
    ("due", "complaint"),
    [("soon", "no date"), ("2026-03-12T09:00", "no offset"), ("2026-13-01", "no date")],
)
def test_a_day_that_is_none_is_wrong_usage(
    environment: dict[str, str], due: str, complaint: str
) -> None:
    said = expect(environment, 4, due=due)

    assert said.code == 2
    assert complaint in said.err


def test_an_unknown_sku_is_said_at_once(environment: dict[str, str]) -> None:
    said = supply(
        environment, "expect", "NOBODY", "--location", "OSLO", "--units", "4", "--due", SOON,
        "--reference", "PO-8",
    )  # fmt: skip

    assert said.code == 4
    assert "unknown SKU 'NOBODY'" in said.err


def test_requests_are_listed_and_exported(database: Database, environment: dict[str, str]) -> None:
    at = now()
    late = (at - timedelta(days=1)).date().isoformat()
    for n, due in enumerate((SOON, late), 1):
        fact = a_fact(
            "pull_forward", id=f"p{n}", units=n, due_at=due, occurred_at=at, channel="grocer",
            order=f"PO{n}", line="1", reason="promised, and nothing covers it",
        )  # fmt: skip
        book(database.engine, fact, now=at)
    done = a_fact("pull_forward", id="p3", units=0, due_at=SOON, occurred_at=at, reason="filled")
    book(database.engine, done, now=at)

    rows = supply(environment, "requests", "--json").read
    table = supply(environment, "requests")
    exported = list(csv.DictReader(io.StringIO(supply(environment, "requests", "--csv").out)))

    assert [(r["order"], r["units"], r["due_at"][:10], r["overdue"]) for r in rows] == [
        ("PO2", 2, late, True),
        ("PO1", 1, SOON, False),
    ]
    assert "promised, and nothing covers it" in table.out
    assert [(r["order"], r["units"], r["channel"], r["sku"]) for r in exported] == [
        ("PO2", "2", "grocer", "MUG-RED"),
        ("PO1", "1", "grocer", "MUG-RED"),
    ]
    assert supply(environment, "requests", "--json", "--csv").code == 2


def test_what_can_be_promised_is_a_table_of_days(
    database: Database, environment: dict[str, str]
) -> None:
    at = now()
    book(database.engine, a_fact("receipt", units=5, occurred_at=at), now=at)
    expect(environment, 40)
    late = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    supply(
        environment, "expect", "MUG-RED", "--location", "BERGEN", "--units", "8", "--due", late,
        "--reference", "PO-1",
    )  # fmt: skip

    said = lockstep("sku", "atp", "MUG-RED", "--json", environment=environment)
    table = lockstep("sku", "atp", "MUG-RED", environment=environment)
    one = lockstep("sku", "atp", "MUG-RED", "--location", "OSLO", environment=environment)

    bergen, oslo = said.read["locations"]
    assert (bergen["location"], bergen["overdue_units"]) == ("BERGEN", 8)
    assert [(p["supply"], p["cumulative"], p["look_ahead"]) for p in oslo["periods"]] == [
        (0, 5, 5),
        (40, 45, 45),
    ]
    assert "look_ahead" in table.out
    assert "BERGEN: 8 should have come" in table.err
    assert "BERGEN" not in one.out + one.err


def test_a_bundle_has_nothing_to_promise_of_its_own(
    database: Database, environment: dict[str, str]
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO bundle VALUES ('MUG-BLUE', 'MUG-RED', 2)")

    said = lockstep("sku", "atp", "MUG-BLUE", environment=environment)
    unknown = lockstep("sku", "atp", "NOBODY", environment=environment)

    assert (said.code, unknown.code) == (1, 1)
    assert "ask for its parts: MUG-RED" in said.err
    assert "nothing is known of SKU 'NOBODY'" in unknown.err
