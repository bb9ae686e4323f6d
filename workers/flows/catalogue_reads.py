"""What a channel shows, told all at once: set against what it should show in PostgreSQL, read anew where it differs.

A catalogue that is told in one go is old when it is judged. So it only clears those places that are as they should
be, in one pass over a range of SKUs, and no row of them comes to this process. Every other place is read item by item
and judged by that, as a window of a small catalogue is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import Engine, text

from channels.base import Binding, Reading, ReadsInBulk, Refused, Sighting
from ledger.db import transaction
from reconcile.snapshots import Told, empty, stage

#: Rows that are copied into the database in one transaction.
STAGED_ROWS: Final = 20_000
#: How old the note of what a place shows may become (`reconcile.pages.note_readings`).
_NOTED_S: Final = 3600

log = structlog.get_logger(__name__)


class Snapshots(Protocol):
    """What a run reads back with."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """One reading a binding, in any order."""


_LISTED = text("""
    SELECT count(*) AS places, array_agg(DISTINCT vendor_location_id) AS vendor_locations
    FROM binding WHERE channel = :channel
""")


def batches(told: Iterator[Sighting], rows: int = STAGED_ROWS) -> Iterator[list[Sighting]]:
    """What was told in pieces of so many rows; what came before an error of the vendor is not thrown away with it."""
    batch: list[Sighting] = []
    try:
        for sighting in told:
            batch.append(sighting)
            if len(batch) == rows:
                yield batch
                batch = []
    except Refused:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def recent(
    engine: Engine,
    bulk: ReadsInBulk,
    *,
    channel: str,
    job: str,
    now: datetime,
    window_s: int,
    above: int,
) -> Told | None:
    """The cheap way to read a large catalogue back: ask what changed, and remember the rest.

    above      listings that a channel has at least; fewer are read one by one
    returns    None where reading it one by one is the better way
    """
    with transaction(engine) as connection:
        listed: Any = connection.execute(_LISTED, {"channel": channel}).one()
    if listed.places <= above:
        return None
    # What was read is noted once an hour at least, so that after two more windows it still counts.
    mark = now - timedelta(seconds=_NOTED_S + 2 * window_s)
    with transaction(engine) as connection:
        empty(connection, channel, job)
    try:
        for batch in batches(bulk.changed_since(mark, listed.vendor_locations)):
            with transaction(engine) as connection:
                stage(connection, channel, job, batch)
    except Refused as refused:
        # Vendors page through so many changes and no further; then nothing is cheaper than reading all of it.
        log.warning("reconcile.sweep.refused", channel=channel, why=str(refused))
        return None
    return Told(channel, job, now, known_since=mark)
