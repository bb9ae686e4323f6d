"""A reconciliation window of the proof, as the beat opens it and a worker does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from channels.base import Channel
from ledger.db import transaction
from reconcile import runs
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
    terms = replace(Terms.of(settings), orders_lag_s=orders_lag_s)
    return reconcile(
        engine, client, channel=channel, window_at=window_at, now=now, terms=terms, hear=hear
    )
