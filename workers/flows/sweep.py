"""What waits, for whoever rings again: the reason why Redis may be emptied at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Engine, text

from allocation import outlook_store, store
from ledger.db import transaction
from reconcile import runs
from workers.flows import edi_exchange, halt_scopes, set_back, waiting
from workers.flows.ingest import sweep_inbox
from workers.flows.reconcile_terms import JOB

_BEAT = text("""
    INSERT INTO heartbeat (queue, seen_at, worker) VALUES (:queue, :now, :worker)
    ON CONFLICT (queue) DO UPDATE SET seen_at = excluded.seen_at, worker = excluded.worker
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a sweep found.

    inbox     whether deliveries are pending
    due       whether any SKU's targets must be computed
    pushes    channels with something to show or to read back
    receipts  channels with a call whose answer is to be asked for
    halts     channels with a halt to carry out
    runs      (channel, window) of runs that nobody works on
    jobs      (job, channel, window) of what the clock asks for beside reconciliation and nobody works on
    asked     channels whose orders a notification asks for
    partners  channels whose folder is to be looked into
    interchanges    whether a partner's interchange is to be worked
    programs  whether programs have something to release, or are to be looked at, or weights, held rises or counts are
    overdue   documents (and their channel) whose acknowledgement has not come, found by this sweep
    promises  whether units are short, or no longer, that nobody has been told of
    """

    inbox: bool
    due: bool
    pushes: tuple[str, ...]
    receipts: tuple[str, ...]
    halts: tuple[str, ...]
    runs: tuple[tuple[str, datetime], ...]
    jobs: tuple[tuple[str, str, datetime], ...] = ()
    asked: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    interchanges: bool = False
    overdue: tuple[tuple[int, str], ...] = ()
    promises: bool = False
    programs: bool = False


def sweep(engine: Engine, *, now: datetime) -> Waiting:
    """Find everything that waits for a bell, when what waits for the sweep itself is done."""
    set_back.take_up(engine, now=now)
    rows = _look(engine, now)
    done = {kind: tend(engine, now=now) for kind, tend in _TENDS.items() if kind in rows}
    if done:
        rows = _look(engine, now)
    names = {kind: tuple(row.channel for row in found) for kind, found in rows.items()}
    open_runs = [(row.job, row.channel, row.window_at) for row in rows.get("runs", ())]
    return Waiting(
        inbox="inbox" in rows,
        due="due" in rows,
        pushes=names.get("pushes", ()),
        receipts=names.get("receipts", ()),
        halts=names.get("halts", ()),
        runs=tuple((channel, window_at) for job, channel, window_at in open_runs if job == JOB),
        jobs=tuple(run for run in open_runs if run[0] != JOB),
        asked=names.get("asked", ()),
        partners=names.get("partners", ()),
        interchanges="interchanges" in rows,
        overdue=tuple(done.get("acknowledgements", ())),
        promises="promises" in rows,
        programs=not rows.keys().isdisjoint(("programs", "weights", "rises", "counts")),
    )


def _look(engine: Engine, now: datetime) -> dict[str, list[Any]]:
    with transaction(engine) as connection:
        return waiting.found(connection, now)


def _turn(engine: Engine, *, now: datetime) -> bool:
    with transaction(engine) as connection:
        return store.turn(connection, now)


def _look_again(engine: Engine, *, now: datetime) -> bool:
    with transaction(engine) as connection:
        return outlook_store.look_again(connection, now)


class _Tend(Protocol):
    def __call__(self, engine: Engine, /, *, now: datetime) -> Any: ...


#: What is done about a kind that waits for nobody else (`waiting.TENDED`), each in transactions of its own.
_TENDS: Final[Mapping[str, _Tend]] = {
    "deliveries": sweep_inbox,
    "seasons": _turn,
    "outlooks": _look_again,
    "halts_over": halt_scopes.tend,
    "acknowledgements": edi_exchange.find_overdue,
}


def jobs_to_do(engine: Engine, *, now: datetime) -> list[tuple[str, str, datetime]]:
    """(job, channel, window) of what the clock asks for beside reconciliation and nobody works on."""
    with transaction(engine) as connection:
        return [row for row in runs.open_runs(connection, now) if row[0] != JOB]


def beat(engine: Engine, *, queue: str, worker: str, now: datetime) -> None:
    """Write down that a queue moves."""
    with transaction(engine) as connection:
        connection.execute(_BEAT, {"queue": queue, "worker": worker, "now": now})
