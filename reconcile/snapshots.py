"""A snapshot of many places set against their targets in PostgreSQL: only those that differ come back.

A snapshot is copied into the table `snapshot` in our own names and units, sorted by its key as targets are. A range of
SKUs is then one merge of the two, and of what is known to be shown: a million places are compared in a second or
two, and this process holds no row of those that are as they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from allocation.sql import SEEN
from channels.base import Binding, Reading, Sighting

#: Places that are compared in one pass, and places at most that are then read item by item.
RANGE_PLACES: Final = 1_000_000
DIFFERING_AT_MOST: Final = 2_000
_ALL: Final = 2**31 - 1

_EMPTY = text("DELETE FROM snapshot WHERE channel = :channel AND job = :job")

_RAW = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS told_rows (
        item text NOT NULL, place text NOT NULL, units bigint, at timestamptz NOT NULL
    ) ON COMMIT DELETE ROWS
""")
_COPY = "COPY told_rows (item, place, units, at) FROM STDIN"

# A vendor that tells a place twice means the later one. A level of nothing we know is counted, not kept.
_STAGE = text("""
    INSERT INTO snapshot (channel, job, sku, location, units, changed_at)
    SELECT binding.channel, :job, binding.sku, binding.location, told.units * binding.pack, told.at
    FROM (SELECT DISTINCT ON (item, place) item, place, units, at FROM told_rows ORDER BY item, place, at DESC) AS told
    JOIN binding ON binding.channel = :channel AND binding.item_id = told.item
                AND binding.vendor_location_id = told.place
    ORDER BY binding.sku, binding.location
    ON CONFLICT (channel, job, sku, location) DO UPDATE
        SET units = excluded.units, changed_at = excluded.changed_at
        WHERE snapshot.changed_at <= excluded.changed_at
""")
_UNBOUND = text("""
    SELECT count(DISTINCT (item, place)) FROM told_rows AS told
    JOIN channel_location ON channel_location.channel = :channel AND channel_location.vendor_location_id = told.place
    LEFT JOIN binding ON binding.channel = :channel AND binding.item_id = told.item
                     AND binding.vendor_location_id = told.place
    WHERE binding.channel IS NULL AND told.units IS NOT NULL
""")

# The range is said of each table, and planned for each range: a plan made for any range would read a table row by row.
PLANNED = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")

# Counted by the index alone; the last range ends with the last SKU. Where all channels together have hardly more places
# than one range, by what the planner knows, there is nothing to count: it would take a fifteenth of the comparison.
_LAST = text("""
    SELECT coalesce(
        CASE WHEN (SELECT reltuples FROM pg_class WHERE oid = 'target'::regclass) NOT BETWEEN 1 AND 1.25 * :places
             THEN (SELECT sku FROM target WHERE channel = :channel AND sku > :after
                   ORDER BY sku OFFSET :places - 1 LIMIT 1) END,
        (SELECT max(sku) FROM target WHERE channel = :channel AND sku > :after))
""")

# What was read since `known_since` and is not told otherwise is as it was; without it only what is told counts.
_TOLD = f"""
    FROM (
        SELECT t.sku, t.location, t.units AS target, s.read_at, s.read_units, s.confirmed_at,
               {SEEN} AS believed,
               CASE WHEN told.sku IS NOT NULL THEN told.units
                    WHEN s.read_at >= CAST(:known_since AS timestamptz) THEN s.read_units END AS units
        FROM target AS t
        LEFT JOIN snapshot AS told ON told.channel = :channel AND told.job = :job AND told.sku = t.sku
              AND told.location = t.location AND told.sku > :after AND told.sku <= :through
        LEFT JOIN shown AS s ON s.channel = :channel AND s.sku = t.sku AND s.location = t.location
              AND s.sku > :after AND s.sku <= :through
        WHERE t.channel = :channel AND t.sku > :after AND t.sku <= :through
    ) AS place
"""  # noqa: S608 -- composed of constants

# One that shows less than was believed is read anew, so that what went is noted as missing (`allocation.missing`).
_DIFFERS = "(place.units IS NULL OR greatest(place.units, 0) <> place.target OR place.believed > place.units)"
_NEWS = """(place.confirmed_at IS NULL OR place.confirmed_at <= :at)
    AND (place.read_at IS NULL
         OR place.read_at < :at AND (place.read_units IS DISTINCT FROM place.units
                                     OR place.read_at < place.confirmed_at
                                     OR place.read_at < CAST(:at AS timestamptz) - interval '1 hour'))"""

