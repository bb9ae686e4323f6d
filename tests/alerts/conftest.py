"""A desk with all three doors, and a house whose channel lists A, B and C."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.desk import Desk, a_desk
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house


@pytest.fixture
def desk(database: Database, clock: Clock) -> Iterator[Desk]:
    with a_desk(database, clock) as desk:
        yield desk


@pytest.fixture
def house(desk: Desk) -> House:
    return a_house(desk.engine, desk.clock, "A", "B", "C")
