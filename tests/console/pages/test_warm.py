"""What is done before the door of the dashboard opens."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import QueuePool
from structlog.testing import capture_logs

from console.api.app import application
from console.pages.warm import warm
from tests.builders import stock_the_house
from tests.console.door import set_up_channels
from tests.console.pages.busy import a_busy_house
from tests.servers import Clock, Database
from workers.settings import Settings
from workers.wiring import Wiring


def the_settings(home: Path, url: str) -> Settings:
    return Settings.model_validate(
        {"database_url": url, "redis_url": "redis://127.0.0.1:1/0", "home": home}
    )


def test_connections_are_made_and_nothing_is_written(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    set_up_channels(database)
    stock_the_house(database.engine)
    a_busy_house(database, clock)
    with (
        closing(Wiring(the_settings(tmp_path, database.app_url))) as wiring,
        capture_logs() as logged,
    ):
        warm(application(wiring, now=lambda: clock.now))
        pool = wiring.engine.pool
        assert isinstance(pool, QueuePool)
        kept = pool.checkedin()

    assert kept == 4
    assert logged == []


def test_a_database_that_is_away_keeps_no_door_shut(database: Database, tmp_path: Path) -> None:
    url = database.app_url.replace(database.name, "no_such_house")
    with (
        closing(Wiring(the_settings(tmp_path, url))) as wiring,
        capture_logs() as logged,
    ):
        warm(application(wiring))

    assert [line["event"] for line in logged] == ["pages.warm.left"]
