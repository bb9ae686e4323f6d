"""Readings of the proof: reconciliation windows, and what is read before them, as the workers do both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from channels.base import Channel
from ledger.db import transaction
from reconcile import pages, runs
from workers.flows import early_reads
from workers.flows.early_reads import EarlyReport
from workers.flows.reconcile import reconcile
from workers.flows.reconcile_terms import JOB, RunReport, Terms
from workers.settings import Settings


def quarter_hour(
    engine: Engine,
    client: Channel,
    settings: Settings,
    *,
    channel: str,
    orders_lag_s: float,
    now: Callable[[], datetime],
    hear: Callable[[], object],
) -> RunReport:
    """Open the window of this moment for one channel, and do its run.

    orders_lag_s    how far the channel's order API is behind
    hear            asks the channel for its orders
    returns         what was found; what it rings for is left to the caller
    """
    window_at = runs.window_of(now(), settings.reconcile_s)
    with transaction(engine) as connection:
        runs.open_windows(connection, JOB, [channel], now(), settings.reconcile_s)
    terms = _terms(settings, orders_lag_s)
    return reconcile(
        engine, client, channel=channel, window_at=window_at, now=now, terms=terms, hear=hear
    )


def between(
    engine: Engine,
    client: Channel,
    settings: Settings,
    *,
    channel: str,
    orders_lag_s: float,
    now: Callable[[], datetime],
    hear: Callable[[], object],
    hear_ahead: Callable[[], object],
) -> EarlyReport:
    """Read what may sell out before the next window, and judge again what waited for its orders; as `quarter_hour`.

    client        leaves half of the limit to pushes
    hear_ahead    as `hear`, by such a client
    """

    terms = _terms(settings, orders_lag_s)

    def long_ago(ask: Callable[[], object]) -> None:
        with transaction(engine) as connection:
            state = pages.channel_state(connection, channel)
        mark = None if state is None else state.orders_mark
        if mark is None or (now() - mark).total_seconds() >= terms.hear_s:
            ask()

    return early_reads.go(
        engine,
        client,
        channel=channel,
        now=now,
        terms=terms,
        hear=lambda: long_ago(hear),
        hear_ahead=lambda: long_ago(hear_ahead),
    )


def _terms(settings: Settings, orders_lag_s: float) -> Terms:
    return replace(Terms.of(settings), orders_lag_s=orders_lag_s)
