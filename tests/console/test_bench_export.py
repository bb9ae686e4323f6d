"""The measurement of the export, with a small book: what it counts, and that each goal can be missed."""

from __future__ import annotations

from typing import Any

import pytest

from console.bench import export
from tests.servers import Database
from workers.feed.sheets import Form
from workers.settings import Settings


@pytest.mark.parametrize("form", [Form.CSV, Form.PARQUET])
def test_a_small_book_is_exported_whole_and_equal_to_its_ledger(
    database: Database, form: Form
) -> None:
    here = Settings(database_url=database.app_url, database_admin_url=database.admin_url)

    result = export.measure(here, skus=200, events=2000, form=form)

    assert result["events"] == 2000
    assert result["files"] > 10
    assert result["again_files"] == 0
    assert result["wrong"] == []


GOOD = {"million_events_s": 20.0, "growth_mb": 1.0, "again_files": 0, "wrong": []}


@pytest.mark.parametrize(
    ("missed", "passes"),
    [
        ({}, True),
        ({"million_events_s": 60.1}, False),
        ({"growth_mb": 32.1}, False),
        ({"again_files": 1}, False),
        ({"wrong": ["events/events-000000000000001.csv.gz is missing"]}, False),
    ],
)
def test_each_goal_can_be_missed(missed: dict[str, Any], *, passes: bool) -> None:
    assert export.passed(GOOD | missed) is passes
