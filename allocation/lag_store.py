"""Lags in PostgreSQL: the records they are measured from, what was measured, and the SKUs that depend on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from allocation.lags import DAY, Measured, Record, Sample

#: Newest records of a channel that are looked at; a busy one has so many in minutes.
_NEWEST = 2000

# One measuring at a time: what a second one would find is being found.
_TURN = text("SELECT pg_try_advisory_xact_lock(7305200140)")

# `recorded_at` is when the delivery was settled: one transaction writes both. An order placed before the first one was
# ever heard was not waited for, nor one of more than a day ago, nor imported history; later events of a line are edits.
# A vendor's whole second may have been rounded up: half a second is added.
_HEARD = text(f"""
    SELECT c.channel, heard.recorded_at AS at,
           date_part('epoch', heard.recorded_at - heard.occurred_at)
           + CASE WHEN heard.occurred_at = date_trunc('second', heard.occurred_at) THEN 0.5 ELSE 0 END AS detect_s
    FROM channel c
    CROSS JOIN LATERAL (
        SELECT e.recorded_at FROM event e
        WHERE e.channel = c.channel AND e.kind = 'order' ORDER BY e.recorded_at LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT e.seq, e.source, e.order_id, e.line_id, e.occurred_at, e.recorded_at, e.inbox_id FROM event e
        WHERE e.channel = c.channel AND e.kind = 'order' AND e.recorded_at > :since AND e.recorded_at <= :now
        ORDER BY e.recorded_at DESC LIMIT {_NEWEST}
    ) AS heard
    WHERE heard.inbox_id IS NOT NULL AND heard.source NOT LIKE 'history:%'
      AND heard.occurred_at >= first.recorded_at AND heard.occurred_at > heard.recorded_at - interval '1 day'
      AND NOT EXISTS (SELECT FROM event earlier
                      WHERE earlier.channel = c.channel AND earlier.order_id = heard.order_id
                        AND earlier.line_id = heard.line_id AND earlier.kind = 'order' AND earlier.seq < heard.seq)
    ORDER BY c.channel, heard.recorded_at
""")  # noqa: S608 -- composed of constants

# What was not confirmed still waits, and shows as staleness. A rise waits on purpose, and nobody is sold what is gone
# because of it.
_SENT = text(f"""
    SELECT c.channel, sent.sent_at AS at,
           CASE WHEN sent.units <= coalesce(sent.expected, sent.units)
                THEN date_part('epoch', sent.sent_at - sent.due_since) END AS queue_s,
           date_part('epoch', sent.answered_at - sent.sent_at) AS push_s,
           date_part('epoch', sent.seen_at - sent.answered_at) AS visible_s
    FROM channel c
    CROSS JOIN LATERAL (
        SELECT p.sent_at, p.answered_at, p.due_since, p.seen_at, p.units, p.expected, p.outcome FROM push p
        WHERE p.channel = c.channel AND p.sent_at > :since AND p.sent_at <= :now
        ORDER BY p.sent_at DESC LIMIT {_NEWEST}
    ) AS sent
    WHERE sent.outcome = 'confirmed'
    ORDER BY c.channel, sent.sent_at
""")  # noqa: S608 -- composed of constants

# A paused channel shows old numbers: it is as late as one that does not answer. One that may not be written to shows
# none of ours. A row that fails again and again while others of its channel go through is what is wrong, not the
# channel.
_WAITING = text("""
    SELECT c.channel,
           (SELECT d.since FROM push_due d
            WHERE c.writes AND d.channel = c.channel AND NOT d.parked AND d.since <= :now
              AND NOT (d.priority = 3 AND d.run_at > :now)
              AND NOT (d.attempts >= 3 AND confirmed.at IS NOT NULL AND confirmed.at > d.since)
              AND EXISTS (SELECT FROM binding b
                          WHERE b.channel = d.channel AND b.sku = d.sku AND b.location = d.location)
              AND NOT EXISTS (SELECT FROM halt h
                              WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')
            ORDER BY d.since LIMIT 1) AS unshown,
           (SELECT s.verify_at FROM shown s
            WHERE s.channel = c.channel AND s.verify_at <= :now AND s.verify_first
              AND EXISTS (SELECT FROM binding b
                          WHERE b.channel = s.channel AND b.sku = s.sku AND b.location = s.location)
              AND (SELECT d.push_key FROM push_due d
                   WHERE d.channel = s.channel AND d.sku = s.sku AND d.location = s.location) IS NULL
            ORDER BY s.verify_at LIMIT 1) AS unread
    FROM channel c
    LEFT JOIN json_to_recordset(CAST(:confirmed AS json)) AS confirmed (channel text, at timestamptz)
      ON confirmed.channel = c.channel
    ORDER BY c.channel
""")

_KNOWN = text("""
    SELECT channel, detect_s, queue_s, push_s, visible_s, stale_s, samples, in_use_hear_s, in_use_show_s, measured_at
    FROM lag ORDER BY channel
""")

_KEEP = text("""
    INSERT INTO lag (channel, detect_s, queue_s, push_s, visible_s, stale_s, samples,
                     in_use_hear_s, in_use_show_s, measured_at)
    SELECT channel, detect, queue, push, visible, stale_s, samples, hear_s, show_s, :now
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (channel text, detect float8, queue float8, push float8, visible float8, stale_s float8,
                   samples jsonb, hear_s float8, show_s float8)
    ORDER BY channel
    ON CONFLICT (channel) DO UPDATE SET
        detect_s = excluded.detect_s, queue_s = excluded.queue_s, push_s = excluded.push_s,
        visible_s = excluded.visible_s, stale_s = excluded.stale_s, samples = excluded.samples,
        in_use_hear_s = excluded.in_use_hear_s, in_use_show_s = excluded.in_use_show_s,
        measured_at = excluded.measured_at
""")

# A SKU that an allocator computes at this moment with the lag of before is waited for, then marked again.
_DUE = text("""
    INSERT INTO due (sku, since)
    SELECT sku, :now FROM (
        SELECT DISTINCT b.sku FROM binding b
        WHERE b.channel = ANY(CAST(:channels AS text[]))
          AND EXISTS (SELECT FROM pace p WHERE p.sku = b.sku)
          AND EXISTS (SELECT FROM channel c JOIN binding other ON other.channel = c.channel AND other.sku = b.sku
                      WHERE c.channel <> b.channel)
    ) AS depends ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = least(due.since, excluded.since)
""")

_FOUND = text("""
    UPDATE push p SET seen_at = given.at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at AS timestamptz[])) AS given (id, at)
    WHERE p.id = given.id AND p.seen_at IS NULL
