"""What waits, for whoever rings again: the reason why Redis may be emptied at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from allocation import backlog, outlook_store, receipts, store, supply
from channels.edi import awaited, visits
from ledger import inbox
from ledger.db import transaction
from reconcile import halt_store, runs
from workers.flows import counts, fit, halt_scopes, held_watch, orders, program_watch, set_back
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
    asked     channels whose orders a notification asks for
    partners  channels whose folder is to be looked into
    interchanges    whether a partner's interchange is to be worked
    programs  whether programs have something to release, or are to be looked at, or weights, held rises or counts are
    overdue   documents (and their channel) whose acknowledgement has not come, found by this sweep
    promises  whether units are short, or no longer, that nobody has been told of
    """

    inbox: int
    due: bool
    pushes: tuple[str, ...]
    receipts: tuple[str, ...]
    halts: tuple[str, ...]
    runs: tuple[tuple[str, datetime], ...]
    asked: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    interchanges: bool = False
    overdue: tuple[tuple[int, str], ...] = ()
    promises: bool = False
    programs: bool = False


def sweep(engine: Engine, *, now: datetime) -> Waiting:
    """Find everything that waits for a bell."""
    pending = sweep_inbox(engine, now=now)
    with transaction(engine) as connection:
        store.turn(connection, now)
    with transaction(engine) as connection:
        outlook_store.look_again(connection, now)
    halt_scopes.tend(engine, now=now)
    set_back.take_up(engine, now=now)
    with transaction(engine) as connection:
        open_runs = runs.open_runs(connection, now)
        return Waiting(
            inbox=pending,
            due=bool(connection.execute(_ANY_DUE).scalar_one()),
            pushes=tuple(backlog.due_channels(connection, now)),
            receipts=tuple(receipts.to_ask(connection, now)),
            halts=tuple(halt_store.halts_to_work(connection, now)),
            runs=tuple((channel, window_at) for job, channel, window_at in open_runs if job == JOB),
            asked=tuple(orders.asked(connection, now)),
            partners=tuple(visits.due(connection, now)),
            interchanges=inbox.interchanges_wait(connection),
            overdue=tuple(awaited.find_overdue(connection, now=now)),
            promises=supply.is_short(connection),
            programs=program_watch.waits(connection, now)
            or fit.waits(connection, now)
            or held_watch.waits(connection, now)
            or counts.waits(connection, now),
        )


def jobs_to_do(engine: Engine, *, now: datetime) -> list[tuple[str, str, datetime]]:
    """(job, channel, window) of what the clock asks for beside reconciliation and nobody works on."""
    with transaction(engine) as connection:
        return [row for row in runs.open_runs(connection, now) if row[0] != JOB]


def beat(engine: Engine, *, queue: str, worker: str, now: datetime) -> None:
    """Write down that a queue moves."""
    with transaction(engine) as connection:
        connection.execute(_BEAT, {"queue": queue, "worker": worker, "now": now})
