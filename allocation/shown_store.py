"""What became of a number, read from PostgreSQL: pushed, confirmed, read back, waiting or stopped; now and then.

Read-backs are kept only as far as `shown` (the last) and `push.seen_at` (the first that found what was confirmed) go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_LAST = text("""
    SELECT id, number, units, expected, sent_at,
           CASE WHEN answered THEN answered_at END AS answered_at,
           CASE WHEN answered THEN outcome ELSE 'sent' END AS outcome,
           CASE WHEN answered THEN detail ELSE '' END AS detail
    FROM (
        SELECT p.*, answered_at IS NOT NULL
                    AND (CAST(:until AS timestamptz) IS NULL OR answered_at <= :until) AS answered
        FROM push p
        WHERE channel = :channel AND sku = :sku AND location = :location
          AND (CAST(:until AS timestamptz) IS NULL OR sent_at <= :until)
        ORDER BY id DESC LIMIT 1
    ) AS last
""")

_CONFIRMED = text("""
    SELECT units, number, answered_at AS confirmed_at, id AS push_id FROM push
    WHERE channel = :channel AND sku = :sku AND location = :location AND outcome = 'confirmed'
      AND answered_at <= :until
    ORDER BY id DESC LIMIT 1
""")

_SHOWN = text("""
    SELECT units, number, confirmed_at, read_units, read_at, verify_at, missing FROM shown
    WHERE channel = :channel AND sku = :sku AND location = :location
""")

_SEEN = text("""
    SELECT id, units, seen_at FROM push
    WHERE channel = :channel AND sku = :sku AND location = :location AND seen_at IS NOT NULL
      AND (CAST(:until AS timestamptz) IS NULL OR seen_at <= :until)
    ORDER BY id DESC LIMIT 1
""")

_WAITS = text("""
    SELECT d.priority, d.since, d.run_at, d.attempts, d.parked, d.push_key IS NOT NULL AS on_its_way, d.error
    FROM push_due d WHERE d.channel = :channel AND d.sku = :sku AND d.location = :location
""")

_CHANNEL = text(
    "SELECT paused, paused_why, writes, next_call_at FROM channel WHERE channel = :channel"
)

_HALTS = text("""
    SELECT id, CASE WHEN CAST(:until AS timestamptz) IS NULL THEN state END AS state, reason, set_by, set_at
    FROM halt
    WHERE channel = :channel AND sku = :sku
      AND CASE WHEN CAST(:until AS timestamptz) IS NULL THEN state <> 'lifted'
               ELSE set_at <= :until AND (lifted_at IS NULL OR lifted_at > :until) END
    ORDER BY set_at, id
""")

_HIDDEN = text("""
    SELECT hidden_at FROM hidden
    WHERE channel = :channel AND sku = :sku AND (CAST(:until AS timestamptz) IS NULL OR hidden_at <= :until)
""")

#: Why a row of the queue goes out: its priority in words.
PRIORITIES = ("sold out", "decrease", "first number or repair", "rise")

_UNKNOWN = "unknown: no read-back of that time is kept"


def became(
    connection: Connection, sku: str, channel: str, location: str, until: datetime | None
) -> dict[str, Any]:
    """What became of the target of a place.

    returns    push (the last one, or None), shown (what was last confirmed: units, number, confirmed_at, push_id; or
               None), reading (units, read_at, why; and now verify_at and missing), waits (now only, or None), halts,
               hidden_at
    """
    given = {"channel": channel, "sku": sku, "location": location, "until": until}
    last = connection.execute(_LAST, given).mappings().one_or_none()
    shown = connection.execute(_SHOWN, given).mappings().one_or_none()
    return {
        "push": None if last is None else dict(last),
        "shown": _shown(connection, shown, given),
        "reading": _reading(connection, shown, given),
        "waits": _waits(connection, given) if until is None else None,
        "halts": [dict(row) for row in connection.execute(_HALTS, given).mappings()],
        "hidden_at": connection.execute(_HIDDEN, given).scalar_one_or_none(),
    }


def _shown(
    connection: Connection, shown: Mapping[Any, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Confirmed last; now it has followed the channel's own sales since, then it is what the push said."""
    if given["until"] is not None:
        row = connection.execute(_CONFIRMED, given).mappings().one_or_none()
        return None if row is None else dict(row)
    if shown is None or shown["units"] is None:
        return None
    return {name: shown[name] for name in ("units", "number", "confirmed_at")}


def _reading(
    connection: Connection, shown: Mapping[Any, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    until = given["until"]
    found: dict[str, Any] = {"units": None, "read_at": None, "why": _UNKNOWN}
    if shown is not None and shown["read_at"] and (until is None or shown["read_at"] <= until):
        why = "read back last, less what the channel is known to have sold since"
        found = {"units": shown["read_units"], "read_at": shown["read_at"], "why": why}
    else:
        seen = connection.execute(_SEEN, given).one_or_none()
        if seen is not None:
            why = f"first seen of push {seen.id}; nothing later is kept"
            found = {"units": seen.units, "read_at": seen.seen_at, "why": why}
        elif until is None:
            found["why"] = "never read back"
    if until is None:
        found["verify_at"] = None if shown is None else shown["verify_at"]
        found["missing"] = 0 if shown is None else shown["missing"]
    return found


def _waits(connection: Connection, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Why the number is not out yet; None when nothing waits."""
    row = connection.execute(_WAITS, given).mappings().one_or_none()
    if row is None:
        return None
    channel = connection.execute(_CHANNEL, given).one()
    why = PRIORITIES[row["priority"]]
    if row["parked"]:
        why = "parked: see lockstep push parked"
    elif row["on_its_way"]:
        why = "sent, and the answer is not known yet"
    elif channel.paused:
        why = f"the channel is paused: {channel.paused_why}"
    elif not channel.writes:
        why = "the channel may not be written to before it is certified: see lockstep channel"
    return {**row, "next_call_at": channel.next_call_at, "why": why}
