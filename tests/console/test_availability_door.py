"""Who may ask what stores may promise, and what cannot be asked; the door with the relay and by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.console.door import a_door, the_settings
from tests.console.window import TOKEN, Window, a_window, alone
from tests.servers import Database


@pytest.fixture
def window(database: Database, valkey: str) -> Iterator[Window]:
    """Answers may be half a minute old: what a test sees changed was computed anew."""
    with a_window(database, valkey) as window:
        yield window


# ---- who may not, and what cannot be asked ----


def test_the_door_is_closed_without_a_token_of_ours(database: Database, window: Window) -> None:
    assert {window.ask(token=token).status_code for token in ("", "wrong", TOKEN + "x")} == {401}
    assert "LOCKSTEP_AVAILABILITY_TOKEN" in window.ask(token="").json()["error"]
    with a_door(the_settings(), database.engine, database) as door:
        answer = requests.get(f"{door.url}/availability/MUG-RED", timeout=10)
        assert answer.status_code == 404
        assert "LOCKSTEP_AVAILABILITY_TOKEN" in answer.json()["error"]


@pytest.mark.parametrize(
    ("sku", "query", "words"),
    [
        ("MUG-GREEN", "location=STORE-1", "no SKU 'MUG-GREEN'"),
        ("MUG-GREEN", "", "no SKU 'MUG-GREEN'"),
        ("MUG-RED", "location=STORE-9", "they are at STORE-1, STORE-2"),
        ("MUG-RED", "location=WH", "no orders are picked up at 'WH'"),
        ("MUG-RED", "location=OUTSIDE", "no orders are picked up at 'OUTSIDE'"),
    ],
)
def test_what_is_not_there_is_named(window: Window, sku: str, query: str, words: str) -> None:
    answer = window.ask(sku, query)

    assert answer.status_code == 404
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("sku", "query"),
    [
        ("MUG-RED", "location="),
        ("MUG-RED", "location=STORE-1&location=STORE-2"),
        ("MUG-RED", "place=STORE-1"),
        ("MUG-RED", "location=STORE-1&channel=shop"),
        ("MUG-RED", "location=a%00b"),
        ("MUG\0RED", ""),
        ("x" * 129, ""),
        ("MUG-RED", "location=" + "x" * 129),
    ],
)
def test_what_cannot_be_asked_is_refused(window: Window, sku: str, query: str) -> None:
    answer = window.ask(sku, query)

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "target",
    [
        "/availability/%FF%FE?location=%FF",
        "/availability/%ED%A0%80",
        "/availability/../availability/MUG-RED",
        "/availability/%2e%2e%2f",
        "/availability/MUG-RED?" + "&" * 3000,
        "/availability/MUG-RED?location=%",
        "/availability/'; DROP TABLE sku; --",
        "/availability/" + "%F0%9F%92%A9" * 100,
    ],
)
def test_odd_addresses_are_no_errors_of_ours(window: Window, target: str) -> None:
    request = requests.Request("GET", window.url, headers={"Authorization": f"Bearer {TOKEN}"})
    prepared = request.prepare()
    prepared.url = window.url + target.replace(" ", "%20")

    assert window.wire.send(prepared, timeout=10).status_code < 500


def test_other_methods_are_refused(window: Window) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (
            requests.request(method, f"{window.url}/availability/MUG-RED", timeout=10).status_code
            == 405
        )


# ---- alone ----


def test_the_door_by_itself_answers_the_same_and_nothing_else(
    database: Database, valkey: str
) -> None:
    with a_window(database, valkey) as window, alone(database, valkey) as url:
        window.say("receipt", units=20)
        headers = {"Authorization": f"Bearer {TOKEN}"}

        said = requests.get(
            f"{url}/availability/MUG-RED?location=STORE-1", headers=headers, timeout=10
        )

        assert (said.status_code, said.json()["units"]) == (200, 15)
        assert requests.get(f"{url}/healthz", timeout=10).json() == {"up": True}
        assert requests.get(f"{url}/availability/MUG-RED", timeout=10).status_code == 401
        assert requests.get(f"{url}/hooks/shopify", timeout=10).status_code == 404
        assert requests.get(f"{url}/availability/", headers=headers, timeout=10).status_code == 400
        refused = requests.post(f"{url}/availability/MUG-RED", headers=headers, timeout=10)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
