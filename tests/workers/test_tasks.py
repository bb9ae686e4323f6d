"""Tasks in a real worker on a real broker: late, doubled, garbled or impossible messages, and what becomes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis
from celery import Celery
from sqlalchemy import Engine, create_engine, text

import celeryconfig
from allocation import document, store
from console.local import layout
from console.local.layout import Worker
from console.local.stack import Stack
from tests.builders import a_fact, may_write, stock_the_house
from tests.console.door import RULES
from workers.settings import Settings
from workers.wiring import now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

QUEUES = ("ingest", "allocate", "reconcile", "control", "push.shop", "push.second")


@dataclass
class Workshop:
    """A house with two channels, neither of which has a token, and one worker; nobody rings but the test."""

    stack: Stack
    engine: Engine
    sender: Celery
    broker: redis.Redis

    def send(self, name: str, *, queue: str = "", **kwargs: Any) -> None:
        """A message as a stranger would send it."""
        self.sender.send_task(f"workers.tasks.{name}", kwargs=kwargs, queue=queue or None)

    def one(self, statement: str) -> Any:
        """The single value the database answers."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()

    def log(self, event: str) -> list[dict[str, Any]]:
        """What the worker logged under this name."""
        found = []
        for line in (self.stack.home / "logs" / "worker.log").read_text().splitlines():
            if line.startswith("{") and json.loads(line).get("event") == event:
                found.append(json.loads(line))
        return found

    def is_idle(self) -> bool:
        """No message waits in any queue or in any hand."""
        prefix = celeryconfig.broker_transport_options["global_keyprefix"]
        waiting = sum(self.broker.llen(f"{prefix}{queue}") for queue in QUEUES)
        return not waiting and not self.broker.hlen(f"{prefix}unacked")

    def settles(self) -> None:
        """Wait until the worker has nothing left to do."""
        eventually(self.is_idle)


def eventually(done: Callable[[], bool], limit_s: float = 30.0) -> None:
    until = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    settings = Settings(channels=("shop", "second"), relay_port=0, flower_port=0, reconcile_s=5)
    with Stack(settings, ephemeral=True) as stack:
        stack.start_servers()
        stack.migrate()
        hands = layout.worker(stack.settings, Worker("worker", (), "threads", 4))
        stack.supervisor.up(hands)
        engine = create_engine(stack.settings.database_url, pool_pre_ping=True)
        with engine.begin() as connection:
            store.apply_rules(connection, RULES, document.read(RULES), "ann", "test", now())
            may_write(connection)
        stock_the_house(engine)
        sender = Celery("stranger", set_as_current=False)
        sender.config_from_object(celeryconfig)
        sender.conf.update(broker_url=stack.settings.redis_url, task_create_missing_queues=True)
        with closing(redis.Redis.from_url(stack.settings.redis_url)) as broker:
            yield Workshop(stack, engine, sender, broker)
        sender.close()
        engine.dispose()


@pytest.fixture(autouse=True)
def no_bell_pending(workshop: Workshop) -> None:
    for key in workshop.broker.scan_iter("lockstep:local:bell:*"):
        workshop.broker.delete(key)


def test_a_delivery_through_the_celery_door_reaches_the_book(workshop: Workshop) -> None:
    fact = a_fact("receipt", units=4, id="door:1") | {"occurred_at": now().isoformat()}

    workshop.send(
        "receive", source="wms", topic="fact", delivery_id="door:1", headers={}, body=fact
    )

    eventually(lambda: workshop.one("SELECT count(*) FROM event WHERE source_id = 'door:1'") == 1)


def test_a_delivery_with_arguments_missing_or_unknown_is_kept(workshop: Workshop) -> None:
    before = workshop.one("SELECT count(*) FROM inbox")

    workshop.send("receive", body={"x": 1}, surprise=True)
    workshop.send("receive", source="wms", delivery_id="only an id")

    eventually(lambda: workshop.one("SELECT count(*) FROM inbox") == before + 2)