# Of what differs only so many come back as are read: a vendor that shows nothing right does not fill our memory.
COMPARE = text(f"""
    SELECT places, news, coalesce(differing[1:CAST(:at_most AS integer)], '{{}}') AS differing
    FROM (SELECT count(*) AS places, count(*) FILTER (WHERE news AND NOT differs) AS news,
                 array_agg(ARRAY[sku, location] ORDER BY sku, location) FILTER (WHERE differs) AS differing
          FROM (SELECT place.sku, place.location, {_DIFFERS} AS differs, {_NEWS} AS news {_TOLD}) AS compared) AS range
""")  # noqa: S608 -- composed of constants

# A place that is halted or has an open drift is read anew, so that it ends or goes on. They are few, and a join of all
# places with them would take a fifth of the comparison.
_OPEN = text("""
    SELECT t.sku, t.location FROM halt
    JOIN target AS t ON t.channel = halt.channel AND t.sku = halt.sku
    WHERE halt.channel = :channel AND halt.state <> 'lifted' AND halt.sku > :after AND halt.sku <= :through
    UNION
    SELECT t.sku, t.location FROM drift
    JOIN target AS t ON t.channel = drift.channel AND t.sku = drift.sku AND t.location = drift.location
    WHERE drift.channel = :channel AND drift.resolved_at IS NULL AND drift.sku > :after AND drift.sku <= :through
    ORDER BY sku, location LIMIT :at_most
""")

NOTE = text(f"""
    INSERT INTO shown (channel, sku, location, read_units, read_at)
    SELECT :channel, place.sku, place.location, place.units, :at {_TOLD}
    LEFT JOIN halt ON halt.channel = :channel AND halt.sku = place.sku AND halt.state <> 'lifted'
    LEFT JOIN drift ON drift.channel = :channel AND drift.sku = place.sku AND drift.location = place.location
          AND drift.resolved_at IS NULL
    WHERE NOT {_DIFFERS} AND {_NEWS} AND halt.id IS NULL AND drift.id IS NULL
    ORDER BY place.sku, place.location
    ON CONFLICT (channel, sku, location) DO UPDATE
    SET read_units = excluded.read_units, read_at = excluded.read_at
    WHERE (shown.read_at IS NULL OR shown.read_at < excluded.read_at)
      AND (shown.confirmed_at IS NULL OR shown.confirmed_at <= excluded.read_at)
""")  # noqa: S608 -- composed of constants

_BINDINGS = text("""
    SELECT b.sku, b.location, b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack,
           b.read_only
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS asked (sku, location)
    JOIN binding AS b ON b.channel = :channel AND b.sku = asked.sku AND b.location = asked.location
    WHERE NOT b.read_only
    ORDER BY b.sku, b.location
""")

_READINGS = text("""
    SELECT b.sku, b.location, b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack,
           b.read_only,
           CASE WHEN told.sku IS NOT NULL THEN told.units
                WHEN s.read_at >= CAST(:known_since AS timestamptz) THEN s.read_units END AS units
    FROM unnest(CAST(:skus AS text[])) AS asked (sku)
    JOIN binding AS b ON b.channel = :channel AND b.sku = asked.sku
    LEFT JOIN snapshot AS told ON told.channel = :channel AND told.job = :job AND told.sku = b.sku
          AND told.location = b.location
    LEFT JOIN shown AS s ON s.channel = :channel AND s.sku = b.sku AND s.location = b.location
""")


@dataclass(frozen=True, slots=True)
class Range:
    """A range of SKUs, compared.

    after, through    SKUs above the one and up to the other
    cleared           places told as they should be
    news              places whose note of what they show may have to be written
    differing         bindings of all other places, to be read one by one, by SKU and location
    next_places       how many places to compare next
    """

    after: str
    through: str
    cleared: int
    news: int
    differing: tuple[Binding, ...]
    next_places: int


