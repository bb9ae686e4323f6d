"""Every task: names and ids in, one errand (`workers/errands.py`), its bells over the broker.

A task that is late, doubled or replayed does no harm: the flow reads the present. What a flow leaves undone stands in
PostgreSQL, and the sweep rings for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import structlog
from celery import Task
from celery.exceptions import QueueNotFound, Reject
from kombu.exceptions import OperationalError

from workers.app import app, closed_at_end, delay_s
from workers.clock import TOLERATED
from workers.errands import ERRANDS, On
from workers.flows import sweep as sweeping
from workers.flows.receive import receive as receiving
from workers.settings import settings
from workers.wiring import NotSetUp, Wiring, now

log = structlog.get_logger()

#: Nobody is rung again for this long when only a person can help.
_HUSH_S = 60.0
#: Errands whose task stands in another file.
_ELSEWHERE = {
    "look_early": "workers.read_tasks.look_early",
    "read_early": "workers.read_tasks.read_early",
    "forget": "workers.retention_tasks.forget",
}

_making = threading.Lock()


def wiring() -> Wiring:
    """This process's connections, made at the first task (after the fork)."""
    # The threads of a pool get their first tasks at once, and must not make one each.
    with _making:
        return _made()


@cache
def _made() -> Wiring:
    return closed_at_end(Wiring(settings()))


def task_of(errand: str) -> str:
    """The name of the task that runs an errand."""
    return _ELSEWHERE.get(errand, f"workers.tasks.{errand}")


def run(errand: str, channel: str = "", window_at: str = "") -> None:
    """Run an errand whose bell has been heard; ended quietly when the channel lacks what only a person can bring."""
    house = wiring()
    bell = _bell(errand, channel, window_at)
    house.bells.heard(bell)
    with _set_up(bell):
        ERRANDS[errand](On(house, ring, channel, window_at))


def ring(errand: str, channel: str = "", *, window_at: str = "", after_s: float = 0.0) -> None:
    """Say "look now"; what waits stands in PostgreSQL already."""
    kwargs = {name: of for name, of in (("channel", channel), ("window_at", window_at)) if of}
    send = partial(app.send_task, task_of(errand), kwargs=kwargs, countdown=delay_s(after_s))
    _ring(_bell(errand, channel, window_at), send)


def ring_drain() -> None:
    """Say that the inbox has something; called after the commit that put it there."""
    ring("drain")


def ring_channel(task: Task[Any, Any], channel: str) -> None:
    """Ring for a task that is no errand, about one channel."""
    _ring(f"{task.name}:{channel}", partial(task.apply_async, kwargs={"channel": channel}))


def _bell(errand: str, channel: str, window_at: str) -> str:
    return ":".join((task_of(errand), channel, *filter(None, [window_at]))) if channel else errand


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


@contextmanager
def _set_up(bell: str) -> Iterator[None]:
    """End a task quietly whose channel lacks something only a person can bring; what it should do stays in the book."""
    try:
        yield
    except NotSetUp as missing:
        wiring().bells.hush(bell, _HUSH_S)
        log.error("workers.channel.not_set_up", bell=bell, why=str(missing))


@contextmanager
def heard(task: Task[Any, Any], channel: str) -> Iterator[Wiring]:
    """The house for a task that is no errand, its bell heard; ended quietly when the channel is not set up."""
    house = wiring()
    bell = f"{task.name}:{channel}"
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
        receiving(
            house.engine, source, topic, delivery_id, headers, body,
            now=at, tolerated=TOLERATED, traces=house.traces,
        )  # fmt: skip
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
    run("drain")


@app.task
def allocate(**_: Any) -> None:
    """Compute the targets of due SKUs."""
    run("allocate")


@app.task
def push(*, channel: str, **_: Any) -> None:
    """Show a channel what it should show."""
    run("push", channel)


@app.task
def verify(*, channel: str, **_: Any) -> None:
    """Read back what was confirmed a moment ago."""
    run("verify", channel)


@app.task
def ask_receipts(*, channel: str, **_: Any) -> None:
    """Ask for what became of calls that the channel took in and answers later."""
    run("ask_receipts", channel)


@app.task
def exchange(*, channel: str, **_: Any) -> None:
    """Visit a wholesale partner's folder: take what lies there, put there what is posted."""
    run("exchange", channel)


@app.task
def work_orders(**_: Any) -> None:
    """Work partners' interchanges: promise, commit, answer; then what was promised for later."""
    run("work_orders")


@app.task
def work_programs(**_: Any) -> None:
    """Release what partners' programs hold beyond their time, and see how fast the others are used up."""
    run("work_programs")


@app.task
def work_promises(**_: Any) -> None:
    """Ask for what was sold or promised and is not there; take back what is asked for no longer."""
    run("work_promises")


@app.task
def work_halts(*, channel: str, **_: Any) -> None:
    """Carry out halts that were set or lifted."""
    run("work_halts", channel)


@app.task
def poll_orders(*, channel: str, window_at: str = "", **_: Any) -> None:
    """Ask a channel for its orders: for a window, or because a notification named some without telling them."""
    run("poll_orders", channel, window_at)


@app.task
def watch_channel(*, channel: str, window_at: str, **_: Any) -> None:
    """See whether a channel still calls us, and still has the locations we think it has."""
    run("watch_channel", channel, window_at)


@app.task
def read_truth(*, channel: str, window_at: str, **_: Any) -> None:
    """Take a step in reading back everything a channel shows, once a night."""
    run("read_truth", channel, window_at)


@app.task
def mirror(*, channel: str, window_at: str, **_: Any) -> None:
    """Read what Amazon says of its own stock, for one window, and tell the book."""
    run("mirror", channel, window_at)


@app.task
def open_windows(**_: Any) -> None:
    """Open the windows of this moment, the polls of orders first; a second beat finds them open."""
    run("open_windows")


@app.task
def reconcile(*, channel: str, window_at: str, **_: Any) -> None:
    """Compare what a channel shows with what it should show, for one window."""
    run("reconcile", channel, window_at)


@app.task
def sweep(**_: Any) -> None:
    """Ring again for everything that waits, whoever forgot to."""
    run("sweep")


@app.task
def measure(**_: Any) -> None:
    """Measure how far each channel is behind."""
    run("measure")


@app.task
def seal(**_: Any) -> None:
    """Seal the newest events."""
    run("seal")


@app.task(bind=True)
def heartbeat(self: Task[Any, Any], /, *, queue: str, **_: Any) -> None:
    """Prove that this queue moves; liveness is progress, not a ping."""
    sweeping.beat(wiring().engine, queue=queue, worker=str(self.request.hostname), now=now())
