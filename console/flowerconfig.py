"""Flower's own configuration: task arguments are masked down to ids and names."""

from __future__ import annotations

from typing import Any

#: The Celery door carries whole deliveries; everything else carries a channel, a window or a queue.
_WITH_PAYLOAD = "workers.tasks.receive"


def format_task(task: Any) -> Any:
    """What Flower shows of a task."""
    if task.name == _WITH_PAYLOAD:
        task.args = "(a delivery: see `lockstep inbox list`)"
        task.kwargs = "{}"
    return task
