"""The ledger behind a balance that has moved too often to be added up while somebody waits.

Each posting says what it left and at which version, and versions count the postings of a balance: so the sum and the
number of its events are known without reading them, and the newest event proves them. What is not known so is which
kinds they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from allocation.explaining import Account, Entry, Moved, Read

#: Stands for the kinds of events that were not told apart.
EVERY: Final = "every kind"
#: Postings of a balance that the newest are looked for among: a late booking stands behind later ones.
_NEAR: Final = 300

# By when it happened, which an index knows; a version is close to it.
_NEWEST = text("""
    WITH place AS MATERIALIZED (
        SELECT sku, location, version, place
        FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:versions AS bigint[]))
             WITH ORDINALITY AS given (sku, location, version, place)
    ), leg AS MATERIALIZED (
        SELECT place.place, near.version <= place.version AS known, near.*
        FROM place CROSS JOIN LATERAL (
            SELECT event_id, CASE WHEN is_to THEN units ELSE -units END AS units,
                   CASE WHEN is_to THEN to_after ELSE from_after END AS after,
                   CASE WHEN is_to THEN to_version ELSE from_version END AS version
            FROM (
                SELECT *, to_location = place.location AND to_state = 'available' AS is_to FROM posting
                WHERE sku = place.sku AND (CAST(:until AS timestamptz) IS NULL OR occurred_at <= :until)
                  AND (to_location = place.location AND to_state = 'available'
                       OR from_location = place.location AND from_state = 'available')
                ORDER BY occurred_at DESC LIMIT :near
            ) AS posted
        ) AS near
    ), newest AS (
        SELECT *, row_number() OVER (PARTITION BY place, known ORDER BY version DESC) AS back FROM leg
    )
    SELECT n.place, n.known, n.units, n.after, n.version, e.id::text AS event_id, e.kind, e.source,
           e.source_id, e.occurred_at, e.recorded_at, e.reference, e.reason
    FROM newest AS n JOIN event AS e ON e.id = n.event_id
    WHERE n.back <= :rows ORDER BY n.place, n.known, n.version DESC
""")
_NOW = text("""
    SELECT sku, location, units, version FROM balance
    WHERE sku = ANY(CAST(:skus AS text[])) AND location = ANY(CAST(:locations AS text[])) AND state = 'available'
""")


def versions(connection: Connection, read: Read) -> dict[tuple[str, str], int]:
    """(SKU, location) -> how often the balance has moved by now."""
    places = {"skus": [sku for sku, _ in read], "locations": [location for _, location in read]}
    return {(row.sku, row.location): row.version for row in connection.execute(_NOW, places)}


def accounts(
    connection: Connection, read: Read, rows: int, until: datetime | None
) -> dict[tuple[str, str], Account]:
    """(SKU, location) -> its account, its events not told apart by kind.

    rows    newest events of each to name, at least 1
    """
    given: dict[str, object] = {
        "skus": [sku for sku, _ in read],
        "locations": [location for _, location in read],
        "versions": [version for _, version in read.values()],
    }
    found = connection.execute(_NEWEST, given | {"rows": rows, "until": until, "near": _NEAR})
    newest: dict[tuple[int, bool], list[Entry]] = {}
    for row in found.mappings():
        said = dict(row)
        newest.setdefault((said.pop("place"), said.pop("known")), []).append(Entry(**said))
    moved = {} if until is not None else _moved_since(connection, read, given)
    return {
        place: Account(
            *place,
            units,
            version,
            (Moved(EVERY, units, version),),
            _proof(newest.get((number, True), []), version),
            moved.get(place, ()),
            tuple(newest.get((number, False), ())),
        )
        for number, (place, (units, version)) in enumerate(read.items(), start=1)
    }


def _proof(newest: list[Entry], version: int) -> tuple[Entry, ...]:
    """The newest events, if the very last is among them: others prove nothing."""
    return tuple(newest) if newest and newest[0].version == version else ()


def _moved_since(
    connection: Connection, read: Read, given: Mapping[str, object]
) -> dict[tuple[str, str], tuple[Moved, ...]]:
    """What has moved a balance since the version that was read."""
    found: dict[tuple[str, str], tuple[Moved, ...]] = {}
    for row in connection.execute(_NOW, given):
        units, version = read.get((row.sku, row.location), (row.units, row.version))
        if row.version > version:
            found[row.sku, row.location] = (Moved(EVERY, row.units - units, row.version - version),)
    return found
