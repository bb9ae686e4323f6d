"""A queue in which anything may lie: what nobody can read is dropped, and what comes after it is worked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Connection

from console.faults.rubbish import message
from workers.app import app as ours


@dataclass
class Desk:
    """A worker of one queue, and what it has done.

    done    names that its task was given
    """

    app: Celery
    client: redis.Redis
    done: list[str] = field(default_factory=list)
    said: threading.Event = field(default_factory=threading.Event)

    def put(self, raw: bytes) -> None:
        """Anything, straight into the queue."""
        self.client.lpush("rubbish", raw)

    def works(self, name: str, limit_s: float = 20.0) -> bool:
        """Hand over a good task, and wait until it is done."""
        self.app.send_task("note", kwargs={"name": name}, queue="rubbish")
        until_s = time.monotonic() + limit_s
        while name not in self.done and time.monotonic() < until_s:
            self.said.wait(0.1)
        return name in self.done

    def has_nothing_in_hand(self, limit_s: float = 10.0) -> bool:
        """Whatever it took from the queue is acknowledged."""
        until_s = time.monotonic() + limit_s
        while self.client.hlen("unacked") and time.monotonic() < until_s:
            time.sleep(0.05)
        return not self.client.hlen("unacked")


@pytest.fixture
def desk(valkey: str) -> Iterator[Desk]:
    app = Celery("desk", broker=valkey, set_as_current=False)
    app.conf.update(
        task_default_queue="rubbish",
        worker_consumer=ours.conf.worker_consumer,
        accept_content=["json"],
        task_acks_late=True,
        broker_transport_options={"visibility_timeout": 300},
    )
    with redis.Redis.from_url(valkey) as client:
        desk = Desk(app, client)

        @app.task(name="note")
        def note(name: str) -> None:
            desk.done.append(name)
            desk.said.set()

        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
            assert desk.works("first")
            yield desk
    app.close()


BAD = {
    "no JSON": b"drain, please",
    "no text": b"\x80\x04\xff\xfe\x00",
    "nothing": b"",
    "no envelope": b"[1, 2, 3]",
    "a bare word": b'"drain"',
    "half an envelope": b'{"body": "e30=", "headers": {}}',
    "nested without end": b"[" * 100_000,
    "a body that is no list": message("note", "rubbish", body=b"42"),
    "a body that is no JSON": message("note", "rubbish", body=b"{"),
    "a body of a list that is too short": message("note", "rubbish", body=b"[]"),
    "a name that is no text": message("note", "rubbish").replace(b'"note"', b"[1]", 1),
    "headers that are none": json.dumps(
        {**json.loads(message("note", "rubbish")), "headers": 7}
    ).encode(),
    "a body that is no base64": json.dumps(
        {**json.loads(message("note", "rubbish")), "body": "\u00e9"}
    ).encode(),
    "a pickle": message("note", "rubbish", body=b"\x80\x04N.", content="application/x-python-serialize"),
}  # fmt: skip


def test_what_nobody_can_read_is_dropped_and_the_next_is_worked(desk: Desk) -> None:
    desk.put(message("note", "rubbish", kwargs={"name": "made by hand"}))
    stopped_at = []
    for what, raw in BAD.items():
        desk.put(raw)
        if not desk.works(f"after {what}"):
            stopped_at.append(what)
            break

    assert stopped_at == []
    # What is made as Celery makes it is worked: it is the fault of each that it is not.
    assert desk.done == ["first", "made by hand", *(f"after {what}" for what in BAD)]
    # Kept as not yet done, it would come again to whoever starts next.
    assert desk.has_nothing_in_hand()


def test_a_broker_behind_tls_is_still_spoken_to_by_tls() -> None:
    with Connection("rediss://:secret@localhost:6380/0") as connection:
        assert connection.ssl
        assert type(connection.transport).__module__ == "workers.messages"
