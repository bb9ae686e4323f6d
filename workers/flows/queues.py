"""Stopping and resuming a queue, with who and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from ledger.db import transaction
from reconcile.trail import record
from workers.failures import pauses
from workers.failures.types import Refused


def pause(engine: Engine, queue: str, *, by: str, reason: str, now: datetime) -> bool:
    """Stop a queue; False when it was stopped already.

    raises    Refused for the queue that everything else hangs on, one that nobody ever saw, or without a reason
    """
    if queue == pauses.UNSTOPPABLE:
        raise Refused(
            f"{queue} rings for all the others and is never stopped: pause those, or a channel"
        )
    if not reason.strip():
        raise Refused("say why: the reason is shown wherever the queue is")
    with transaction(engine) as connection:
        known = {each["queue"] for each in pauses.queues(connection)}
        if queue not in known:
            raise Refused(
                f"no queue {queue!r} was ever seen: there are {', '.join(sorted(known)) or 'none'}"
            )
        fresh = pauses.pause(connection, queue, by=by, reason=reason, now=now)
        if fresh:
            record(
                connection,
                actor=by,
                action="queue.pause",
                what=f"queue:{queue}",
                at=now,
                reason=reason,
            )
    return fresh


def resume(engine: Engine, queue: str, *, by: str, reason: str, now: datetime) -> None:
    """Let a queue work again. Raises Refused when it is not stopped."""
    with transaction(engine) as connection:
        if not pauses.resume(connection, queue):
            raise Refused(f"{queue} is not paused: see `lockstep queue list`")
        record(
            connection,
            actor=by,
            action="queue.resume",
            what=f"queue:{queue}",
            at=now,
            reason=reason,
        )
