"""What happened to a SKU, from everything that keeps a trace, and what each channel showed at a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from console.access.types import Unknown
from ledger import queries

#: Rows of one kind that are read at most.
MOST: Final = 100
KINDS: Final = ("event", "target", "push", "read-back", "drift", "halt", "person")

_EVENTS = """
    SELECT p.occurred_at AS at, 'event' AS what, e.id::text AS id, coalesce(e.channel, '') AS channel,
           concat_ws(' ', e.kind, p.units, 'from', p.from_location, p.from_state,
                     CASE WHEN p.from_state = 'available' THEN '(' || p.from_after || ' left)' END,
                     'to', p.to_location, p.to_state,
                     CASE WHEN p.to_state = 'available' THEN '(' || p.to_after || ' there)' END,
                     nullif(e.reference, ''), nullif(e.reason, '')) AS said,
           CASE WHEN e.recorded_at - e.occurred_at > interval '60 seconds'
                THEN 'booked ' || to_char(e.recorded_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS') ELSE '' END AS more,
           coalesce(e.order_id, '') AS order_id
    FROM posting p JOIN event e ON e.id = p.event_id
    WHERE p.sku = :sku AND p.occurred_at >= :since AND p.occurred_at <= :until
    ORDER BY p.occurred_at DESC LIMIT :most
"""
_TARGETS = """
    SELECT set_at, 'target', id::text, channel, concat_ws(' ', 'should show', units, 'at', location),
           'rules ' || rule_version, ''
    FROM target_history
    WHERE sku = :sku AND set_at >= :since AND set_at <= :until ORDER BY set_at DESC LIMIT :most
"""
_PUSHES = """
    SELECT sent_at, 'push', id::text, channel,
           concat_ws(' ', 'told to show', units, 'at', location || ':', outcome, nullif(detail, '')),
           concat_ws(', ', 'answered ' || to_char(answered_at AT TIME ZONE 'UTC', 'HH24:MI:SS')), ''
    FROM push WHERE sku = :sku AND sent_at >= :since AND sent_at <= :until ORDER BY sent_at DESC LIMIT :most
"""
# What is not seen in a week is seen because somebody pushed it again: the index of pushes is by when they were sent.
_SEEN = """
    SELECT seen_at, 'read-back', id::text, channel,
           concat_ws(' ', 'shows', units, 'at', location), 'first seen of push ' || id, ''
    FROM push
    WHERE sku = :sku AND sent_at >= CAST(:since AS timestamptz) - interval '7 days' AND sent_at <= :until
      AND seen_at >= :since AND seen_at <= :until
    ORDER BY sent_at DESC LIMIT :most
"""
_READINGS = """
    SELECT s.read_at, 'read-back', s.channel || '/' || s.location, s.channel,
           concat_ws(' ', 'shows', coalesce(s.read_units::text, 'nothing we know'), 'at', s.location), 'the last', ''
    FROM channel AS c JOIN shown AS s ON s.channel = c.channel AND s.sku = :sku
    WHERE s.read_at >= :since AND s.read_at <= :until
"""
_DRIFTS = """
    SELECT seen_at, 'drift', id::text, channel,
           concat_ws(' ', 'shows', actual, 'for', expected, 'at', location || ':', cause, '·', action, result),
           CASE WHEN resolved_at IS NULL THEN 'open'
                ELSE 'resolved ' || to_char(resolved_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS') END, ''
    FROM drift WHERE sku = :sku AND seen_at >= :since AND seen_at <= :until ORDER BY seen_at DESC LIMIT :most
"""
_HALTS = """
    SELECT set_at, 'halt', id::text, channel, concat_ws(' ', 'halted by', set_by || ':', reason), state, ''
    FROM halt WHERE sku = :sku AND set_at >= :since AND set_at <= :until
    UNION ALL
    SELECT lifted_at, 'halt', id::text, channel, concat_ws(' ', 'lifted by', lifted_by || ':', lift_reason), state, ''
    FROM halt WHERE sku = :sku AND lifted_at >= :since AND lifted_at <= :until
"""
_PEOPLE = """
    SELECT d.at, 'person', d.id::text, '', concat_ws(' ', d.actor, d.verb, nullif(d.reason, '')),
           concat_ws(' ', d.door, coalesce(e.outcome, 'cut off'), nullif(e.detail, '')), ''
    FROM deed AS d LEFT JOIN deed_end AS e ON e.deed_id = d.id
    WHERE d.object = ANY(CAST(:objects AS text[])) AND d.at >= :since AND d.at <= :until ORDER BY d.id DESC LIMIT :most
"""
HAPPENED: Final = text(
    "SELECT * FROM ("  # noqa: S608 -- composed of constants
    + " UNION ALL ".join(
        f"({part})"
        for part in (_EVENTS, _TARGETS, _PUSHES, _SEEN, _READINGS, _DRIFTS, _HALTS, _PEOPLE)
    )
    + """) AS happened (at, what, id, channel, said, more, order_id)
    WHERE (CAST(:kind AS text) IS NULL OR what = :kind)
      AND (CAST(:channel AS text) IS NULL OR channel IN ('', :channel))
    ORDER BY at DESC, what, id LIMIT :most"""
)

_KNOWN = text("SELECT FROM sku WHERE sku = :sku")
_PLACES = text("SELECT channel, location FROM target WHERE sku = :sku ORDER BY channel, location")

_MOMENT = text("""
    SELECT t.channel, t.location, should.units AS should, should.set_at, should.rule_version,
           pushed.units AS pushed, pushed.answered_at AS pushed_at, pushed.id AS push_id,
           seen.units AS shows, seen.at AS shows_at, seen.how,
           (SELECT h.reason FROM halt AS h WHERE h.channel = t.channel AND h.sku = t.sku AND h.set_at <= :at
              AND (h.lifted_at IS NULL OR h.lifted_at > :at) ORDER BY h.id DESC LIMIT 1) AS halted
    FROM target AS t
    LEFT JOIN LATERAL (
        SELECT units, set_at, rule_version FROM target_history
        WHERE sku = t.sku AND channel = t.channel AND location = t.location AND set_at <= :at
        ORDER BY number DESC LIMIT 1
    ) AS should ON true
    LEFT JOIN LATERAL (
        SELECT id, units, answered_at, seen_at FROM push
        WHERE channel = t.channel AND sku = t.sku AND location = t.location AND outcome = 'confirmed'
          AND answered_at <= :at
        ORDER BY id DESC LIMIT 1
    ) AS pushed ON true
    LEFT JOIN LATERAL (
        SELECT units, at, how FROM (
            SELECT read_units AS units, read_at AS at, 'read back' AS how FROM shown
            WHERE channel = t.channel AND sku = t.sku AND location = t.location AND read_at <= :at
            UNION ALL
            SELECT actual, seen_at, 'drift ' || id FROM drift
            WHERE channel = t.channel AND sku = t.sku AND location = t.location AND seen_at <= :at
              AND (resolved_at IS NULL OR resolved_at > :at)
            UNION ALL
            SELECT pushed.units, pushed.seen_at, 'first seen of push ' || pushed.id WHERE pushed.seen_at <= :at
        ) AS looked WHERE at IS NOT NULL ORDER BY at DESC LIMIT 1
    ) AS seen ON true
    WHERE t.sku = :sku ORDER BY t.channel, t.location
""")

_SHOULD = text("""
    SELECT set_at AS at, units FROM target_history
    WHERE sku = :sku AND channel = :channel AND location = :location AND set_at <= :until
      AND number >= coalesce((SELECT max(number) FROM target_history
                              WHERE sku = :sku AND channel = :channel AND location = :location
                                AND set_at <= :since), 0)
    ORDER BY number DESC LIMIT :most
""")
_SHOWED = text("""
    SELECT at, units FROM (
        (SELECT answered_at AS at, units FROM push
         WHERE channel = :channel AND sku = :sku AND location = :location AND outcome = 'confirmed'
           AND answered_at <= :until
         ORDER BY id DESC LIMIT :most)
        UNION ALL
        (SELECT seen_at, actual FROM drift
         WHERE channel = :channel AND sku = :sku AND location = :location AND seen_at BETWEEN :since AND :until
         ORDER BY seen_at DESC LIMIT :most)
        UNION ALL
        (SELECT read_at, read_units FROM shown
         WHERE channel = :channel AND sku = :sku AND location = :location AND read_at <= :until
           AND read_units IS NOT NULL)
    ) AS looked ORDER BY at
""")


def happened(
    connection: Connection,
    sku: str,
    *,
    since: datetime,
    until: datetime,
    kind: str | None = None,
    channel: str | None = None,
    most: int = MOST,
) -> list[dict[str, Any]]:
    """What happened to a SKU, the newest first, at most so many rows.

    returns    at, what (one of KINDS), id (where that is kept), channel, said, more, order_id
    """
    places = connection.execute(_PLACES, {"sku": sku}).all()
    given = {
        "sku": sku, "since": since, "until": until, "kind": kind, "channel": channel, "most": most,
        "objects": _objects(sku, [(row.channel, row.location) for row in places]),
    }  # fmt: skip
    return [dict(row) for row in connection.execute(HAPPENED, given).mappings()]


def of_sku(
    connection: Connection,
    sku: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    kind: str | None = None,
    channel: str | None = None,
) -> dict[str, Any]:
    """What happened to a SKU, and between which moments: a day up to now unless they are said. Raises Unknown."""
    _refuse_unknown(connection, sku)
    until = until or now
    since = since or until - timedelta(days=1)
    rows = happened(connection, sku, since=since, until=until, kind=kind, channel=channel)
    return {"sku": sku, "since": since, "until": until, "rows": rows}


def moment_of(connection: Connection, sku: str, at: datetime, now: datetime) -> dict[str, Any]:
    """As `at_moment`, of a SKU that is known. Raises Unknown."""
    _refuse_unknown(connection, sku)
    return {"sku": sku, **at_moment(connection, sku, at, now)}


def _refuse_unknown(connection: Connection, sku: str) -> None:
    if connection.execute(_KNOWN, {"sku": sku}).one_or_none() is None:
        raise Unknown(f"there is no SKU {sku!r}: see `lockstep sku search`")


def _objects(sku: str, places: list[tuple[str, str]]) -> list[str]:
    """What deeds about a SKU say that they were done to."""
    channels = sorted({channel for channel, _ in places})
    locations = sorted({location for _, location in places})
    named = [sku, *(f"{c}/{sku}" for c in channels), *(f"{sku}/{at}" for at in locations)]
    named += [f"{c}/{sku}/{at}" for c, at in places]
    return [f"{kind}:{name}" for kind in ("halt", "place", "sku") for name in named]


def at_moment(connection: Connection, sku: str, at: datetime, now: datetime) -> dict[str, Any]:
    """What channels showed, what they should have, and what the book knew.

    returns    places; knew: positions of that moment as the book knew then; knows: as it knows now
    """
    rows = connection.execute(_MOMENT, {"sku": sku, "at": at}).mappings()
    return {
        "at": at,
        "places": [dict(row) for row in rows],
        "knew": queries.position_at(connection, sku, at=at, known_at=at),
        "knows": queries.position_at(connection, sku, at=at, known_at=now),
    }


def charted(
    connection: Connection,
    sku: str,
    channel: str,
    location: str,
    *,
    since: datetime,
    until: datetime,
    most: int = 2000,
) -> dict[str, list[Any]]:
    """Two stepped lines on one axis: `at` in seconds, `should` and `shown` in units (None before the first)."""
    given = {
        "sku": sku, "channel": channel, "location": location, "since": since, "until": until, "most": most,
    }  # fmt: skip
    should = sorted((row.at, row.units) for row in connection.execute(_SHOULD, given))
    shown = [(row.at, row.units) for row in connection.execute(_SHOWED, given)]
    moments = sorted({at for at, _ in should + shown if since <= at <= until} | {until})
    if any(at < since for at, _ in should + shown):
        moments.insert(0, since)
    return {
        "at": [at.timestamp() for at in moments],
        "should": _stepped(should, moments),
        "shown": _stepped(shown, moments),
    }


def _stepped(line: list[tuple[datetime, int]], moments: list[datetime]) -> list[int | None]:
    found: list[int | None] = []
    place, units = 0, None
    for moment in moments:
        while place < len(line) and line[place][0] <= moment:
            units = line[place][1]
            place += 1
        found.append(units)
    return found
