"""What reconciliation found: runs, SKUs read early, differences, debt."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from console.views.listing import Listing
from reconcile import debt

#: Share of drifts without a cause that should not be reached.
GOAL: Final = 0.05

#: channel, state (or NULL)
RUNS: Final = Listing(
    "channel, window_at, state, round(100.0 * read / nullif(expected, 0), 1)::float AS coverage, expected, read,"
    " unknown, in_flight, drifted AS found, fixed, repushed, halted, finished_at - started_at AS took,"
    " state = 'missed' AS missed, overrun, error",
    "FROM run",
    "job = 'reconcile' AND (CAST(:channel AS text) IS NULL OR channel = :channel)"
    " AND (CAST(:state AS text) IS NULL OR state = :state)",
    (("window_at", "timestamptz"), ("channel", "text")),
    optional=("state",),
)
STATES: Final = ("done", "missed", "failed", "running", "due")

#: SKUs that are read before their window, those that sell out soonest first; channel, sku (or NULL).
EARLY: Final = Listing(
    "channel, sku, round(runs_out_s::numeric, 1)::float AS runs_out_s, round(every_s::numeric)::int AS every_s,"
    " spike, calm, read_at, due_at, reads, drifts",
    "FROM early_read",
    "(CAST(:channel AS text) IS NULL OR channel = :channel) AND (CAST(:sku AS text) IS NULL OR sku = :sku)",
    (("runs_out_s", "double precision"), ("channel", "text"), ("sku", "text")),
    newest=False,
    optional=("sku",),
)

#: Places where nothing is repaired until a person has looked, the oldest first; channel, sku, cause (or NULL).
QUARANTINE: Final = Listing(
    "channel, sku, location, cause, reason, drift_id, since",
    "FROM quarantine",
    """
    released_at IS NULL AND (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR sku = :sku) AND (CAST(:cause AS text) IS NULL OR cause = :cause)
    """,
    (("since", "timestamptz"), ("id", "bigint")),
    newest=False,
)

#: all: resolved ones too; channel, sku, cause (or NULL)
DRIFT: Final = Listing(
    "id, channel, sku, location, expected, actual, delta, cause,"
    " evidence ->> 'first_named' AS first_named, action, times, seen_at, resolved_at, result",
    "FROM drift",
    """
    (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR sku = :sku) AND (CAST(:cause AS text) IS NULL OR cause = :cause)
    """,
    (("seen_at", "timestamptz"), ("id", "bigint")),
    open_only="resolved_at IS NULL",
)


def causes(connection: Connection, now: datetime, days: int, channel: str | None) -> dict[str, Any]:
    """Drifts of the last days by cause, the share without one, and what that should stay below."""
    rows = debt.causes(connection, since=now - timedelta(days=days), channel=channel)
    return {"unknown_share": debt.unknown_share(rows), "goal": GOAL, "causes": rows}


def debts(
    connection: Connection, now: datetime, days: int, channel: str | None, limit: int
) -> list[dict[str, Any]]:
    """What keeps drifting or comes back, the costliest first, with its owner."""
    since = now - timedelta(days=days)
    found = debt.debts(connection, now=now, since=since, channel=channel, limit=limit)
    return [asdict(each) for each in found]
