"""Every errand of a worker: one call to a flow, then the bells for what comes next. No Celery.

Celery's tasks (`workers/tasks.py`) and those of `lockstep chaos` are these and nothing else. An errand that is late,
doubled or done again does no harm: the flow reads the present. What it leaves undone stands in PostgreSQL, and the
sweep rings for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

import structlog

from ledger import seals
from reconcile import runs
from workers import amazon, chores, wholesale
from workers.flows import allocate as allocating
from workers.flows import early_reads, halts, ingest, jobs, receipts, retention, windows
from workers.flows import measure as measuring
from workers.flows import push as pushing
from workers.flows import reconcile as reconciling
from workers.flows import sweep as sweeping
from workers.flows import verify as verifying
from workers.flows.early_reads import EarlyReport
from workers.flows.mirror import JOB as MIRROR
from workers.flows.reconcile import RunReport
from workers.wiring import Wiring

log = structlog.get_logger()

#: Batches of one drain; more than these are left to the next, so that what is booked is shown meanwhile.
_BATCHES: Final = 5
#: A vendor's wait that is shorter than this is waited out by the message, not by the sweep.
_SOON_S: Final = 30.0
#: Spans whose work was not taken up by then belong to numbers that never went out.
_TRAILS_FOR: Final = timedelta(days=1)


class Ring(Protocol):
    """Says "look now": which errand, about which channel and window (as it is written in ISO 8601), how much later."""

    def __call__(
        self, errand: str, channel: str = "", /, *, window_at: str = "", after_s: float = 0.0
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class On:
    """What an errand is about, and what it has.

    channel, window_at    "" where the errand is about none
    """

    house: Wiring
    ring: Ring
    channel: str = ""
    window_at: str = ""


def drain(on: On) -> None:
    """Apply what the inbox holds."""
    house = on.house
    done = ingest.drain(house.house, now=house.now(), batches=_BATCHES)
    if done.entries:
        on.ring("allocate")
    if done.claimed >= _BATCHES * house.settings.drain_rows:
        on.ring("drain")
    if done.claimed:
        log.info(
            "ingest.drain.done", claimed=done.claimed, entries=done.entries, parked=done.parked
        )


def allocate(on: On) -> None:
    """Compute the targets of due SKUs."""
    house = on.house
    wait_s, traces = house.settings.rise_wait_s, house.traces
    _ring_each(
        on,
        "push",
        allocating.allocate(house.engine, now=house.now, rise_wait_s=wait_s, traces=traces),
    )


def push(on: On) -> None:
    """Show a channel what it should show."""
    report = pushing.push(on.house.push_lane(on.channel))
    chores.tell_of_push(on.channel, report)
    if report.let_go:
        on.ring("allocate")
    if report.confirmed:
        on.ring("verify", on.channel, after_s=on.house.settings.verify_after_s)
    if report.retry_after_s is not None and report.retry_after_s < _SOON_S:
        # The vendor lets us in again sooner than the sweep would ring.
        on.ring("push", on.channel, after_s=report.retry_after_s)


def verify(on: On) -> None:
    """Read back what was confirmed a moment ago."""
    report = verifying.verify(on.house.push_lane(on.channel))
    chores.tell_of_read_back(on.channel, report)
    _ring_found(on, report)
    if report.let_go:
        on.ring("allocate")


def ask_receipts(on: On) -> None:
    """Ask for what became of calls that the channel took in and answers later."""
    if receipts.work_receipts(on.house.push_lane(on.channel)).ring_push:
        on.ring("push", on.channel)


def exchange(on: On) -> None:
    """Visit a wholesale partner's folder: take what lies there, put there what is posted."""
    wholesale.exchange(on.house, on.channel)
    on.ring("work_orders")


def work_orders(on: On) -> None:
    """Work partners' interchanges: promise, commit, answer; then what was promised for later."""
    partners = wholesale.work_orders(on.house)
    on.ring("work_promises")
    if partners:
        on.ring("allocate")
    _ring_each(on, "exchange", partners)


def work_programs(on: On) -> None:
    """Release what partners' programs hold beyond their time, and see how fast the others are used up."""
    if chores.work_programs(on.house):
        on.ring("allocate")


def work_promises(on: On) -> None:
    """Ask for what was sold or promised and is not there; take back what is asked for no longer."""
    done = chores.pull_forward(on.house)
    if done.asked or done.taken_back:
        log.info("promises.requests.changed", asked=done.asked, taken_back=done.taken_back)


def work_halts(on: On) -> None:
    """Carry out halts that were set or lifted."""
    house, channel = on.house, on.channel
    report = halts.work_halts(house.engine, house.client(channel), channel=channel, now=house.now)
    if report.ring_push:
        on.ring("push", channel)


def poll_orders(on: On) -> None:
    """Ask a channel for its orders: for a window, or because a notification named some without telling them."""
    if chores.poll_orders(on.house, on.channel, on.window_at).fresh:
        on.ring("drain")


def watch_channel(on: On) -> None:
    """See whether a channel still calls us, and still has the locations we think it has."""
    chores.watch(on.house, on.channel, on.window_at)


def read_truth(on: On) -> None:
    """Take a step in reading back everything a channel shows, once a night."""
    _ring_found(on, chores.read_truth(on.house, on.channel, on.window_at))


