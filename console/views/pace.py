"""What sizes a buffer: how fast a SKU sells, and how far each channel is behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from allocation import lag_store, pace_store
from allocation.lags import STAGES, Measured
from allocation.pace import Sums, rates


def pace(connection: Connection, sku: str, moment: datetime) -> list[dict[str, Any]]:
    """Units a day by channel and location: over weeks, over minutes, and as buffers are computed with."""
    sums = pace_store.sums_of(connection, [sku]).get(sku, [])
    return [row for each in sums if (row := _pace(each, moment)) is not None]


def _pace(sums: Sums, moment: datetime) -> dict[str, Any] | None:
    found = rates(sums, moment)
    if found is None:
        return None
    return {
        "channel": sums.channel,
        "location": sums.location,
        "slow": round(found.slow.units_per_day, 2),
        "fast": round(found.fast.units_per_day, 2),
        "in_use": round(found.in_use.units_per_day, 2),
        "spike": found.spike,
        "since": sums.since,
        "units_per_line": round(found.in_use.units_per_line, 2),
        "square_per_line": round(found.in_use.square_per_line, 2),
    }


def lag(connection: Connection) -> list[Mapping[str, Any]]:
    """How far each channel is behind, stage by stage, in seconds; a stage that was never measured is None."""
    found = sorted(lag_store.known(connection).values(), key=lambda each: each.channel)
    return [_lag(each) for each in found]


def _lag(found: Measured) -> Mapping[str, Any]:
    return {
        "channel": found.channel,
        **{f"{stage}_s": found.stages.get(stage) for stage in STAGES},
        "stale_s": found.stale_s,
        "in_use_hear_s": found.hear_s,
        "in_use_show_s": found.show_s,
        "samples": dict(found.samples),
        "assumed": list(found.assumed),
        "measured_at": found.measured_at,
    }
