"""The measurement of a review, with a small quarter: what it tells of, and that each goal can be missed."""

from __future__ import annotations

from typing import Any

import pytest

from console.bench import review
from tests.servers import Database
from workers.settings import Settings


def test_a_small_quarter_is_reviewed_and_everything_is_told_of(database: Database) -> None:
    here = Settings(database_url=database.app_url, database_admin_url=database.admin_url)
    said: list[str] = []

    result = review.measure(here, skus=1000, events=4000, days=90)
    review.table(result, said.append)

    assert result["empty"] == []
    assert result["plots"] == 6
    assert {"channels", "halts", "allocation", "the page"} <= set(result["parts_s"])
    assert result["passed"] is (result["review_s"] <= review.GOAL_S)
    assert said[0].startswith("90 days of 1,000 SKUs, 4,0")


@pytest.mark.parametrize(
    ("missed", "passes"),
    [({}, True), ({"review_s": 60.1}, False), ({"empty": ["halts"]}, False)],
)
def test_each_goal_can_be_missed(missed: dict[str, Any], *, passes: bool) -> None:
    good: dict[str, Any] = {"review_s": 12.0, "empty": []}

    assert review.passed(good | missed) is passes
