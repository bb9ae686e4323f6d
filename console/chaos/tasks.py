"""Tasks as `workers/tasks.py` has them: one call to a real flow, then the bells for what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from console.chaos.broker import Message
from console.chaos.house import House
from ledger import seals
from ledger.db import transaction
from reconcile import pages
from workers.flows import (
    allocate,
    counts,
    early_reads,
    fit,
    halts,
    held_watch,
    ingest,
    jobs,
    measure,
    orders,
    program_watch,
    programs,
    promises,
    push,
    receipts,
    reconcile,
    retention,
    subscriptions,
    sweep,
    verify,
)
from workers.flows.count_terms import terms_of
from workers.flows.early_reads import EarlyReport
from workers.flows.reconcile import RunReport
from workers.flows.verify import VerifyReport

#: As the doors have them (`workers/tasks.py`, `workers/chores.py`).
_BATCHES: Final = 10
_SOON_S: Final = 30.0
_HEAR_S: Final = 180.0

_LOOKS: Final = "SELECT EXISTS (SELECT FROM second_look)"

Task = Callable[[House, Message], None]


def drain(house: House, _: Message) -> None:
    """Apply what the inbox holds."""
    done = ingest.drain(house.drain, now=house.now(), batches=_BATCHES)
    if done.claimed:
        house.broker.touch()
    if done.entries:
        house.broker.ring("allocate")
    if done.claimed >= _BATCHES * house.drain.rows:
        house.broker.ring("drain")


def compute(house: House, _: Message) -> None:
    """Compute the targets of due SKUs."""
    rise_wait_s = house.settings.rise_wait_s
    touched = allocate.allocate(house.engine, now=house.now, rise_wait_s=rise_wait_s)
    if touched:
        house.broker.touch()
    _ring_push(house, touched)


def push_(house: House, message: Message) -> None:
    """Show a channel what it should show."""
    channel = message.channel
    report = push.push(house.lane(channel))
    if report.skus or report.stopped or report.accepted or report.not_sent or report.rejected:
        house.broker.touch()
    if report.let_go:
        house.broker.ring("allocate")
    if report.confirmed:
        house.broker.ring("verify", channel, after_s=house.settings.verify_after_s)
    if report.retry_after_s is not None and report.retry_after_s < _SOON_S:
        house.broker.ring("push", channel, after_s=report.retry_after_s)


def verify_(house: House, message: Message) -> None:
    """Read back what was confirmed a moment ago."""
    report = verify.verify(house.lane(message.channel))
    if report.read or report.stopped:
        house.broker.touch()
    _ring_found(house, message.channel, report)
    if report.let_go:
        house.broker.ring("allocate")


def ask_receipts(house: House, message: Message) -> None:
    """Ask for what became of calls that are answered later."""
    if receipts.work_receipts(house.lane(message.channel)).ring_push:
        house.broker.ring("push", message.channel)


def work_halts(house: House, message: Message) -> None:
    """Carry out halts."""
    channel = message.channel
    report = halts.work_halts(house.engine, house.clients[channel], channel=channel, now=house.now)
    if report.set or report.lifted or report.later:
        house.broker.touch()
    if report.ring_push:
        house.broker.ring("push", channel)


def poll_orders(house: House, message: Message) -> None:
    """Ask a channel for its orders."""
    house.broker.touch()
    if _poll(house, message.channel, message.window_at).fresh:
        house.broker.ring("drain")


def _poll(house: House, channel: str, window_at: datetime | None) -> orders.PollReport:
    settings = house.settings
    return orders.poll_orders(
        house.engine,
        house.clients[channel],
        channel=channel,
        now=house.now,
        overlap_s=min(settings.orders_overlap_s, settings.reconcile_s),
        window_at=window_at,
        window_s=settings.reconcile_s,
        lag_s=house.lane_of(channel).orders_lag_s,
    )


def _hear(house: House, channel: str) -> None:
    with transaction(house.engine) as connection:
        state = pages.channel_state(connection, channel)
    heard_at = state.orders_mark if state is not None else None
    if heard_at is None or (house.now() - heard_at).total_seconds() >= _HEAR_S:
        _poll(house, channel, None)


def watch_channel(house: House, message: Message) -> None:
    """See whether a channel still calls us."""
    channel = message.channel
    subscriptions.watch(
        house.engine,
        house.clients[channel],
        channel=channel,
        topics=house.lane_of(channel).topics,
        window_at=_window(message),
        now=house.now,
        bulk=house.bulk(channel),
    )


def reconcile_(house: House, message: Message) -> None:
    """Compare what a channel shows with what it should show, for one window."""
    channel = message.channel
    report = reconcile.reconcile(
        house.engine,
        house.clients[channel],
        channel=channel,
        window_at=_window(message),
        now=house.now,
        terms=house.terms(channel),
        bulk=house.bulk(channel),
        hear=lambda: _hear(house, channel),
    )
    house.broker.touch()
    _ring_found(house, channel, report)


def read_early(house: House, message: Message) -> None:
    """Read what sells out soon, and judge what had to wait for its orders."""
    channel = message.channel
    report = early_reads.go(
        house.engine,
        house.clients[channel],
        channel=channel,
        now=house.now,
        terms=house.terms(channel),
        hear=lambda: _hear(house, channel),
    )
    if report.looked or report.read or report.stopped:
        house.broker.touch()
    _ring_found(house, channel, report)


def look_early(house: House, _: Message) -> None:
    """Ring for the channels that have something to read early."""
    for channel in early_reads.waiting(house.engine, now=house.now()):
        house.broker.ring("read_early", channel)
    if house.rows(_LOOKS)[0][0]:
        # Each look writes, and what it writes is looked for in the seconds before the next.
        house.broker.touch()


def _open_jobs(house: House) -> None:
    at, settings = house.now(), house.settings
    jobs.open_windows(
        house.engine, now=at, window_s=settings.reconcile_s, truth_hour=settings.truth_hour
    )
    for job, channel, window_at in sweep.jobs_to_do(house.engine, now=at):
        if job in _OF_JOB:
            house.broker.ring(_OF_JOB[job], channel, window_at=window_at)


def open_windows(house: House, _: Message) -> None:
    """Open the windows of this moment."""
    _open_jobs(house)
    opened = reconcile.open_windows(
        house.engine, now=house.now(), window_s=house.settings.reconcile_s
    ).opened
    _ring_runs(house, opened)


def sweep_(house: House, _: Message) -> None:
    """Ring again for everything that waits."""
    _open_jobs(house)
    reconcile.open_windows(house.engine, now=house.now(), window_s=house.settings.reconcile_s)
    waiting = sweep.sweep(house.engine, now=house.now())
    ring = house.broker.ring
    if waiting.inbox:
        ring("drain")
    if waiting.due:
        ring("allocate")
    for channel in waiting.pushes:
        ring("push", channel)
        ring("verify", channel)
    for task, channels in (
        ("ask_receipts", waiting.receipts),
        ("work_halts", waiting.halts),
        ("poll_orders", waiting.asked),
    ):
        for channel in channels:
            ring(task, channel)
    _ring_runs(house, waiting.runs)
    if waiting.programs:
        ring("work_programs")
    if waiting.promises:
        ring("work_promises")


def work_programs(house: House, _: Message) -> None:
    """Release what programs hold beyond their time; look at paces, weights, held rises, counts."""
    freed = programs.expire(house.drain, now=house.now())
    program_watch.watch(house.engine, now=house.now())
    fit.watch(house.engine, now=house.now())
    held_watch.watch(house.engine, now=house.now())
    counts.watch(house.engine, terms_of(house.settings), now=house.now())
    if freed:
        house.broker.ring("allocate")


def work_promises(house: House, _: Message) -> None:
    """Ask for what was sold and is not there."""
    promises.pull_forward(house.drain, now=house.now(), days=house.settings.pull_forward_days)


def measure_(house: House, _: Message) -> None:
    """Measure how far each channel is behind."""
    if measure.measure(house.engine, now=house.now()):
        house.broker.ring("allocate")


def seal(house: House, _: Message) -> None:
    """Seal the newest events."""
    seals.seal(house.engine, now=house.now())


def forget(house: House, _: Message) -> None:
    """Forget rows of daily work that are over for long."""
    retention.forget(house.engine, before=house.now() - timedelta(days=house.settings.keep_days))


def _window(message: Message) -> datetime:
    assert message.window_at is not None, f"{message.task} is about a window"
    return message.window_at


def _ring_push(house: House, channels: Iterable[str]) -> None:
    for channel in sorted(channels):
        house.broker.ring("push", channel)


def _ring_found(house: House, channel: str, report: RunReport | EarlyReport | VerifyReport) -> None:
    if report.ring_push:
        house.broker.ring("push", channel)
    if report.ring_halts:
        house.broker.ring("work_halts", channel)


def _ring_runs(house: House, windows: Iterable[tuple[str, datetime]]) -> None:
    for channel, window_at in windows:
        house.broker.ring("reconcile", channel, window_at=window_at)


_OF_JOB: Final = {jobs.ORDERS: "poll_orders", jobs.WATCH: "watch_channel"}

TASKS: Final[Mapping[str, Task]] = {
    "drain": drain,
    "allocate": compute,
    "push": push_,
    "verify": verify_,
    "ask_receipts": ask_receipts,
    "work_halts": work_halts,
    "poll_orders": poll_orders,
    "watch_channel": watch_channel,
    "reconcile": reconcile_,
    "read_early": read_early,
    "look_early": look_early,
    "open_windows": open_windows,
    "sweep": sweep_,
    "work_programs": work_programs,
    "work_promises": work_promises,
    "measure": measure_,
    "seal": seal,
    "forget": forget,
}
