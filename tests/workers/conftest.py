"""A house of three SKUs in front of a vendor in memory."""

from __future__ import annotations

import pytest

from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B", "C")
