"""The house at a glance: each channel, what waits, what is wrong. Cheap enough to be asked every few seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

#: Nobody needs to know how many more there are.
MOST: Final = 10_000
#: Newest pushes of the last hour that quantiles are taken of.
_SAMPLE: Final = 2000
_SLOT: Final = timedelta(minutes=15)
SLOTS: Final = 96
#: A queue that nobody looked at for so long has no worker.
SILENT_S: Final = 120

CHANNELS: Final = text(f"""
    SELECT c.channel, c.kind, c.writes, c.paused, c.paused_by, c.paused_why, c.next_call_at, c.away_since,
           waits.rows AS due, waits.oldest, waits.lower, parked.rows AS parked, off.rows AS halted,
           open.rows AS drifts, open.too_much, last.window_at, last.finished_at, last.expected, last.read,
           last.unknown, sync.p50, sync.p95, sync.rows AS synced
    FROM channel AS c
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, min(since) AS oldest, count(*) FILTER (WHERE priority <= 1) AS lower
        FROM (SELECT since, priority FROM push_due
              WHERE channel = c.channel AND NOT parked ORDER BY since LIMIT {MOST}) AS d
    ) AS waits
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows FROM (SELECT FROM push_due WHERE channel = c.channel AND parked LIMIT {MOST}) AS d
    ) AS parked
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows
        FROM (SELECT FROM halt WHERE channel = c.channel AND state <> 'lifted' LIMIT {MOST}) AS h
    ) AS off
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, coalesce(sum(greatest(delta, 0)), 0)::bigint AS too_much
        FROM (SELECT delta FROM drift WHERE channel = c.channel AND resolved_at IS NULL LIMIT {MOST}) AS d
    ) AS open
    LEFT JOIN LATERAL (
        SELECT window_at, finished_at, expected, read, unknown FROM run
        WHERE job = 'reconcile' AND channel = c.channel AND state = 'done' ORDER BY window_at DESC LIMIT 1
    ) AS last ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, percentile_cont(0.5) WITHIN GROUP (ORDER BY s) AS p50,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY s) AS p95
        FROM (SELECT date_part('epoch', answered_at - due_since) AS s FROM push
              WHERE channel = c.channel AND sent_at > CAST(:now AS timestamptz) - interval '1 hour'
                AND sent_at <= :now AND outcome = 'confirmed' AND due_since IS NOT NULL
              ORDER BY sent_at DESC LIMIT {_SAMPLE}) AS p
    ) AS sync
    ORDER BY c.channel
""")  # noqa: S608 -- composed of constants

# The worst of each quarter of an hour: 0 fine, 1 repaired, 2 halted or late, 3 missed or failed.
STRIPS: Final = text("""
    SELECT channel, date_bin('15 minutes', window_at, TIMESTAMPTZ '2000-01-01') AS slot,
           max(CASE WHEN state IN ('missed', 'failed') THEN 3 WHEN halted > 0 OR overrun THEN 2
                    WHEN drifted > 0 THEN 1 ELSE 0 END) AS worst,
           sum(drifted) AS found, sum(halted) AS halted, count(*) FILTER (WHERE state = 'missed') AS missed
    FROM run
    WHERE job = 'reconcile' AND channel = ANY(CAST(:channels AS text[])) AND window_at > :since
      AND state IN ('done', 'missed', 'failed')
    GROUP BY 1, 2
""")

HOUSE: Final = text(f"""
    SELECT (SELECT received_at FROM inbox WHERE state = 'pending' ORDER BY id LIMIT 1) AS inbox_oldest,
           (SELECT count(*) FROM (SELECT FROM inbox WHERE state = 'pending' LIMIT {MOST}) AS i) AS inbox_pending,
           (SELECT count(*) FROM (SELECT FROM inbox WHERE state IN ('parked', 'rejected') LIMIT {MOST}) AS i)
               AS inbox_parked,
           (SELECT count(*) FROM (SELECT FROM due LIMIT {MOST}) AS d) AS computing,
           (SELECT min(since) FROM (SELECT since FROM due LIMIT {MOST}) AS d) AS computing_since,
           (SELECT count(*) FROM (SELECT FROM failure WHERE state IN ('open', 'retrying') LIMIT {MOST}) AS f) AS failed,
           (SELECT count(DISTINCT sku) FROM (SELECT sku FROM halt WHERE state <> 'lifted' LIMIT {MOST}) AS h) AS halted,
           (SELECT count(*) FROM (SELECT FROM oversold_case WHERE state <> 'closed' LIMIT {MOST}) AS o) AS cases,
           (SELECT version FROM rule_set ORDER BY version DESC LIMIT 1) AS rules,
           (SELECT max(recorded_at) FROM (SELECT recorded_at FROM event ORDER BY id DESC LIMIT 1) AS e) AS event_at
