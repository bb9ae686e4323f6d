"""Alarms as rows: what somebody should look at, one open row a rule and object, resolved when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

_RAISE = text("""
    INSERT INTO alarm (rule, object, since, last_at, detail)
    VALUES (:rule, :object, :now, :now, CAST(:detail AS jsonb))
    ON CONFLICT (rule, object) WHERE resolved_at IS NULL
        DO UPDATE SET last_at = excluded.last_at, detail = excluded.detail
    RETURNING xmax = 0 AS fresh
""")

_RESOLVE = text("""
    UPDATE alarm SET resolved_at = :now
    WHERE rule = :rule AND object = :object AND resolved_at IS NULL
""")

_OPEN = text("""
    SELECT id, rule, object, since, last_at, detail
    FROM alarm
    WHERE resolved_at IS NULL AND (CAST(:rule AS text) IS NULL OR rule = :rule)
    ORDER BY since, id
""")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is on.

    object     `kind:name`, such as `program:SPRING/MUG@WH`
    since      when it was raised;  last_at  when it was last found to hold
    detail     what was found then
    """

    id: int
    rule: str
    object: str
    since: datetime
    last_at: datetime
    detail: Mapping[str, Any]


def raise_alarm(
    connection: Connection, rule: str, what: str, detail: Mapping[str, object], now: datetime
) -> bool:
    """Say that a rule is broken; returns whether that is new: only then is it worth a line in the log.

    what    the object as `kind:name`
    """
    values = {"rule": rule, "object": what, "now": now, "detail": orjson.dumps(detail).decode()}
    return bool(connection.execute(_RAISE, values).scalar_one())


def resolve(connection: Connection, rule: str, what: str, now: datetime) -> bool:
    """Say that a rule is kept again; returns whether its alarm was on."""
    done = connection.execute(_RESOLVE, {"rule": rule, "object": what, "now": now})
    return done.rowcount > 0


def open_alarms(connection: Connection, rule: str | None = None) -> list[Alarm]:
    """Alarms that are on, oldest first."""
    return [Alarm(*row) for row in connection.execute(_OPEN, {"rule": rule})]
