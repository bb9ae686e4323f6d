"""What reconciliation found: runs, SKUs read early, differences, debt."""

from __future__ import annotations

from typing import Final

from console.views.listing import Listing

#: channel (or NULL)
RUNS: Final = Listing(
    "channel, window_at, state, round(100.0 * read / nullif(expected, 0), 1)::float AS coverage, expected, read,"
    " unknown, in_flight, drifted AS found, fixed, repushed, halted, finished_at - started_at AS took,"
    " state = 'missed' AS missed, overrun, error",
    "FROM run",
    "job = 'reconcile' AND (CAST(:channel AS text) IS NULL OR channel = :channel)",
    (("window_at", "timestamptz"), ("channel", "text")),
)

#: SKUs that are read before their window, those that sell out soonest first.
EARLY: Final = Listing(
    "channel, sku, round(runs_out_s::numeric, 1)::float AS runs_out_s, round(every_s::numeric)::int AS every_s,"
    " spike, calm, read_at, due_at, reads, drifts",
    "FROM early_read",
    "CAST(:channel AS text) IS NULL OR channel = :channel",
    (("runs_out_s", "double precision"), ("channel", "text"), ("sku", "text")),
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
