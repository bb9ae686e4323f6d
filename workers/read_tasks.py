"""Tasks of reads that do not wait for a window: the clock looks where something waits, a go a channel does it."""

from __future__ import annotations

from typing import Any

import structlog

from workers import chores
from workers.app import app
from workers.flows import early_reads
from workers.tasks import heard, ring_channel, ring_found, wiring
from workers.wiring import now

log = structlog.get_logger()


@app.task
def look_early(**_: Any) -> None:
    """Ring for the channels that have something to read early, or to judge again."""
    for channel in early_reads.waiting(wiring().engine, now=now()):
        ring_channel(read_early, channel)


@app.task
def read_early(*, channel: str, **_: Any) -> None:
    """Read what sells out soon, and judge what had to wait for its orders."""
    with heard(read_early, channel) as house:
        report = chores.read_early(house, channel)
        if report.drifted:
            log.warning(
                "reads.early.drifted", channel=channel, drifted=report.drifted, halted=report.halted
            )
        ring_found(channel, report)
