"""The tasks of alerts. The clock rings for both: neither waits for the sweep, whose own silence is an alert."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from kombu.exceptions import OperationalError

from workers import alerting
from workers.app import app, delay_s
from workers.tasks import wiring

#: So long a bell stays quiet; what is due later the clock rings for.
_BELL_S = 3.0


@app.task
def watch_alerts(**_: Any) -> None:
    """Look at the rules of alerts, and tell what that changes."""
    alerting.watch(wiring())
    _tell_in(0.0)


@app.task
def send_alerts(**_: Any) -> None:
    """Tell the doors what waits for them, at their pace."""
    house = wiring()
    house.bells.heard("send_alerts")
    again_s = alerting.deliver(house).again_s
    if again_s is not None and again_s < _BELL_S:
        _tell_in(again_s)


def _tell_in(seconds: float) -> None:
    send = partial(send_alerts.apply_async, countdown=delay_s(seconds))
    with suppress(OperationalError):
        wiring().bells.ring("send_alerts", send)
