"""Which SKUs show what they should, as last compared: only of those are numbers worth planning with."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, text

from ledger.db import fetch

# Of a channel the newest window that is over says how it stands; one that never had a window has nothing to compare.
_OUT = text("""
    WITH given AS MATERIALIZED (
        SELECT sku FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    ), late AS (
        SELECT c.channel, last.state, last.window_at
        FROM channel AS c
        CROSS JOIN LATERAL (
            SELECT r.state, r.window_at FROM run AS r
            WHERE r.job = 'reconcile' AND r.channel = c.channel AND r.state IN ('done', 'missed', 'failed')
            ORDER BY r.window_at DESC LIMIT 1
        ) AS last
        WHERE last.state <> 'done'
    )
    SELECT given.sku, d.channel, d.location, 'drift' AS what, d.cause AS said, d.delta AS units, d.seen_at AS since
    FROM given JOIN drift AS d ON d.sku = given.sku AND d.resolved_at IS NULL
    UNION ALL
    SELECT DISTINCT given.sku, t.channel, '', 'window', late.state, 0::bigint, late.window_at
    FROM given JOIN target AS t ON t.sku = given.sku JOIN late ON late.channel = t.channel
    ORDER BY 1, 2, 3
""")


def out_of_sync(connection: Connection, skus: Collection[str]) -> Mapping[str, list[str]]:
    """By SKU, in words, what does not agree; one that agrees everywhere is missing.

    A SKU is in sync when no drift of it is open and the last window of each channel that shows it was finished.
    """
    found: dict[str, list[str]] = {}
    for row in fetch(connection, _OUT, {"skus": sorted(skus)}):
        if row.what == "drift":
            place = f"{row.channel} at {row.location}"
            why = f"{place} is off by {row.units:+d} since {row.since:%Y-%m-%d %H:%M} ({row.said})"
        else:
            why = f"the window {row.since:%Y-%m-%d %H:%M} of {row.channel} was {row.said}"
        found.setdefault(row.sku, []).append(why)
    return found
