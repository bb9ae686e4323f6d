"""The tallies as counters and histograms, also those still 0: a rate needs a number before the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, product
from typing import Final

from sqlalchemy import Connection, text

from console.metrics.names import BOUNDS_S, BY_NAME
from console.metrics.tallies import SUMMED
from console.metrics.types import Sample, Spread
from reconcile.types import Cause

_TALLIES: Final = text("SELECT name, channel, part, le, count AS events, total FROM tally")
_CHANNELS: Final = text("SELECT channel FROM channel ORDER BY channel")
_STORES: Final = text("SELECT location FROM location WHERE kind = 'store' ORDER BY location")

_COUNTERS: Final = (
    "lockstep_oversold_lines_total",
    "lockstep_pickup_lines_total",
    "lockstep_pickup_failed_picks_total",
    "lockstep_drifts_found_total",
    "lockstep_drift_exposure_unit_seconds_total",
    "lockstep_halt_seconds_total",
    "lockstep_readback_rows_total",
)


def counted(connection: Connection) -> Iterator[Sample | Spread]:
    """Every counter and histogram that is kept as a tally."""
    held: dict[str, dict[tuple[str, ...], dict[float, tuple[int, float]]]] = {}
    for row in connection.execute(_TALLIES):
        labels = _labels(row.name, row.channel, row.part)
        held.setdefault(row.name, {}).setdefault(labels, {})[row.le] = (row.events, row.total)
    values: dict[str, Iterable[str]] = {
        "channel": list(connection.execute(_CHANNELS).scalars()),
        "location": list(connection.execute(_STORES).scalars()),
        "cause": [cause.value for cause in Cause],
        "direction": ("drop", "rise"),
    }
    for name in (*_COUNTERS, *BOUNDS_S):
        known = held.get(name, {})
        for labels in {
            **dict.fromkeys(product(*(values[label] for label in BY_NAME[name].labels))),
            **known,
        }:
            yield _one(name, labels, known.get(labels, {}))


def _labels(name: str, channel: str, part: str) -> tuple[str, ...]:
    return tuple(channel if label == "channel" else part for label in BY_NAME[name].labels)


def _one(
    name: str, labels: tuple[str, ...], held: dict[float, tuple[int, float]]
) -> Sample | Spread:
    total = sum(total for _, total in held.values())
    if name not in BOUNDS_S:
        count = sum(count for count, _ in held.values())
        return Sample(name, labels, total if name in SUMMED else count)
    bounds = (*BOUNDS_S[name], float("inf"))
    rising = accumulate(held.get(bound, (0, 0.0))[0] for bound in bounds)
    return Spread(name, labels, tuple(zip(bounds, rising, strict=True)), total)