def test_a_delivery_waits_for_a_database_that_is_away(workshop: Workshop) -> None:
    workshop.settles()
    workshop.stack.supervisor.stop("postgres")
    workshop.send("receive", source="wms", topic="fact", delivery_id="patient", body={"y": 1})
    time.sleep(3)
    workshop.stack.supervisor.start("postgres")

    eventually(
        lambda: workshop.one("SELECT count(*) FROM inbox WHERE delivery_id = 'patient'") == 1, 60
    )


def test_tasks_that_come_late_and_often_change_nothing(workshop: Workshop) -> None:
    workshop.settles()
    before = workshop.one("SELECT count(*) FROM event")

    for _ in range(30):
        for name in ("drain", "allocate", "sweep", "seal"):
            workshop.send(name)
    workshop.settles()

    assert workshop.one("SELECT count(*) FROM event") == before


@pytest.mark.parametrize("task", ["push", "verify", "work_halts"])
def test_a_channel_without_a_token_ends_its_task_with_a_reason(
    workshop: Workshop, task: str
) -> None:
    workshop.send(task, channel="second")
    eventually(
        lambda: any(
            f"{task}:second" in e["bell"] for e in workshop.log("workers.channel.not_set_up")
        )
    )

    [entry] = [
        e for e in workshop.log("workers.channel.not_set_up") if f"{task}:second" in e["bell"]
    ]
    assert entry["level"] == "error"
    assert "no token for channel 'second'" in entry["why"]


