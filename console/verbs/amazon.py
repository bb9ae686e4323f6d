"""What Amazon tells people only, written down by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from channels.amazon import health_store
from console.access.types import Refusal
from console.views.amazon import channel_of
from ledger.db import transaction


def set_ipi(
    engine: Engine,
    name: str | None,
    score: int,
    threshold: int | None,
    scored_on: date | None,
    *,
    by: str,
    now: datetime,
) -> dict[str, Any]:
    """Keep an IPI score as Seller Central shows it.

    name        of the channel; None: the only one of Amazon
    scored_on   None: today
    raises      Unknown: which channel;  Refusal: a day to come
    """
    day = scored_on or now.date()
    if day > now.date():
        raise Refusal(f"{day} is in the future: say the day that Seller Central shows")
    with transaction(engine) as connection:
        channel = channel_of(connection, name)
        health_store.set_ipi(
            connection, channel, scored_on=day, score=score, threshold=threshold, by=by, now=now
        )
    return {"channel": channel, "score": score, "threshold": threshold, "scored_on": day}
