"""A house with three SKUs and one shop, and exporters that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from console.metrics.exporter import KEPT_S, Exporter
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house
from workers.settings import Settings
from workers.wiring import Wiring


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B", "C")


@pytest.fixture
def make(database: Database, clock: Clock, house: House) -> Iterator[Callable[..., Exporter]]:
    """Makes exporters of the house, each as in a process of its own; every look is a new one."""
    wirings = []

    def a_new_one(**wished: str) -> Exporter:
        wirings.append(
            Wiring(Settings.model_validate({"database_url": database.app_url, **wished}))
        )
        ticks = iter(range(0, 100_000, int(KEPT_S)))
        return Exporter(wirings[-1], lambda: clock.now, lambda: float(next(ticks)))

    yield a_new_one
    for wiring in wirings:
        wiring.engine.dispose()
        if wiring.settings.redis_url:
            wiring.redis.close()


@pytest.fixture
def exporter(make: Callable[..., Exporter]) -> Exporter:
    return make()
