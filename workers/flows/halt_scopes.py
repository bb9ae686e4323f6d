"""Halts of many at once: wished in one transaction, set and let go in batches, each a transaction of its own.

Whoever begins does as many batches as he likes; the sweep does the rest, and ends what was wished for a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from allocation import store
from allocation.types import Show
from ledger.db import transaction
from reconcile import halt_scopes, halt_store
from reconcile.halt_scopes import Scope
from reconcile.halts import RULE

#: Batches of one scope that a sweep does; the next sweep goes on.
_BATCHES: Final = 10
_TIME_IS_OVER: Final = "its time is over, as whoever set it wished"


def would_halt(engine: Engine, scope: Scope) -> dict[str, tuple[int, int]]:
    """Channel -> (SKUs that the scope takes off sale there, those of them that are halted already).

    raises    NothingToHalt when there is no such channel, location or SKU
    """
    with transaction(engine) as connection:
        drawn = _pooling(connection).get(scope.location or "", ())
        return halt_scopes.would_halt(connection, scope, drawn)


def set_scope(
    engine: Engine,
    scope: Scope,
    *,
    reason: str,
    by: str,
    now: datetime,
    until_at: datetime | None = None,
) -> tuple[int, bool]:
    """Take everything of a scope off sale; workers do it at each vendor's rate.

    returns    (scope id, True when this call set it; False when it stood already)
    """
    with transaction(engine) as connection:
        scope_id, fresh = halt_scopes.begin(connection, scope, reason, by, now, until_at)
    _fill(engine, scope_id, now)
    return scope_id, fresh


def lift_scope(engine: Engine, scope: Scope, *, reason: str, by: str, now: datetime) -> int:
    """Put back on sale what this scope alone has halted; returns its id.

    raises    NothingToLift
    """
    with transaction(engine) as connection:
        scope_id = halt_scopes.lift(connection, scope, by, reason, now)
    _let_go(engine, scope_id, now)
    return scope_id


def tend(engine: Engine, *, now: datetime) -> None:
    """Go on with scopes whose halts are not all set or let go, and lift what was wished for a time."""
    with transaction(engine) as connection:
        over, scopes_over = halt_store.over(connection, now), halt_scopes.over(connection, now)
        for channel, sku in over:
            halt_store.lift_halt(connection, channel, sku, RULE, _TIME_IS_OVER, now)
        for scope in scopes_over:
            halt_scopes.lift(connection, scope, RULE, _TIME_IS_OVER, now)
        to_fill, to_let_go = halt_scopes.to_do(connection, now)
    for scope_id in to_let_go:
        _let_go(engine, scope_id, now, _BATCHES)
    for scope_id in to_fill:
        _fill(engine, scope_id, now, _BATCHES)


def _fill(engine: Engine, scope_id: int, now: datetime, batches: int = 1_000_000) -> None:
    for _ in range(batches):
        with transaction(engine) as connection:
            if not halt_scopes.fill(connection, scope_id, _pooling(connection), now):
                return


def _let_go(engine: Engine, scope_id: int, now: datetime, batches: int = 1_000_000) -> None:
    for _ in range(batches):
        with transaction(engine) as connection:
            if not halt_scopes.let_go(connection, scope_id, now):
                return


def _pooling(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Location -> channels whose one number draws on it, by the rules in force."""
    _, rules = store.current_rules(connection)
    drawing: dict[str, list[str]] = {}
    for channel in rules.channels:
        if channel.show is Show.POOLED:
            for location in channel.locations:
                drawing.setdefault(location, []).append(channel.name)
    return drawing
