"""What waits now, as the sweep asks for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workers.flows import waiting


def waits(connection: Connection, kind: str, now: datetime) -> bool:
    """Whether work of a kind (`workers.flows.waiting`) waits."""
    return kind in waiting.found(connection, now)


def channels_of(connection: Connection, kind: str, now: datetime) -> list[str]:
    """Channels for which work of a kind waits."""
    return [row.channel for row in waiting.found(connection, now).get(kind, [])]
