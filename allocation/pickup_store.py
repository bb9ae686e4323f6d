"""What pick-up numbers are computed from, read from PostgreSQL: many places in one statement, at one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, text

from allocation.document import read
from allocation.pace import Sums, pace_of
from allocation.pickup import Counted, Doubt, Number, Shelf, number
from allocation.rules import in_force
from allocation.store import source_of
from allocation.types import Rules
from ledger.db import fetch

#: (SKU, location)
Key: TypeAlias = tuple[str, str]

# The moment is when the transaction began, before the snapshot was taken: whatever was committed by then is in the
# numbers. statement_timestamp() is set anew after the snapshot, when the driver has the bound statement run.
# The arrays stand in sub-selects so that no plan follows from their length: PostgreSQL then plans once, not each time,
# which takes as long as the reading.
_SHELVES = text("""
    SELECT given.sku, given.location, part.sku AS part, part.created_at, coalesce(bundle.units, 1) AS each,
           coalesce(balance.units, 0) AS available, coalesce(balance.version, 0) AS version,
           counted.at AS counted_at, doubt.since AS doubted_since, doubt.sound_at, doubt.missing, sold.sums,
           (SELECT coalesce(max(version), 0) FROM rule_set) AS rules_version, transaction_timestamp() AS at
    FROM unnest((SELECT CAST(:skus AS text[])), (SELECT CAST(:locations AS text[]))) AS given (sku, location)
    LEFT JOIN bundle ON bundle.sku = given.sku
    LEFT JOIN sku AS part ON part.sku = coalesce(bundle.component, given.sku)
    LEFT JOIN balance ON balance.sku = part.sku AND balance.location = given.location AND balance.state = 'available'
    LEFT JOIN LATERAL (
        SELECT max(counted_at) AS at FROM count_mark
        WHERE count_mark.sku = part.sku AND count_mark.location = given.location
    ) AS counted ON true
    LEFT JOIN LATERAL (
        SELECT max(since) AS since, max(missing) AS missing,
               CASE WHEN bool_and(o.sound_at IS NOT NULL) THEN min(o.sound_at) END AS sound_at
        FROM count_open AS o WHERE o.sku = part.sku AND o.location = given.location
    ) AS doubt ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(
                   channel, pace.at, since, fast_lines, slow_lines, slow_units, slow_squares) ORDER BY channel) AS sums
        FROM pace WHERE pace.sku = part.sku AND pace.location = given.location
    ) AS sold ON true
    ORDER BY given.sku, given.location, part.sku
""")

# A count's payload keeps what the book said at its minute. Imported variances have no mark, and reversed counts keep
# theirs: a reversal says that the booking was wrong, not that nobody looked.
_COUNTED = text("""
    SELECT location, count(*) AS counts, sum(days) AS days, sum(missing)::bigint AS missing
    FROM (
        SELECT mark.location,
               extract(epoch FROM mark.counted_at - lag(mark.counted_at) OVER place) / 86400 AS days,
               greatest(0, coalesce((event.payload ->> 'position')::bigint, mark.counted) - mark.counted) AS missing
        FROM count_mark AS mark JOIN event ON event.id = mark.event_id
        WHERE mark.location = ANY(CAST(:locations AS text[])) AND mark.counted_at > :since
        WINDOW place AS (PARTITION BY mark.sku, mark.location ORDER BY mark.counted_at, mark.event_id)
    ) AS counted
    WHERE days IS NOT NULL
    GROUP BY location
    ORDER BY location
""")


@dataclass(frozen=True, slots=True)
class Seen:
    """The book at one moment.

    at               the database's clock; everything committed by then is seen
    rules_version    in force then, 0 before any was applied
    shelves          (SKU, location) -> its shelves with the units that one takes of each; None for an unknown SKU
    """

    at: datetime
    rules_version: int
    shelves: Mapping[Key, tuple[tuple[Shelf, int], ...] | None]


def look(connection: Connection, keys: Collection[Key]) -> Seen:
    """Read all that the numbers of these places follow from, in one statement.

    keys    at least one; locations need not exist
    """
    ordered = sorted(set(keys))
    rows = fetch(
        connection,
        _SHELVES,
        {"skus": [sku for sku, _ in ordered], "locations": [location for _, location in ordered]},
    )
    found: dict[Key, list[tuple[Shelf, int]] | None] = {key: [] for key in ordered}
    for row in rows:
        shelves = found[row.sku, row.location]
        if row.part is None:
            found[row.sku, row.location] = None
        elif shelves is not None:
            shelves.append((_shelf(row), row.each))
    kept = {key: None if of is None else tuple(of) for key, of in found.items()}
    return Seen(rows[0].at, rows[0].rules_version, kept)


def numbers(
    seen: Seen, keys: Iterable[Key], rules: Rules, counted: Mapping[str, Counted]
) -> dict[Key, Number]:
    """The numbers of those places whose SKU is known and where orders are picked up.

    rules      of the version that was in force when the book was read
    """
    now, places = in_force(rules, seen.at), picked_up_at(rules)
    return {
        (sku, location): number(sku, location, shelves, now, counted, seen.at)
        for sku, location in keys
        if (shelves := seen.shelves[sku, location]) is not None and location in places
    }


def picked_up_at(rules: Rules) -> tuple[str, ...]:
    """Locations with a pick-up rule, in the order of the file."""
    return tuple(name for name, location in rules.locations.items() if location.pickup is not None)


def rules_of(connection: Connection, version: int) -> Rules:
    """The rules of one version; none for version 0. Raises NoSuchVersion."""
    return _rules(source_of(connection, version)) if version else Rules()


@lru_cache(maxsize=4)
def _rules(source: str) -> Rules:
    return read(source, "the rules in force").rules()


def losses(
    connection: Connection, locations: Collection[str], since: datetime
) -> dict[str, Counted]:
    """What the counts of these locations came to; locations that were never counted twice are missing.

    since    counts before it are too old to tell
    """
    rows = connection.execute(_COUNTED, {"locations": sorted(locations), "since": since})
    return {row.location: Counted(row.counts, float(row.days), row.missing) for row in rows}


def _shelf(row: Any) -> Shelf:
    return Shelf(
        sku=row.part,
        location=row.location,
        available=row.available,
        version=row.version,
        counted_at=row.counted_at,
        known_since=row.created_at,
        paces=tuple(pace_of((_sums(row, *one) for one in row.sums or ()), row.at).values()),
        doubt=_doubt(row),
    )


def _doubt(row: Any) -> Doubt | None:
    if row.doubted_since is None:
        return None
    return Doubt(row.doubted_since, row.sound_at, row.missing)


def _sums(row: Any, channel: str, at: str, since: str, *sums: float) -> Sums:
    moment = datetime.fromisoformat
    return Sums(row.part, channel, row.location, moment(at), moment(since), *sums)
