"""The real processes of the laptop profile, not puppets: they start, answer, and come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import psutil
import pytest

from console.local.stack import Stack
from console.local.supervisor import State
from workers.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(Settings(relay_port=0, flower_port=0), ephemeral=True) as stack:
        stack.start_servers()
        stack.migrate()
        stack.start_processes()
        yield stack


def test_every_process_says_that_it_is_ready(stack: Stack) -> None:
    states = {status.name: status.state for status in stack.supervisor.status()}

    assert set(states) == {
        "postgres", "valkey", "relay", "flower", "worker-threads", "worker-prefork", "beat",
    }  # fmt: skip
    assert set(states.values()) == {State.READY}


def test_the_relay_answers(stack: Stack) -> None:
    with urlopen(f"{stack.relay_url}/healthz", timeout=5) as answer:
        assert json.load(answer)["up"] is True


def test_flower_wants_its_password(stack: Stack) -> None:
    with pytest.raises(OSError, match="401"):
        urlopen(Request(stack.flower_url), timeout=10)


@pytest.mark.parametrize(
    "name", ["worker-prefork", "worker-threads", "beat", "relay", "valkey", "postgres"]
)
def test_a_process_that_was_shot_comes_back(stack: Stack, name: str) -> None:
    died = stack.supervisor.kill(name)

    stack.supervisor.wait_ready(name, limit_s=120)

    status = next(status for status in stack.supervisor.status() if status.name == name)
    assert status.pid != died
    assert status.restarts >= 1
    assert not psutil.pid_exists(died)
