"""What sizes a buffer: how fast a SKU sells, and how far each channel is behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click

from allocation import lag_store, pace_store
from allocation.lags import STAGES, Measured
from allocation.pace import Sums, rates
from console.cli.common import as_json, emit, house
from ledger.db import transaction
from workers.wiring import now


@click.command()
@click.argument("sku")
@as_json
def pace(sku: str, as_json: bool) -> None:
    """How fast SKU sells, in units a day: over weeks, over minutes, and what its buffers are computed with."""
    with house() as wiring, transaction(wiring.engine) as connection:
        sums = pace_store.sums_of(connection, [sku]).get(sku, [])
        moment = now()
    emit(
        [row for each in sums if (row := _pace(each, moment)) is not None],
        as_json=as_json,
        table=("channel", "location", "slow", "fast", "in_use", "spike", "since"),
    )


def _pace(sums: Sums, moment: datetime) -> Mapping[str, object] | None:
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


@click.command()
@as_json
def lag(as_json: bool) -> None:
    """How far each channel is behind, in seconds; a stage marked ~ was never measured and counts with the default."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = sorted(lag_store.known(connection).values(), key=lambda each: each.channel)
    rows = [_lag_in_full(each) if as_json else _lag(each) for each in found]
    emit(
        rows,
        as_json=as_json,
        table=("channel", *STAGES, "stale", "hear_in_use", "show_in_use", "samples", "measured_at"),
    )


def _lag(found: Measured) -> Mapping[str, object]:
    return {
        "channel": found.channel,
        **{
            stage: f"{found.stages[stage]:.1f}" if stage in found.stages else "~"
            for stage in STAGES
        },
        "stale": f"{found.stale_s:.1f}",
        "hear_in_use": None if found.hear_s is None else f"{found.hear_s:.1f}",
        "show_in_use": None if found.show_s is None else f"{found.show_s:.1f}",
        "samples": "/".join(str(found.samples.get(stage, 0)) for stage in STAGES),
        "measured_at": found.measured_at,
    }


def _lag_in_full(found: Measured) -> Mapping[str, object]:
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
