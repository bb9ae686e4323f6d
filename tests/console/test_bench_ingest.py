"""The measurement of the relay's door, in its short form: what it counts, not how fast."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from console.bench import accept
from ledger import catalogue
from ledger.db import transaction
from tests.servers import Database
from workers.settings import Settings

SKUS = ["SKU-0000", "SKU-0001"]


def test_whatever_the_door_accepts_is_drained_into_the_book(
    database: Database, valkey: str, tmp_path: Path
) -> None:
    with transaction(database.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(SKUS, ""))
    here = Settings(database_url=database.app_url, redis_url=valkey, env="bench-test")

    said = accept.measure(here, SKUS, tmp_path, requests=12, producers=(1, 3))

    assert set(said["accepted_per_s"]) == {"1 uniform", "1 hot", "3 uniform", "3 hot"}
    assert set(said["door_floor_per_s"]) == {"1", "3"}
    with transaction(database.engine) as connection:
        booked = connection.execute(
            text("SELECT sku, count(*) AS n FROM posting GROUP BY sku ORDER BY sku")
        ).all()
    assert [tuple(row) for row in booked] == [("SKU-0000", 36), ("SKU-0001", 12)]
    assert said["drained_per_s"] > 0
    assert said["ratio_to_door_floor"] > 0
