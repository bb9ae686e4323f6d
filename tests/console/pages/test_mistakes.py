"""What people are told when the server makes a mistake, or cannot answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from console.access.types import Role
from tests.console.api_door import Api, an_api
from tests.console.pages.busy import a_busy_house
from tests.servers import Clock, Database

HTML = {"Accept": "text/html"}


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        a_busy_house(database, clock)
        yield api


def test_a_mistake_of_ours_is_a_page_with_its_number_for_a_browser(api: Api) -> None:
    api.run("UPDATE incident SET content = '7'")

    with capture_logs() as logged:
        answer = api.ask("GET", "/incidents", Role.VIEWER, headers=HTML)

    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    number = re.search(r"<code>error ([0-9a-f]{12})</code>", answer.text)
    assert number is not None
    assert [line["error_id"] for line in logged if line["event"] == "api.failed"] == [number[1]]
    for words in ("What happened", "Whether it was done", "Ask once more", 'href="/drift"'):
        assert words in answer.text
    assert "Traceback" not in answer.text


def test_the_same_mistake_is_a_problem_for_programs(api: Api) -> None:
    api.run("UPDATE incident SET content = '7'")

    with capture_logs():
        answer = api.ask("GET", "/incidents", Role.VIEWER, headers={"Accept": "application/json"})

    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert re.fullmatch(r"error [0-9a-f]{12}", answer.json()["which"])


def test_a_database_that_is_away_is_a_page_that_says_what_to_do(api: Api) -> None:
    api.run("ALTER TABLE incident RENAME TO moved")

    answer = api.ask("GET", "/incidents", Role.VIEWER, headers=HTML)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "the database does not answer now" in answer.text
    assert "Ask again in some seconds" in answer.text


def test_a_page_that_there_is_not_says_so_in_the_menu_of_those_that_are(api: Api) -> None:
    answer = api.ask("GET", "/nothing/here", Role.VIEWER, headers=HTML)

    assert answer.status_code == 404
    assert 'href="/drift"' in answer.text
