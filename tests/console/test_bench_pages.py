"""The measurement of pages, in its smallest form: every page is asked, and every list is paged and searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.api.app import application
from console.bench import pages as measuring
from console.bench.pages_asked import ASKED, asked_of
from tests.servers import Database
from workers.settings import Settings
from workers.wiring import Wiring


def the_settings(database: Database, home: Path, redis_url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database.app_url,
            "database_admin_url": database.admin_url,
            "redis_url": redis_url,
            "home": home,
        }
    )


def test_every_page_that_a_browser_may_get_is_measured(
    database: Database, tmp_path: Path, valkey: str
) -> None:
    app = application(Wiring(the_settings(database, tmp_path, valkey)))

    routes = measuring.pages_of(app)

    assert [path for path in routes if asked_of(path) is None] == []
    assert set(ASKED) <= set(routes)
    assert len(ASKED) > 35


def test_every_list_is_said_how_to_search() -> None:
    unsearched = [path for path, asked in ASKED.items() if asked.lists and not asked.searches]

    assert unsearched == []
    assert sum(asked.lists for asked in ASKED.values()) > 20


@pytest.mark.slow
def test_every_page_answers_and_every_list_is_paged_and_searched(
    database: Database, tmp_path: Path, valkey: str
) -> None:
    said: list[str] = []
    settings = the_settings(database, tmp_path, valkey)

    result = measuring.measure(
        settings,
        skus=1000,
        events=5000,
        failed=300,
        rounds=1,
        say=said.append,
    )
    measuring.table(result, said.append)

    assert result["faults"] == []
    assert result["routes"] == len(measuring.routes_of(settings))
    assert {what_of(row) for row in result["pages"]} == {"page", "page 2", "search"}
    assert result["worst_ms"] >= max(row["first_ms"] for row in result["pages"])
    assert result["passed"] is (result["worst_ms"] < measuring.GOAL_MS)
    assert said[-1].startswith(f"{result['routes']} routes, the slowest answer")


def what_of(row: dict[str, Any]) -> str:
    assert row["first_ms"] > 0
    assert row["p50_ms"] <= row["max_ms"]
    return str(row["what"])
