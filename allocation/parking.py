"""Rows of the push queue that are set aside, written down as failures in the same transaction.

A row's worker may die of it, again and again. Each claim counts (`push_due.begun`), every answer counts back; so what
was claimed and never answered shows. Such rows go out in ever smaller company, then alone, and after `LOST` claims the
row is set aside: no statement and no transaction more for those that go well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ledger import failures
from ledger.types import Failure, FailureClass, Origin

#: Claims without an answer after which a row is set aside: three in company that shrinks to a row, two alone.
LOST = 5

_POISON = text("""
    UPDATE push_due d SET parked = true, leased_until = NULL, begun = 0, error = CAST(:error AS text)
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS given (sku, location)
    WHERE d.channel = :channel AND d.sku = given.sku AND d.location = given.location
    RETURNING d.sku, d.location, d.attempts, d.error
""")

_TARGETS = text("""
    SELECT t.sku, t.location, t.units, t.number, b.item_id, b.vendor_location_id, b.variant_id
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS given (sku, location)
    JOIN target t ON t.channel = :channel AND t.sku = given.sku AND t.location = given.location
    LEFT JOIN binding b ON b.channel = t.channel AND b.sku = t.sku AND b.location = t.location
""")


def class_of(reason: str) -> str:
    """The class of failure of a row that was set aside with this reason, as `workers.flows.lane.said` writes it."""
    match reason.partition(":")[0].partition(" ")[0]:
        case "unavailable" | "unreadable" | "unauthorised":
            return FailureClass.UNAVAILABLE
        case "throttled":
            return FailureClass.THROTTLED_OUT
        case "the":
            # The channel shows no number for it: it is not tracked, or not stocked there.
            return FailureClass.MAPPING
        case _:
            return FailureClass.REJECTED


def note(
    connection: Connection, channel: str, rows: Sequence[Any], now: datetime, kind: str = ""
) -> None:
    """Write down that these rows of a channel were set aside.

    rows    (sku, location, attempts, error)
    kind    class of failure; "" is told from each error
    """
    if not rows:
        return
    values = {
        "channel": channel,
        "skus": [row.sku for row in rows],
        "locations": [row.location for row in rows],
    }
    targets = {(t.sku, t.location): t._asdict() for t in connection.execute(_TARGETS, values)}
    failed = [
        Failure(
            Origin.PUSH,
            f"{channel}/{row.sku}/{row.location}",
            kind or class_of(row.error),
            row.error,
            channel=channel,
            sku=row.sku,
            location=row.location,
            task="workers.tasks.push",
            payload=targets.get((row.sku, row.location), {}),
            attempts=row.attempts,
        )
        for row in rows
    ]
    failures.note(connection, failed, now)


def poisoned(connection: Connection, channel: str, rows: Sequence[Any], now: datetime) -> None:
    """Set rows aside whose workers died: (sku, location) of each."""
    error = (
        f"{LOST} workers died while they were at this row, the last ones with nothing else in hand: read their logs for"
        " what killed them (memory, a crash), mend that, then unpark it"
    )
    values = {
        "channel": channel,
        "skus": [row.sku for row in rows],
        "locations": [row.location for row in rows],
        "error": error,
    }
    note(connection, channel, connection.execute(_POISON, values).all(), now, FailureClass.BUG)
