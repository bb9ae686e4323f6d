"""Settings at the command line: what is in force, what makes no sense, what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.command import lockstep


@pytest.fixture
def home(scratch: Path) -> dict[str, str]:
    return {"LOCKSTEP_HOME": str(scratch / "home")}


def test_what_was_set_is_told_with_its_origin_and_without_its_secret(home: dict[str, str]) -> None:
    said = lockstep(
        "config", "show", "--origin", "--json",
        environment=home | {
            "LOCKSTEP_RELAY_TOKEN": "hush",
            "LOCKSTEP_DATABASE_URL": "postgresql+psycopg://app:hush@db.example/lockstep",
        },
    )  # fmt: skip

    rows = {row["name"]: row for row in said.read}
    assert rows["LOCKSTEP_RELAY_TOKEN"]["value"] == "••• set"
    assert rows["LOCKSTEP_DATABASE_URL"]["value"] == (
        "postgresql+psycopg://app:•••@db.example/lockstep"
    )
    assert {row["origin"] for row in rows.values()} == {"set"}
    assert "hush" not in said.out


def test_settings_that_make_sense_are_said_to(home: dict[str, str]) -> None:
    said = lockstep("config", "check", environment=home)

    assert (said.code, said.out) == (0, "every setting makes sense\n")


def test_a_name_that_is_no_setting_is_told_with_the_one_it_may_have_meant(
    home: dict[str, str],
) -> None:
    said = lockstep("config", "check", environment=home | {"LOCKSTEP_RELAY_PROT": "9000"})

    assert said.code == 1
    assert "LOCKSTEP_RELAY_PROT is no setting: LOCKSTEP_RELAY_PORT?" in said.err


def test_a_value_that_makes_no_sense_is_told_without_it(home: dict[str, str]) -> None:
    said = lockstep("config", "check", environment=home | {"LOCKSTEP_RELAY_PORT": "hush"})

    assert said.code == 1
    assert "LOCKSTEP_RELAY_PORT: Input should be a valid integer" in said.err
    assert "hush" not in said.err


def test_the_schema_describes_every_setting_to_programs(home: dict[str, str]) -> None:
    said = lockstep("config", "schema", "--json", environment=home)

    assert json.loads(said.out)["properties"]["relay_port"]["maximum"] == 65535
