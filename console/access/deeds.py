"""Deeds in PostgreSQL: written down before they are begun, and how they ended after; neither is ever changed.

A deed without an end was cut off: its process died, or the database went away. What a flow changed it wrote into its
own trail (table `audit`) in the same transaction.
"""

from __future__ import annotations

from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from console.access.types import Deed, Outcome

_BEGIN = text("""
    INSERT INTO deed (at, actor, role, door, token_id, verb, object, arguments, reason)
    VALUES (:at, :actor, :role, :door, :token_id, :verb, :object, CAST(:arguments AS jsonb), :reason)
    RETURNING id
""")

_END = text(
    "INSERT INTO deed_end (deed_id, at, outcome, detail) VALUES (:id, :at, :outcome, :detail)"
)

_MOST_TEXT = 500


def begin(connection: Connection, deed: Deed, now: datetime) -> int:
    """Write down what is about to be done; returns its id."""
    actor = deed.actor
    values = {"at": now, "actor": actor.name, "role": actor.role.value, "door": actor.door.value}
    values |= {"token_id": actor.token_id, "verb": deed.verb, "object": deed.object}
    values |= {
        "reason": deed.reason[:1000],
        "arguments": orjson.dumps(dict(deed.arguments)).decode(),
    }
    number: int = connection.execute(_BEGIN, values).scalar_one()
    return number


def end(
    connection: Connection, deed_id: int, outcome: Outcome, now: datetime, detail: str = ""
) -> None:
    """Write down how it ended, and in a sentence why."""
    values = {"id": deed_id, "at": now, "outcome": outcome.value, "detail": detail[:_MOST_TEXT]}
    connection.execute(_END, values)
