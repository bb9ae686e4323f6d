"""All that may wait, a row a kind: one statement asks for all of it, and a house at rest answers with no row.

Each row is a SELECT that its own room asks too, by the same index. What it needs beside `now` has a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, TextClause, text

from allocation import backlog, program_store, receipts, supply
from channels.edi import visits
from ledger import inbox
from reconcile import count_store, halt_scopes, halt_store, runs
from workers.flows import counts, fit, held_watch, ingest, orders, program_watch

Values: TypeAlias = Callable[[datetime], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work.

    asks    a SELECT: of one boolean where `whether`, else of what `names` says
    names   what it returns: `channel`, or more; the others are of no use here
    values  what it is given beside `now`
    """

    asks: str | TextClause
    names: tuple[str, ...] = ()
    values: Values = lambda now: {}


_PUT_OFF: Final = "SELECT EXISTS (SELECT FROM {table} WHERE {time} <= :now)"

#: What only the sweep does: where one of them waits it is done, and then all is asked for again.
TENDED: Final[Mapping[str, Kind]] = {
    "deliveries": Kind(
        """SELECT EXISTS (SELECT FROM inbox WHERE state = 'waiting'
                          AND (wait_for LIKE 'line/%' OR received_at < :patience))""",
        values=lambda now: {"patience": now - ingest.PATIENCE},
    ),
    "seasons": Kind(_PUT_OFF.format(table="rule_turn", time="at")),
    "outlooks": Kind(_PUT_OFF.format(table="exposure", time="look_at")),
    "halts_over": Kind(
        f"SELECT EXISTS ({halt_store.OVER.text}) OR EXISTS ({halt_scopes.OVER.text})"
        f" OR EXISTS ({halt_scopes.TO_DO.text})",
        values=lambda now: {"filled_before": now - halt_scopes.LOOK_AGAIN},
    ),
    "acknowledgements": Kind(
        "SELECT EXISTS (SELECT FROM edi_document WHERE ack_state = 'waiting' AND due_at <= :now)"
    ),
}

#: What a bell is rung for.
RUNG: Final[Mapping[str, Kind]] = {
    "inbox": Kind("SELECT EXISTS (SELECT FROM inbox WHERE state = 'pending' AND topic <> 'x12')"),
    "due": Kind("SELECT EXISTS (SELECT FROM due)"),
    "pushes": Kind(backlog.DUE_CHANNELS, ("channel",)),
    "receipts": Kind(receipts.WAITING, ("channel",)),
    "halts": Kind(halt_store.WAITING, ("channel",)),
    "runs": Kind(runs.TO_RING, ("channel", "job", "window_at")),
    "asked": Kind(orders.ASKED, ("channel",)),
    "partners": Kind(visits.DUE, ("channel",)),
    "interchanges": Kind(inbox.ANY_INTERCHANGE),
    "promises": Kind(supply.ANY_SHORT, values=lambda now: {"source": supply.SOURCE}),
    "programs": Kind(
        program_store.WAITS, values=lambda now: {"looked_before": now - program_watch.LOOK_EVERY}
    ),
    "weights": Kind(fit.WAITS, values=fit.waits_at),
    "rises": Kind(held_watch.WAITS, values=held_watch.waits_at),
    "counts": Kind(
        count_store.WAITS, values=lambda now: {"counts_before": now - counts.LOOK_EVERY}
    ),
}

_KINDS: Final = {**TENDED, **RUNG}


def _row(name: str, kind: Kind) -> str:
    asks = kind.asks if isinstance(kind.asks, str) else kind.asks.text
    told = {"channel": "''", "job": "''", "window_at": "CAST(NULL AS timestamptz)"}
    told |= {each: f"w.{each}" for each in kind.names}
    columns = ", ".join(f"{value} AS {each}" for each, value in told.items())
    only = "" if kind.names else " WHERE w.waits"
    alias = "w" if kind.names else "w (waits)"
    return f"SELECT '{name}' AS kind, {columns} FROM ({asks}) AS {alias}{only}"  # noqa: S608


_ALL: Final = text(" UNION ALL ".join(_row(name, kind) for name, kind in _KINDS.items()))


def found(connection: Connection, now: datetime) -> dict[str, list[Any]]:
    """Kind -> (kind, channel, job, window start) of what waits now; a kind of which nothing does is not there."""
    values = {name: value for kind in _KINDS.values() for name, value in kind.values(now).items()}
    rows: dict[str, list[Any]] = {}
    for row in connection.execute(_ALL, values | {"now": now}):
        rows.setdefault(row[0], []).append(row)
    return rows
