"""Recount orders and their alarms, as rows: what should stand is written, what no longer should is ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from allocation import alarms
from reconcile.counting.judging import Standing
from reconcile.counting.types import BAD, CUSUM, PERSON, VARIANCE, Finding, Order, Place, of_place

#: Who orders what follows from counts.
HOUSE = "lockstep"

# Ordered again with the same key it is the same order: its cause is back.
_ORDER = text("""
    INSERT INTO count_order AS o (rule, object, sku, location, since, sound_at, missing, ordered_at, ordered_by, reason)
    SELECT rule, object, sku, location, since, sound_at, missing, :now, ordered_by, reason
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (rule text, object text, sku text, location text, since timestamptz, sound_at timestamptz,
                   missing bigint, ordered_by text, reason text)
    ORDER BY sku, location, rule, object, since
    ON CONFLICT (sku, location, rule, object, since) DO UPDATE SET
        sound_at = excluded.sound_at, missing = excluded.missing, withdrawn_at = NULL
    WHERE (o.sound_at, o.missing, o.withdrawn_at) IS DISTINCT FROM (excluded.sound_at, excluded.missing, NULL)
""")

_WITHDRAW = text("""
    UPDATE count_order AS o SET withdrawn_at = :now
    FROM json_to_recordset(CAST(:judged AS json)) AS judged (rule text, object text)
    WHERE o.rule = judged.rule AND o.object = judged.object AND o.withdrawn_at IS NULL
      AND NOT EXISTS (
          SELECT FROM json_to_recordset(CAST(:rows AS json))
               AS given (rule text, object text, sku text, location text, since timestamptz)
          WHERE given.rule = o.rule AND given.object = o.object AND given.sku = o.sku
            AND given.location = o.location AND given.since = o.since)
      AND NOT EXISTS (
          SELECT FROM count_mark AS m
          WHERE m.sku = o.sku AND m.location = o.location AND m.counted_at > o.since
            AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = m.event_id))
""")

_OPEN_OBJECTS = text("SELECT DISTINCT rule, object FROM count_open")

_OPEN = text("""
    SELECT rule, object AS what, sku, location, since, sound_at, missing, ordered_at, ordered_by, reason
    FROM count_open ORDER BY location, sku, since, rule
""")

# Whoever orders a recount does not rely on the last count: the one before it still stands.
_BEFORE_LAST = text("""
    SELECT EXISTS (SELECT FROM count_open WHERE sku = :sku AND location = :location) AS ordered,
           (SELECT m.counted_at FROM count_mark AS m
            WHERE m.sku = :sku AND m.location = :location
              AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = m.event_id)
            ORDER BY m.counted_at DESC OFFSET 1 LIMIT 1) AS sound_at
""")


@dataclass(frozen=True, slots=True)
class Open:
    """A recount order that no count has answered."""

    rule: str
    what: str
    sku: str
    location: str
    since: datetime
    sound_at: datetime | None
    missing: int
    ordered_at: datetime
    ordered_by: str
    reason: str


def settle(
    connection: Connection,
    judged: Collection[tuple[str, str]],
    standing: Standing,
    now: datetime,
) -> list[Finding]:
    """Make orders and alarms what they should be; returns the alarms that are new.

    judged      (rule, object) of everything that was looked at; the others keep their orders, but an order that a
                count has answered ends the alarm whoever looked
    """
    rows = [_row(order, HOUSE, "") for order in standing.orders]
    given = orjson.dumps(rows).decode()
    if rows:
        connection.execute(_ORDER, {"rows": given, "now": now})
    objects = [{"rule": rule, "object": what} for rule, what in sorted(judged)]
    if objects:
        connection.execute(
            _WITHDRAW, {"judged": orjson.dumps(objects).decode(), "rows": given, "now": now}
        )
    waiting = {(row.rule, row.object) for row in connection.execute(_OPEN_OBJECTS)}
    raised = [
        finding
        for finding in standing.findings.values()
        if _is_on(finding, waiting)
        and alarms.raise_alarm(connection, finding.rule, finding.what, finding.detail, now)
    ]
    _resolve(connection, judged, standing, waiting, now)
    return raised


def _is_on(finding: Finding, waiting: Collection[tuple[str, str]]) -> bool:
    """Bad counts of a location have no places of their own to count again."""
    return finding.rule == BAD or (finding.rule, finding.what) in waiting


def _resolve(
    connection: Connection,
    judged: Collection[tuple[str, str]],
    standing: Standing,
    waiting: Collection[tuple[str, str]],
    now: datetime,
) -> None:
    for rule in (VARIANCE, CUSUM):
        for alarm in alarms.open_alarms(connection, rule):
            if (rule, alarm.object) not in waiting:
                alarms.resolve(connection, rule, alarm.object, now)
    for rule, what in judged:
        if rule == BAD and (rule, what) not in standing.findings:
            alarms.resolve(connection, rule, what, now)


def order_by_hand(
    connection: Connection, place: Place, by: str, reason: str, now: datetime
) -> bool:
    """Order a recount; returns whether the place had none."""
    sku, location = place
    was = connection.execute(_BEFORE_LAST, {"sku": sku, "location": location}).one()
    order = Order(PERSON, of_place(sku, location), sku, location, now, was.sound_at)
    rows = orjson.dumps([_row(order, by, reason)]).decode()
    connection.execute(_ORDER, {"rows": rows, "now": now})
    return not was.ordered


def open_orders(connection: Connection) -> Sequence[Open]:
    """Recount orders that no count has answered, by location and SKU."""
    return [Open(*row) for row in connection.execute(_OPEN)]


def _row(order: Order, by: str, reason: str) -> dict[str, object]:
    return {
        "rule": order.rule,
        "object": order.what,
        "sku": order.sku,
        "location": order.location,
        "since": order.since,
        "sound_at": order.sound_at,
        "missing": order.missing,
        "ordered_by": by,
        "reason": reason,
    }
