"""Browsers come in with a token and go on with a session that other sites cannot use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from console.access.logins import MOST_OF_ONE
from console.access.types import Role
from tests.console.api_door import Api, an_api
from tests.servers import Clock, Database

PAUSE = "/api/v1/channels/shop/pause"
WHY = {"reason": "a test"}


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path, session_s=3600) as api:
        yield api


def browser(api: Api, role: Role = Role.OPERATOR) -> tuple[requests.Session, str]:
    """A browser that is logged in, and the word of its session."""
    session = requests.Session()
    answer = session.post(f"{api.url}/login", json={"token": api.tokens[role]}, timeout=10)
    assert answer.status_code == 200, answer.text
    return session, answer.json()["csrf"]


def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_have(api: Api) -> None:
    answer = api.ask("POST", "/login", None, json={"token": api.tokens[Role.LEAD]})

    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert "Max-Age=3600" in said
    assert api.tokens[Role.LEAD] not in said + answer.text
    assert answer.json()["role"] == "lead"


def test_a_form_of_a_page_logs_in_and_goes_on_to_the_first_page(api: Api) -> None:
    answer = api.ask(
        "POST", "/login", None, data={"token": api.tokens[Role.VIEWER]}, headers={"Accept": "text/html"}
    )  # fmt: skip

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_what_a_session_changes_needs_its_word_and_is_written_down_as_the_web_s(api: Api) -> None:
    session, word = browser(api)
    other, other_word = browser(api)

    def pause(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return session.post(f"{api.url}{PAUSE}", json=WHY, headers=named, timeout=10).status_code

    codes = [
        pause(),
        pause(x_csrf_token="wrong"),
        pause(x_csrf_token=other_word),
        pause(x_csrf_token=word, sec_fetch_site="cross-site"),
        pause(x_csrf_token=word),
    ]

    assert codes == [403, 403, 403, 403, 200]
    assert session.get(f"{api.url}/api/v1/channels", timeout=10).status_code == 200
    assert other.get(f"{api.url}/session", timeout=10).json()["csrf"] == other_word
    assert [(d["verb"], d["actor"], d["door"], d["outcome"]) for d in api.deeds()] == [
        ("session.login", "operator-1", "web", "done"),
        ("session.login", "operator-1", "web", "done"),
        ("channel.pause", "operator-1", "web", "done"),
    ]


def test_a_session_may_no_more_than_its_token(api: Api) -> None:
    session, word = browser(api, Role.VIEWER)

    answer = session.post(f"{api.url}{PAUSE}", json=WHY, headers={"X-CSRF-Token": word}, timeout=10)

    assert answer.status_code == 403
    assert api.deeds()[-1]["outcome"] == "refused"


def test_a_session_ends_with_its_time_its_token_or_a_logout(api: Api, clock: Clock) -> None:
    first, _ = browser(api)
    clock.advance(3600)
    second, word = browser(api)
    third, _ = browser(api, Role.LEAD)
    out = second.post(f"{api.url}/logout", headers={"X-CSRF-Token": word}, timeout=10)
    api.ask("POST", "/api/v1/tokens/lead-1/revoke")

    codes = [
        each.get(f"{api.url}/session", timeout=10).status_code for each in (first, second, third)
    ]

    assert out.status_code == 200
    assert codes == [401, 401, 401]


@pytest.mark.parametrize("spoil", ["x", "", "WzEsMV0.x"])
def test_a_cookie_that_we_did_not_sign_is_nobody_s(api: Api, spoil: str) -> None:
    session, _ = browser(api)
    good = session.cookies["lockstep_session"]

    answer = requests.get(
        f"{api.url}/session", cookies={"lockstep_session": (good + spoil) if spoil == "x" else spoil}, timeout=10
    )  # fmt: skip

    assert answer.status_code == 401


def test_guessing_is_slow_and_a_good_token_has_to_wait_too(api: Api, clock: Clock) -> None:
    wrong = {"token": f"lockstep_{'A' * 43}"}

    codes = [
        api.ask("POST", "/login", None, json=wrong).status_code for _ in range(MOST_OF_ONE + 2)
    ]
    locked = api.ask("POST", "/login", None, json={"token": api.tokens[Role.ADMIN]})
    clock.advance(900)
    later = api.ask("POST", "/login", None, json={"token": api.tokens[Role.ADMIN]})

    assert codes == [401] * MOST_OF_ONE + [429] * 2
    assert (locked.status_code, later.status_code) == (429, 200)
    assert int(locked.headers["retry-after"]) <= 901
    outcomes = [deed["outcome"] for deed in api.deeds()]
    assert outcomes == ["refused"] * MOST_OF_ONE + ["done"]


def test_every_answer_has_the_headers_that_browsers_must_obey(api: Api) -> None:
    answers = [
        api.ask("GET", "/healthz", None),
        api.ask("GET", "/api/v1/channels", None),
        api.ask("GET", "/api/v1/channels"),
        api.ask("GET", "/nothing"),
        api.ask("POST", "/login", None, json={}),
        api.ask("GET", "/api/v1/openapi.json", None),
    ]

    for answer in answers:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
