"""Rises that are held for long by a place that shows too much: an alarm for each such place, until it has let go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import Engine, text

from allocation import alarms, holder_store
from allocation.holders import Holder, next_step, said_of
from ledger.db import transaction
from workers.flows.program_watch import Raised

#: Rule of alarms: a place shows more than it should, and others may not rise because of it.
BLOCKED: Final = "rise.blocked"
#: A rise may be held for so long before somebody is told.
LONGEST: Final = timedelta(minutes=15)
#: Alarms are looked at once in so long.
LOOK_EVERY: Final = timedelta(seconds=60)
#: Most SKUs of one look, those that wait longest first: a channel that is paused may hold all of them.
SKUS: Final = 1000

#: Whether somebody should look: while an alarm is on, once in a while; else when a rise is held for long.
WAITS = text("""
    SELECT coalesce(told.last_at <= :told_before, EXISTS (SELECT FROM exposure WHERE held AND since <= :held_before))
    FROM (SELECT min(last_at) AS last_at FROM alarm WHERE resolved_at IS NULL AND rule = :blocked) AS told
""")


def waits_at(now: datetime) -> dict[str, object]:
    """Values of `WAITS`."""
    return {"blocked": BLOCKED, "told_before": now - LOOK_EVERY, "held_before": now - LONGEST}


def watch(engine: Engine, *, now: datetime, longest: timedelta = LONGEST) -> list[Raised]:
    """Raise an alarm for every place that has held a rise for `longest`, and end those that are over.

    returns    the alarms that are new
    """
    with transaction(engine) as connection:
        since = holder_store.held_since(connection, now - longest, SKUS)
        on = {alarm.object for alarm in alarms.open_alarms(connection, BLOCKED)}
        raised = []
        found = holder_store.holders(connection, since)
        for (sku, channel), places in groupby(found, key=lambda each: (each.sku, each.channel)):
            what = f"sku:{sku}@{channel}"
            detail = _detail(list(places), since[sku])
            if alarms.raise_alarm(connection, BLOCKED, what, detail, now):
                raised.append(Raised(BLOCKED, what, detail))
            on.discard(what)
        for what in sorted(on):
            alarms.resolve(connection, BLOCKED, what, now)
        return raised


def _detail(places: Sequence[Holder], since: datetime) -> dict[str, object]:
    first = places[0]
    return {
        "sku": first.sku,
        "channel": first.channel,
        "held_since": since,
        "by": "; ".join(said_of(place) for place in places),
        "impact_units": sum(max(0, place.units - place.target) + place.missing for place in places),
        "next": next_step(first),
    }
