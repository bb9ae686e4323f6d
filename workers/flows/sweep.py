"""What waits, for whoever rings again: the reason why Redis may be emptied at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from allocation import backlog, receipts
from ledger.db import transaction
from reconcile import halt_store, runs
from workers.flows.ingest import sweep_inbox
from workers.flows.reconcile_terms import JOB

_ANY_DUE = text("SELECT EXISTS (SELECT FROM due)")

_BEAT = text("""
    INSERT INTO heartbeat (queue, seen_at, worker) VALUES (:queue, :now, :worker)
    ON CONFLICT (queue) DO UPDATE SET seen_at = excluded.seen_at, worker = excluded.worker
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a sweep found.

    inbox     deliveries that are pending
    due       whether any SKU's targets must be computed
    pushes    channels with something to show or to read back
    receipts  channels with a call whose answer is to be asked for
    halts     channels with a halt to carry out
    runs      (channel, window) of runs that nobody works on
    """

    inbox: int
    due: bool
    pushes: tuple[str, ...]
    receipts: tuple[str, ...]
    halts: tuple[str, ...]
    runs: tuple[tuple[str, datetime], ...]


def sweep(engine: Engine, *, now: datetime) -> Waiting:
    """Find everything that waits for a bell."""
    pending = sweep_inbox(engine, now=now)
    with transaction(engine) as connection:
        return Waiting(
            inbox=pending,
            due=bool(connection.execute(_ANY_DUE).scalar_one()),
            pushes=tuple(backlog.due_channels(connection, now)),
            receipts=tuple(receipts.to_ask(connection, now)),
            halts=tuple(halt_store.halts_to_work(connection, now)),
            runs=tuple(
                (channel, window_at)
                for job, channel, window_at in runs.open_runs(connection, now)
                if job == JOB
            ),
        )


def beat(engine: Engine, *, queue: str, worker: str, now: datetime) -> None:
    """Write down that a queue moves."""
    with transaction(engine) as connection:
        connection.execute(_BEAT, {"queue": queue, "worker": worker, "now": now})
