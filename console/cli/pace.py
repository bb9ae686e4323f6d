"""What sizes a buffer: how fast a SKU sells, and how far each channel is behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from allocation.lags import STAGES
from console.cli.common import as_json, emit
from console.cli.elsewhere import asked, quoted
from console.views import pace as views
from workers.wiring import now


@click.command()
@click.argument("sku")
@as_json
def pace(sku: str, as_json: bool) -> None:
    """How fast SKU sells, in units a day: over weeks, over minutes, and what its buffers are computed with."""
    rows = asked(f"/skus/{quoted(sku)}/pace", lambda _, book: views.pace(book, sku, now()))
    emit(
        rows,
        as_json=as_json,
        table=("channel", "location", "slow", "fast", "in_use", "spike", "since"),
    )


@click.command()
@as_json
def lag(as_json: bool) -> None:
    """How far each channel is behind, in seconds; a stage marked ~ was never measured and counts with the default."""
    rows = asked("/lag", lambda _, book: views.lag(book))
    emit(
        rows if as_json else [_lag(row) for row in rows],
        as_json=as_json,
        table=("channel", *STAGES, "stale", "hear_in_use", "show_in_use", "samples", "measured_at"),
    )


def _lag(row: Mapping[str, Any]) -> Mapping[str, object]:
    hear_s, show_s = row["in_use_hear_s"], row["in_use_show_s"]
    measured = {stage: row[f"{stage}_s"] for stage in STAGES}
    return {
        "channel": row["channel"],
        **{stage: "~" if s is None else f"{s:.1f}" for stage, s in measured.items()},
        "stale": f"{row['stale_s']:.1f}",
        "hear_in_use": None if hear_s is None else f"{hear_s:.1f}",
        "show_in_use": None if show_s is None else f"{show_s:.1f}",
        "samples": "/".join(str(row["samples"].get(stage, 0)) for stage in STAGES),
        "measured_at": row["measured_at"],
    }
