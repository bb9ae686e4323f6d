"""Queues stopped and let go, and bulk work ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from console.access.types import Refusal
from workers.failures.types import Refused
from workers.flows import operations, queues


def pause(engine: Engine, name: str, *, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """Let a queue's tasks do nothing until it is resumed. Raises Refusal."""
    with refusals():
        fresh = queues.pause(engine, name, by=by, reason=reason, now=now)
    return {"queue": name, "paused": True, "fresh": fresh}


def resume(engine: Engine, name: str, *, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """Let a paused queue work again. Raises Refusal: it is not paused."""
    with refusals():
        queues.resume(engine, name, by=by, reason=reason, now=now)
    return {"queue": name, "paused": False}


def cancel(engine: Engine, number: UUID, *, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """End bulk work after the batch that is being done. Raises Refusal: it is over."""
    with refusals():
        state = operations.cancel(engine, number, by=by, reason=reason, now=now)
    return {"operation": str(number), "state": state}


@contextmanager
def refusals() -> Iterator[None]:
    """What the flows of failed work refuse is a refusal here too."""
    try:
        yield
    except Refused as error:
        raise Refusal(str(error)) from None