def test_a_channel_without_a_token_is_not_rung_at_every_sweep(workshop: Workshop) -> None:
    workshop.settles()
    with workshop.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
                VALUES ('shop', 'MUG-RED', 'WH', 'item-1', 'gid://1') ON CONFLICT DO NOTHING
            """)
        )
        connection.execute(
            text("INSERT INTO due (sku, since) VALUES ('MUG-RED', now()) ON CONFLICT DO NOTHING")
        )
    workshop.send("allocate")
    eventually(lambda: workshop.one("SELECT count(*) FROM push_due WHERE channel = 'shop'") == 1)
    time.sleep(1.2)

    for _ in range(10):
        workshop.send("sweep")
        time.sleep(0.1)
    workshop.settles()

    said = [
        e for e in workshop.log("workers.channel.not_set_up") if e["bell"].endswith("push:shop")
    ]
    assert len(said) == 1
    assert workshop.one("SELECT count(*) FROM push_due WHERE channel = 'shop'") == 1


def test_an_unknown_channel_ends_its_task_with_a_reason(workshop: Workshop) -> None:
    workshop.send("push", channel="nowhere", queue="push.shop")

    eventually(
        lambda: any(
            "no channel 'nowhere'" in e["why"] for e in workshop.log("workers.channel.not_set_up")
        )
    )


def test_every_queue_proves_that_it_moves(workshop: Workshop) -> None:
    for queue in QUEUES:
        workshop.sender.send_task("workers.tasks.heartbeat", kwargs={"queue": queue}, queue=queue)

    eventually(lambda: workshop.one("SELECT count(*) FROM heartbeat") == len(QUEUES))
    assert str(workshop.one("SELECT min(worker) FROM heartbeat")).startswith("worker@")


def test_pickle_unknown_names_and_wrong_arguments_hurt_nobody(workshop: Workshop) -> None:
    died = workshop.stack.supervisor.status()[-1].pid
    with Celery("pickler", broker=workshop.stack.settings.redis_url, set_as_current=False) as other:
        other.config_from_object(celeryconfig)
        other.conf.update(
            broker_url=workshop.stack.settings.redis_url,
            accept_content=["pickle"],
            task_serializer="pickle",
        )
        other.send_task("workers.tasks.drain")
    workshop.send("no_such_task", queue="control")
    workshop.send("push", queue="push.shop")
    workshop.send("reconcile", channel=["?"], window_at="yesterday")

    workshop.send(
        "receive", source="wms", topic="fact", delivery_id="after all that", body={"z": 1}
    )

    eventually(
        lambda: workshop.one("SELECT count(*) FROM inbox WHERE delivery_id = 'after all that'") == 1
    )
    assert workshop.stack.supervisor.status()[-1].pid == died


def test_a_task_that_raises_is_a_failure_and_is_resolved_when_it_has_run(
    workshop: Workshop,
) -> None:
    failure = "FROM failure WHERE task = 'workers.tasks.heartbeat'"
    workshop.send("heartbeat", queue="control", surprise=1)
    workshop.sender.send_task("workers.tasks.heartbeat", queue="control")
    workshop.sender.send_task("workers.tasks.heartbeat", queue="control")
    eventually(lambda: workshop.one(f"SELECT coalesce(sum(count), 0) {failure}") == 3)
    assert workshop.one(f"SELECT string_agg(class || ' ' || state, ',') {failure}") == (
        "bug open,bug open"
    )
    assert "TypeError" in workshop.one(f"SELECT max(traceback) {failure}")

    workshop.sender.send_task(
        "workers.tasks.heartbeat", kwargs={"queue": "control", "x": 1}, queue="control"
    )

    eventually(lambda: workshop.one(f"SELECT count(*) {failure} AND state = 'resolved'") == 2)


def test_a_paused_queue_takes_in_what_comes_does_nothing_with_it_and_lives(
    workshop: Workshop,
) -> None:
    workshop.settles()
    with workshop.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO queue_pause VALUES ('ingest', now(), 'ann', 'a test')")
        )
    time.sleep(1.1)
    paused_at = now().isoformat()
    fact = a_fact("receipt", units=4, id="paused:1") | {"occurred_at": now().isoformat()}
    state = "SELECT string_agg(state, ',') FROM inbox WHERE delivery_id = 'paused:1'"

    workshop.send(
        "receive", source="wms", topic="fact", delivery_id="paused:1", headers={}, body=fact
    )
    workshop.send("drain")
    workshop.sender.send_task("workers.tasks.heartbeat", kwargs={"queue": "ingest"}, queue="ingest")
    seen = f"SELECT count(*) FROM heartbeat WHERE queue = 'ingest' AND seen_at > '{paused_at}'"  # noqa: S608  # our own clock
    eventually(lambda: workshop.one(seen) == 1)
    workshop.settles()
    assert workshop.one(state) == "pending"
    with workshop.engine.begin() as connection:
        connection.execute(text("DELETE FROM queue_pause"))
    time.sleep(1.1)
    workshop.send("drain")

    eventually(lambda: workshop.one(state) == "applied")


def test_an_item_that_is_no_message_stops_the_worker_for_seconds_only(workshop: Workshop) -> None:
    prefix = celeryconfig.broker_transport_options["global_keyprefix"]
    workshop.broker.lpush(f"{prefix}ingest", b"\x80\x04 not json")

    workshop.send("receive", source="wms", topic="fact", delivery_id="after garbage", body={"q": 1})

    eventually(
        lambda: workshop.one("SELECT count(*) FROM inbox WHERE delivery_id = 'after garbage'") == 1,
        60,
    )


def test_two_clocks_open_a_window_once(workshop: Workshop) -> None:
    clock = layout.beat(workshop.stack.settings)
    workshop.stack.supervisor.up(replace(clock, name="beat-1"), replace(clock, name="beat-2"))
    ready_at = now().isoformat()
    opened = f"""
        SELECT count(*) FROM run
        WHERE job = 'reconcile' AND channel = 'shop' AND window_at > '{ready_at}'
          AND coalesce(error, '') NOT LIKE 'no scheduler%'
    """  # noqa: S608  # our own clock
    try:
        eventually(lambda: workshop.one(opened) >= 2, 60)
    finally:
        for name in ("beat-1", "beat-2"):
            workshop.stack.supervisor.stop(name)

    twice = workshop.one("SELECT count(*) - count(DISTINCT (job, channel, window_at)) FROM run")
    assert twice == 0
