"""Queues that a person stopped: rows, so that they outlive every restart and every worker sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

#: Never stopped: it rings for all the others, works bulk work, and is where a resume is seen.
UNSTOPPABLE: Final = "control"

_PAUSE = text("""
    INSERT INTO queue_pause (queue, paused_at, paused_by, reason) VALUES (:queue, :now, :by, :reason)
    ON CONFLICT (queue) DO NOTHING RETURNING true
""")
_RESUME = text("DELETE FROM queue_pause WHERE queue = :queue RETURNING true")
_PAUSED = text("SELECT queue FROM queue_pause")

# What is seen of a queue is its heartbeat; one that was never started may be paused all the same.
_LIST = text("""
    SELECT coalesce(h.queue, p.queue) AS queue, p.queue IS NOT NULL AS paused, p.paused_at,
           coalesce(p.paused_by, '') AS paused_by,
           coalesce(p.reason, '') AS reason, h.seen_at, coalesce(h.worker, '') AS worker,
           coalesce(c.paused, false) AS channel_paused, coalesce(c.paused_why, '') AS channel_why
    FROM heartbeat AS h FULL JOIN queue_pause AS p ON p.queue = h.queue
    LEFT JOIN channel AS c ON 'push.' || c.channel = coalesce(h.queue, p.queue)
    ORDER BY 1
""")


def pause(connection: Connection, queue: str, *, by: str, reason: str, now: datetime) -> bool:
    """Stop a queue; False when it was stopped already."""
    values = {"queue": queue, "by": by, "reason": reason, "now": now}
    return connection.execute(_PAUSE, values).one_or_none() is not None


def resume(connection: Connection, queue: str) -> bool:
    """Let a stopped queue work; False when it was not stopped."""
    return connection.execute(_RESUME, {"queue": queue}).one_or_none() is not None


def paused(connection: Connection) -> frozenset[str]:
    """The queues that are stopped."""
    return frozenset(connection.execute(_PAUSED).scalars())


def queues(connection: Connection) -> list[dict[str, Any]]:
    """Every queue that was ever seen or stopped, with both."""
    return [dict(row) for row in connection.execute(_LIST).mappings()]