@dataclass(frozen=True, slots=True)
class _Compared:
    """As `Range`, with (SKU, location) of what differs, in order."""

    through: str
    cleared: int
    news: int
    differing: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """What a job was told of a channel.

    at             when it was so, at the latest: what is noted as read is as old as this
    known_since    what was read since then and is not told otherwise is as it was; None: only what is told counts
    """

    channel: str
    job: str
    at: datetime
    known_since: datetime | None = None

    def compare(
        self, connection: Connection, after: str, places: int = RANGE_PLACES
    ) -> Range | None:
        """The next range, of about so many places; cut short where too many differ. None after the last."""
        connection.execute(PLANNED)
        values = {"channel": self.channel, "after": after, "places": places}
        through: str | None = connection.execute(_LAST, values).scalar_one()
        if through is None:
            return None
        found = self._compared(connection, after, through)
        next_places = min(2 * places, RANGE_PLACES)
        if len(found.differing) > DIFFERING_AT_MOST:
            first = found.differing[DIFFERING_AT_MOST][0]
            found = self._cut(connection, after, first, [sku for sku, _ in found.differing])
            # What follows is likely to differ as much; comparing all of it each time would take for ever.
            next_places = max(DIFFERING_AT_MOST, 2 * (found.cleared + len(found.differing)))
        asked = {
            "channel": self.channel,
            "skus": [sku for sku, _ in found.differing],
            "locations": [location for _, location in found.differing],
        }
        rows = connection.execute(_BINDINGS, asked)
        differing = tuple(Binding(self.channel, *row) for row in rows)
        return Range(after, found.through, found.cleared, found.news, differing, next_places)

    def cleared(self, connection: Connection, after: str, through: str) -> int:
        """Places told as they should be in a part of a range."""
        connection.execute(PLANNED)
        return self._compared(connection, after, through).cleared

    def _cut(self, connection: Connection, after: str, last: str, skus: Sequence[str]) -> _Compared:
        """Up to the SKU before `last` in order; one SKU alone is read whole, however many places it has."""
        before = max((sku for sku in skus if sku < last), default=None)
        if before is None:
            return self._compared(connection, after, last, _ALL)
        return self._compared(connection, after, before)

    def _compared(
        self, connection: Connection, after: str, through: str, at_most: int = DIFFERING_AT_MOST + 1
    ) -> _Compared:
        row = connection.execute(COMPARE, self._range(after, through) | {"at_most": at_most}).one()
        bounds = {"channel": self.channel, "after": after, "through": through, "at_most": at_most}
        standing = {(sku, location) for sku, location in connection.execute(_OPEN, bounds)}
        differing = standing.union((sku, location) for sku, location in row.differing)
        return _Compared(through, row.places - len(differing), row.news, sorted(differing))

    def note(self, connection: Connection, after: str, through: str) -> int:
        """Keep what was told of the places that are as they should be; returns the rows written."""
        connection.execute(PLANNED)
        return connection.execute(NOTE, self._range(after, through)).rowcount

    def readings(self, connection: Connection, skus: Sequence[str]) -> list[Reading]:
        """What is known of every place of these SKUs."""
        values = {
            "channel": self.channel,
            "job": self.job,
            "known_since": self.known_since,
            "skus": sorted(set(skus)),
        }
        return [
            Reading(Binding(self.channel, *row[:-1]), row.units, None, None, self.at)
            for row in connection.execute(_READINGS, values)
        ]

    def _range(self, after: str, through: str) -> dict[str, object]:
        return {
            "channel": self.channel,
            "job": self.job,
            "known_since": self.known_since,
            "at": self.at,
            "after": after,
            "through": through,
        }


def empty(connection: Connection, channel: str, job: str) -> None:
    """Forget what a job was told before."""
    connection.execute(_EMPTY, {"channel": channel, "job": job})


def stage(connection: Connection, channel: str, job: str, told: Sequence[Sighting]) -> int:
    """Keep what a channel told of its levels until it is compared, in units of ours.

    returns    levels at our locations that the channel counts and we know nothing of
    """
    connection.execute(_RAW)
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for sighting in told:
            copy.write_row(
                (sighting.item_id, sighting.vendor_location_id, sighting.units, sighting.at)
            )
    connection.execute(_STAGE, {"channel": channel, "job": job})
    return int(connection.execute(_UNBOUND, {"channel": channel}).scalar_one())
