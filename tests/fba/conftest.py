"""A seller with stock at Amazon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import AmazonRig, an_account
from tests.fba.house import FbaHouse
from tests.servers import Database


@pytest.fixture(scope="session")
def amazon_account() -> Iterator[AmazonRunning]:
    """Amazon's simulator on a port of this process; `fba` empties it for each test."""
    with an_account() as running:
        yield running


@pytest.fixture
def fba(amazon_account: AmazonRunning, database: Database) -> Iterator[FbaHouse]:
    """The account as new, and a book that knows it."""
    rig = AmazonRig(amazon_account)
    house = FbaHouse(rig, database.engine)
    house.furnish()
    yield house
    rig.close()
