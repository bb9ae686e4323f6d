"""What tests of failed work ask with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from ledger import failures
from ledger.db import transaction
from ledger.types import Failure
from workers.failures import mending, store
from workers.failures.types import Filter, Operation, Row
from workers.flows import operations
from workers.flows.ingest import House


def failed(engine: Engine, **wanted: Any) -> list[Row]:
    """Failures that are meant, the newest first."""
    with transaction(engine) as connection:
        return store.page(connection, Filter(**wanted), most=1000)


def the_one(engine: Engine, **wanted: Any) -> Row:
    """The only failure that is meant."""
    (row,) = failed(engine, **wanted)
    return row


def note(engine: Engine, *rows: Failure, now: datetime) -> None:
    """Write failures down, as whoever gives up does."""
    with transaction(engine) as connection:
        failures.note(connection, rows, now)


def mend(engine: Engine, now: datetime) -> int:
    """What the sweep does."""
    with transaction(engine) as connection:
        return mending.mend(connection, now)


def retry(house: House, now: datetime, **wanted: Any) -> Operation:
    """Ask for failures to be done again, and let a worker do it."""
    asked = operations.ask(
        house.engine, "retry", Filter(**wanted), by="ann", reason="mended", now=now
    )
    assert asked is not None
    done = operations.work(house, now=lambda: now, operation=asked.id)
    assert done is not None
    return done
