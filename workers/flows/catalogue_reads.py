"""What a channel shows, told all at once: taken where it agrees with us, read again item by item where it does not.

A catalogue that is told in one go is old when it is judged. So it only clears those places that are as they should
be; every other place is read anew, and judged by that. Both sources here are read like a channel (`snapshot`), so that
a run of reconciliation over them is the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import orjson
import structlog
from sqlalchemy import Connection, Engine, text

from channels.base import Binding, Reading, ReadsInBulk, Refused, Sighting
from ledger.db import transaction

#: Rows that go into the staging table in one statement.
STAGED_ROWS: Final = 5000
#: How old the note of what a place shows may become (`reconcile.pages.note_readings`).
_NOTED_S: Final = 3600

log = structlog.get_logger(__name__)


class Snapshots(Protocol):
    """What a run reads back with."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """One reading a binding, in any order."""


_EMPTY = text("DELETE FROM bulk_level WHERE channel = :channel")

# A vendor that tells a place twice means the later one.
_STAGE = text("""
    INSERT INTO bulk_level (channel, item_id, vendor_location_id, units, changed_at)
    SELECT DISTINCT ON (item, place) :channel, item, place, units, at
    FROM json_to_recordset(CAST(:rows AS json)) AS r (item text, place text, units bigint, at timestamptz)
    ORDER BY item, place, at DESC
    ON CONFLICT (channel, item_id, vendor_location_id) DO UPDATE
        SET units = excluded.units, changed_at = excluded.changed_at
""")

# Expected is what `reconcile.pages` expects; a place with an open drift is read again, so that it ends or goes on. Each
# place is looked up by its keys (LIMIT keeps the planner from reading tables whole for a page of them).
_ASKED = """
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:items AS text[]), CAST(:places AS text[]),
                CAST(:packs AS integer[])) WITH ORDINALITY AS asked (sku, location, item, place, pack, n)
    CROSS JOIN LATERAL (
        SELECT units FROM target
        WHERE target.channel = :channel AND target.sku = asked.sku AND target.location = asked.location LIMIT 1
    ) AS wanted
    LEFT JOIN halt ON halt.channel = :channel AND halt.sku = asked.sku AND halt.state <> 'lifted'
"""
_NO_DRIFT = """
    WHERE NOT EXISTS (SELECT FROM drift WHERE drift.channel = :channel AND drift.sku = asked.sku
                      AND drift.location = asked.location AND drift.resolved_at IS NULL)
"""
_EXPECTED = "SELECT asked.n, CASE WHEN halt.id IS NULL THEN wanted.units ELSE 0 END AS expected,"

TOLD = text(f"""
    {_EXPECTED} level.units * asked.pack AS units, level.changed_at
    {_ASKED}
    CROSS JOIN LATERAL (
        SELECT units, changed_at FROM bulk_level
        WHERE bulk_level.channel = :channel AND bulk_level.item_id = asked.item
          AND bulk_level.vendor_location_id = asked.place LIMIT 1
    ) AS level
    {_NO_DRIFT}
""")  # noqa: S608  # our own text

LAST_READ = text(f"""
    {_EXPECTED} last.read_units, last.read_at
    {_ASKED}
    LEFT JOIN LATERAL (
        SELECT read_units, read_at FROM shown
        WHERE shown.channel = :channel AND shown.sku = asked.sku AND shown.location = asked.location LIMIT 1
    ) AS last ON true
    {_NO_DRIFT}
""")  # noqa: S608  # our own text

_LISTED = text("""
    SELECT count(*) AS places, array_agg(DISTINCT vendor_location_id) AS vendor_locations
    FROM binding WHERE channel = :channel
""")

_UNBOUND = text("""
    SELECT count(*) FROM bulk_level AS level
    JOIN channel_location USING (channel, vendor_location_id)
    LEFT JOIN binding ON binding.channel = level.channel AND binding.item_id = level.item_id
                     AND binding.vendor_location_id = level.vendor_location_id
    WHERE level.channel = :channel AND binding.channel IS NULL AND level.units IS NOT NULL
