"""What the rules in force say of halts."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, text

from allocation.document import read_stored
from allocation.halt_terms import Halting

_CURRENT = text("SELECT source FROM rule_set ORDER BY version DESC LIMIT 1")


def halting(connection: Connection) -> Halting:
    """What the version in force says; nothing before any was applied."""
    source = connection.execute(_CURRENT).scalar_one_or_none()
    return Halting() if source is None else _halting(source)


@lru_cache(maxsize=8)
def _halting(source: str) -> Halting:
    return read_stored(source).halting()
