"""Every task: names and ids in, one call to a flow, then the bells for what comes next.

A task that is late, doubled or replayed does no harm: the flow reads the present. What a flow leaves undone stands in
PostgreSQL, and the sweep rings for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from typing import Any

import structlog
from celery import Task
from celery.exceptions import QueueNotFound, Reject
from kombu.exceptions import OperationalError

from ledger import seals
from workers import amazon, chores, wholesale
from workers.app import app, closed_at_end, delay_s
from workers.flows import allocate as allocating
from workers.flows import halts, ingest, jobs, receipts
from workers.flows import measure as measuring
from workers.flows import push as pushing
from workers.flows import reconcile as reconciling
from workers.flows import sweep as sweeping
from workers.flows import verify as verifying
from workers.flows.early_reads import EarlyReport
from workers.flows.mirror import JOB as MIRROR
from workers.flows.receive import receive as receiving
from workers.flows.reconcile import RunReport
from workers.settings import settings
from workers.wiring import NotSetUp, Wiring, now

log = structlog.get_logger()

#: Batches of one drain; more than these are left to the next, so that what is booked is shown meanwhile.
_BATCHES = 10
#: A vendor's wait that is shorter than this is waited out by the message, not by the sweep.
_SOON_S = 30.0
#: Nobody is rung again for this long when only a person can help.
_HUSH_S = 60.0

_making = threading.Lock()


def wiring() -> Wiring:
    """This process's connections, made at the first task (after the fork)."""
    # The threads of a pool get their first tasks at once, and must not make one each.
    with _making:
        return _made()


@cache
def _made() -> Wiring:
    return closed_at_end(Wiring(settings()))


def ring_drain() -> None:
    """Say that the inbox has something; called after the commit that put it there."""
    _ring("drain", drain.delay)


def ring_allocate() -> None:
    """Say that SKUs are due."""
    _ring("allocate", allocate.delay)


def ring_push(channels: Iterable[str]) -> None:
    """Say that these channels have targets to be shown."""
    for channel in sorted(channels):
        ring_channel(push, channel)


def _ring(name: str, send: Callable[[], object]) -> None:
    """Ring; a bell that is lost costs seconds, so it must not fail the work that was done before it."""
    try:
        wiring().bells.ring(name, send)
    except QueueNotFound:
        wiring().bells.hush(name, _HUSH_S)
        log.error(
            "workers.bell.no_queue",
            bell=name,
            next="add the channel to LOCKSTEP_CHANNELS and start a worker for it",
        )
    except OperationalError as error:
        log.warning("workers.bell.lost", bell=name, error=str(error), next="the sweep rings again")


def ring_channel(task: Task[Any, Any], channel: str, *, after_s: float = 0.0) -> None:
    send = partial(task.apply_async, kwargs={"channel": channel}, countdown=delay_s(after_s))
    _ring(_bell(task, channel), send)


def _bell(task: Task[Any, Any], channel: str) -> str:
    return f"{task.name}:{channel}"


@contextmanager
def _set_up(bell: str) -> Iterator[None]:
    """End a task quietly whose channel lacks something only a person can bring; what it should do stays in the book."""
    try:
        yield
    except NotSetUp as missing:
        wiring().bells.hush(bell, _HUSH_S)
        log.error("workers.channel.not_set_up", bell=bell, why=str(missing))


@contextmanager
def heard(task: Task[Any, Any], channel: str, window_at: str = "") -> Iterator[Wiring]:
    """The house for a task whose bell has been heard, ended quietly when the channel is not set up."""
    house = wiring()
    bell = f"{_bell(task, channel)}:{window_at}" if window_at else _bell(task, channel)
    house.bells.heard(bell)
    with _set_up(bell):
        yield house


@app.task(bind=True, max_retries=None, acks_on_timeout=False)
def receive(
    self: Task[Any, Any],
    /,
    source: Any = "",
    topic: Any = "",
    delivery_id: Any = "",
    headers: Any = None,
    body: Any = None,
    **_: Any,
) -> None:
    """The Celery door: a relay of one's own hands a delivery over. Only here a message carries more than names.

    Until it is in the inbox this message is the only copy: whatever goes wrong, it comes back for as long as it takes.
    """
    try:
        house, at = wiring(), now()
        receiving(house.engine, source, topic, delivery_id, headers, body, now=at, traces=house.traces)  # fmt: skip
    except Exception as error:
        try:
            raise self.retry(exc=error, countdown=min(30, 2 ** min(self.request.retries, 5)))
        except Reject:
            # The broker did not take the copy, so this one must stay.
            raise Reject(str(error), requeue=True) from error
    ring_drain()


