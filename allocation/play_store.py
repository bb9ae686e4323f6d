"""The playbook of the rules in force, and what a unit costs that a channel sold and is not there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import Connection, text

from allocation.document import read_stored
from allocation.plays import Playbook

_SOURCE = text("SELECT source FROM rule_set ORDER BY version DESC LIMIT 1")


def in_force(connection: Connection) -> tuple[Playbook, Mapping[str, Decimal]]:
    """The playbook, and `cost_oversell` by channel where the file states it; nothing before any rules were applied."""
    source = connection.execute(_SOURCE).scalar_one_or_none()
    return (Playbook(), {}) if source is None else _read(source)


@lru_cache(maxsize=2)
def _read(source: str) -> tuple[Playbook, Mapping[str, Decimal]]:
    document = read_stored(source)
    costs = {
        name: table.cost_oversell
        for name, table in document.channels.items()
        if table.cost_oversell is not None
    }
    return document.plays(), costs
