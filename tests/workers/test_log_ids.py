"""Every line that is written while a task runs says by which one, and about which channel."""

from __future__ import annotations

import structlog

from workers.app import app


def test_lines_of_a_task_carry_its_id_its_channel_and_none_of_its_other_arguments() -> None:
    seen: dict[str, object] = {}

    def look(*, channel: str, body: str) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    task = app.task(name="tests.look")(look)
    try:
        task.apply(kwargs={"channel": "shop", "body": "a delivery"}, task_id="t-1")
    finally:
        app.tasks.unregister("tests.look")

    assert seen == {"task": "tests.look", "task_id": "t-1", "channel": "shop"}
    assert structlog.contextvars.get_contextvars() == {}
