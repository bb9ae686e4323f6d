"""Which confirmed numbers are read back, and when: what is at risk first, then a sample of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from allocation import backlog, verifying
from allocation.looks import Look
from allocation.pushes import DuePush
from allocation.verifying import Verify
from reconcile import velocity
from reconcile.proving import Written, must_be_read
from workers.flows import halt_rules
from workers.flows.lane import Lane

#: What is at risk waits at most so long for numbers that are still to be pushed.
_YIELDS_FOR: Final = timedelta(seconds=3)
#: What of the sample was not read by then is left to the next window.
_SAMPLE_FOR: Final = timedelta(seconds=60)


def looks(
    connection: Connection, lane: Lane, pushes: Sequence[DuePush], now: datetime
) -> dict[tuple[str, str], Look]:
    """(SKU, location) -> how these confirmed numbers are read back; those that must be read first are not named."""
    name, proof = lane.client.name, lane.proof
    skus = {push.sku for push in pushes}
    fast = velocity.fast_skus(connection, name, skus, now, proof.fast_per_day)
    scarce = velocity.scarce_skus(connection, skus - fast)
    rule = halt_rules.of_channel(connection, name, proof.rule)
    found = {}
    for push in pushes:
        written = Written(
            push.units, push.expected, push.attempts, push.sku in fast, push.sku in scarce
        )
        if not must_be_read(written, proof, rule):
            sampled = proof.share >= 1 or lane.chance() < proof.share
            found[push.sku, push.location] = Look.SAMPLE if sampled else Look.WINDOW
    return found


def claim(connection: Connection, lane: Lane, sampled: int) -> tuple[list[Verify], bool]:
    """The next numbers to be read back, and whether they are of the sample.

    sampled    of the sample, read in this go already
    """
    name, now = lane.client.name, lane.now()
    pushes_wait = backlog.pushes_wait(connection, name, now)
    due_by = now - _YIELDS_FOR if pushes_wait else now
    rows = lane.client.direct_rows
    first = verifying.claim_verify(connection, name, rows, now, lane.lease_s, due_by=due_by)
    if first or pushes_wait:
        return first, False
    left = rows if lane.proof.rows is None else min(rows, lane.proof.rows - sampled)
    if left <= 0:
        return [], True
    return verifying.claim_verify(connection, name, left, now, lane.lease_s, sample=True), True


def leave_rest(connection: Connection, lane: Lane) -> int:
    """Leave what of the sample waits for too long to the next window; returns how many."""
    return verifying.leave_sample(connection, lane.client.name, lane.now() - _SAMPLE_FOR)
