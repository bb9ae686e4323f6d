"""Drift in PostgreSQL: one open row per (channel, SKU, location), seen again rather than written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from reconcile.causes import refines
from reconcile.types import Cause, Drift

#: By the cause found now, those that it may not take the place of.
_STAY = orjson.dumps(
    {
        found.value: [before.value for before in Cause if not refines(before, found)]
        for found in Cause
    }
).decode()
#: Causes that a late order may have been taken for: what is found by exclusion, or by the numbers alone.
_MAY_BE_LATE = (
    Cause.UNKNOWN,
    Cause.EXTERNAL_EDIT,
    Cause.SWALLOWED,
    Cause.STALE_OVERWRITE,
    Cause.LOCATION_MISMATCH,
)
_KEPT = "jsonb_exists(CAST(:stay AS jsonb) -> excluded.cause, drift.cause)"
_NOTHING = "CAST('{}' AS jsonb)"

# A cause that was named is kept when a later look cannot tell, or knows less (`causes.refines`); a better one takes its
# place, and the evidence says what it was called first.
# A run that is done again after its worker died sees the same drift in the same window: that is not a second time.
_OPEN = text(f"""
INSERT INTO drift (channel, sku, location, window_at, expected, actual, cause, evidence, action, seen_at, last_at)
SELECT :channel, sku, location, :window_at, expected, actual, cause, evidence::jsonb, action, :now, :now
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:expected AS bigint[]),
            CAST(:actual AS bigint[]), CAST(:causes AS text[]), CAST(:evidence AS text[]), CAST(:actions AS text[]))
     AS found (sku, location, expected, actual, cause, evidence, action)
ORDER BY sku, location
ON CONFLICT (channel, sku, location) WHERE resolved_at IS NULL DO UPDATE SET
    times = drift.times + CASE WHEN drift.window_at = excluded.window_at THEN 0 ELSE 1 END,
    window_at = coalesce(excluded.window_at, drift.window_at),
    expected = excluded.expected, actual = excluded.actual,
    cause = CASE WHEN {_KEPT} THEN drift.cause ELSE excluded.cause END,
    evidence = CASE WHEN {_KEPT} THEN drift.evidence || CASE WHEN excluded.cause = 'unknown' THEN {_NOTHING}
                                         ELSE jsonb_build_object('later_named', excluded.cause) END
                    ELSE excluded.evidence
                         || CASE WHEN jsonb_exists(drift.evidence, 'first_named')
                                 THEN jsonb_build_object('first_named', drift.evidence ->> 'first_named')
                                 WHEN drift.cause NOT IN ('unknown', excluded.cause)
                                 THEN jsonb_build_object('first_named', drift.cause)
                                 ELSE {_NOTHING} END END,
    action = excluded.action, last_at = excluded.last_at
RETURNING id, sku, location
""")  # noqa: S608 - composed of constants

_CAME_LATE = f"""(:result = '' AND drift.actual = seen.units AND drift.expected <> seen.units
    AND drift.cause IN ({", ".join(f"'{cause}'" for cause in _MAY_BE_LATE)}))"""

# Equal at a later reading. When it was the target that came to the number shown, an order or cancel had been late,
# unless the evidence had said what else it was; what ends with a halt shows nothing and tells nothing.
_RESOLVE = text(f"""
UPDATE drift SET
    resolved_at = :now,
    cause = CASE WHEN {_CAME_LATE} THEN 'late_event' ELSE drift.cause END,
    evidence = CASE WHEN {_CAME_LATE} AND drift.cause NOT IN ('unknown', 'late_event')
                    THEN CAST(jsonb_build_object('first_named', drift.cause) AS jsonb) || drift.evidence
                    ELSE drift.evidence END,
    result = CASE WHEN :result <> '' THEN :result
                  WHEN drift.actual = seen.units AND drift.expected <> seen.units
                  THEN 'the target came to the ' || seen.units || ' units shown'
                  ELSE 'the channel came to the ' || seen.units || ' units expected' END
FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[])) AS seen (sku, location, units)
WHERE drift.channel = :channel AND drift.sku = seen.sku AND drift.location = seen.location
  AND drift.resolved_at IS NULL
RETURNING drift.id
""")  # noqa: S608 - composed of constants


def open_drifts(
    connection: Connection,
    *,
    channel: str,
    window_at: datetime | None,
    drifts: Sequence[Drift],
    now: datetime,
) -> dict[tuple[str, str], int]:
    """Keep these drifts; a place that has an open one is seen once more and takes the newest numbers.

    window_at    the run's window, None outside a run; the same window again does not count as another time
    returns      drift id per (SKU, location)
    """
    if not drifts:
        return {}
    rows = connection.execute(
        _OPEN,
        {
            "channel": channel,
            "window_at": window_at,
            "now": now,
            "skus": [drift.sku for drift in drifts],
            "locations": [drift.location for drift in drifts],
            "expected": [drift.expected for drift in drifts],
            "actual": [drift.actual for drift in drifts],
            "causes": [drift.cause for drift in drifts],
            "evidence": [orjson.dumps(drift.evidence).decode() for drift in drifts],
            "actions": [drift.action for drift in drifts],
            "stay": _STAY,
        },
    )
    return {(row.sku, row.location): row.id for row in rows}


def open_drift(
    connection: Connection,
    *,
    channel: str,
    sku: str,
    location: str,
    window_at: datetime | None,
    expected: int,
    actual: int,
    cause: str,
    evidence: Mapping[str, str | int | bool | None],
    action: str,
    now: datetime,
) -> int:
    """Keep one drift found outside a run (a read-back after a push); returns its id.

    cause       a value of `reconcile.types.Cause`
    evidence    facts that name it: ids, times as ISO text, units
    """
    drift = Drift(sku, location, expected, actual, cause, dict(evidence), action)
    return open_drifts(connection, channel=channel, window_at=window_at, drifts=[drift], now=now)[
        sku, location
    ]


def resolve_drifts(
    connection: Connection,
    *,
    channel: str,
    equal: Mapping[tuple[str, str], int],
    now: datetime,
    result: str = "",
) -> int:
    """Close the open drifts of places that were read as they should be.

    equal      units shown, which are the units expected, per (SKU, location); places without a drift are ignored
    result     what ended it; empty: written from the numbers (the channel came to the target, or the target to it)
    returns    how many were open
    """
    if not equal:
        return 0
    rows = connection.execute(
        _RESOLVE,
        {
            "channel": channel,
            "now": now,
            "result": result,
            "skus": [sku for sku, _ in equal],
            "locations": [location for _, location in equal],
            "units": list(equal.values()),
        },
    )
    return len(rows.fetchall())


def resolve_drift(
    connection: Connection,
    *,
    channel: str,
    sku: str,
    location: str,
    units: int,
    now: datetime,
    result: str = "",
) -> bool:
    """Close the open drift of one place that now shows `units`, as it should; False when none is open."""
    place = {(sku, location): units}
    return resolve_drifts(connection, channel=channel, equal=place, now=now, result=result) == 1
