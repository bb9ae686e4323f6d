"""Guessing tokens at every door that takes one, and who is kept out by it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from console.access.secrets import token_of
from console.access.types import Role
from console.guesses import MOST, WINDOW_S, Guesses, Shared
from tests.console.api_door import Api, an_api
from tests.console.door import TOKEN, Door, a_door_with_channels
from tests.servers import Clock, Database


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


@pytest.fixture
def door(database: Database) -> Iterator[Door]:
    with a_door_with_channels(database) as door:
        yield door


def guess(url: str) -> int:
    """A token of the right form that nobody has."""
    shown = {"Authorization": f"Bearer {token_of(secrets.token_bytes(32))}"}
    return requests.get(url, headers=shown, timeout=10).status_code


def test_who_guesses_at_the_api_is_not_listened_to_any_more(api: Api) -> None:
    url = f"{api.url}/api/v1/channels"
    assert api.ask("GET", "/api/v1/channels", Role.VIEWER).status_code == 200

    codes = [guess(url) for _ in range(MOST + 3)]

    assert codes == [401] * MOST + [429] * 3
    # A token that was not seen before waits, be it good; one that came in lately comes in still.
    waits = api.ask("GET", "/api/v1/channels", Role.ADMIN)
    assert (waits.status_code, waits.headers["Retry-After"].isdecimal()) == (429, True)
    assert api.ask("GET", "/api/v1/channels", Role.VIEWER).status_code == 200
    assert api.ask("GET", "/healthz", None).status_code == 200


def test_a_program_with_an_old_token_locks_nobody_out(api: Api) -> None:
    old = {"Authorization": f"Bearer {token_of(bytes(32))}"}

    codes = {
        requests.get(f"{api.url}/api/v1/channels", headers=old, timeout=10).status_code
        for _ in range(MOST * 2)
    }

    assert codes == {401}
    assert api.ask("GET", "/api/v1/channels", Role.ADMIN).status_code == 200


def test_a_token_that_ends_is_guessing_s_friend_no_longer(api: Api) -> None:
    url = f"{api.url}/api/v1/channels"
    assert api.ask("GET", "/api/v1/channels", Role.VIEWER).status_code == 200
    api.run("UPDATE token SET revoked_at = now(), revoked_by = 'ann' WHERE name = 'viewer-1'")

    ended = api.ask("GET", "/api/v1/channels", Role.VIEWER).status_code
    for _ in range(MOST):
        guess(url)

    assert ended == 401
    assert api.ask("GET", "/api/v1/channels", Role.VIEWER).status_code == 429


@pytest.mark.parametrize("path", ["/events", "/partners/grocer/availability"])
def test_who_guesses_at_the_relay_is_not_listened_to_and_webhooks_go_on(
    door: Door, path: str
) -> None:
    """What a vendor signs is no token: a flood of forgeries shuts no door to it."""

    def ask(token: str) -> int:
        shown = {"Authorization": f"Bearer {token}"}
        way = requests.post if path == "/events" else requests.get
        return way(f"{door.url}{path}", headers=shown, timeout=10).status_code

    codes = [ask(f"{TOKEN[:-1]}{number}") for number in range(MOST + 2)]
    forged = {door.hook(secret="wrong").status_code for _ in range(MOST * 2)}

    assert codes == [401] * MOST + [429] * 2
    assert forged == {401}
    assert door.hook().status_code == 200


class Callers:
    """Doors of one house that all refuse, and somebody who asks them from an address."""

    def __init__(self, url: str, doors: int, now: list[float]) -> None:
        self.redis = redis.Redis.from_url(url, socket_timeout=1)
        self.doors = [
            Guesses(refuses, shared=Shared(self.redis, "lockstep:test"), clock=lambda: now[0])
            for _ in range(doors)
        ]

    def ask(self, door: int, token: str) -> int:
        said: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            said.append(message)

        scope = {
            "type": "http",
            "headers": [(b"authorization", token.encode())],
            "client": ("203.0.113.9", 50_000),
        }
        asyncio.run(self.doors[door](scope, receive, send))
        return int(said[0]["status"])


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({}, 401)(scope, receive, send)


def test_several_doors_count_together(valkey: str) -> None:
    callers = Callers(valkey, 3, [0.0])

    codes = [callers.ask(number % 2, f"guess {number}") for number in range(MOST)]
    # A door that was shown nothing hears of it by the first that it is shown.
    late = [callers.ask(2, "one more"), callers.ask(2, "and another")]

    assert codes == [401] * MOST
    assert [callers.ask(door, "next") for door in (0, 1, 2)].count(429) >= 2
    assert late == [401, 429]


def test_a_door_listens_again_once_the_window_is_over(valkey: str) -> None:
    now = [0.0]
    callers = Callers(valkey, 1, now)
    for number in range(MOST):
        callers.ask(0, f"guess {number}")
    shut = callers.ask(0, "next")
    now[0] += WINDOW_S + 1
    callers.redis.flushdb()

    assert (shut, callers.ask(0, "next")) == (429, 401)


def test_what_is_kept_of_a_guess_is_too_little_to_find_a_token_by(valkey: str) -> None:
    callers = Callers(valkey, 1, [0.0])
    callers.ask(0, "Bearer let-me-im")

    (key,) = callers.redis.keys("*")
    assert [len(kept) for kept in callers.redis.smembers(key)] == [2]
    assert 0 < callers.redis.ttl(key) <= WINDOW_S


def test_a_door_whose_redis_is_away_counts_for_itself() -> None:
    callers = Callers("redis://127.0.0.1:1/0", 2, [0.0])

    codes = [callers.ask(0, f"guess {number}") for number in range(MOST + 1)]

    assert codes == [401] * MOST + [429]
    assert callers.ask(1, "next") == 401
