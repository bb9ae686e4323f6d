"""What the clock asks of a channel beside reconciliation: poll its orders, watch its hooks, read all it shows.

Each is a row of `run`, as a window of reconciliation is: opened once, leased to one worker, due again when the channel
puts it off, and seen when nobody came.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text

from allocation import backlog
from channels.base import ChannelError, Refused, Throttled, Unauthorised
from channels.registry import LANES
from ledger.db import transaction
from reconcile import pages, runs
from reconcile.trail import record
from workers.flows.lane import said

ORDERS: Final = "orders"
WATCH: Final = "watch"
TRUTH: Final = "truth"

#: Subscriptions and locations change when a person changes them.
WATCH_S: Final = 3600
TRUTH_S: Final = 86_400
#: A night's read that nobody could begin in these hours is left to the next night.
_TRUTH_HOURS: Final = 4
LEASE_S: Final = 120.0
LONGEST_WAIT_S: Final = 300.0

log = structlog.get_logger(__name__)

_IN_BULK = text(
    "SELECT channel FROM channel WHERE kind = ANY(CAST(:kinds AS text[])) ORDER BY channel"
)

_UNINSTALLED = text("""
    SELECT max(received_at) FROM inbox WHERE source = :channel AND topic = 'app/uninstalled' AND received_at > :since
""")


def open_windows(engine: Engine, *, now: datetime, window_s: int, truth_hour: int) -> None:
    """Open what is due now; the sweep rings for it.

    window_s      of the poll of orders: the same as reconciliation's
    truth_hour    hour of the day (UTC) from which the whole catalogue is read
    """
    with transaction(engine) as connection:
        names = pages.channel_names(connection)
        runs.open_windows(connection, ORDERS, names, now, window_s)
        runs.open_windows(connection, WATCH, names, now, WATCH_S)
        if is_truth_time(now, truth_hour):
            able = list(connection.execute(_IN_BULK, {"kinds": kinds_in_bulk()}).scalars())
            runs.open_windows(connection, TRUTH, able, now, TRUTH_S)


def is_truth_time(now: datetime, truth_hour: int) -> bool:
    """Whether a night's read may begin."""
    return truth_hour <= now.hour < truth_hour + _TRUTH_HOURS


def kinds_in_bulk() -> list[str]:
    """Kinds of channel whose vendor tells all that it shows at once."""
    return sorted(kind for kind, lane in LANES.items() if lane.bulk is not None)


def again_at(error: ChannelError, at: datetime, attempt: int) -> datetime | None:
    """When to come back after an error of the channel; None when only a person or another window helps."""
    match error:
        case Throttled():
            return at + timedelta(seconds=error.retry_after_s)
        case Unauthorised() | Refused():
            return None
        case _:
            wait_s = min(5.0 * 2.0 ** min(attempt, 10), LONGEST_WAIT_S)
            return at + timedelta(seconds=wait_s)


def put_off(
    connection: Connection,
    run: runs.Run | None,
    channel: str,
    error: ChannelError,
    at: datetime,
    window_s: int,
    by: str,
) -> datetime | None:
    """End an attempt that the channel ended; a person is called where nothing else helps. Raises LeaseLost.

    run        None for something that no window asked for
    by         what the channel is paused by
    returns    when to come back, None when this window is over for it
    """
    later = again_at(error, at, 1 if run is None else run.attempt)
    if run is not None:
        if later is not None and later >= run.window_at + timedelta(seconds=window_s):
            later = None
        runs.fail_run(connection, run, said(error), at, later)
    if isinstance(error, Unauthorised):
        _pause(connection, channel, error, at, by)
    # A limit that is used up ends by itself: nobody need act.
    tell = log.info if isinstance(error, Throttled) else log.warning
    tell("workers.job.stopped", job=by, channel=channel, why=said(error))
    return later


def _pause(
    connection: Connection, channel: str, error: Unauthorised, at: datetime, by: str
) -> None:
    """Stop the channel. A notification that the app is gone is believed when the API says so too."""
    values = {"channel": channel, "since": at - timedelta(days=1)}
    gone_at = connection.execute(_UNINSTALLED, values).scalar_one()
    why = said(error)
    if gone_at is not None:
        why = f"the app was uninstalled at the vendor (told at {gone_at.isoformat()}): {why}"
    if backlog.pause(connection, channel, by, why):
        trail(connection, channel, "channel.pause", at, why)


def trail(connection: Connection, channel: str, action: str, at: datetime, reason: str) -> None:
    """One row of the audit trail about a channel, done by the house itself."""
    record(
        connection,
        actor="lockstep",
        action=action,
        what=f"channel:{channel}",
        at=at,
        reason=reason,
    )
