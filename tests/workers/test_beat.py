"""The clock's process goes on whatever is done to the machine's clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab

from workers.beat import Rings


class Held(Celery):
    """An application whose clock the test holds."""

    held = datetime(2026, 3, 2, 9, 0, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.held


@pytest.fixture
def app() -> Iterator[Held]:
    app = Held("held", broker="memory://", set_as_current=False)
    app.conf.update(
        beat_schedule={
            "sweep": {"task": "sweep", "schedule": timedelta(seconds=3), "options": {"expires": 60}},
            "quarter": {"task": "quarter", "schedule": crontab(minute="0,15,30,45")},
        },
        task_default_queue="beat-test",
        enable_utc=True,
        timezone="UTC",
    )  # fmt: skip
    yield app
    app.close()


@pytest.fixture
def beat(app: Held) -> Rings:
    beat = Rings(app)
    ring(app, beat, seconds=1)
    sent(app)
    return beat


def ring(app: Held, beat: Rings, *, seconds: int) -> None:
    """The clock goes on by so many seconds, and beat looks each second until nothing is due."""
    for _ in range(seconds):
        app.held += timedelta(seconds=1)
        while beat.tick() == 0:
            pass


def sent(app: Held) -> list[dict[str, Any]]:
    """The headers of all that was sent since the last look."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("beat-test")
        while len(queue):
            message = queue.get()
            message.ack()
            found.append(json.loads(json.dumps(message.headers, default=str)))
        queue.close()
    return found


def names(app: Held) -> list[str]:
    return [headers["task"] for headers in sent(app)]


def test_what_is_due_is_rung_as_often_as_it_says(app: Held, beat: Rings) -> None:
    ring(app, beat, seconds=9)

    assert names(app) == ["sweep"] * 3


def test_a_clock_that_is_set_back_stops_nothing(app: Held, beat: Rings) -> None:
    app.held -= timedelta(hours=1)

    ring(app, beat, seconds=10)

    assert names(app) == ["sweep"] * 3


def test_the_quarters_of_an_hour_that_comes_again_are_rung_again(app: Held, beat: Rings) -> None:
    app.held -= timedelta(hours=1)

    ring(app, beat, seconds=15 * 60)

    assert names(app).count("quarter") == 1


def test_a_clock_that_is_set_on_rings_once_what_was_skipped(app: Held, beat: Rings) -> None:
    app.held += timedelta(hours=1)

    ring(app, beat, seconds=1)

    assert sorted(names(app)) == ["quarter", "sweep"]


def test_what_is_sent_by_a_clock_that_is_behind_expires_by_the_clocks_of_others(
    app: Held, beat: Rings
) -> None:
    others = app.held
    app.held -= timedelta(hours=1)

    ring(app, beat, seconds=4)

    expiries = {datetime.fromisoformat(h["expires"]) for h in sent(app)}
    assert expiries
    assert min(expiries) > others + timedelta(seconds=30)


def test_a_clock_that_is_steered_by_less_than_a_second_is_left_alone(
    app: Held, beat: Rings
) -> None:
    ring(app, beat, seconds=2)
    app.held -= timedelta(milliseconds=500)

    ring(app, beat, seconds=2)

    assert names(app) == ["sweep"]
