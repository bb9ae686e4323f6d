"""The task that forgets what nobody asks for any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from workers.app import app
from workers.flows import retention
from workers.tasks import wiring
from workers.wiring import now

log = structlog.get_logger()

#: Spans whose work was not taken up by then belong to numbers that never went out.
TRAILS_FOR = timedelta(days=1)


@app.task
def forget(**_: Any) -> None:
    """Forget rows of daily work that are over for longer than they are to be kept."""
    house = wiring()
    before = now() - timedelta(days=house.settings.keep_days)
    done = retention.forget(house.engine, before=before)
    retention.forget_trails(house.engine, before=now() - TRAILS_FOR)
    if any(done.rows.values()):
        log.info("retention.forget.done", more=done.more, **done.rows)
