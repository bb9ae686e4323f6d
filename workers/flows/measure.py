"""How far each channel is behind, measured anew: what buffers are computed with follows, and the SKUs it concerns."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from allocation import lag_store
from allocation.lags import measured
from allocation.store import current_rules
from ledger.db import transaction


def measure(engine: Engine, *, now: datetime) -> set[str]:
    """Measure every channel; the channels whose lag in use changed, so that SKUs are due because of them.

    Doubled it does no harm: the second one ends at once, or finds the same.
    """
    with transaction(engine) as connection:
        if not lag_store.take_turn(connection):
            return set()
        _, rules = current_rules(connection)
        before = lag_store.known(connection)
        found = [
            measured(record, before.get(record.channel), rules.exposure.lag_s, now)
            for record in lag_store.records(connection, now)
        ]
        lag_store.keep(connection, found, now)
        changed = {
            each.channel
            for each in found
            if each.in_use != (before[each.channel].in_use if each.channel in before else None)
        }
        lag_store.mark_due(connection, changed, now)
    return changed
