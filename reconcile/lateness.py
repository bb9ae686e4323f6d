"""Windows that were missed, or whose run is late, are told: an alarm a channel, over when a run is good again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from allocation import alarms
from reconcile.runs import Run

#: Rules of alarms.
MISSED: Final = "missed_window"
OVERRUN: Final = "overrun_window"

_BEFORE = text("""
    SELECT known.channel, r.window_at, r.state, r.error, r.read, r.expected, r.started_at
    FROM unnest(CAST(:channels AS text[])) AS known (channel)
    CROSS JOIN LATERAL (
        SELECT window_at, state, error, read, expected, started_at FROM run
        WHERE job = :job AND run.channel = known.channel AND window_at < :window_at
        ORDER BY window_at DESC LIMIT 1
    ) AS r
    ORDER BY known.channel
""")
_IN_A_ROW = text("""
    SELECT count(*) FROM run AS r
    WHERE r.job = :job AND r.channel = :channel AND r.window_at < :window_at AND r.state IN ('missed', 'failed')
      AND r.window_at > coalesce((SELECT max(window_at) FROM run WHERE job = :job AND channel = :channel
                                  AND window_at < :window_at AND state IN ('done', 'running')), '-infinity')
""")
_OVERRUN = text("""
    UPDATE run SET overrun = true WHERE job = :job AND channel = :channel AND window_at = :window_at
""")


@dataclass(frozen=True, slots=True)
class Late:
    """An alarm that was not on before: `rule` of a channel, with what is known of it."""

    rule: str
    channel: str
    detail: dict[str, object]


def look_back(
    connection: Connection, job: str, channels: Sequence[str], window_at: datetime, now: datetime
) -> list[Late]:
    """How the window before this one ended, for channels of which this one has just been opened."""
    if not channels:
        return []
    found: list[Late] = []
    values = {"job": job, "channels": list(channels), "window_at": window_at}
    for row in connection.execute(_BEFORE, values).all():
        if row.state in ("missed", "failed"):
            found += _missed(connection, job, row, window_at, now)
        elif row.state in ("running", "due"):
            found += _overrun(connection, Run(job, row.channel, row.window_at, 0), row, now)
    return found


def finished(connection: Connection, run: Run, window_s: int, now: datetime) -> list[Late]:
    """A run is done: in time, and then all is well again; or late."""
    if now > run.window_at + timedelta(seconds=window_s):
        return _overrun(connection, run, None, now)
    for rule in (MISSED, OVERRUN):
        alarms.resolve(connection, rule, _object(run.channel), now)
    return []


def _missed(
    connection: Connection, job: str, row: Any, window_at: datetime, now: datetime
) -> list[Late]:
    in_a_row = connection.execute(
        _IN_A_ROW, {"job": job, "channel": row.channel, "window_at": window_at}
    ).scalar_one()
    detail: dict[str, object] = {
        "channel": row.channel,
        "window_at": row.window_at,
        "missed": in_a_row,
        "read": row.read,
        "expected": row.expected,
        "why": row.error or "no worker came before the window ended",
        "next": f"lockstep recon status; lockstep channel list; lockstep recon run {row.channel}",
    }
    return _raise(connection, MISSED, row.channel, detail, now)


def _overrun(connection: Connection, run: Run, row: Any, now: datetime) -> list[Late]:
    key = {"job": run.job, "channel": run.channel, "window_at": run.window_at}
    connection.execute(_OVERRUN, key)
    detail: dict[str, object] = {
        "channel": run.channel,
        "window_at": run.window_at,
        "after_s": round((now - run.window_at).total_seconds()),
        "state": row.state if row is not None else "done",
        "next": "lockstep recon status; fewer listings a window, or a longer LOCKSTEP_RECONCILE_S",
    }
    return _raise(connection, OVERRUN, run.channel, detail, now)


def _raise(
    connection: Connection, rule: str, channel: str, detail: dict[str, object], now: datetime
) -> list[Late]:
    fresh = alarms.raise_alarm(connection, rule, _object(channel), detail, now)
    return [Late(rule, channel, detail)] if fresh else []


def _object(channel: str) -> str:
    return f"channel:{channel}"
