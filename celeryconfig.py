"""Celery as data: queues, routing, the clock, delivery. Read by Celery by name; the reasons are in workers/README.md.

With PostgreSQL remembering everything and the sweep ringing again, acks late and redelivery buy latency, not safety.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.schedules import crontab
from kombu import Exchange, Queue

from workers.settings import settings

_settings = settings()

# --- the broker: a bell, so every wait on it is short -----------------------------------------------------------------
broker_url = _settings.broker_url or _settings.redis_url or "redis://127.0.0.1:6379/0"
_over_rabbitmq = broker_url.startswith("amqp")
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = 10
broker_pool_acquire_timeout = 5
_REDIS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 30,
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "global_keyprefix": f"lockstep:{_settings.env}:",
}
# RabbitMQ's virtual host is what a key's prefix is in Redis: an installation has one of its own.
_RABBITMQ = {"confirm_publish": True}
broker_transport_options = _RABBITMQ if _over_rabbitmq else _REDIS
# Anybody may put anything into a queue; Celery's own reader ends at what it cannot read.
worker_consumer = "workers.messages:Reader"
broker_heartbeat = 25 if _over_rabbitmq else 120
task_publish_retry_policy = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}

# --- what travels: JSON, ids and names --------------------------------------------------------------------------------
accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"
task_ignore_result = True
result_backend = None

# --- delivery ---------------------------------------------------------------------------------------------------------
task_acks_late = True
task_acks_on_failure = True
task_acks_on_timeout = True
task_reject_on_worker_lost = True
task_retry_on_worker_lost = True
task_soft_time_limit = 90
task_time_limit = 120
worker_prefetch_multiplier = 1
worker_eta_task_limit = 1000
worker_disable_rate_limits = True
worker_max_tasks_per_child = 2000
worker_max_memory_per_child = 300_000
worker_soft_shutdown_timeout = 20
worker_enable_soft_shutdown_on_idle = True
worker_cancel_long_running_tasks_on_connection_loss = False
worker_send_task_events = True
task_send_sent_event = True
worker_hijack_root_logger = False
enable_utc = True
timezone = "UTC"

# --- queues: one a lane, so that a dead channel cannot fill the others ------------------------------------------------
task_default_queue = "control"
task_create_missing_queues = False
# RabbitMQ holds a message back, instead of a worker, only between quorum queues and for an exchange by topic.
_exchange = Exchange("lockstep", type="topic" if _over_rabbitmq else "direct")
_kept = {"x-queue-type": "quorum"} if _over_rabbitmq else None
# Without a routing key of its own a queue is bound to the default one, and every message would reach all of them.
task_queues = [
    Queue(name, _exchange, routing_key=name, queue_arguments=_kept)
    for name in (
        "ingest",
        "allocate",
        "reconcile",
        "control",
        "alert",
        "hook",
        "forecast",
        *(f"push.{channel}" for channel in _settings.channels),
    )
]

_OF_TASK = {
    "workers.tasks.receive": "ingest",
    "workers.tasks.drain": "ingest",
    "workers.tasks.work_orders": "ingest",
    "workers.tasks.work_promises": "ingest",
    "workers.tasks.work_programs": "ingest",
    "workers.tasks.allocate": "allocate",
    "workers.tasks.reconcile": "reconcile",
    "workers.tasks.read_truth": "reconcile",
    "workers.tasks.mirror": "reconcile",
    "workers.read_tasks.read_early": "reconcile",
    "workers.alert_tasks.watch_alerts": "alert",
    "workers.alert_tasks.send_alerts": "alert",
    "workers.case_tasks.act_on_cases": "alert",
    "workers.hook_tasks.send_hooks": "hook",
    "workers.forecast_tasks.look_at_forecast": "forecast",
    "workers.forecast_tasks.run_forecast": "forecast",
}
_OF_CHANNEL = {
    "workers.tasks.push",
    "workers.tasks.verify",
    "workers.tasks.ask_receipts",
    "workers.tasks.work_halts",
    "workers.tasks.poll_orders",
    "workers.tasks.watch_channel",
    "workers.tasks.exchange",
    "workers.case_tasks.hold_orders",
}


# A frozen RabbitMQ confirms nothing: without a limit, who rings would wait for ever.
_LIMITS = {"timeout": 5, "confirm_timeout": 5} if _over_rabbitmq else {}


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> Any:
    """The queue of a task; a channel's tasks go to its own queue, and an unknown one is refused with QueueNotFound."""
    if options.get("queue"):
        return _LIMITS or None
    if name in _OF_CHANNEL:
        return {"queue": f"push.{(kwargs or {}).get('channel', '')}", **_LIMITS}
    return {"queue": _OF_TASK.get(name, "control"), **_LIMITS}


task_routes = (route,)

# --- the clock: any number of copies may run, a window is a unique row in PostgreSQL ----------------------------------
_quarter_hours = _settings.reconcile_s == 900
# What nobody took is thrown away after a minute: the next one does the same, and a queue without a worker stays small.
_PASSING = {"expires": 60}
beat_schedule = {
    "sweep": {
        "task": "workers.tasks.sweep",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    "open-windows": {
        "task": "workers.tasks.open_windows",
        "schedule": crontab(minute="0,15,30,45")
        if _quarter_hours
        else timedelta(seconds=_settings.reconcile_s),
        "options": _PASSING,
    },
    "measure": {
        "task": "workers.tasks.measure",
        "schedule": timedelta(seconds=30),
        "options": _PASSING,
    },
    "look-early": {
        "task": "workers.read_tasks.look_early",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    "look-at-cases": {
        "task": "workers.case_tasks.look_at_cases",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    "look-at-failed": {
        "task": "workers.failed_tasks.look_at_failed",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    "watch-alerts": {
        "task": "workers.alert_tasks.watch_alerts",
        "schedule": timedelta(seconds=_settings.alert_s),
        "options": _PASSING,
    },
    "send-alerts": {
        "task": "workers.alert_tasks.send_alerts",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    "send-hooks": {
        "task": "workers.hook_tasks.send_hooks",
        "schedule": timedelta(seconds=_settings.sweep_s),
        "options": _PASSING,
    },
    # Levels of best sellers are looked at every quarter of an hour; a run is begun at night.
    "look-at-forecast": {
        "task": "workers.forecast_tasks.look_at_forecast",
        "schedule": timedelta(minutes=5),
        "options": _PASSING,
    },
    "forget": {
        "task": "workers.retention_tasks.forget",
        "schedule": timedelta(hours=1),
        "options": _PASSING,
    },
    "seal": {
        "task": "workers.tasks.seal",
        "schedule": timedelta(seconds=60),
        "options": _PASSING,
    },
    **{
        f"heartbeat-{queue.name}": {
            "task": "workers.tasks.heartbeat",
            "schedule": timedelta(seconds=30),
            "kwargs": {"queue": queue.name},
            "options": {"queue": queue.name, **_PASSING},
        }
        for queue in task_queues
    },
}
# The schedule is data above; beat needs no file of its own.
beat_scheduler = "workers.beat:Rings"
beat_max_loop_interval = 1
