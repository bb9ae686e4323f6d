"""The measurement of reconciliation, in its smallest form: what it counts is right, whatever it takes."""

from __future__ import annotations

import pytest

from console.bench import recon as measuring
from tests.servers import Database


@pytest.mark.slow
def test_every_place_that_differs_is_classified_and_a_shop_is_read_back(database: Database) -> None:
    said: list[str] = []

    result = measuring.measure(
        database.app_url,
        database.admin_url,
        rows=4000,
        one_in=100,
        rounds=1,
        vendor_rows=1000,
        say=lambda words: None,
    )
    measuring.table(result, said.append)

    assert {"rows", "seconds", "bare_sql_seconds", "ratio_to_bare_sql", "peak_rss_mb"} <= set(
        result
    )
    assert result["rows"] == 4000
    assert 10 < result["differing"] == result["drifts"] < 100
    assert result["unknown"] == 0
    assert result["vendor"]["right"], result["vendor"]
    assert said[0].startswith("4,000 places, one in 100 differs")
