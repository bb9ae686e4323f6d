"""Flower's own configuration: a view that changes nothing, in which arguments are masked down to ids and names."""

from __future__ import annotations

import ast
from typing import Any, Final

#: Whoever logs in may look. What is done to workers is done where it is asked who may, and written down.
read_only = True
#: A live view, not the record: that is the table `failure`.
max_tasks = 10_000
persistent = False

#: Arguments that are names or times; a task of ours has no others but the door that carries whole deliveries.
_NAMED: Final = ("channel", "window_at", "queue")


def format_task(task: Any) -> Any:
    """What Flower shows of a task; what it cannot tell apart it does not show."""
    task.args = "()" if task.args in (None, "", "()", "[]") else "(masked)"
    task.kwargs = _masked(task.kwargs or "{}")
    return task


def _masked(said: object) -> str:
    kwargs = _read(said)
    if kwargs is None:
        return "(masked)"
    kept = {
        name: value if name in _NAMED and isinstance(value, str) else "(masked)"
        for name, value in kwargs.items()
    }
    return str(kept)


def _read(said: object) -> dict[str, object] | None:
    """Keyword arguments as Celery tells them: the text of a dict, cut off when it is long."""
    if isinstance(said, dict):
        return said
    try:
        read = ast.literal_eval(str(said))
    except (ValueError, SyntaxError):
        return None
    return read if isinstance(read, dict) else None
