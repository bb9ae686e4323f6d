"""The measurement of allocation, in its smallest form: what it counts is right, whatever it takes."""

from __future__ import annotations

import pytest

from console.bench import alloc as measuring
from tests.servers import Database


@pytest.fixture
def result(database: Database) -> dict[str, object]:
    return measuring.measure(
        database.app_url, database.admin_url, skus=200, processes=2, say=lambda words: None
    )


def test_only_what_changed_is_written(result: dict[str, object]) -> None:
    assert result["numbers"] == 1200
    assert result["first"]["written"] == 1200  # type: ignore[index]  # a table of the result
    assert result["same"]["written"] == 0  # type: ignore[index]  # a table of the result
    assert 0 < result["changed"]["written"] <= 20  # type: ignore[index]  # a table of the result


def test_a_person_is_told_all_of_it(database: Database) -> None:
    of = {"seconds": 1.5, "written": 7}
    said: list[str] = []
    measuring.table(
        {"skus": 1000, "channels": 4, "locations": 5, "numbers": 6000, "processes": 2, "first": of,
         "again": of, "same": of, "changed": of, "goal_s": 0.3, "one_ms": 3.1, "goal_one_ms": 5.0},
        said.append,
    )  # fmt: skip

    assert said[0] == "1,000 SKUs, 4 channels, 5 locations: 6,000 numbers, 2 processes"
    assert said[-1] == "one SKU: 3.1 ms (goal 5.0)"
