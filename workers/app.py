"""The Celery application; its settings are `celeryconfig.py`."""

from __future__ import annotations

from celery import Celery
from celery.signals import worker_init, worker_process_init

from workers.garbage import collect_seldom

app = Celery(
    "lockstep",
    include=["workers.tasks", "workers.alert_tasks", "workers.read_tasks", "workers.case_tasks"],
)
app.config_from_object("celeryconfig")


@worker_init.connect
@worker_process_init.connect
def _collect_seldom(**_: object) -> None:
    """In the process of a pool without processes, and in each of one with them."""
    collect_seldom()
