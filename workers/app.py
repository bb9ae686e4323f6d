"""The Celery application; its settings are `celeryconfig.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from math import ceil
from typing import Any, ClassVar, Protocol, TypeVar

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore
from celery.signals import (
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)
from kombu.transport import TRANSPORT_ALIASES

from workers.garbage import collect_seldom
from workers.settings import settings
from workers.signing import HEADER, is_ours, keys_of, signature

log = structlog.get_logger()

_UNSIGNED = (
    "somebody without LOCKSTEP_TASK_KEY writes to the broker, or a process of ours has another key"
)

#: What goes on while its queue is paused: the only copy of a delivery is taken in, and a queue that lives says so.
_GOES_ON = ("workers.tasks.receive", "workers.tasks.heartbeat")


class Work(Task[Any, Any]):
    """A task that is not begun while its queue is paused: what it would do stays where it is, and is rung for later.

    is_paused      whether a queue is;  time_of_all  the clock that counts, wherever a message is held;
                   `workers.failed_tasks` knows both
    """

    abstract = True
    Request = "workers.requests:Timely"
    time_of_all: ClassVar[Callable[[], datetime] | None] = None
    is_paused: ClassVar[Callable[[str], bool]] = staticmethod(lambda queue: False)

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        if not self.request.is_eager and not is_ours(
            _keys(), self.request.get(HEADER), self.name, task_id, args, kwargs
        ):
            # Nothing is lost: whatever is to be done stands in PostgreSQL, and the sweep rings for it.
            log.warning("task.unsigned", task=self.name[:100], next=_UNSIGNED)
            raise Ignore
        queue = (self.request.delivery_info or {}).get("routing_key") or ""
        if queue and self.name not in _GOES_ON and Work.is_paused(queue):
            raise Ignore


# By its scheme, not by the setting `broker_transport`: with that kombu no longer sees that `rediss` means TLS.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "workers.messages:Transport"))

app = Celery(
    "lockstep",
    task_cls=Work,
    include=[
        "workers.tasks",
        "workers.alert_tasks",
        "workers.read_tasks",
        "workers.case_tasks",
        "workers.failed_tasks",
        "workers.hook_tasks",
        "workers.forecast_tasks",
        "workers.retention_tasks",
    ],
)
app.config_from_object("celeryconfig")


def delay_s(seconds: float) -> float:
    """How long a message is held back, as the broker takes it: RabbitMQ counts whole seconds, from one on."""
    return float(ceil(seconds)) if str(app.conf.broker_url).startswith("amqp") else seconds


@cache
def _keys() -> tuple[str, ...]:
    return keys_of(settings().task_key.get_secret_value())


@before_task_publish.connect
def _sign(sender: str, body: Any, headers: dict[str, Any], **_: object) -> None:
    """Every message of ours, from whichever process, where there is a key."""
    if keys := _keys():
        args, kwargs, _rest = body
        headers[HEADER] = signature(keys[0], sender, headers["id"], args, kwargs)


@worker_init.connect
@worker_process_init.connect
def _collect_seldom(**_: object) -> None:
    """In the process of a pool without processes, and in each of one with them."""
    collect_seldom()


_to_be_closed: list[Closes] = []


class Closes(Protocol):
    """Anything that has to be given back."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closes)


def closed_at_end(made: C) -> C:
    """The same, to be closed when this process of a pool ends: it ends without what Python does at its exit."""
    _to_be_closed.append(made)
    return made


@worker_process_shutdown.connect
def _close(**_: object) -> None:
    for made in _to_be_closed:
        made.close()


#: Arguments of tasks that say what a line of a log is about; none holds more than a name or a time.
_NAMED = ("channel", "window_at", "queue")


@task_prerun.connect
def _name_the_task(task_id: str, task: Any, kwargs: Any, **_: object) -> None:
    """Every line that is written meanwhile says by which task; its id is the one that Flower and Failed know."""
    about = {name: kwargs[name] for name in _NAMED if kwargs.get(name)}
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id, **about)


@task_postrun.connect
def _forget_the_task(**_: object) -> None:
    structlog.contextvars.clear_contextvars()
