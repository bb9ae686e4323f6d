"""Celery as data: one queue a message, none by typing error, JSON only, and settings whose silent change hurts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.exceptions import QueueNotFound
from kombu.exceptions import EncodeError

import celeryconfig as module
from workers import (
    alert_tasks,
    case_tasks,
    failed_tasks,
    forecast_tasks,
    hook_tasks,
    read_tasks,
    retention_tasks,
    tasks,
)
from workers.app import app

ROOT = Path(__file__).resolve().parents[2]
celeryconfig: Any = module
QUEUES = {queue.name for queue in celeryconfig.task_queues}
OURS = {name: task for name, task in app.tasks.items() if name.startswith("workers.")}


@pytest.fixture
def broker(valkey: str) -> Iterator[Celery]:
    """The product's configuration on a broker of the test's own, with tasks that are only sent."""
    here = Celery("test", broker=valkey, set_as_current=False)
    here.config_from_object(celeryconfig)
    here.conf.update(broker_url=valkey)
    yield here
    here.close()


def waiting(valkey: str) -> dict[str, int]:
    with redis.Redis.from_url(valkey, decode_responses=True) as client:
        prefix = celeryconfig.broker_transport_options["global_keyprefix"]
        return {name: length for name in QUEUES if (length := int(client.llen(f"{prefix}{name}")))}


def destination(name: str, **kwargs: object) -> str:
    found: dict[str, Any] = app.amqp.router.route({}, name, args=(), kwargs=kwargs)
    return str(found["queue"].name)


def test_every_task_has_a_declared_queue() -> None:
    assert {"workers.tasks.push", "workers.tasks.drain", "workers.tasks.sweep"} <= set(OURS)

    for name in OURS:
        assert destination(name, channel="shopify") in QUEUES


def test_the_work_of_a_channel_stays_in_its_queue() -> None:
    for name in ("push", "verify", "work_halts"):
        assert destination(f"workers.tasks.{name}", channel="square") == "push.square"


def test_the_other_tasks_go_where_they_belong() -> None:
    found = {name: destination(f"workers.tasks.{name}") for name in (
        "receive", "drain", "allocate", "reconcile", "sweep", "open_windows", "seal", "heartbeat",
    )}  # fmt: skip

    assert found == {
        "receive": "ingest", "drain": "ingest", "allocate": "allocate", "reconcile": "reconcile",
        "sweep": "control", "open_windows": "control", "seal": "control", "heartbeat": "control",
    }  # fmt: skip


def test_early_reads_go_with_the_other_reads() -> None:
    assert destination(str(read_tasks.read_early.name)) == "reconcile"
    assert destination(str(read_tasks.look_early.name)) == "control"


def test_alerts_have_a_queue_of_their_own() -> None:
    ours = [alert_tasks.watch_alerts, alert_tasks.send_alerts]

    assert {destination(str(task.name)) for task in ours} == {"alert"}


def test_addresses_outside_are_told_by_a_queue_of_their_own() -> None:
    assert destination(str(hook_tasks.send_hooks.name)) == "hook"
    assert destination(str(forecast_tasks.look_at_forecast.name)) == "forecast"
    assert destination(str(forecast_tasks.run_forecast.name)) == "forecast"


def test_oversold_lines_are_held_at_their_channel_and_told_with_alerts() -> None:
    assert destination(str(case_tasks.hold_orders.name), channel="square") == "push.square"
    assert destination(str(case_tasks.act_on_cases.name)) == "alert"
    assert destination(str(case_tasks.look_at_cases.name)) == "control"
    assert destination(str(failed_tasks.look_at_failed.name)) == "control"
    assert destination(str(retention_tasks.forget.name)) == "control"
    assert destination(str(failed_tasks.work_operations.name)) == "control"


@pytest.mark.parametrize("kwargs", [{"channel": "nowhere"}, {"channel": ""}, {}])
def test_a_channel_without_a_queue_is_refused_loudly(
    broker: Celery, kwargs: dict[str, str]
) -> None:
    with pytest.raises(QueueNotFound):
        broker.send_task("workers.tasks.push", kwargs=kwargs)


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_a_message_reaches_exactly_one_queue(broker: Celery, valkey: str, queue: str) -> None:
    # Declare all of them first: a queue bound to another's routing key would get a copy.
    for other in QUEUES:
        broker.send_task("any", queue=other)
    with redis.Redis.from_url(valkey) as client:
        for other in QUEUES:
            client.delete(f"{celeryconfig.broker_transport_options['global_keyprefix']}{other}")

    broker.send_task("any", queue=queue)

    assert waiting(valkey) == {queue: 1}


def test_every_queue_has_a_routing_key_of_its_own() -> None:
    assert {queue.routing_key for queue in celeryconfig.task_queues} == QUEUES


def test_only_json_travels(broker: Celery) -> None:
    with pytest.raises(EncodeError):
        broker.send_task("workers.tasks.drain", args=(object(),))

    assert list(app.conf.accept_content) == ["json"]
    assert {app.conf.task_serializer, app.conf.event_serializer, app.conf.result_serializer} == {
        "json"
    }


@pytest.mark.parametrize(
    ("setting", "value", "without_it"),
    [
        ("task_acks_late", True, "a killed worker loses what it held"),
        ("task_acks_on_failure", True, "a failing task comes back without end"),
        ("task_reject_on_worker_lost", True, "a dead child counts as done"),
        ("task_retry_on_worker_lost", True, "a task that kills its child comes back for ever"),
        ("worker_prefetch_multiplier", 1, "a slow task holds quick ones"),
        ("worker_cancel_long_running_tasks_on_connection_loss", False, "a kill may hit a commit"),
        ("task_create_missing_queues", False, "a typing error fills a queue nobody reads"),
        ("task_ignore_result", True, "keys pile up in Redis"),
        ("result_backend", None, "keys pile up in Redis"),
        ("broker_connection_max_retries", None, "workers give up after a hundred tries"),
        ("broker_connection_retry_on_startup", True, "workers end when Redis starts later"),
        ("broker_pool_acquire_timeout", 5, "a publish waits without end"),
        ("task_soft_time_limit", 90, "a hanging task outlives the visibility timeout"),
        ("task_time_limit", 120, "a hanging task outlives the visibility timeout"),
        ("worker_eta_task_limit", 1000, "delayed messages fill the memory"),
        ("worker_disable_rate_limits", True, "waiting tasks keep their places"),
        ("enable_utc", True, "a change of the clocks moves windows"),
        ("timezone", "UTC", "a change of the clocks moves windows"),
    ],
)
def test_a_setting_is_as_measured(setting: str, value: object, without_it: str) -> None:
    assert getattr(app.conf, setting) == value, without_it


def test_no_task_lives_longer_than_a_message_stays_hidden() -> None:
    hidden_s = celeryconfig.broker_transport_options["visibility_timeout"]

    assert celeryconfig.task_time_limit < hidden_s
    # The longest countdown (of `receive`) and the task after it fit in as well.
    assert 30 + celeryconfig.task_time_limit < hidden_s


def test_no_wait_for_the_broker_is_endless() -> None:
    options = celeryconfig.broker_transport_options

    assert options["socket_timeout"] == 5
    assert options["socket_connect_timeout"] == 3
    assert celeryconfig.task_publish_retry_policy["max_retries"] == 1


def test_a_killed_worker_is_missed_soon() -> None:
    options = celeryconfig.broker_transport_options

    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (10, 1)
    assert options["unacked_mutex_expire"] == 30


def test_two_installations_on_one_redis_are_apart() -> None:
    assert celeryconfig.broker_transport_options["global_keyprefix"] == "lockstep:local:"


def test_the_door_for_deliveries_never_gives_one_up() -> None:
    assert tasks.receive.max_retries is None
    assert getattr(tasks.receive, "acks_on_timeout") is False  # noqa: B009  # unknown to the stubs


def test_the_clock_sends_only_what_exists() -> None:
    schedule = celeryconfig.beat_schedule.values()

    assert {entry["task"] for entry in schedule} <= set(OURS)
    assert all(entry["options"]["expires"] == 60 for entry in schedule)


def test_every_queue_has_a_heartbeat_in_its_own_queue() -> None:
    beats = [e for e in celeryconfig.beat_schedule.values() if e["task"] == tasks.heartbeat.name]

    assert {beat["options"]["queue"] for beat in beats} == QUEUES
    assert all(beat["kwargs"] == {"queue": beat["options"]["queue"]} for beat in beats)


def test_the_schedule_is_not_kept_in_a_file() -> None:
    assert celeryconfig.beat_scheduler == "workers.beat:Rings"


def with_settings(**environment: str) -> dict[str, Any]:
    """What another process, with these settings, makes of the configuration."""
    program = (
        "import celeryconfig as c, json; print(json.dumps({"
        "'queues': sorted(q.name for q in c.task_queues),"
        "'windows': str(c.beat_schedule['open-windows']['schedule']),"
        "'prefix': c.broker_transport_options['global_keyprefix'], 'broker': c.broker_url}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    read: dict[str, Any] = json.loads(said.stdout)
    return read


def test_channels_and_windows_follow_the_settings() -> None:
    found = with_settings(
        LOCKSTEP_CHANNELS="oslo-pos, web",
        LOCKSTEP_RECONCILE_S="60",
        LOCKSTEP_ENV="prod",
        LOCKSTEP_REDIS_URL="rediss://elsewhere/1",
    )

    assert found["queues"] == [
        "alert", "allocate", "control", "forecast", "hook", "ingest", "push.oslo-pos", "push.web", "reconcile",
    ]  # fmt: skip
    assert found["windows"] == str(timedelta(seconds=60))
    assert found["prefix"] == "lockstep:prod:"
    assert found["broker"] == "rediss://elsewhere/1"


def test_the_usual_windows_start_on_the_quarter_hours() -> None:
    assert "0,15,30,45" in with_settings()["windows"]


def test_over_rabbitmq_a_message_is_confirmed_and_held_back_by_the_broker() -> None:
    told = subprocess.run(
        [sys.executable, "-c", OVER_RABBITMQ],
        env={"PATH": "/usr/bin:/bin", "LOCKSTEP_BROKER_URL": "amqp://guest:guest@127.0.0.1:1//"},
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert json.loads(told) == {
        "confirmed": True,
        "kinds": ["quorum"],
        "exchange": "topic",
        "limits": [5, 5],
        "delays": [0.0, 1.0, 3.0],
    }


# A message between quorum queues is held back by the broker only for an exchange by topic; and a part of a second is
# refused by whoever counts in bits of whole ones.
OVER_RABBITMQ = """
import json
from workers.app import app, delay_s
queues = app.amqp.queues.values()
options = app.amqp.router.route({}, "workers.tasks.drain", args=(), kwargs={})
print(json.dumps({
    "confirmed": app.conf.broker_transport_options["confirm_publish"],
    "kinds": sorted({queue.queue_arguments["x-queue-type"] for queue in queues}),
    "exchange": options["queue"].exchange.type,
    "limits": [options["timeout"], options["confirm_timeout"]],
    "delays": [delay_s(0), delay_s(0.3), delay_s(2.5)],
}))
"""
