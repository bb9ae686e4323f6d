"""The commands of alerts: what is open, whether the doors take it, who works on it, what is quiet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts import played
from tests.alerts.desk import Desk, a_desk, drift
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.shelf import a_house


@pytest.fixture
def desk(database: Database, clock: Clock) -> Iterator[Desk]:
    with a_desk(database, clock) as desk:
        a_house(desk.engine, clock, "A", "B")
        yield desk


def run(desk: Desk, database: Database, *command: str, **more: str) -> Said:
    environment = surroundings(database, **desk.environment()) | more
    return lockstep(*command, environment=environment)


def test_incidents_are_listed_and_said_by_the_exit_code(desk: Desk, database: Database) -> None:
    quiet = run(desk, database, "alert", "list")
    drift(desk)
    desk.look()
    said = run(desk, database, "alert", "list")
    listed = run(desk, database, "alert", "list", "--json", "--rule", "drift.open")
    alarms = run(desk, database, "alert", "list", "--alarms", "--json")

    assert (quiet.code, said.code, listed.code) == (0, 3, 3)
    assert "inc-1" in said.out
    assert "A at WH  should 30 · shows 50" in said.out
    assert listed.read[0]["dedup_key"] == "lockstep:prod:drift.open:shop:*"
    assert alarms.read == run(desk, database, "alarm", "list", "--json").read


def test_a_test_says_what_each_door_answered(desk: Desk, database: Database) -> None:
    said = run(desk, database, "alert", "test", "--json")

    assert said.code == 0
    assert [(row["door"], row["step"]) for row in said.read] == [
        (door, step) for door in ("slack", "pagerduty", "webhook") for step in ("told", "over")
    ]
    assert "[RESOLVED]" in played.text_of(desk.slack.roots[0])
    assert desk.pagerduty.calls == ["trigger", "resolve"]


def test_a_test_of_a_door_that_does_not_know_us_says_what_to_mend(
    desk: Desk, database: Database
) -> None:
    said = run(desk, database, "alert", "test", LOCKSTEP_ALERT_SLACK_TOKEN="xoxb-old")

    assert said.code == 4
    assert "put a valid bot token into LOCKSTEP_ALERT_SLACK_TOKEN" in said.out
    assert "xoxb-old" not in said.out


def test_a_test_without_doors_names_the_settings(desk: Desk, database: Database) -> None:
    said = lockstep("alert", "test", environment=surroundings(database))

    assert said.code == 1
    assert "LOCKSTEP_ALERT_WEBHOOK_URL" in said.err


def test_a_shut_door_is_seen_and_opened_by_a_test_that_passes(
    desk: Desk, database: Database
) -> None:
    desk.slack.member = False
    drift(desk)
    desk.look()
    desk.tell()
    shut = run(desk, database, "alert", "doors", "--json")
    desk.slack.member = True
    run(desk, database, "alert", "test")
    opened = run(desk, database, "alert", "doors", "--json")

    assert (shut.code, opened.code) == (4, 0)
    by_door = {row["door"]: row for row in shut.read}
    assert by_door["slack"]["waiting"] == 1
    assert "invite the bot" in by_door["slack"]["why"]


def test_an_incident_is_taken_once(desk: Desk, database: Database) -> None:
    drift(desk)
    desk.look()

    first = run(desk, database, "alert", "ack", "inc-1", "--by", "ann")
    second = run(desk, database, "alert", "ack", "1", "--by", "bob")
    nonsense = run(desk, database, "alert", "ack", "that one")

    assert (first.out, second.code, nonsense.code) == ("inc-1 is ann's\n", 5, 2)


def test_a_rule_is_made_quiet_for_a_while_and_speaks_again(desk: Desk, database: Database) -> None:
    why = ("--reason", "stocktaking", "--by", "ann")
    quiet = run(desk, database, "alert", "silence", "drift.open", "--for", "2h", *why)
    listed = run(desk, database, "alert", "silences", "--json")
    ended = run(desk, database, "alert", "silence", "drift.open", "--end", *why)

    assert "drift.open is silent until" in quiet.out
    assert [(row["rule"], row["made_by"]) for row in listed.read] == [("drift.open", "ann")]
    assert ended.out == "1 silences ended\n"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("drift.open", "--for", "soon"), 2, "30m, 2h or 1d"),
        (("drift.open",), 2, "--for 2h"),
        (("no.such", "--for", "2h"), 1, "drift.open"),
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused(
    desk: Desk, database: Database, command: tuple[str, ...], code: int, said: str
) -> None:
    answer = run(desk, database, "alert", "silence", *command, "--reason", "x")

    assert answer.code == code
    assert said in answer.err
