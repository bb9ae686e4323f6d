"""The audit trail: who did what to which object, and why, in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

_RECORD = text("""
INSERT INTO audit (at, actor, action, object, reason, detail)
VALUES (:at, :actor, :action, :object, :reason, CAST(:detail AS jsonb))
""")


def record(
    connection: Connection,
    *,
    actor: str,
    action: str,
    what: str,
    at: datetime,
    reason: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write one row of the trail.

    actor     a person or a program, not empty
    action    `thing.verb`, such as `halt.set`
    what      the object as `kind:name`, such as `halt:shopify/TEA-1`
    """
    connection.execute(
        _RECORD,
        {
            "at": at,
            "actor": actor,
            "action": action,
            "object": what,
            "reason": reason,
            "detail": orjson.dumps(dict(detail or {})).decode(),
        },
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done to one object; see `record`."""

    action: str
    what: str
    reason: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


_RECORD_ALL = text("""
INSERT INTO audit (at, actor, action, object, reason, detail)
SELECT :at, :actor, action, what, reason, detail
FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS entry (action text, what text, reason text, detail jsonb)
""")


def record_all(
    connection: Connection, entries: Sequence[Entry], *, actor: str, at: datetime
) -> None:
    """Write what one actor did at one moment."""
    if entries:
        given = orjson.dumps(entries).decode()
        connection.execute(_RECORD_ALL, {"at": at, "actor": actor, "entries": given})
