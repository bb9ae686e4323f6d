"""`lockstep case`: what it prints, and how it ends."""

from __future__ import annotations

import json
from email import message_from_string
from typing import Any

import pytest

from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.case_house import CaseHouse, a_case_house
from workers.wiring import now


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    return surroundings(database)


@pytest.fixture
def house(database: Database, environment: dict[str, str]) -> CaseHouse:
    """Order 2 at the till was accepted a moment ago for nothing."""
    house = a_case_house(database.engine, Clock(now()))
    house.order("1", channel="till")
    house.order("2", channel="till", at_s=1)
    house.look(2)
    return house


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> Said:
    said = lockstep("case", *arguments, environment=environment)
    assert said.code == code, said.out + said.err
    return said


def read(said: Said) -> Any:
    return json.loads(said.out)


def test_an_open_case_is_listed_with_what_to_do(
    house: CaseHouse, environment: dict[str, str]
) -> None:
    (row,) = read(run(environment, "list", "--json", code=3))

    assert (row["id"], row["order_id"], row["state"], row["units"]) == (1, "2", "waiting", 1)
    assert row["next"] == "choose: lockstep case choose 1 RESPONSE --reason ..."
    assert "waiting" in run(environment, "list", code=3).out
    assert read(run(environment, "list", "--channel", "shop", "--json")) == []


def test_a_case_is_chosen_run_and_closed(house: CaseHouse, environment: dict[str, str]) -> None:
    run(environment, "choose", "1", "refund", "--reason", "asked", "--by", "ann")
    refused = run(environment, "choose", "1", "refund", "--reason", "asked", code=5)
    done = {row["kind"]: row["state"] for row in read(run(environment, "run", "1", "--json"))}
    shown = read(run(environment, "show", "1", "--json"))
    draft = message_from_string(run(environment, "show", "1", "--email").out)
    closed = run(environment, "close", "1", "--reason", "refunded")

    assert "refund was chosen for case 1 by ann already" in refused.err
    assert done == {"hold": "by_hand", "slack": "by_hand", "email": "done", "hand": "by_hand"}
    assert (shown["chosen_by"], shown["chosen_why"], shown["cost"]) == ("ann", "asked", "55.0000")
    assert {each["what"] for each in shown["timeline"]} == {"event", "step", "trail"}
    assert draft["Subject"] == "Your order 2"
    assert closed.out == "case 1 is closed\n"
    assert read(run(environment, "list", "--json")) == []
    assert "is over: refunded" in run(environment, "close", "1", "--reason", "x", code=5).err
    assert "nothing to be run" in run(environment, "run", "1", code=5).err


def test_a_step_that_does_not_work_is_seen_with_the_next_thing_to_do(
    house: CaseHouse, environment: dict[str, str]
) -> None:
    house.rows("UPDATE oversold_case SET channel = 'shop'")
    run(environment, "choose", "1", "hold", "--reason", "asked")

    rows = read(run(environment, "run", "1", "--json", code=4))

    (hold,) = [row for row in rows if row["kind"] == "hold"]
    assert hold["state"] == "failed"
    assert "no token for channel 'shop': add it to LOCKSTEP_CHANNEL_SECRETS" in hold["todo"]
    assert "then: lockstep case run 1" in run(environment, "list", code=3).out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "7"), 1),
        (("run", "7"), 5),
        (("close", "7", "--reason", "x"), 5),
        (("choose", "7", "hold", "--reason", "x"), 5),
        (("choose", "1", "wait", "--reason", "x"), 2),
        (("choose", "1", "hold"), 2),
    ],
)
def test_what_cannot_be_is_refused(
    house: CaseHouse, environment: dict[str, str], arguments: tuple[str, ...], code: int
) -> None:
    run(environment, *arguments, code=code)


def test_a_case_without_a_draft_says_so(house: CaseHouse, environment: dict[str, str]) -> None:
    assert "its response is not chosen" in run(environment, "show", "1", "--email", code=1).err


def test_the_rate_is_one_number_and_its_parts(
    house: CaseHouse, environment: dict[str, str]
) -> None:
    said = read(run(environment, "rate", "--json", code=3))
    calm = read(run(environment, "rate", "--channel", "shop", "--json"))

    assert said["target_percent"] == 0.2
    assert {name: said["total"][name] for name in ("accepted", "oversold", "percent")} == {
        "accepted": 2,
        "oversold": 1,
        "percent": 50.0,
    }
    assert (said["total"]["cost_low"], said["total"]["cost_high"]) == (30, 80)
    assert [(week["channel"], week["oversold"]) for week in said["weeks"]] == [("till", 1)]
    assert calm["total"]["percent"] is None
    assert "target: at most 0.2 percent" in run(environment, "rate", code=3).out
