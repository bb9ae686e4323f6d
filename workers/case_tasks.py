"""Tasks of oversold lines: the clock looks for them; steps at a channel go through its own queue, the others do not."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from kombu.exceptions import OperationalError

from ledger.db import transaction
from reconcile.oversold import steps
from workers import casework
from workers.app import app
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE
from workers.tasks import heard, ring_channel, wiring
from workers.wiring import now

log = structlog.get_logger()

_BELL = "act_on_cases"


@app.task
def look_at_cases(**_: Any) -> None:
    """Look for order lines that are not there, and ring for what is to be done about them."""
    house = wiring()
    found = casework.look(house)
    if found.opened:
        log.warning("cases.opened", cases=list(found.opened), chosen=list(found.chosen))
    with transaction(house.engine) as connection:
        due = steps.due(connection, now())
    for channel in sorted({channel for channel, kind in due if kind in AT_CHANNEL}):
        ring_channel(hold_orders, channel)
    if any(kind in ELSEWHERE for _, kind in due):
        with suppress(OperationalError):
            house.bells.ring(_BELL, partial(act_on_cases.apply_async))


@app.task
def act_on_cases(**_: Any) -> None:
    """Tell of cases, draft and post what their responses ask for."""
    house = wiring()
    house.bells.heard(_BELL)
    casework.act(house, ELSEWHERE)


@app.task
def hold_orders(*, channel: str, **_: Any) -> None:
    """Hold at a channel what is not there, and let go what was held."""
    with heard(hold_orders, channel) as house:
        casework.act(house, AT_CHANNEL, channel=channel)
