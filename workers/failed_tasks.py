"""Tasks about failed work, and what every task has in common there: written down when it raises, resolved when it runs,
not begun while its queue is paused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure, task_success
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from ledger import failures
from ledger.db import connect, transaction
from workers.app import Work, app
from workers.clock import Watch
from workers.failures import mending, operations, pauses, raised
from workers.failures.raised import Seldom
from workers.failures.replaying import RINGABLE
from workers.flows import operations as operating
from workers.settings import settings
from workers.tasks import wiring
from workers.wiring import clock, now, watch_of

log = structlog.get_logger()

_BELL = "work_operations"
#: So old may what a process knows of pauses be, and of what has run.
_PAUSES_FOR_S = 1.0
#: So old may what is known of the clock be where a message seems late.
_LATE_FOR_S = 5.0
_RAN_EVERY = timedelta(seconds=30)

_ran = Seldom(_RAN_EVERY)


@app.task
def look_at_failed(**_: Any) -> None:
    """Resolve what has ended well since it failed; ring for bulk work, and for tasks that somebody wants run again."""
    house = wiring()
    with transaction(house.engine) as connection:
        mending.mend(connection, now())
        waits = operations.wait(connection, now())
        again = mending.to_ring(connection)
    if waits:
        _ring(_BELL, work_operations.name, {})
    for task, kwargs in again:
        if task in RINGABLE:
            _ring(f"again:{task}:{sorted(kwargs.items())}", task, kwargs)


def _ring(bell: str, task: str, kwargs: Mapping[str, object]) -> None:
    # A bell that is lost is rung again by the next look.
    with suppress(OperationalError):
        wiring().bells.ring(bell, partial(app.send_task, task, kwargs=dict(kwargs)))


@app.task
def work_operations(**_: Any) -> None:
    """Do a part of the bulk work that waits; the next ring goes on."""
    house = wiring()
    house.bells.heard(_BELL)
    done = operating.work(house.house, now=now)
    if done is not None:
        log.info("operation.worked", operation=str(done.id), state=done.state, done=done.done)


@task_failure.connect
def _write_down(
    sender: Any = None,
    task_id: str = "",
    exception: BaseException | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    traceback: TracebackType | None = None,
    **_: object,
) -> None:
    """A task raised and is not tried again by itself: a row says so, wherever its message went."""
    if exception is None or sender is None:
        return
    trace = exception.__traceback__ or (traceback if isinstance(traceback, TracebackType) else None)
    failure = raised.failure_of(sender.name, task_id, args or (), kwargs or {}, exception, trace)
    _ran.forget((failure.task, failure.channel))
    try:
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            # Told in the parent of a pool, whose children must not inherit its connections.
            with closing(_Own()) as own, transaction(own.engine) as connection:
                failures.note(connection, [failure], now())
        else:
            with transaction(wiring().engine) as connection:
                failures.note(connection, [failure], now())
    except SQLAlchemyError as error:
        log.error("failed.task.not_written", task=sender.name, why=str(error).split("\n", 1)[0])


class _Own:
    """A connection for one statement."""

    def __init__(self) -> None:
        self.engine: Engine = connect(settings().database_url, pool=1)

    def close(self) -> None:
        self.engine.dispose()


@task_success.connect
def _ran_well(sender: Any = None, **_: object) -> None:
    """What failed of a task is resolved when it has run, asked at most every half minute a process."""
    kwargs = getattr(getattr(sender, "request", None), "kwargs", None) or {}
    name = (str(getattr(sender, "name", "")), str(kwargs.get("channel", "")))
    if not _ran.again(name, now()):
        return
    with suppress(SQLAlchemyError), transaction(wiring().engine) as connection:
        mending.ran(connection, *name, now())


class _Known:
    """The queues that are paused, as this process knows them."""

    queues: frozenset[str] = frozenset()
    watch: Watch | None = None


def _is_paused(queue: str) -> bool:
    """Whether somebody has stopped a queue. A database that does not answer stops none: the task will see that.

    On that way each process holds its clock against the database's.
    """
    if clock.is_doubtful(_PAUSES_FOR_S):
        with suppress(SQLAlchemyError), transaction(wiring().engine) as connection:
            _Known.queues = pauses.paused(connection)
            # A child of a pool is a process of its own.
            _Known.watch = _Known.watch or watch_of("worker")
            _Known.watch.look(connection)
        clock.looked()
    return queue in _Known.queues


def _time_of_all() -> datetime:
    """The clock that counts, also in the parent of a pool, whose children must not inherit its connections."""
    if clock.is_doubtful(_LATE_FOR_S):
        with (
            suppress(SQLAlchemyError),
            closing(_Own()) as own,
            transaction(own.engine) as connection,
        ):
            clock.set_by(connection)
        clock.looked()
    return now()


Work.is_paused = staticmethod(_is_paused)
Work.time_of_all = staticmethod(_time_of_all)
