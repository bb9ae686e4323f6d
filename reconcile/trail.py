"""The audit trail: who did what to which object, and why, in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping
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
