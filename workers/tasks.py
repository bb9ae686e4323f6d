"""Every task: names and ids in, one call to a flow, then the bells for what comes next.

A task that is late, doubled or replayed does no harm: the flow reads the present. What a flow leaves undone stands in
PostgreSQL, and the sweep rings for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache, partial
from typing import Any

import structlog
from celery import Task
from celery.exceptions import QueueNotFound
from sqlalchemy.exc import OperationalError

from ledger import seals
from workers.app import app
from workers.flows import allocate as allocating
from workers.flows import halts, ingest
from workers.flows import push as pushing
from workers.flows import reconcile as reconciling
from workers.flows import sweep as sweeping
from workers.flows import verify as verifying
from workers.flows.receive import receive as receiving
from workers.settings import settings
from workers.wiring import Wiring, now

log = structlog.get_logger()


@cache
def wiring() -> Wiring:
    """This process's connections, made at the first task (after the fork)."""
    return Wiring(settings())


def ring_drain() -> None:
    """Say that the inbox has something; called after the commit that put it there."""
    wiring().bells.ring("drain", drain.delay)


def ring_allocate() -> None:
    """Say that SKUs are due."""
    wiring().bells.ring("allocate", allocate.delay)


def ring_push(channels: Iterable[str]) -> None:
    """Say that these channels have targets to be shown."""
    for channel in sorted(channels):
        _ring(push, channel)


def _ring(task: Task[Any, Any], channel: str) -> None:
    name = f"{task.name}:{channel}"
    try:
        wiring().bells.ring(name, partial(task.apply_async, kwargs={"channel": channel}))
    except QueueNotFound:
        log.error(
            "workers.bell.no_queue",
            channel=channel,
            next="add the channel to LOCKSTEP_CHANNELS and start a worker",
        )


@app.task(bind=True, max_retries=None)
def receive(
    self: Task[Any, Any],
    /,
    source: str,
    topic: str,
    delivery_id: str,
    headers: dict[str, str],
    body: Any,
    **_: Any,
) -> None:
    """The Celery door: a relay of one's own hands a delivery over. Only here a message carries more than names."""
    try:
        receiving(wiring().engine, source, topic, delivery_id, headers, body, now=now())
    except OperationalError as error:
        # Until it is in the inbox this message is the only copy: it comes back for as long as it takes.
        raise self.retry(exc=error, countdown=min(30, 2 ** min(self.request.retries, 5))) from None
    ring_drain()


@app.task
def drain(**_: Any) -> None:
    """Apply what the inbox holds."""
    house = wiring()
    house.bells.heard("drain")
    done = ingest.drain(house.house, now=now())
    if done.entries:
        ring_allocate()
    if done.claimed:
        log.info(
            "ingest.drain.done", claimed=done.claimed, entries=done.entries, parked=done.parked
        )


@app.task
def allocate(**_: Any) -> None:
    """Compute the targets of due SKUs."""
    house = wiring()
    house.bells.heard("allocate")
    ring_push(allocating.allocate(house.engine, now=now, rise_wait_s=house.settings.rise_wait_s))


@app.task
def push(*, channel: str, **_: Any) -> None:
    """Show a channel what it should show."""
    house = wiring()
    house.bells.heard(f"{push.name}:{channel}")
    report = pushing.push(house.push_lane(channel))
    if report.confirmed or report.rejected or report.stopped:
        log.info(
            "push.round.done",
            channel=channel,
            confirmed=report.confirmed,
            stale=report.stale,
            rejected=report.rejected,
            stopped=report.stopped,
        )


@app.task
def verify(*, channel: str, **_: Any) -> None:
    """Read back what was confirmed a moment ago."""
    house = wiring()
    house.bells.heard(f"{verify.name}:{channel}")
    report = verifying.verify(house.push_lane(channel))
    if report.wrong:
        log.warning(
            "push.verify.wrong", channel=channel, wrong=report.wrong, too_much=report.too_much
        )
        _ring(push, channel)


@app.task
def work_halts(*, channel: str, **_: Any) -> None:
    """Carry out halts that were set or lifted."""
    house = wiring()
    house.bells.heard(f"{work_halts.name}:{channel}")
    report = halts.work_halts(house.engine, house.client(channel), channel=channel, now=now)
    if report.ring_push:
        _ring(push, channel)


@app.task
def open_windows(**_: Any) -> None:
    """Open the reconciliation window of this moment; a second beat finds it open."""
    house = wiring()
    windows = reconciling.open_windows(house.engine, now=now(), window_s=house.settings.reconcile_s)
    _ring_runs(windows.opened)


def _ring_runs(windows: Iterable[tuple[str, datetime]]) -> None:
    for channel, window_at in windows:
        name = f"{reconcile.name}:{channel}:{window_at.isoformat()}"
        kwargs = {"channel": channel, "window_at": window_at.isoformat()}
        wiring().bells.ring(name, partial(reconcile.apply_async, kwargs=kwargs))


@app.task
def reconcile(*, channel: str, window_at: str, **_: Any) -> None:
    """Compare what a channel shows with what it should show, for one window."""
    house = wiring()
    report = reconciling.reconcile(
        house.engine,
        house.client(channel),
        channel=channel,
        window_at=datetime.fromisoformat(window_at),
        now=now,
        terms=reconciling.Terms.of(house.settings),
    )
    if report.ring_push:
        _ring(push, channel)
    if report.ring_halts:
        _ring(work_halts, channel)


@app.task
def sweep(**_: Any) -> None:
    """Ring again for everything that waits, whoever forgot to."""
    house = wiring()
    waiting = sweeping.sweep(house.engine, now=now())
    if waiting.inbox:
        ring_drain()
    if waiting.due:
        ring_allocate()
    ring_push(waiting.pushes)
    for channel in waiting.pushes:
        _ring(verify, channel)
    for channel in waiting.halts:
        _ring(work_halts, channel)
    _ring_runs(waiting.runs)


@app.task
def seal(**_: Any) -> None:
    """Seal the newest events."""
    seals.seal(wiring().engine, now=now())


@app.task(bind=True)
def heartbeat(self: Task[Any, Any], /, *, queue: str, **_: Any) -> None:
    """Prove that this queue moves; liveness is progress, not a ping."""
    sweeping.beat(wiring().engine, queue=queue, worker=str(self.request.hostname), now=now())
