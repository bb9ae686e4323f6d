"""A message that seems late by one machine's clock is late only if it is so by the clock that counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from celery.worker.request import Request
from celery.worker.state import revoked
from kombu.message import Message

from workers.app import Work, app
from workers.requests import Timely

TASK = "workers.tasks.sweep"


@pytest.fixture
def said() -> Iterator[list[datetime]]:
    """The clock that counts, as somebody sets it."""
    before, now = Work.time_of_all, [datetime.now(UTC)]
    Work.time_of_all = staticmethod(lambda: now[0])
    yield now
    Work.time_of_all = before if before is None else staticmethod(before)


def held(expires: datetime, name: str) -> Timely:
    """A message that a worker has taken."""
    headers = {"id": name, "task": TASK, "expires": expires.isoformat(), "lang": "py"}
    message = Message(body="", headers=headers, delivery_info={}, properties={})
    found = app.tasks[TASK]
    return Timely(
        message, app=cast("Any", app), task=found, decoded=True, body=((), {}, {}), headers=headers
    )


def test_every_task_is_held_so() -> None:
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if name.startswith("workers.")]

    assert ours
    assert {task.Request for task in ours} == {"workers.requests:Timely"}


def test_a_machine_that_is_ahead_throws_nothing_away(said: list[datetime]) -> None:
    """Its own clock says an hour later than the one that counts."""
    said[0] -= timedelta(hours=1)
    message = held(datetime.now(UTC) - timedelta(minutes=59), "early")

    by_its_own = Request.maybe_expire(message)
    revoked.discard("early")

    assert by_its_own
    assert not message.revoked()
    assert "early" not in revoked


def test_what_is_late_by_the_clock_that_counts_is_left_undone(said: list[datetime]) -> None:
    assert held(datetime.now(UTC) - timedelta(seconds=1), "late").maybe_expire()
    assert not held(datetime.now(UTC) + timedelta(minutes=1), "timely").maybe_expire()
