"""Guessing tokens at every door that takes one, and who is kept out by it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from console.access.secrets import token_of
from console.access.types import Role
from console.guesses import MOST
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