@app.task
def drain(**_: Any) -> None:
    """Apply what the inbox holds."""
    house = wiring()
    house.bells.heard("drain")
    done = ingest.drain(house.house, now=now(), batches=_BATCHES)
    if done.entries:
        ring_allocate()
    if done.claimed >= _BATCHES * house.settings.drain_rows:
        ring_drain()
    if done.claimed:
        log.info(
            "ingest.drain.done", claimed=done.claimed, entries=done.entries, parked=done.parked
        )


@app.task
def allocate(**_: Any) -> None:
    """Compute the targets of due SKUs."""
    house = wiring()
    house.bells.heard("allocate")
    wait_s, traces = house.settings.rise_wait_s, house.traces
    ring_push(allocating.allocate(house.engine, now=now, rise_wait_s=wait_s, traces=traces))


@app.task
def push(*, channel: str, **_: Any) -> None:
    """Show a channel what it should show."""
    with heard(push, channel) as house:
        report = pushing.push(house.push_lane(channel))
        chores.tell_of_push(channel, report)
        if report.let_go:
            ring_allocate()
        if report.confirmed:
            ring_channel(verify, channel, after_s=house.settings.verify_after_s)
        if report.retry_after_s is not None and report.retry_after_s < _SOON_S:
            # The vendor lets us in again sooner than the sweep would ring.
            ring_channel(push, channel, after_s=report.retry_after_s)


@app.task
def verify(*, channel: str, **_: Any) -> None:
    """Read back what was confirmed a moment ago."""
    with heard(verify, channel) as house:
        report = verifying.verify(house.push_lane(channel))
        chores.tell_of_read_back(channel, report)
        ring_found(channel, report)
        if report.let_go:
            ring_allocate()


@app.task
def ask_receipts(*, channel: str, **_: Any) -> None:
    """Ask for what became of calls that the channel took in and answers later."""
    with heard(ask_receipts, channel) as house:
        report = receipts.work_receipts(house.push_lane(channel))
        if report.ring_push:
            ring_channel(push, channel)


@app.task
def exchange(*, channel: str, **_: Any) -> None:
    """Visit a wholesale partner's folder: take what lies there, put there what is posted."""
    house = wiring()
    bell = _bell(exchange, channel)
    house.bells.heard(bell)
    with _set_up(bell):
        wholesale.exchange(house, channel)
        _ring("work_orders", work_orders.delay)


@app.task
def work_orders(**_: Any) -> None:
    """Work partners' interchanges: promise, commit, answer; then what was promised for later."""
    house = wiring()
    house.bells.heard("work_orders")
    partners = wholesale.work_orders(house)
    _ring("work_promises", work_promises.delay)
    if partners:
        ring_allocate()
    for channel in sorted(partners):
        ring_channel(exchange, channel)


@app.task
def work_programs(**_: Any) -> None:
    """Release what partners' programs hold beyond their time, and see how fast the others are used up."""
    house = wiring()
    house.bells.heard("work_programs")
    if chores.work_programs(house):
        ring_allocate()


@app.task
def work_promises(**_: Any) -> None:
    """Ask for what was sold or promised and is not there; take back what is asked for no longer."""
    house = wiring()
    house.bells.heard("work_promises")
    done = chores.pull_forward(house)
    if done.asked or done.taken_back:
        log.info("promises.requests.changed", asked=done.asked, taken_back=done.taken_back)


@app.task
def work_halts(*, channel: str, **_: Any) -> None:
    """Carry out halts that were set or lifted."""
    with heard(work_halts, channel) as house:
        report = halts.work_halts(house.engine, house.client(channel), channel=channel, now=now)
        if report.ring_push:
            ring_channel(push, channel)


@app.task
def poll_orders(*, channel: str, window_at: str = "", **_: Any) -> None:
    """Ask a channel for its orders: for a window, or because a notification named some without telling them."""
    with heard(poll_orders, channel, window_at) as house:
        if chores.poll_orders(house, channel, window_at).fresh:
            ring_drain()


@app.task
def watch_channel(*, channel: str, window_at: str, **_: Any) -> None:
    """See whether a channel still calls us, and still has the locations we think it has."""
    with heard(watch_channel, channel, window_at) as house:
        chores.watch(house, channel, window_at)


@app.task
def read_truth(*, channel: str, window_at: str, **_: Any) -> None:
    """Take a step in reading back everything a channel shows, once a night."""
    with heard(read_truth, channel, window_at) as house:
        ring_found(channel, chores.read_truth(house, channel, window_at))


