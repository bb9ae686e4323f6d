"""Cases answered: what is done about an oversold line, again, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from allocation.plays import Response
from console.access.types import Refusal
from ledger.db import transaction
from reconcile.oversold import steps
from workers import casework
from workers.flows import cases
from workers.wiring import Wiring


def choose(
    wiring: Wiring, number: int, response: Response, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Say what is done about a case; workers begin at once.

    returns    case, and its steps as they stand
    raises     Refusal: it is over, or was chosen already
    """
    with _possible():
        cases.choose(
            wiring.engine, casework.means_of(wiring), number, response, by=by, reason=reason, now=now
        )  # fmt: skip
    return standing(wiring.engine, number)


def again(engine: Engine, number: int, *, by: str, now: datetime) -> dict[str, Any]:
    """Let everything of a case that failed or waits be tried at once. Returns and raises as `choose` does."""
    with _possible():
        cases.again(engine, number, by=by, now=now)
    return standing(engine, number)


def close(
    engine: Engine, number: int, *, keep_hold: bool, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """End a case.

    returns    case, and lets_go: whether it ends when its order is let go at the channel, within seconds
    raises     Refusal: it is over already
    """
    with _possible():
        lets_go = cases.close(engine, number, by=by, reason=reason, keep_hold=keep_hold, now=now)
    return {"case": number, "lets_go": lets_go}


def standing(engine: Engine, number: int) -> dict[str, Any]:
    """A case's steps that were not dropped."""
    with transaction(engine) as connection:
        stood = [asdict(s) for s in steps.of(connection, [number]) if s.state != "dropped"]
    return {"case": number, "steps": stood}


@contextmanager
def _possible() -> Iterator[None]:
    try:
        yield
    except cases.NotPossible as error:
        raise Refusal(str(error)) from None
