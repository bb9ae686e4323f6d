"""Reconciliation of one channel: open the window, read back page by page, compare, name, push again, halt.

Transaction, call, transaction: no lock is held while the vendor answers. Each page is judged and written as soon as
it is read, so that a run that dies leaves what it found; whoever takes the run over begins again, and every write
is one that may be done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine

from channels.base import Channel, ChannelError, ReadsInBulk, Refused, Throttled, Unauthorised
from ledger.db import transaction
from reconcile import lateness, pages, runs
from workers.flows.catalogue_reads import recent
from workers.flows.reconcile_attempt import Attempt
from workers.flows.reconcile_terms import JOB, Clock, RunReport, Terms

__all__ = ["RunReport", "Terms", "UnknownChannel", "open_windows", "reconcile"]

_LONGEST_WAIT = timedelta(minutes=5)

log = structlog.get_logger(__name__)


class UnknownChannel(Exception):
    """There is no channel of this name."""


def open_windows(engine: Engine, *, now: datetime, window_s: int) -> runs.Windows:
    """Open the window of `now` for every channel that is sent its numbers; ring for what this call opened.

    A window that nobody opened is a hole in the net: it is kept as missed and warned about.
    """
    with transaction(engine) as connection:
        windows = runs.open_windows(
            connection, JOB, pages.written_channels(connection), now, window_s
        )
        opened = [channel for channel, _ in windows.opened]
        late = lateness.look_back(connection, JOB, opened, runs.window_of(now, window_s), now)
    for channel, window_at in windows.missed:
        log.warning("reconcile.window.missed", channel=channel, window_at=window_at.isoformat())
    for alarm in late:
        log.warning(
            "alarm.raised", rule=alarm.rule, object=f"channel:{alarm.channel}", **_logged(alarm)
        )
    return windows


def _logged(alarm: lateness.Late) -> dict[str, object]:
    return {name: value for name, value in alarm.detail.items() if name != "channel"}


def reconcile(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    window_at: datetime,
    now: Clock,
    terms: Terms,
    bulk: ReadsInBulk | None = None,
    hear: Callable[[], object] | None = None,
    dry_run: bool = False,
) -> RunReport:
    """Do the run of one channel and window, if it waits for a worker.

    now        the clock, read again between the pages
    bulk       how a large catalogue tells what changed, where the vendor can
    hear       asks the channel for its orders: before a page is read, where they were heard too long ago
    dry_run    read and judge only: nothing is claimed or written, `window_at` is only reported
    returns    what was found; an error of the channel is a report too (later or failed), never raised
    raises     UnknownChannel
    """
    with transaction(engine) as connection:
        state = pages.channel_state(connection, channel)
        if state is None:
            raise UnknownChannel(f"no channel is called {channel!r}")
        run = None
        if not dry_run:
            run = runs.claim_run(connection, JOB, channel, window_at, now(), terms.lease_s)
    if run is None and not dry_run:
        return RunReport(channel, window_at, "skipped")
    settle = max(terms.limits.settle, timedelta(seconds=client.settle_s))
    terms = replace(terms, limits=replace(terms.limits, settle=settle))
    attempt = Attempt(engine, client, channel, window_at, now, terms, state, run, hear=hear)
    try:
        if bulk is not None and not dry_run:
            attempt.told = recent(
                engine,
                bulk,
                channel=channel,
                job=JOB,
                now=now(),
                window_s=terms.window_s,
                above=terms.sweep_above,
            )
        report = attempt.through()
        _told_in_time(attempt)
        return report
    except runs.LeaseLost as lost:
        log.warning("reconcile.run.taken_over", channel=channel, window_at=window_at.isoformat())
        return RunReport(channel, window_at, "skipped", error=str(lost))
    except ChannelError as error:
        return _put_off(attempt, error)


def _told_in_time(attempt: Attempt) -> None:
    if attempt.run is None:
        return
    with transaction(attempt.engine) as connection:
        late = lateness.finished(connection, attempt.run, attempt.terms.window_s, attempt.now())
    for alarm in late:
        log.warning(
            "alarm.raised", rule=alarm.rule, object=f"channel:{alarm.channel}", **_logged(alarm)
        )


def _put_off(attempt: Attempt, error: ChannelError) -> RunReport:
    """End an attempt that the channel ended: due again while the window lasts, failed after that."""
    report = RunReport(
        attempt.channel, attempt.window_at, "failed", error=f"{type(error).__name__}: {error}"
    )
    if attempt.run is None:
        return report
    at = attempt.now()
    again_at: datetime | None = None
    match error:
        case Throttled():
            again_at = at + timedelta(seconds=error.retry_after_s)
        case Unauthorised() | Refused():
            pass
        case _:
            again_at = at + min(
                timedelta(seconds=5 * 2 ** min(attempt.run.attempt, 10)), _LONGEST_WAIT
            )
    if again_at is not None and again_at >= attempt.window_at + timedelta(
        seconds=attempt.terms.window_s
    ):
        again_at = None
    try:
        with transaction(attempt.engine) as connection:
            runs.fail_run(connection, attempt.run, report.error, at, again_at)
    except runs.LeaseLost:
        return replace(report, state="skipped")
    if again_at is None:
        log.warning("reconcile.run.failed", channel=attempt.channel, error=report.error)
        return report
    return replace(report, state="later", again_at=again_at)
