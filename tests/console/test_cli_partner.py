"""The commands of partner programs and of alarms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po
from tests.workers.program_rig import held
from workers.flows import program_watch


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    # Commands go by the real clock.
    clock.now = datetime.now(UTC).replace(microsecond=0)
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=1000)
    return grocer


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    return surroundings(database)


def reserve(grocer: Grocer, environment: dict[str, str], *more: str, name: str = "SPRING") -> Said:
    """Reserve MUG from thirty days ago until in sixty."""
    since, until = (grocer.clock.now + timedelta(days=days) for days in (-30, 60))
    window = ["--from", f"{since:%Y-%m-%dT%H:%M:%S}", "--until", f"{until:%Y-%m-%dT%H:%M:%S}"]
    what = ["--sku", "MUG", "--location", "WH", "--name", name, "--by", "ann", "--reason", "spring"]
    return lockstep("partner", "reserve", "grocer", *what, *window, *more, environment=environment)


def test_a_program_is_made_seen_burnt_and_released(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    made = reserve(grocer, environment, "--percent", "40", "--policy", "overflow")
    assert (made.code, made.out) == (
        0,
        "400 of MUG at WH are reserved (40% of 1000 available)\n",
    ), made.err

    grocer.send(po(line(1, 220)))
    grocer.run()
    burn = lockstep("partner", "burn", "SPRING", "--json", environment=environment)
    listed = lockstep("partner", "list", "--alarm", "--json", environment=environment)
    shown = lockstep("partner", "show", "SPRING", environment=environment)

    assert (burn.code, listed.code, shown.code) == (3, 3, 0)
    (row,) = burn.read
    assert [row[name] for name in ("agreed", "used", "shipped", "left", "alarm")] == [
        400,
        220,
        0,
        180,
        True,
    ]
    assert (round(row["days"]), round(row["projected"]), row["cover_weeks"]) == (30, 660, None)
    assert [each["program"] for each in listed.read] == ["SPRING"]
    assert "made by ann" in shown.out
    assert "40% of 1000 available" in shown.out

    some = lockstep(
        "partner", "release", "SPRING", "--units", "80", "--reason", "x", environment=environment
    )
    rest = lockstep("partner", "release", "SPRING", "--reason", "x", environment=environment)
    assert some.out == "80 units of SPRING are free\n"
    assert rest.out == "100 units of SPRING are free; it has ended\n"
    assert lockstep("partner", "list", environment=environment).code == 0
    assert held(grocer) == (780, 220, 0)


def test_what_cannot_be_reserved_is_refused_with_exit_code_5(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    refused = reserve(grocer, environment, "--units", "1200")
    partial = reserve(grocer, environment, "--units", "1200", "--partial", "--json")
    again = reserve(grocer, environment, "--units", "1")
    none = lockstep("partner", "release", "NONE", "--reason", "x", environment=environment)

    assert (refused.code, again.code, none.code) == (5, 5, 5)
    assert "has 1000 available and 1200 are asked for" in refused.err
    assert partial.code == 0, partial.err
    assert partial.read["lines"][0]["note"] == "1200, of which 1000 were there"
    assert lockstep("partner", "burn", "NONE", environment=environment).code == 1


@pytest.mark.parametrize(
    "more",
    [
        ("--percent", "many"),
        ("--percent", "5", "--of", "everything"),
        ("--units", "5", "--step", "soon=50"),
        ("--units", "5", "--step", "2026-05-01"),
        ("--units", "0"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    grocer: Grocer, environment: dict[str, str], more: tuple[str, ...]
) -> None:
    assert reserve(grocer, environment, *more).code == 2


def test_steps_are_percents_of_what_was_agreed(grocer: Grocer, environment: dict[str, str]) -> None:
    day = grocer.clock.now + timedelta(days=10)

    made = reserve(grocer, environment, "--units", "50", "--step", f"{day:%Y-%m-%d}=50%", "--json")

    assert made.code == 0, made.err
    assert grocer.rows("SELECT at::date, most FROM program_step") == [(day.date(), 25)]


def test_alarms_are_listed_and_said_by_the_exit_code(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    assert lockstep("alarm", "list", environment=environment).code == 0
    reserve(grocer, environment, "--units", "400")
    grocer.send(po(line(1, 220)))
    grocer.run()
    program_watch.watch(grocer.engine, now=grocer.clock.now)

    listed = lockstep("alarm", "list", "--json", environment=environment)
    said = lockstep("alarm", "list", environment=environment)

    assert (listed.code, said.code) == (3, 3)
    (alarm,) = listed.read
    assert (alarm["rule"], alarm["object"]) == ("program.pace", "program:SPRING/MUG@WH")
    assert alarm["detail"]["overrun"] == pytest.approx(260, abs=1)
    assert "program.pace  program:SPRING/MUG@WH" in said.out
    assert lockstep("alarm", "list", "--rule", "x", environment=environment).code == 0
