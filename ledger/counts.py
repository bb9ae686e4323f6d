"""Physical counts, as of their minute.

variance = counted - what the book says was on hand at that minute. Sales that go on after the minute do not
matter, and an event that happened before the minute but arrives after the count was booked had been seen by the counter
already: the first count at or after it is restated by the opposite amount, so that the shelf stays what was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from ledger import postings
from ledger.db import fetch, send
from ledger.digest import Entry
from ledger.types import ON_HAND, Move

#: Restatements are the house's own events.
SOURCE = "lockstep"

# Current on hand, less everything that happened after the minute. The balances are locked, so that nobody moves them
# between this reading and the posting of the variance.
_POSITION = text("""
    WITH held AS (
        SELECT units FROM balance
        WHERE sku = :sku AND location = :location AND state = ANY(CAST(:on_hand AS text[]))
        ORDER BY state FOR UPDATE
    )
    SELECT coalesce((SELECT sum(units) FROM held), 0) - coalesce((
        SELECT sum(CASE WHEN to_location = :location AND to_state = ANY(CAST(:on_hand AS text[]))
                        THEN units ELSE 0 END
                 - CASE WHEN from_location = :location AND from_state = ANY(CAST(:on_hand AS text[]))
                        THEN units ELSE 0 END)
        FROM posting
        WHERE sku = :sku AND occurred_at > :at AND (to_location = :location OR from_location = :location)
    ), 0)
""")

_LATER_COUNTS = text("""
    SELECT given.position, later.event_id, later.counted_at
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:occurred AS timestamptz[]),
                CAST(:positions AS integer[])) AS given (sku, location, occurred_at, position)
    CROSS JOIN LATERAL (
        SELECT event_id, counted_at FROM count_mark
        WHERE count_mark.sku = given.sku AND count_mark.location = given.location
          AND count_mark.counted_at >= given.occurred_at
        ORDER BY counted_at LIMIT 1
    ) AS later
    ORDER BY given.position
""")

_MARK = text("""
    INSERT INTO count_mark (event_id, sku, location, counted_at, counted)
    VALUES (:event_id, :sku, :location, :counted_at, :counted)
""")


def with_variance(connection: Connection, entry: Entry) -> Entry:
    """The count with the moves of its variance."""
    sku, location = _place(entry)
    place = {"sku": sku, "location": location, "at": entry.occurred_at, "on_hand": list(ON_HAND)}
    [(position,)] = fetch(connection, _POSITION, place)
    moves = postings.variance(sku, location, (entry.counted or 0) - int(position))
    return replace(entry, moves=tuple(moves), payload=entry.payload | {"position": int(position)})


def mark(connection: Connection, entry: Entry, event_id: UUID) -> None:
    """Remember a booked count, for events that arrive late."""
    sku, location = _place(entry)
    send(
        connection,
        _MARK,
        {
            "event_id": event_id,
            "sku": sku,
            "location": location,
            "counted_at": entry.occurred_at,
            "counted": entry.counted,
        },
    )


def restatements(connection: Connection, written: Sequence[tuple[Entry, UUID]]) -> list[Entry]:
    """The corrections of booked counts that events just written make necessary."""
    late = [
        (place, delta, entry, event_id)
        for entry, event_id in written
        for place, delta in _on_hand_changes(entry.moves).items()
        if delta
    ]
    if not late:
        return []
    found = fetch(
        connection,
        _LATER_COUNTS,
        {
            "skus": [place[0] for place, _, _, _ in late],
            "locations": [place[1] for place, _, _, _ in late],
            "occurred": [entry.occurred_at for _, _, entry, _ in late],
            "positions": list(range(len(late))),
        },
    )
    return [_restatement(row.event_id, row.counted_at, *late[row.position]) for row in found]


def _restatement(
    count_id: UUID,
    counted_at: datetime,
    place: tuple[str, str],
    delta: int,
    entry: Entry,
    event_id: UUID,
) -> Entry:
    return Entry(
        kind="count",
        source=SOURCE,
        source_id=f"count:{count_id}:late:{event_id}:{place[1]}"[:255],
        occurred_at=counted_at,
        moves=tuple(postings.variance(place[0], place[1], -delta)),
        reason=f"{entry.kind} {entry.source_id} happened before this count and arrived after it",
        reference=str(count_id),
    )


def _on_hand_changes(moves: Sequence[Move]) -> dict[tuple[str, str], int]:
    """What these moves change on hand, per (SKU, location); changes of state within a location cancel out."""
    changes: dict[tuple[str, str], int] = {}
    for move in moves:
        if move.to_state in ON_HAND:
            to = (move.sku, move.to_location)
            changes[to] = changes.get(to, 0) + move.units
        if move.from_state in ON_HAND:
            source = (move.sku, move.from_location)
            changes[source] = changes.get(source, 0) - move.units
    return changes


def _place(entry: Entry) -> tuple[str, str]:
    if entry.place is None:
        raise AssertionError(f"count {entry.source_id} has no place")
    return entry.place
