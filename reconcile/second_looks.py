"""Readings that differ and may only be ahead of the orders we know: kept, and judged when those orders are heard.

The reading is kept, not taken again: of a SKU that sells twenty times a second there is no moment at which all of its
orders are heard. What has moved since the reading (a push, a target) makes it useless, as it does any reading.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from channels.base import Binding, Reading

_KEEP = text("""
    INSERT INTO second_look (channel, sku, location, window_at, units, updated_at, observed_at, due_at, until_at)
    SELECT :channel, sku, location, :window_at, units, updated_at, observed_at, :due_at, :until_at
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:updated AS timestamptz[]), CAST(:observed AS timestamptz[]))
         AS seen (sku, location, units, updated_at, observed_at)
    ORDER BY sku, location
    ON CONFLICT (channel, sku, location) DO NOTHING
""")

# Whoever takes them puts them off, so that nobody else judges them meanwhile.
_TAKE = text("""
    WITH taken AS MATERIALIZED (
        SELECT channel, sku, location FROM second_look
        WHERE channel = :channel AND due_at <= :now
        ORDER BY channel, sku, location LIMIT :at_most
        FOR UPDATE SKIP LOCKED
    )
    UPDATE second_look AS l SET due_at = :again_at
    FROM taken JOIN binding AS b USING (channel, sku, location)
    WHERE l.channel = taken.channel AND l.sku = taken.sku AND l.location = taken.location
    RETURNING l.sku, l.location, b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack,
              b.read_only, l.units, l.updated_at, l.observed_at, l.window_at, l.until_at
""")

_DROP = text("""
    DELETE FROM second_look AS l
    USING unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS done (sku, location)
    WHERE l.channel = :channel AND l.sku = done.sku AND l.location = done.location
""")

# Of places that are no longer listed. Others may be as old, where no worker came for a while: they are judged.
_FORGET = text("""
    DELETE FROM second_look AS l
    WHERE l.channel = :channel AND l.due_at < :before AND l.until_at < :before
      AND NOT EXISTS (SELECT FROM binding AS b
                      WHERE b.channel = l.channel AND b.sku = l.sku AND b.location = l.location)
""")

_CHANNELS = text("""
    SELECT channel FROM channel AS c
    WHERE EXISTS (SELECT FROM second_look AS l WHERE l.channel = c.channel AND l.due_at <= :now)
    ORDER BY channel
""")


@dataclass(frozen=True, slots=True)
class Look:
    """A reading that waits to be judged.

    window_at    of the run that made it, None outside of a run
    until_at     what may still be on its way excuses it until then
    """

    reading: Reading
    window_at: datetime | None
    until_at: datetime


def keep(
    connection: Connection,
    channel: str,
    readings: Sequence[Reading],
    *,
    window_at: datetime | None,
    due_at: datetime,
    until_at: datetime,
) -> None:
    """Judge these later. A place that waits already keeps its older reading: a newer one would put it off for ever."""
    if not readings:
        return
    connection.execute(
        _KEEP,
        {
            "channel": channel,
            "window_at": window_at,
            "due_at": due_at,
            "until_at": until_at,
            "skus": [reading.binding.sku for reading in readings],
            "locations": [reading.binding.location for reading in readings],
            "units": [reading.units for reading in readings],
            "updated": [reading.updated_at for reading in readings],
            "observed": [reading.observed_at for reading in readings],
        },
    )


def take(
    connection: Connection, channel: str, now: datetime, again_at: datetime, at_most: int = 1000
) -> list[Look]:
    """Readings whose time has come; should their worker die, they come back at `again_at`."""
    values = {"channel": channel, "now": now, "again_at": again_at, "at_most": at_most}
    connection.execute(_FORGET, {"channel": channel, "before": now - (again_at - now) * 10})
    return sorted(
        (
            Look(
                Reading(
                    Binding(channel, *row[:9]), row.units, None, row.updated_at, row.observed_at
                ),
                row.window_at,
                row.until_at,
            )
            for row in connection.execute(_TAKE, values)
        ),
        key=lambda look: (look.reading.binding.sku, look.reading.binding.location),
    )


def drop(connection: Connection, channel: str, places: Collection[tuple[str, str]]) -> None:
    """These are judged."""
    if places:
        skus, locations = zip(*sorted(places), strict=True)
        values = {"channel": channel, "skus": list(skus), "locations": list(locations)}
        connection.execute(_DROP, values)


def channels(connection: Connection, now: datetime) -> list[str]:
    """Channels with a reading whose time has come."""
    return list(connection.execute(_CHANNELS, {"now": now}).scalars())
