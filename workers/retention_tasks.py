"""The task that forgets what nobody asks for any more."""

from __future__ import annotations

from typing import Any

from workers.app import app
from workers.tasks import run


@app.task
def forget(**_: Any) -> None:
    """Forget rows of daily work that are over for longer than they are to be kept."""
    run("forget")
