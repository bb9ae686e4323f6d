"""Bulk work as rows: asked for once, held by one worker at a time by a lease, cancelled by a word in the row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from workers.failures.types import Operation, Verb

#: A worker that is silent for so long has died.
LEASE_S: Final = 30.0

_COLUMNS = """id, verb, filter, assignee, actor, reason, total, done, failed, refused, why, state, through, upto,
    attempts, created_at, started_at, ended_at"""

_ADD = text(f"""
    INSERT INTO operation (verb, filter, assignee, actor, reason, total, upto, created_at)
    VALUES (:verb, CAST(:filter AS jsonb), :assignee, :actor, :reason, :total, :upto, :now)
    RETURNING {_COLUMNS}
""")  # noqa: S608 -- composed of constants

_CLAIM = text(f"""
    UPDATE operation SET state = CASE state WHEN 'planned' THEN 'running' ELSE state END, attempts = attempts + 1,
        started_at = coalesce(started_at, :now), leased_until = :until
    WHERE id = (SELECT id FROM operation
                WHERE state IN ('planned', 'running', 'cancelling') AND (leased_until IS NULL OR leased_until <= :now)
                  AND (CAST(:id AS uuid) IS NULL OR id = :id)
                ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
""")  # noqa: S608 -- composed of constants

_HOLD = text(f"""
    SELECT {_COLUMNS} FROM operation
    WHERE id = :id AND attempts = :attempts AND state IN ('running', 'cancelling') FOR UPDATE
""")  # noqa: S608 -- composed of constants

_ADVANCE = text(f"""
    UPDATE operation SET through = :through, done = done + :done, failed = failed + :failed,
        refused = refused + :refused, why = CAST(:why AS jsonb), leased_until = :until
    WHERE id = :id AND attempts = :attempts
    RETURNING {_COLUMNS}
""")  # noqa: S608 -- composed of constants

_END = text("""
    UPDATE operation SET state = CASE state WHEN 'cancelling' THEN 'cancelled' ELSE 'done' END, ended_at = :now,
        leased_until = NULL
    WHERE id = :id AND attempts = :attempts AND state IN ('running', 'cancelling')
""")

_LET_GO = text("UPDATE operation SET leased_until = NULL WHERE id = :id AND attempts = :attempts")

_CANCEL = text("""
    UPDATE operation SET
        ended_at = CASE WHEN state = 'planned' THEN CAST(:now AS timestamptz) END,
        state = CASE state WHEN 'planned' THEN 'cancelled' ELSE 'cancelling' END
    WHERE id = :id AND state IN ('planned', 'running')
    RETURNING state
""")

_PAGE = text(f"""
    SELECT {_COLUMNS} FROM operation
    WHERE (CAST(:before AS uuid) IS NULL OR id < :before)
      AND (CAST(:verb AS text) IS NULL OR verb = :verb) AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:actor AS text) IS NULL OR actor = :actor)
    ORDER BY id DESC LIMIT :most
""")  # noqa: S608 -- composed of constants

_ONE = text(f"SELECT {_COLUMNS} FROM operation WHERE id = :id")  # noqa: S608 -- composed of constants

_WAITS = text("""
    SELECT EXISTS (SELECT FROM operation WHERE state IN ('planned', 'running', 'cancelling')
                   AND (leased_until IS NULL OR leased_until <= :now))
""")


def add(
    connection: Connection,
    verb: Verb,
    wanted: Mapping[str, Any],
    *,
    assignee: str,
    actor: str,
    reason: str,
    total: int,
    upto: int,
    now: datetime,
) -> Operation:
    """Write bulk work down; whoever claims it begins it."""
    values = {
        "verb": verb,
        "filter": orjson.dumps(dict(wanted)).decode(),
        "assignee": assignee,
        "actor": actor,
        "reason": reason,
        "total": total,
        "upto": upto,
        "now": now,
    }
    return Operation(*connection.execute(_ADD, values).one())


def claim(connection: Connection, now: datetime, operation: UUID | None = None) -> Operation | None:
    """Take bulk work that nobody is at, the oldest first, or this; None when there is none."""
    values = {"now": now, "until": now + timedelta(seconds=LEASE_S), "id": operation}
    row = connection.execute(_CLAIM, values).one_or_none()
    return None if row is None else Operation(*row)


def hold(connection: Connection, held: Operation) -> Operation | None:
    """Bulk work as it stands now, locked for the next batch; None when another worker took it over, or it is over."""
    row = connection.execute(_HOLD, {"id": held.id, "attempts": held.attempts}).one_or_none()
    return None if row is None else Operation(*row)


def advance(
    connection: Connection,
    held: Operation,
    *,
    through: int,
    done: int,
    failed: int,
    refused: int,
    why: Mapping[str, int],
    now: datetime,
) -> Operation:
    """It has come past these failures, in the transaction that did it."""
    values = {
        "id": held.id,
        "attempts": held.attempts,
        "through": through,
        "done": done,
        "failed": failed,
        "refused": refused,
        "why": orjson.dumps(dict(why)).decode(),
        "until": now + timedelta(seconds=LEASE_S),
    }
    return Operation(*connection.execute(_ADVANCE, values).one())


def end(connection: Connection, held: Operation, now: datetime) -> None:
    """There is no more to do, or it was cancelled."""
    connection.execute(_END, {"id": held.id, "attempts": held.attempts, "now": now})


def let_go(connection: Connection, held: Operation) -> None:
    """Leave the rest to whoever comes next, at once."""
    connection.execute(_LET_GO, {"id": held.id, "attempts": held.attempts})


def cancel(connection: Connection, operation: UUID, now: datetime) -> str | None:
    """Let it end after the batch that is being done; its new state, None when it is over (or unknown)."""
    values = {"id": operation, "now": now}
    state: str | None = connection.execute(_CANCEL, values).scalar_one_or_none()
    return state


def page(
    connection: Connection,
    *,
    most: int = 50,
    before: UUID | None = None,
    verb: str | None = None,
    state: str | None = None,
    actor: str | None = None,
) -> list[Operation]:
    """Bulk work, the newest first, of any verb, state and person unless they are named.

    before    the last of the page before
    """
    given = {"most": most, "before": before, "verb": verb, "state": state, "actor": actor}
    return [Operation(*row) for row in connection.execute(_PAGE, given)]


def one(connection: Connection, operation: UUID) -> Operation | None:
    """One of them."""
    row = connection.execute(_ONE, {"id": operation}).one_or_none()
    return None if row is None else Operation(*row)


def wait(connection: Connection, now: datetime) -> bool:
    """Whether any waits for a worker."""
    return bool(connection.execute(_WAITS, {"now": now}).scalar_one())
