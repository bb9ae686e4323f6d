"""Failures as rows: pages, one with everything that is known, counts, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from workers.failures.types import Alike, Cursor, FailureState, Filter, Row

_COLUMNS = """f.id, f.origin, f.object, f.class AS kind, f.channel, f.sku, f.location, f.order_id, f.task, f.task_id,
    f.payload, f.error, f.attempts, f.count, f.first_seen, f.last_seen, f.state, f.assigned_to, f.operation,
    f.retried_at, f.settled_at, f.settled_by, f.reason"""

# What is not asked for is not in the statement: each combination gets the plan that its own index gives.
_CONDITIONS: Mapping[str, str] = {
    "ids": "f.id = ANY(CAST(:ids AS bigint[]))",
    "channel": "f.channel = :channel",
    "kind": "f.class = :kind",
    "origin": "f.origin = :origin",
    "sku": "f.sku = :sku AND f.sku <> ''",
    "order": "f.order_id = :order AND f.order_id <> ''",
    "task": "f.task = :task",
    "since": "f.last_seen >= :since",
    "states": "f.state = ANY(CAST(:states AS text[]))",
}

_ONE = text(f"SELECT {_COLUMNS}, f.traceback FROM failure AS f WHERE f.id = :id")  # noqa: S608 -- composed of constants

_BODY = text("""
    SELECT topic, state, wait_for, attempts, encode(body, 'escape') AS body FROM inbox WHERE id = :id
""")
_PUSHES = text("""
    SELECT id, units, number, expected, sent_at, answered_at, outcome, detail
    FROM push WHERE channel = :channel AND sku = :sku AND location = :location ORDER BY id DESC LIMIT 10
""")
_WINDOWS = text("""
    SELECT window_at, state, attempts, started_at, finished_at, error
    FROM run WHERE job = :job AND channel = :channel ORDER BY window_at DESC LIMIT 10
""")
_DOCUMENT = text("""
    SELECT d.set_id, d.set_control, d.group_control, d.state, d.ack_state, d.due_at, d.error, i.control, i.file,
           encode(coalesce(i.body, inbox.body), 'escape') AS body
    FROM edi_document AS d JOIN edi_interchange AS i ON i.id = d.interchange_id
    LEFT JOIN inbox ON inbox.id = i.inbox_id
    WHERE d.id = :id
""")
_FILE = text(
    "SELECT file, control, error, encode(body, 'escape') AS body FROM edi_interchange WHERE id = :id"
)

_COUNTS = text("""
    SELECT class AS kind, channel, state, count(*) AS rows, min(last_seen) AS oldest
    FROM failure WHERE state IN ('open', 'retrying') GROUP BY class, channel, state ORDER BY class, channel, state
""")

_RETRYING = text("""
    UPDATE failure SET state = 'retrying', retried_at = :now, operation = coalesce(:operation, operation)
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state IN ('open', 'retrying')
""")
_DISCARD = text("""
    UPDATE failure SET state = 'discarded', settled_at = :now, settled_by = :by, reason = :reason,
        operation = coalesce(:operation, operation)
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state IN ('open', 'retrying')
    RETURNING id
""")
_ASSIGN = text("""
    UPDATE failure SET assigned_to = :assignee, operation = coalesce(:operation, operation)
    WHERE id = ANY(CAST(:ids AS bigint[])) RETURNING id
