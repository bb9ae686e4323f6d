"""The Celery application; its settings are `celeryconfig.py`."""

from __future__ import annotations

from celery import Celery

app = Celery("lockstep", include=["workers.tasks", "workers.alert_tasks", "workers.read_tasks"])
app.config_from_object("celeryconfig")
