"""The measurement of growth, in its short form: what it counts, and that it would find what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from console.bench import scale
from tests.servers import Database
from workers.settings import Settings


@pytest.fixture
def book(database: Database) -> dict[str, Any]:
    here = Settings(database_url=database.app_url, database_admin_url=database.admin_url)
    # What a test is lent keeps a session, and what sessions have read is told when they end.
    database.dispose()
    return scale._book(here, skus=200, events=1000, say=lambda _: None)


def test_a_book_grows_part_by_part_and_is_all_there(
    database: Database, book: dict[str, Any]
) -> None:
    with database.engine.connect() as connection:
        events = connection.execute(text("SELECT count(*) FROM event")).scalar_one()

    assert book["events"] == 1000
    assert len(book["events_per_s"]) == 10
    assert events == 1000 + scale._HOT
    assert set(book["mb_per_million_events"]) == {"event", "posting", "inbox", "balance"}
    assert book["mb_per_million_events"]["inbox"]["rows"] > 0
    # Of forty pushes a place the newest 36 are evidence, and stay.
    assert book["retention"]["rows"] == 4 * 20


def test_a_large_table_that_is_read_from_end_to_end_is_found(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(
            text("INSERT INTO sku (sku) SELECT n::text FROM generate_series(1, 12000) AS n")
        )
    before = scale._scans(database.engine, database.owner)
    with database.engine.connect() as connection:
        connection.execute(text("SELECT max(title) FROM sku")).scalar_one()

    after = scale._scans(database.engine, database.owner)

    assert after["sku"][0] == before["sku"][0] + 1
    assert after["sku"][1] >= 12_000
    assert scale.large_scans(before, after) == {"sku": 1}


def result(**more: Any) -> dict[str, Any]:
    book = {"growth": 1.0, "growth_mb": 0.0, "read_from_end_to_end": {}}
    return {"growth": {"first_s": 1.0}, "book": book | more}


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (result(), True),
        (result(growth=1.6), False),
        (result(growth_mb=65.0), False),
        (result(read_from_end_to_end={"event": 1}), False),
        (result() | {"growth": {"one_ms": 1.6}}, False),
        (result() | {"growth": {}}, True),
    ],
)
def test_each_goal_can_be_missed(found: dict[str, Any], *, passes: bool) -> None:
    assert scale.passed(found) is passes


def test_growth_is_told_by_sku_against_the_smallest_measured_before_and_after() -> None:
    def measured(skus: int, seconds: float, peak_mb: int) -> dict[str, Any]:
        return {
            "skus": skus, "first_s": seconds, "same_s": seconds, "one_ms": 2.0, "peak_mb": peak_mb
        }  # fmt: skip

    small, large = measured(100, 1.0, 100), measured(1000, 24.0, 200)

    found = scale.growth_of([small, large, measured(100, 3.0, 200)])

    assert found == {"first_s": 1.2, "same_s": 1.2, "one_ms": 1.0, "peak_mb": 0.2}
    assert scale.growth_of([small]) == {}