""")


def note_seen(connection: Connection, seen_at: Mapping[int | None, datetime]) -> None:
    """Keep when pushes, by id, were first found to be shown; a later look changes nothing.

    The moment is an upper bound: nobody looked before.
    """
    ids = sorted(push_id for push_id in seen_at if push_id is not None)
    if ids:
        connection.execute(_FOUND, {"ids": ids, "at": [seen_at[push_id] for push_id in ids]})


def take_turn(connection: Connection) -> bool:
    """Whether nobody else measures; until this transaction ends nobody else will."""
    return bool(connection.execute(_TURN).scalar_one())


def records(connection: Connection, now: datetime) -> list[Record]:
    """What our records say of each channel now, sorted by its name."""
    samples: dict[str, dict[str, list[Sample]]] = {}
    confirmed: dict[str, datetime] = {}
    window = {"since": now - DAY, "now": now}
    for row in connection.execute(_HEARD, window):
        _add(samples, row.channel, "detect", row.at, row.detect_s)
    for row in connection.execute(_SENT, window):
        confirmed[row.channel] = row.at
        _add(samples, row.channel, "queue", row.at, row.queue_s)
        _add(samples, row.channel, "push", row.at, row.push_s)
        _add(samples, row.channel, "visible", row.at, row.visible_s)
    given = [{"channel": channel, "at": at} for channel, at in confirmed.items()]
    waiting = connection.execute(_WAITING, {"now": now, "confirmed": orjson.dumps(given).decode()})
    return [
        Record(row.channel, samples.get(row.channel, {}), row.unshown, row.unread)
        for row in waiting
    ]


def _add(
    samples: dict[str, dict[str, list[Sample]]],
    channel: str,
    stage: str,
    at: datetime,
    lag_s: float | None,
) -> None:
    """One more sample, if it is one; clocks that disagree make no lag below zero."""
    if lag_s is not None:
        samples.setdefault(channel, {}).setdefault(stage, []).append(Sample(at, max(0.0, lag_s)))


def known(connection: Connection) -> dict[str, Measured]:
    """What was measured last, by channel; a channel that was never looked at is missing."""
    return {
        row.channel: Measured(
            row.channel,
            {
                stage: lag_s
                for stage, lag_s in (
                    ("detect", row.detect_s),
                    ("queue", row.queue_s),
                    ("push", row.push_s),
                    ("visible", row.visible_s),
                )
                if lag_s is not None
            },
            row.stale_s,
            row.samples,
            row.in_use_hear_s,
            row.in_use_show_s,
            row.measured_at,
        )
        for row in connection.execute(_KNOWN)
    }


def keep(connection: Connection, found: Sequence[Measured], now: datetime) -> None:
    """Write down what was measured."""
    rows = [
        {
            "channel": each.channel,
            **each.stages,
            "stale_s": each.stale_s,
            "samples": dict(each.samples),
            "hear_s": each.hear_s,
            "show_s": each.show_s,
        }
        for each in found
    ]
    connection.execute(_KEEP, {"rows": orjson.dumps(rows).decode(), "now": now})


def mark_due(connection: Connection, channels: Iterable[str], now: datetime) -> None:
    """The lag in use of these channels changed: SKUs that sell, there and elsewhere too, are to be computed again."""
    changed = sorted(channels)
    if changed:
        connection.execute(_DUE, {"channels": changed, "now": now})
