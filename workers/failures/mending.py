"""Failures that have ended by themselves: read from their objects, a statement an origin, never told by what went well.

So nothing on the way of what goes well knows of failures, and it does not matter who mended it, or how.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, TextClause, text

#: A task that was rung and neither succeeded nor failed for so long is open again.
PATIENCE: Final = timedelta(minutes=15)

_RESOLVED = "UPDATE failure AS f SET state = 'resolved', settled_at = :now, settled_by = 'lockstep', reason = "
_AT_WORK = "f.state IN ('open', 'retrying')"


def _ended(origin: str, reason: str, condition: str, source: str = "") -> TextClause:
    return text(
        f"{_RESOLVED} '{reason}' {source} WHERE f.origin = '{origin}' AND {_AT_WORK} AND {condition}"
    )


# A failure's object is cast only where its origin says that it is a number.
_ENDED: Final = (
    _ended(
        "inbox",
        "booked",
        "i.id = CASE WHEN f.origin = 'inbox' THEN f.object::bigint END AND i.state = 'applied'",
        "FROM inbox AS i",
    ),
    # Its row is gone: the number is shown, or is not to be shown any more.
    _ended(
        "push",
        "shown",
        """(SELECT d.sku FROM push_due AS d
            WHERE d.channel = f.channel AND d.sku = f.sku AND d.location = f.location) IS NULL""",
    ),
    _ended(
        "job",
        "ran",
        """EXISTS (SELECT FROM run AS r
                    WHERE r.job = split_part(f.object, '/', 1) AND r.channel = f.channel AND r.state = 'done'
                      AND r.window_at >= f.last_seen - interval '2 days' AND r.finished_at >= f.last_seen)""",
    ),
    _ended(
        "edi",
        "taken",
        """d.id = CASE WHEN f.origin = 'edi' AND f.object LIKE 'document:%' THEN substring(f.object FROM 10)::bigint END
           AND d.state NOT IN ('parked', 'rejected') AND d.ack_state NOT IN ('rejected', 'overdue')""",
        "FROM edi_document AS d",
    ),
    _ended(
        "case",
        "done",
        """s.case_id = CASE WHEN f.origin = 'case' THEN split_part(f.object, '/', 1)::bigint END
           AND s.position = CASE WHEN f.origin = 'case' THEN split_part(f.object, '/', 2)::integer END
           AND s.state IN ('done', 'by_hand', 'dropped')""",
        "FROM case_step AS s",
    ),
    _ended(
        "alert",
        "told",
        """p.incident = CASE WHEN f.origin = 'alert' THEN split_part(f.object, '/', 1)::bigint END
           AND p.door = split_part(f.object, '/', 2) AND p.part = split_part(f.object, '/', 3)
           AND p.told >= p.wanted AND p.told_at > f.last_seen AND p.error = ''""",
        "FROM alert_post AS p",
    ),
    _ended(
        "hook",
        "told",
        """p.hook_id = CASE WHEN f.origin = 'hook' THEN split_part(f.object, '/', 1)::bigint END
           AND p.event_id = CASE WHEN f.origin = 'hook' THEN split_part(f.object, '/', 2)::uuid END
           AND p.state IN ('told', 'dropped')""",
        "FROM hook_post AS p",
    ),
)

_OPEN_AGAIN = text("""
    UPDATE failure SET state = 'open', retried_at = NULL
    WHERE origin = 'task' AND state = 'retrying' AND retried_at < :before
""")

_RAN = text("""
    UPDATE failure SET state = 'resolved', settled_at = :now, settled_by = 'lockstep', reason = 'ran'
    WHERE origin = 'task' AND state IN ('open', 'retrying') AND task = :task AND channel = :channel
      AND last_seen < :now
""")

_TO_RING = text("""
    SELECT DISTINCT task, payload -> 'kwargs' AS kwargs FROM failure
    WHERE origin = 'task' AND state = 'retrying' ORDER BY task
""")


def mend(connection: Connection, now: datetime) -> int:
    """Resolve what has ended well since it failed; returns how many failures that were."""
    ended = sum(connection.execute(statement, {"now": now}).rowcount for statement in _ENDED)
    connection.execute(_OPEN_AGAIN, {"before": now - PATIENCE})
    return ended


def ran(connection: Connection, task: str, channel: str, now: datetime) -> int:
    """A task has succeeded: what failed of it, of this channel, is resolved; returns how many failures that were."""
    return connection.execute(_RAN, {"task": task, "channel": channel, "now": now}).rowcount


def to_ring(connection: Connection) -> Sequence[tuple[str, dict[str, object]]]:
    """Tasks that a person asked to be run again and that have not run since: name and arguments."""
    return [(row.task, dict(row.kwargs or {})) for row in connection.execute(_TO_RING)]
