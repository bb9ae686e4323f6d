"""Causes of places outside of a window: a read-back after a push finds them seconds after they came to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

from sqlalchemy import Connection

from channels.base import Reading
from reconcile import causes, evidence, pages
from reconcile.compare import expected_units
from reconcile.judge import freed_of_orders
from reconcile.types import Case, Comparison, Named, Verdict

Place: TypeAlias = tuple[str, str]


def named(
    connection: Connection, channel: str, readings: Sequence[Reading], *, grace: timedelta
) -> dict[Place, tuple[Case, Comparison, Named]]:
    """What the evidence of these places says, of those that differ; what is on its way is not asked.

    readings    one a place, none of them unknown
    """
    state = pages.channel_state(connection, channel)
    if state is None or not readings:
        return {}
    known = {(reading.binding.sku, reading.binding.location): reading for reading in readings}
    found = pages.cases(connection, channel, readings, state=state, unseen={})
    told = {place: reading.committed for place, reading in known.items()}
    found = evidence.collect(connection, channel, found, grace=grace, committed=told)
    siblings = freed_of_orders(
        found, pages.siblings(connection, channel, [case.sku for case in found], known)
    )
    judged = {}
    for case in found:
        comparison = Comparison(Verdict.DRIFT, expected_units(case), case.reading.units, "")
        if comparison.delta_units:
            cause = causes.name(case, comparison, siblings.get(case.sku, {}))
            judged[case.sku, case.location] = (case, comparison, cause)
    return judged