""")


def empty(connection: Connection, channel: str) -> None:
    """Forget what was told before."""
    connection.execute(_EMPTY, {"channel": channel})


def stage(connection: Connection, channel: str, told: Sequence[Sighting]) -> None:
    """Keep what a channel told of its levels until it is judged."""
    rows = [
        {"item": s.item_id, "place": s.vendor_location_id, "units": s.units, "at": s.at}
        for s in told
    ]
    connection.execute(_STAGE, {"channel": channel, "rows": orjson.dumps(rows).decode()})


def unbound(connection: Connection, channel: str) -> int:
    """Levels at our locations that the channel counts and we know nothing of."""
    return int(connection.execute(_UNBOUND, {"channel": channel}).scalar_one())


@dataclass(frozen=True, slots=True)
class Staged:
    """A channel as its export told it at `told_at`, and the channel itself for what differs."""

    engine: Engine
    channel: str
    live: Snapshots
    told_at: datetime

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """See `Snapshots`."""
        with transaction(self.engine) as connection:
            rows = connection.execute(TOLD, _keys(self.channel, bindings)).all()
        fine = {
            row.n - 1: Reading(bindings[row.n - 1], row.units, None, row.changed_at, self.told_at)
            for row in rows
            if row.units is not None and max(row.units, 0) == row.expected
        }
        yield from fine.values()
        yield from _live(self.live, bindings, fine)


@dataclass(frozen=True, slots=True)
class Recent:
    """A channel whose levels are as they were last read, but for those that it says have changed since `mark`.

    changed    (item, vendor's location) -> what it shows now, in the vendor's units
    swept_at   when the channel was asked what had changed
    """

    engine: Engine
    channel: str
    live: Snapshots
    mark: datetime
    swept_at: datetime
    changed: Mapping[tuple[str, str], Sighting]

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """See `Snapshots`."""
        with transaction(self.engine) as connection:
            rows = connection.execute(LAST_READ, _keys(self.channel, bindings)).all()
        fine: dict[int, Reading] = {}
        for row in rows:
            binding = bindings[row.n - 1]
            reading = self._known(binding, row.read_units, row.read_at)
            if reading is not None and max(reading.units or 0, 0) == row.expected:
                fine[row.n - 1] = reading
        yield from fine.values()
        yield from _live(self.live, bindings, fine)

    def _known(
        self, binding: Binding, read_units: int | None, read_at: datetime | None
    ) -> Reading | None:
        """What the place shows now, if that is known without asking for it."""
        told = self.changed.get((binding.item_id, binding.vendor_location_id))
        if told is not None:
            if told.units is None:
                return None
            return Reading(binding, told.units * binding.pack, None, told.at, self.swept_at)
        if read_units is None or read_at is None or read_at < self.mark:
            return None
        return Reading(binding, read_units, None, None, self.swept_at)


def recent(
    engine: Engine,
    live: Snapshots,
    bulk: ReadsInBulk,
    *,
    channel: str,
    now: datetime,
    window_s: int,
    above: int,
) -> Snapshots:
    """The cheap way to read a large catalogue back: ask what changed, and remember the rest.

    above      listings that a channel has at least; fewer are read one by one
    returns    `live` itself where that is the better way
    """
    with transaction(engine) as connection:
        listed = connection.execute(_LISTED, {"channel": channel}).one()
    if listed.places <= above:
        return live
    # What was read is noted once an hour at least, so that after two more windows it still counts.
    mark = now - timedelta(seconds=_NOTED_S + 2 * window_s)
    try:
        told = bulk.changed_since(mark, listed.vendor_locations)
        changed = {(s.item_id, s.vendor_location_id): s for s in told}
    except Refused as refused:
        # Vendors page through so many changes and no further; then nothing is cheaper than reading all of it.
        log.warning("reconcile.sweep.refused", channel=channel, why=str(refused))
        return live
    return Recent(engine, channel, live, mark, now, changed)


def _keys(channel: str, bindings: Sequence[Binding]) -> dict[str, object]:
    return {
        "channel": channel,
        "skus": [b.sku for b in bindings],
        "locations": [b.location for b in bindings],
        "items": [b.item_id for b in bindings],
        "places": [b.vendor_location_id for b in bindings],
        "packs": [b.pack for b in bindings],
    }


def _live(
    live: Snapshots, bindings: Sequence[Binding], fine: Mapping[int, Reading]
) -> Iterable[Reading]:
    rest = [binding for place, binding in enumerate(bindings) if place not in fine]
    return live.snapshot(rest) if rest else ()