""")


def _where(wanted: Filter, more: str = "") -> tuple[str, dict[str, Any]]:
    """The conditions of a filter and their values."""
    said: dict[str, Any] = {name: getattr(wanted, name) for name in _CONDITIONS}
    values = {name: value for name, value in said.items() if value not in (None, ())}
    parts = [_CONDITIONS[name] for name in values] + ([more] if more else [])
    listed = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    return " AND ".join(parts) or "true", listed


def _asked(
    before: str, wanted: Filter, after: str, more: str = ""
) -> tuple[TextClause, dict[str, Any]]:
    where, values = _where(wanted, more)
    return text(f"{before} WHERE {where} {after}"), values


def page(
    connection: Connection, wanted: Filter, *, most: int = 50, before: Cursor | None = None
) -> list[Row]:
    """The newest failures that are meant; `before` is where the page before ended."""
    more = "(f.last_seen, f.id) < (:last_seen, :last_id)" if before else ""
    asked, values = _asked(
        f"SELECT {_COLUMNS} FROM failure AS f",  # noqa: S608 -- composed of constants
        wanted,
        "ORDER BY f.last_seen DESC, f.id DESC LIMIT :most",
        more,
    )
    if before:
        values |= {"last_seen": before.last_seen, "last_id": before.id}
    return [Row(*row) for row in connection.execute(asked, values | {"most": most})]


def in_order(
    connection: Connection, wanted: Filter, *, after: int, upto: int, most: int
) -> list[Row]:
    """Failures that are meant, by id, between two of them: a batch of bulk work."""
    asked, values = _asked(
        f"SELECT {_COLUMNS} FROM failure AS f",  # noqa: S608 -- composed of constants
        wanted,
        "ORDER BY f.id LIMIT :most",
        "f.id > :after AND f.id <= :upto",
    )
    values |= {"after": after, "upto": upto, "most": most}
    return [Row(*row) for row in connection.execute(asked, values)]


def one(connection: Connection, number: int) -> tuple[Row, str] | None:
    """A failure and its traceback."""
    row = connection.execute(_ONE, {"id": number}).one_or_none()
    return None if row is None else (Row(*row[:-1]), str(row.traceback))


def kept(connection: Connection, row: Row) -> list[dict[str, Any]]:
    """What is kept of a failure's object where it lives: the delivery as it came, the last pushes, the document."""
    values: dict[str, Any]
    match row.origin:
        case "inbox":
            asked, values = _BODY, {"id": int(row.object)}
        case "push":
            asked, values = (
                _PUSHES,
                {"channel": row.channel, "sku": row.sku, "location": row.location},
            )
        case "job":
            asked, values = _WINDOWS, {"job": row.object.partition("/")[0], "channel": row.channel}
        case "edi":
            kind, _, number = row.object.partition(":")
            asked, values = (_FILE if kind == "file" else _DOCUMENT), {"id": int(number)}
        case _:
            return []
    return [dict(found) for found in connection.execute(asked, values).mappings()]


def counts(connection: Connection) -> list[dict[str, Any]]:
    """Open and retrying failures by class, channel and state, and since when the oldest was seen; cheap enough to ask
    every few seconds."""
    return [dict(row) for row in connection.execute(_COUNTS).mappings()]


def alikes(connection: Connection, wanted: Filter) -> tuple[int, list[tuple[Alike, str, int]]]:
    """The newest failure that is meant, and how many there are of what is treated alike: (alike, class, how many)."""
    asked, values = _asked(
        """
        SELECT f.origin, CASE WHEN f.origin = 'task' THEN f.task ELSE '' END AS task,
               CASE WHEN f.origin = 'edi' THEN split_part(f.object, ':', 1) ELSE '' END AS prefix,
               CASE WHEN f.origin = 'edi' THEN coalesce(f.payload ->> 'direction', '') ELSE '' END AS direction,
               CASE WHEN f.origin = 'edi' THEN coalesce(f.payload ->> 'state', '') ELSE '' END AS edi_state,
               CASE WHEN f.origin = 'edi' THEN coalesce(f.payload ->> 'set', '') ELSE '' END AS edi_set,
               f.class AS kind, count(*) AS rows, max(f.id) AS newest
        FROM failure AS f""",
        wanted,
        "GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7",
    )
    found = connection.execute(asked, values).all()
    groups = [(Alike(*row[:6]), str(row.kind), int(row.rows)) for row in found]
    return max((int(row.newest) for row in found), default=0), groups


def retrying(
    connection: Connection, ids: Collection[int], now: datetime, operation: UUID | None = None
) -> None:
    """These are being done again; what becomes of them is read from their objects."""
    values = {"ids": sorted(ids), "now": now, "operation": operation}
    connection.execute(_RETRYING, values)


def discard(
    connection: Connection,
    ids: Collection[int],
    *,
    by: str,
    reason: str,
    now: datetime,
    operation: UUID | None = None,
) -> list[int]:
    """Take these off the list; what they are about stays as it is. Returns those that were on it."""
    values = {"ids": sorted(ids), "by": by, "reason": reason, "now": now, "operation": operation}
    return list(connection.execute(_DISCARD, values).scalars())


def assign(
    connection: Connection, ids: Collection[int], assignee: str, operation: UUID | None = None
) -> list[int]:
    """Say who sees to these; "" is nobody. Returns those that there are."""
    values = {"ids": sorted(ids), "assignee": assignee, "operation": operation}
    return list(connection.execute(_ASSIGN, values).scalars())


def states_of(connection: Connection, operation: UUID) -> dict[FailureState, int]:
    """How the failures stand that bulk work took hold of last."""
    rows = connection.execute(_OF_OPERATION, {"operation": operation})
    return {row.state: row.rows for row in rows}


_OF_OPERATION = text("""
    SELECT state, count(*) AS rows FROM failure WHERE operation = :operation GROUP BY state ORDER BY state
""")
