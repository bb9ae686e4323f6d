"""The task that tells addresses outside, on a queue of its own: they may be slow, and nobody waits for them."""

from __future__ import annotations

from typing import Any

import structlog

from workers import hooking
from workers.app import app
from workers.tasks import wiring

log = structlog.get_logger()


@app.task
def send_hooks(**_: Any) -> None:
    """Tell addresses outside what there is to tell."""
    done = hooking.send(wiring())
    if done.told or done.failed:
        log.info("hook.send.done", told=done.told, failed=done.failed)
