"""What a person does to a channel by command is in the trail, with who and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from allocation import backlog
from channels.base import Unauthorised
from console.cli import cli
from console.cli.common import user
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house
from workers.flows.push import push
from workers.settings import settings

Say = Callable[..., str]

TRAIL = "SELECT actor, action, object, reason, detail FROM audit ORDER BY id"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B")


@pytest.fixture
def say(database: Database, valkey: str) -> Iterator[Say]:
    """Run a command on the test's database; returns what it prints."""
    runner = CliRunner(
        env={"LOCKSTEP_DATABASE_URL": database.app_url, "LOCKSTEP_REDIS_URL": valkey}
    )

    def run(*words: str) -> str:
        answer = runner.invoke(cli, list(words), catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout.strip()

    settings.cache_clear()
    yield run
    settings.cache_clear()


def test_who_pauses_and_resumes_a_channel_is_in_the_trail(house: House, say: Say) -> None:
    words = [
        say("channel", "pause", "shop", "--by", "ann", "--reason", "stocktaking"),
        say("channel", "resume", "shop", "--by", "bob", "--reason", "counted"),
    ]

    assert words == ["paused", "resumed"]
    assert house.rows(TRAIL) == [
        ("ann", "channel.pause", "channel:shop", "stocktaking", {}),
        ("bob", "channel.resume", "channel:shop", "counted", {}),
    ]


def test_a_channel_that_stopped_itself_is_resumed_without_a_reason(house: House, say: Say) -> None:
    house.set(A=5)
    house.shelf.failures = [Unauthorised("bad token")]
    push(house.lane)

    say("channel", "resume", "shop")

    assert house.rows(TRAIL) == [(user(), "channel.resume", "channel:shop", "", {})]


def test_what_changes_nothing_is_not_in_the_trail(house: House, say: Say) -> None:
    house.run("UPDATE channel SET paused = true, paused_by = 'x', paused_why = 'y'")
    again = say("channel", "pause", "shop", "--reason", "stocktaking")
    house.run("UPDATE channel SET paused = false")

    words = [again, say("channel", "resume", "shop"), say("push", "retry", "--channel", "shop")]

    assert words == ["was paused already", "was not paused", "0 due again"]
    assert house.rows(TRAIL) == []


def test_who_lets_refused_numbers_go_out_again_is_in_the_trail(house: House, say: Say) -> None:
    house.shelf.refuse = {"A", "B"}
    house.set(A=1, B=2)
    push(house.lane)

    one = say("push", "retry", "A", "--channel", "shop", "--by", "ann", "--reason", "bound anew")
    rest = say("push", "retry", "--channel", "shop")

    assert (one, rest) == ("1 due again", "1 due again")
    assert house.rows(TRAIL) == [
        ("ann", "push.retry", "channel:shop", "bound anew", {"skus": ["A"], "rows": 1}),
        (user(), "push.retry", "channel:shop", "", {"skus": "all", "rows": 1}),
    ]
    with transaction(house.engine) as connection:
        assert backlog.parked(connection) == []
