"""The windows of the clock: each that began and ended in a time is there once, and was run once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from console.faults.house import House

_RUNS: Final = """
    SELECT job, channel, window_at, state, attempts, error FROM run
    WHERE job IN ('reconcile', 'orders') AND window_at BETWEEN :first AND :last
"""
#: What the last window of a time may need to be worked.
_GRACE_S: Final = 8.0


def slots_between(house: House, since: datetime, until: datetime) -> list[str]:
    """What is wrong with the windows that began and ended between the two: one is missing, or was run twice."""
    step = timedelta(seconds=house.told.reconcile_s)
    first = datetime.fromtimestamp(
        (since.timestamp() // step.total_seconds() + 1) * step.total_seconds(), tz=since.tzinfo
    )
    last = until - step - timedelta(seconds=_GRACE_S)
    found = {
        (row.job, row.channel, row.window_at): row
        for row in house.rows(_RUNS, first=first, last=last)
    }
    said = []
    at = first
    while at <= last:
        for job in ("orders", "reconcile"):
            for channel in house.shops:
                row = found.get((job, channel, at))
                where = f"the window {at:%H:%M:%S} of {job} at {channel}"
                if row is None:
                    said.append(f"{where} was never opened")
                elif row.state != "done" or row.attempts != 1:
                    said.append(f"{where} is {row.state} after {row.attempts} runs {row.error}")
        at += step
    return said if found or said else ["no window went by: nothing was tried"]
