"""The measurement of the forecast, in its smallest form: every place of the made house is forecast and listed."""

from __future__ import annotations

from pathlib import Path

from console.bench import forecast as measuring
from tests.servers import Database
from workers.settings import Settings


def test_every_made_place_is_forecast_and_what_it_cost_is_told(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=database.app_url, database_admin_url=database.admin_url, home=tmp_path
    )
    said: list[str] = []

    found = measuring.measure(settings, skus=120, weeks=16, say=said.append)
    measuring.table(found, said.append)

    assert found["places"] == 120
    assert 0 < found["lines"] <= 120 * 16
    assert found["peak_rss_mb"] > 0
    assert found["listed"] == 120
    assert any(line.startswith("reading: ") for line in said)
    assert said[-1].startswith("reorder list of 120 lines")
