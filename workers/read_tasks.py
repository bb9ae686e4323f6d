"""Tasks of reads that do not wait for a window: the clock looks where something waits, a go a channel does it."""

from __future__ import annotations

from typing import Any

from workers.app import app
from workers.tasks import run


@app.task
def look_early(**_: Any) -> None:
    """Ring for the channels that have something to read early, or to judge again."""
    run("look_early")


@app.task
def read_early(*, channel: str, **_: Any) -> None:
    """Read what sells out soon, and judge what had to wait for its orders."""
    run("read_early", channel)