""")  # noqa: S608 -- composed of constants

SEALED: Final = text(f"""
    SELECT s.number, s.sealed_at, s.last_seq,
           (SELECT count(*) FROM (SELECT FROM event WHERE seq > s.last_seq LIMIT {MOST}) AS e) AS unsealed
    FROM seal AS s ORDER BY s.number DESC LIMIT 1
""")  # noqa: S608 -- composed of constants

_QUEUES = text("""
    SELECT coalesce(h.queue, p.queue) AS queue, h.seen_at, h.worker, p.paused_at, p.paused_by, p.reason
    FROM heartbeat AS h FULL JOIN queue_pause AS p ON p.queue = h.queue ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Now:
    """What the first page shows.

    channels    a dict each, with `strip`: 96 quarters of an hour, None where no window was
    house       what waits that is of no channel
    sealed      the newest seal; None: nothing was sealed
    in_sync     percent of the places read in the last windows that show what they should; None: nothing was read
    """

    channels: list[dict[str, Any]]
    house: Mapping[str, Any]
    sealed: Mapping[str, Any] | None
    queues: list[dict[str, Any]]
    in_sync: float | None

    @property
    def unpushed_since(self) -> datetime | None:
        """Since when the oldest number waits that nothing holds back."""
        waiting = [row["oldest"] for row in self.channels if row["oldest"] and not row["paused"]]
        return min(waiting, default=None)


def now_of(connection: Connection, now: datetime) -> Now:
    """Everything of the first page."""
    rows = [dict(row) for row in connection.execute(CHANNELS, {"now": now}).mappings()]
    strips = _strips(connection, [row["channel"] for row in rows], now)
    for row in rows:
        row["strip"] = strips[row["channel"]]
        row["why"] = why_idle(row, now)
        row["sync"] = _share(row)
    sealed = connection.execute(SEALED).mappings().one_or_none()
    queues = [dict(row) for row in connection.execute(_QUEUES).mappings()]
    for queue in queues:
        seen = queue["seen_at"]
        queue["silent"] = seen is None or (now - seen).total_seconds() > SILENT_S
    return Now(
        rows,
        dict(connection.execute(HOUSE).mappings().one()),
        None if sealed is None else dict(sealed),
        queues,
        in_sync(rows),
    )


def in_sync(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of the places that were read and show what they should, in percent."""
    read = sum(_read(row) for row in rows)
    drifts = sum(row["drifts"] for row in rows if _read(row))
    return None if not read else max(0.0, 100.0 * (read - drifts) / read)


def _share(row: Mapping[str, Any]) -> float | None:
    return in_sync([row])


def _read(row: Mapping[str, Any]) -> int:
    return max(0, (row["read"] or 0) - (row["unknown"] or 0))


def why_idle(row: Mapping[str, Any], now: datetime) -> str:
    """Why nothing is sent to a channel; empty where it works."""
    if row["paused"]:
        by = f" by {row['paused_by']}" if row["paused_by"] else ""
        return f"paused{by}: {row['paused_why']}"
    if not row["writes"]:
        return f"not certified yet: nothing is written. lockstep channel certify {row['channel']}"
    if row["away_since"]:
        return f"the vendor does not answer since {row['away_since']:%H:%M:%S}"
    if row["next_call_at"] and row["next_call_at"] > now:
        return f"limited until {row['next_call_at']:%H:%M:%S} UTC"
    return ""


def _strips(
    connection: Connection, channels: Sequence[str], now: datetime
) -> dict[str, list[dict[str, Any] | None]]:
    """Of each channel the last day in quarters of an hour, the oldest first."""
    last = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    first = last - (SLOTS - 1) * _SLOT
    found: dict[str, list[dict[str, Any] | None]] = {name: [None] * SLOTS for name in channels}
    values = {"channels": list(channels), "since": first - timedelta(microseconds=1)}
    for row in connection.execute(STRIPS, values).mappings():
        place = int((row["slot"] - first) / _SLOT)
        if 0 <= place < SLOTS:
            found[row["channel"]][place] = dict(row)
    return found