@app.task
def mirror(*, channel: str, window_at: str, **_: Any) -> None:
    """Read what Amazon says of its own stock, for one window, and tell the book."""
    with heard(mirror, channel, window_at) as house:
        report = amazon.mirror_channel(house, channel, window_at)
        if report.facts:
            ring_drain()
        for seller_id, why in sorted(report.mcf_problems.items()):
            log.warning("mirror.mcf.problem", channel=channel, order=seller_id, why=why)
        if report.problems:
            log.warning("mirror.go.problems", channel=channel, problems=report.problems)


def ring_found(channel: str, report: RunReport | EarlyReport | verifying.VerifyReport) -> None:
    if report.ring_push:
        ring_channel(push, channel)
    if report.ring_halts:
        ring_channel(work_halts, channel)


_OF_JOB: dict[str, Task[Any, Any]] = {
    jobs.ORDERS: poll_orders,
    jobs.WATCH: watch_channel,
    jobs.TRUTH: read_truth,
    MIRROR: mirror,
}


def _ring_jobs(waiting: Iterable[tuple[str, str, datetime]]) -> None:
    for job, channel, window_at in waiting:
        if job in _OF_JOB:
            _ring_window(_OF_JOB[job], channel, window_at)


def _ring_window(task: Task[Any, Any], channel: str, window_at: datetime) -> None:
    kwargs = {"channel": channel, "window_at": window_at.isoformat()}
    bell = f"{_bell(task, channel)}:{kwargs['window_at']}"
    _ring(bell, partial(task.apply_async, kwargs=kwargs))


@app.task
def open_windows(**_: Any) -> None:
    """Open the windows of this moment, the polls of orders first; a second beat finds them open."""
    house = wiring()
    _ring_jobs(chores.open_jobs(house))
    windows = reconciling.open_windows(house.engine, now=now(), window_s=house.settings.reconcile_s)
    _ring_runs(windows.opened)


def _ring_runs(windows: Iterable[tuple[str, datetime]]) -> None:
    for channel, window_at in windows:
        _ring_window(reconcile, channel, window_at)


@app.task
def reconcile(*, channel: str, window_at: str, **_: Any) -> None:
    """Compare what a channel shows with what it should show, for one window."""
    with heard(reconcile, channel, window_at) as house:
        ring_found(channel, chores.reconcile_channel(house, channel, window_at))


@app.task
def sweep(**_: Any) -> None:
    """Ring again for everything that waits, whoever forgot to."""
    house = wiring()
    # Beat's own message may be lost, or come just before its window begins; a window that is open stays as it is.
    _ring_jobs(chores.open_jobs(house))
    reconciling.open_windows(house.engine, now=now(), window_s=house.settings.reconcile_s)
    waiting = sweeping.sweep(house.engine, now=now())
    if waiting.inbox:
        ring_drain()
    if waiting.due:
        ring_allocate()
    ring_push(waiting.pushes)
    for channel in waiting.pushes:
        ring_channel(verify, channel)
    for channel in waiting.receipts:
        ring_channel(ask_receipts, channel)
    for channel in waiting.halts:
        ring_channel(work_halts, channel)
    for channel in waiting.asked:
        ring_channel(poll_orders, channel)
    _ring_runs(waiting.runs)
    _ring_wholesale(waiting)


def _ring_wholesale(waiting: sweeping.Waiting) -> None:
    for channel in waiting.partners:
        ring_channel(exchange, channel)
    if waiting.interchanges:
        _ring("work_orders", work_orders.delay)
    if waiting.programs:
        _ring("work_programs", work_programs.delay)
    if waiting.promises:
        _ring("work_promises", work_promises.delay)
    for document, channel in waiting.overdue:
        log.warning("edi.document.overdue", channel=channel, document=document)


@app.task
def measure(**_: Any) -> None:
    """Measure how far each channel is behind."""
    changed = measuring.measure(wiring().engine, now=now())
    if changed:
        log.info("exposure.lag.changed", channels=sorted(changed))
        ring_allocate()


@app.task
def seal(**_: Any) -> None:
    """Seal the newest events."""
    seals.seal(wiring().engine, now=now())


@app.task(bind=True)
def heartbeat(self: Task[Any, Any], /, *, queue: str, **_: Any) -> None:
    """Prove that this queue moves; liveness is progress, not a ping."""
    sweeping.beat(wiring().engine, queue=queue, worker=str(self.request.hostname), now=now())
