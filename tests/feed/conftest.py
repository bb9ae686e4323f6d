"""An address outside that listens, and a shop of which it can be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from tests.builders import stock_the_house
from tests.feed.receiver import Receiver, listening
from tests.servers import Clock, Database
from tests.workers.shelf import RULES, apply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def engine(database: Database, clock: Clock) -> Engine:
    stock_the_house(database.engine, skus=("MUG",), locations=("WH",))
    with database.engine.begin() as connection:
        apply(connection, RULES, clock.now)
        connection.execute(
            text(
                "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
                " VALUES ('shop', 'MUG', 'WH', 'i', 'gid://1')"
            )
        )
    return database.engine
