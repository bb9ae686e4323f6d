"""What keeps drifting, by command: causes, debt, owners, quarters, quarantine."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import text

from tests.console.command import Said, lockstep, surroundings
from tests.reconcile.house import furnish, rows
from tests.servers import Clock, Database
from workers.wiring import now

NOW = now()
QUARTER = f"{NOW.year}Q{(NOW.month + 2) // 3}"

_DRIFT = """
    INSERT INTO drift (channel, sku, location, expected, actual, cause, action, times, seen_at, last_at)
    VALUES ('shopify', :sku, 'OSLO', 30, 36, :cause, 're-push', 3, :at, :at)
"""


@pytest.fixture
def environment(database: Database, clock: Clock) -> dict[str, str]:
    """A shop with a swallowed update and an unknown drift, both open."""
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    with database.engine.begin() as connection:
        for sku, cause in (("TEA-1", "swallowed_update"), ("TEA-2", "unknown")):
            connection.execute(text(_DRIFT), {"sku": sku, "cause": cause, "at": NOW})
    return surroundings(database)


def recon(environment: dict[str, str], *command: str) -> Said:
    return lockstep("recon", *command, environment=environment)


def test_causes_are_counted_and_the_unknown_stand_out(environment: dict[str, str]) -> None:
    said, read = recon(environment, "causes"), recon(environment, "causes", "--json")

    assert said.code == read.code == 3
    assert "unknown: 50.0 % (goal under 5 %)" in said.out
    assert read.read["unknown_share"] == 0.5
    assert {row["cause"] for row in read.read["causes"]} == {"swallowed_update", "unknown"}
    assert "without a cause: 50.0 %" in recon(environment, "status").out


def test_debt_names_its_owner(environment: dict[str, str]) -> None:
    recon(environment, "owner", "shop team", "--channel", "shopify", "--by", "ann")

    said, read = recon(environment, "debt"), recon(environment, "debt", "--json")

    assert said.code == read.code == 3
    assert "shop team" in said.out
    assert [(row["sku"], row["units"], row["owner"]) for row in read.read] == [
        ("TEA-1", 6, "shop team"),
        ("TEA-2", 6, "shop team"),
    ]


def test_a_quarter_is_reported_in_three_forms(environment: dict[str, str]) -> None:
    said = recon(environment, "report", "--quarter", QUARTER)
    read = recon(environment, "report", "--quarter", QUARTER, "--json").read
    table = list(
        csv.DictReader(io.StringIO(recon(environment, "report", "--quarter", QUARTER, "--csv").out))
    )

    assert said.code == 0
    assert "shopify" in said.out
    assert read["channels"][0]["drifts"] == 2
    assert {(row["channel"], row["cause"], row["drifts"]) for row in table} == {
        ("shopify", "swallowed_update", "1"),
        ("shopify", "unknown", "1"),
    }


def test_a_quarter_that_is_none_is_a_usage_error(environment: dict[str, str]) -> None:
    assert recon(environment, "report", "--quarter", "2026Q5").code == 2


def test_a_place_is_released_by_name_and_reason(
    database: Database, environment: dict[str, str]
) -> None:
    rows(
        database.engine,
        "INSERT INTO quarantine (channel, sku, location, cause, reason, since)"
        " VALUES ('shopify', 'TEA-1', 'OSLO', 'unknown', 'pushed 4 times', :now) RETURNING 1",
        now=NOW,
    )

    standing = recon(environment, "quarantine")
    done = recon(environment, "release", "TEA-1", "--channel", "shopify", "--reason", "mended")
    again = recon(environment, "release", "TEA-1", "--channel", "shopify", "--reason", "mended")

    assert (standing.code, "pushed 4 times" in standing.out) == (3, True)
    assert (done.code, done.out) == (0, "released: TEA-1 at OSLO\n")
    assert again.code == 1
    assert "lockstep recon quarantine" in again.err
    assert recon(environment, "quarantine").code == 0
    assert rows(database.engine, "SELECT sku, parked FROM push_due") == [("TEA-1", False)]


@pytest.mark.parametrize("said", ["TEA-1", "TEA-1=", "=5", "TEA-1=-5", "TEA-1=many"])
def test_what_somebody_sees_is_said_as_sku_and_units(
    environment: dict[str, str], said: str
) -> None:
    answer = recon(environment, "run", "shopify", "--shows", said)

    assert answer.code == 2
    assert "is no SKU=UNITS or SKU@LOCATION=UNITS" in answer.err