def mirror(on: On) -> None:
    """Read what Amazon says of its own stock, for one window, and tell the book."""
    report = amazon.mirror_channel(on.house, on.channel, on.window_at)
    if report.facts:
        on.ring("drain")
    for seller_id, why in sorted(report.mcf_problems.items()):
        log.warning("mirror.mcf.problem", channel=on.channel, order=seller_id, why=why)
    if report.problems:
        log.warning("mirror.go.problems", channel=on.channel, problems=report.problems)


def reconcile(on: On) -> None:
    """Compare what a channel shows with what it should show, for one window."""
    _ring_found(on, chores.reconcile_channel(on.house, on.channel, on.window_at))


def look_early(on: On) -> None:
    """Ring for the channels that have something to read early, or to judge again."""
    _ring_each(on, "read_early", early_reads.waiting(on.house.engine, now=on.house.now()))


def read_early(on: On) -> None:
    """Read what sells out soon, and judge what had to wait for its orders."""
    report = chores.read_early(on.house, on.channel)
    if report.drifted:
        log.warning(
            "reads.early.drifted",
            channel=on.channel,
            drifted=report.drifted,
            halted=report.halted,
        )
    if report.due:
        on.ring("allocate")
    _ring_found(on, report)


def open_windows(on: On) -> None:
    """Open the windows of this moment, the polls of orders first; a second beat finds them open."""
    _ring_jobs(on, chores.open_jobs(on.house))
    _ring_windows(on, "reconcile", _open(on).opened)


def sweep(on: On) -> None:
    """Ring again for everything that waits, whoever forgot to."""
    # Beat's own message may be lost, or come just before its window begins.
    house = on.house
    if windows.are_lacking(
        house.engine,
        now=house.now(),
        window_s=house.settings.reconcile_s,
        truth_hour=house.settings.truth_hour,
    ):
        chores.open_jobs(house)
        _open(on)
    waiting = sweeping.sweep(house.engine, now=house.now())
    _ring_jobs(on, waiting.jobs)
    if waiting.inbox:
        on.ring("drain")
    if waiting.due:
        on.ring("allocate")
    _ring_each(on, "push", waiting.pushes)
    _ring_each(on, "verify", waiting.pushes)
    _ring_each(on, "ask_receipts", waiting.receipts)
    _ring_each(on, "work_halts", waiting.halts)
    _ring_each(on, "poll_orders", waiting.asked)
    _ring_windows(on, "reconcile", waiting.runs)
    _ring_each(on, "exchange", waiting.partners)
    if waiting.interchanges:
        on.ring("work_orders")
    if waiting.programs:
        on.ring("work_programs")
    if waiting.promises:
        on.ring("work_promises")
    for document, channel in waiting.overdue:
        log.warning("edi.document.overdue", channel=channel, document=document)


def measure(on: On) -> None:
    """Measure how far each channel is behind."""
    changed = measuring.measure(on.house.engine, now=on.house.now())
    if changed:
        log.info("exposure.lag.changed", channels=sorted(changed))
        on.ring("allocate")


def seal(on: On) -> None:
    """Seal the newest events."""
    seals.seal(on.house.engine, now=on.house.now())


def forget(on: On) -> None:
    """Forget rows of daily work that are over for longer than they are to be kept."""
    house = on.house
    now, kept = house.now(), house.settings
    done = retention.forget(house.engine, before=now - timedelta(days=kept.keep_days))
    emptied = retention.empty(house.engine, before=now - timedelta(days=kept.keep_bodies_days))
    retention.forget_trails(house.engine, before=now - _TRAILS_FOR)
    rows = done.rows | emptied.rows
    if any(rows.values()):
        log.info("retention.forget.done", more=done.more or emptied.more, **rows)


def _open(on: On) -> runs.Windows:
    house = on.house
    return reconciling.open_windows(
        house.engine, now=house.now(), window_s=house.settings.reconcile_s
    )


def _ring_each(on: On, errand: str, channels: Iterable[str]) -> None:
    for channel in sorted(channels):
        on.ring(errand, channel)


def _ring_found(on: On, report: RunReport | EarlyReport | verifying.VerifyReport) -> None:
    if report.ring_push:
        on.ring("push", on.channel)
    if report.ring_halts:
        on.ring("work_halts", on.channel)


def _ring_windows(on: On, errand: str, windows: Iterable[tuple[str, datetime]]) -> None:
    for channel, window_at in windows:
        on.ring(errand, channel, window_at=window_at.isoformat())


_OF_JOB: Final = {
    jobs.ORDERS: "poll_orders",
    jobs.WATCH: "watch_channel",
    jobs.TRUTH: "read_truth",
    MIRROR: "mirror",
}


def _ring_jobs(on: On, waiting: Iterable[tuple[str, str, datetime]]) -> None:
    for job, channel, window_at in waiting:
        if job in _OF_JOB:
            on.ring(_OF_JOB[job], channel, window_at=window_at.isoformat())


Errand: TypeAlias = Callable[[On], None]

#: Errand -> what is done, by the name that is rung for.
ERRANDS: Final[Mapping[str, Errand]] = {
    each.__name__: each
    for each in (
        drain,
        allocate,
        push,
        verify,
        ask_receipts,
        exchange,
        work_orders,
        work_programs,
        work_promises,
        work_halts,
        poll_orders,
        watch_channel,
        read_truth,
        mirror,
        reconcile,
        look_early,
        read_early,
        open_windows,
        sweep,
        measure,
        seal,
        forget,
    )
}
