"""What the clock asks for, put together from the wiring: a flow each, with the settings of this process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import structlog

from channels.base import Channel
from ledger.db import transaction
from reconcile import pages
from workers import amazon
from workers.flows import (
    counts,
    early_reads,
    fit,
    held_watch,
    jobs,
    orders,
    program_watch,
    programs,
    promises,
    reconcile,
    subscriptions,
    truth,
)
from workers.flows.count_terms import terms_of
from workers.flows.early_reads import EarlyReport
from workers.flows.orders import PollReport
from workers.flows.promises import Pulled
from workers.flows.push import PushReport
from workers.flows.reconcile import RunReport
from workers.flows.subscriptions import WatchReport
from workers.flows.sweep import jobs_to_do
from workers.flows.verify import VerifyReport
from workers.wiring import Wiring

log = structlog.get_logger(__name__)


class _Raised(Protocol):
    """An alarm that is new, as every watch tells it."""

    @property
    def rule(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...


def open_jobs(house: Wiring) -> list[tuple[str, str, datetime]]:
    """Open what is due now beside reconciliation; returns (job, channel, window) of everything nobody works on."""
    at = house.now()
    settings = house.settings
    jobs.open_windows(
        house.engine, now=at, window_s=settings.reconcile_s, truth_hour=settings.truth_hour
    )
    amazon.open_mirror(house)
    return jobs_to_do(house.engine, now=at)


def poll_orders(house: Wiring, channel: str, window_at: str) -> PollReport:
    """Ask a channel for its orders; `window_at` is "" when a notification asked."""
    at = datetime.fromisoformat(window_at) if window_at else None
    return _poll_orders(house, house.client(channel), channel, at)


def _poll_orders(
    house: Wiring, client: Channel, channel: str, window_at: datetime | None
) -> PollReport:
    settings = house.settings
    return orders.poll_orders(
        house.engine,
        client,
        channel=channel,
        now=house.now,
        overlap_s=min(settings.orders_overlap_s, settings.reconcile_s),
        window_at=window_at,
        window_s=settings.reconcile_s,
        lag_s=house.orders_lag_s(channel),
    )


def pull_forward(house: Wiring) -> Pulled:
    """Ask for what was sold or promised and is not there."""
    return promises.pull_forward(
        house.house, now=house.now(), days=house.settings.pull_forward_days
    )


def watch(house: Wiring, channel: str, window_at: str) -> WatchReport:
    """See whether a channel still calls us, and still has the locations we think it has."""
    return subscriptions.watch(
        house.engine,
        house.client(channel),
        channel=channel,
        topics=house.topics(channel),
        window_at=datetime.fromisoformat(window_at),
        now=house.now,
        bulk=house.bulk(channel),
    )


def reconcile_channel(house: Wiring, channel: str, window_at: str) -> RunReport:
    """Compare what a channel shows with what it should show.

    The window takes its part of the vendor's limit as pushes do: a net that yields to them is none on a busy day.
    """
    return reconcile.reconcile(
        house.engine,
        house.client(channel),
        channel=channel,
        window_at=datetime.fromisoformat(window_at),
        now=house.now,
        terms=house.terms(channel),
        bulk=house.bulk(channel),
        hear=lambda: _hear(house, house.client(channel), channel),
    )


def read_early(house: Wiring, channel: str) -> EarlyReport:
    """Judge again what had to wait for its orders, and read what sells out before its window."""
    reader = house.reader(channel)
    return early_reads.go(
        house.engine,
        reader,
        channel=channel,
        now=house.now,
        terms=house.terms(channel),
        hear=lambda: _hear(house, house.client(channel), channel),
        hear_ahead=lambda: _hear(house, reader, channel),
    )


def _hear(house: Wiring, client: Channel, channel: str) -> None:
    """Ask for orders out of turn, where the last time is long ago."""
    with transaction(house.engine) as connection:
        state = pages.channel_state(connection, channel)
    heard_at = state.orders_mark if state is not None else None
    hear_s = house.terms(channel).hear_s
    if heard_at is None or (house.now() - heard_at).total_seconds() >= hear_s:
        _poll_orders(house, client, channel, None)


def read_truth(house: Wiring, channel: str, window_at: str) -> RunReport:
    """Take a step in reading back everything a channel shows; nothing where its vendor cannot tell it at once."""
    at = datetime.fromisoformat(window_at)
    bulk = house.bulk(channel)
    if bulk is None:
        return RunReport(channel, at, "skipped")
    return truth.read_truth(
        house.engine,
        house.client(channel),
        bulk,
        channel=channel,
        window_at=at,
        now=house.now,
        terms=house.terms(channel),
    )


def work_programs(house: Wiring) -> bool:
    """Release what programs hold beyond their time; look at the pace of the others, at weights, rises held, counts.

    returns    whether anything is free now
    """
    freed = programs.expire(house.house, now=house.now())
    for program in freed:
        units = sum(program.units.values())
        log.info("program.released", program=program.program, units=units, ended=program.ended)
    raised: list[_Raised] = [
        *program_watch.watch(house.engine, now=house.now()),
        *fit.watch(house.engine, now=house.now()),
        *held_watch.watch(house.engine, now=house.now()),
        *counts.watch(house.engine, terms_of(house.settings), now=house.now()),
    ]
    for alarm in raised:
        log.warning("alarm.raised", rule=alarm.rule, object=alarm.what, **alarm.detail)
    return bool(freed)


def tell_of_read_back(channel: str, report: VerifyReport) -> None:
    """What a go at reading back found, where anything was wrong."""
    if report.wrong:
        log.warning(
            "push.verify.wrong",
            channel=channel,
            wrong=report.wrong,
            too_much=report.too_much,
            halted=sorted(report.halted),
        )


def tell_of_push(channel: str, report: PushReport) -> None:
    """What a go at a channel came to, where it came to anything."""
    if report.confirmed or report.rejected or report.stopped:
        log.info(
            "push.round.done",
            channel=channel,
            confirmed=report.confirmed,
            stale=report.stale,
            rejected=report.rejected,
            stopped=report.stopped,
        )
