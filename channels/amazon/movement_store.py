"""Reports and their rows in PostgreSQL, and what moved between two readings by Amazon's account and the book's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from channels.amazon.fba import PARTS, Parts
from channels.amazon.fba_store import parts_of
from channels.amazon.mirror import Moves
from channels.amazon.movements import LedgerRow
from channels.amazon.wire import FBA

_ASKED = text("""
    INSERT INTO amazon_report (channel, report_id, kind, asked_at, data_from)
    VALUES (:channel, :report_id, :kind, :now, :data_from)
    ON CONFLICT DO NOTHING
""")
_WAITING = text("""
    SELECT report_id, kind FROM amazon_report
    WHERE channel = :channel AND state = 'asked' ORDER BY asked_at, report_id
""")
_LAST = text("""
    SELECT max(asked_at) FILTER (WHERE state <> 'failed') AS asked_at,
           max(asked_at) FILTER (WHERE state = 'done') AS done_at
    FROM amazon_report WHERE channel = :channel AND kind = :kind
""")
_ENDED = text("""
    UPDATE amazon_report SET state = :state, rows = :rows, fresh = :fresh, error = :error, finished_at = :now
    WHERE channel = :channel AND report_id = :report_id AND state = 'asked'
""")


@dataclass(frozen=True, slots=True)
class LastReport:
    """When the newest report of a kind was asked for (and did not fail), and the newest that came."""

    asked_at: datetime | None
    done_at: datetime | None


def report_asked(
    connection: Connection,
    channel: str,
    report_id: str,
    kind: str,
    *,
    since: datetime | None,
    now: datetime,
) -> None:
    """Remember that a report is on its way."""
    values = {"channel": channel, "report_id": report_id, "kind": kind}
    connection.execute(_ASKED, values | {"data_from": since, "now": now})


def reports_waiting(connection: Connection, channel: str) -> list[tuple[str, str]]:
    """(report id, kind) of every report that has not come yet, oldest first."""
    return [(row.report_id, row.kind) for row in connection.execute(_WAITING, {"channel": channel})]


def last_report(connection: Connection, channel: str, kind: str) -> LastReport:
    """When reports of this kind were asked for."""
    row = connection.execute(_LAST, {"channel": channel, "kind": kind}).one()
    return LastReport(row.asked_at, row.done_at)


def report_ended(
    connection: Connection,
    channel: str,
    report_id: str,
    *,
    now: datetime,
    rows: int = 0,
    fresh: int = 0,
    error: str = "",
) -> bool:
    """The report came, or with an error: it never will. False when another worker was first."""
    values = {"channel": channel, "report_id": report_id, "rows": rows, "fresh": fresh}
    state = "failed" if error else "done"
    ended = connection.execute(_ENDED, values | {"state": state, "error": error[:500], "now": now})
    return ended.rowcount == 1


_KEEP_ROWS = text("""
    INSERT INTO fba_row (channel, row_id, at, seller_sku, event, reference, units, disposition, reason, center, seen_at,
                         state, settled_at)
    SELECT :channel, row_id, at, seller_sku, event, reference, units, disposition, reason, center, :now,
           CASE WHEN :past THEN 'kept' ELSE 'new' END, CASE WHEN :past THEN CAST(:now AS timestamptz) END
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        row_id text, at timestamptz, seller_sku text, event text, reference text, units bigint, disposition text,
        reason text, center text)
    ORDER BY row_id
    ON CONFLICT DO NOTHING
""")


def keep_rows(
    connection: Connection,
    channel: str,
    rows: Sequence[LedgerRow],
    *,
    now: datetime,
    past: bool = False,
) -> int:
    """Keep rows of the inventory ledger, each once; returns how many are new.

    past    they are of before the book was opened: kept for their age, never booked
    """
    if not rows:
        return 0
    given = orjson.dumps([asdict(row) for row in rows]).decode()
    values = {"channel": channel, "now": now, "past": past, "rows": given}
    return connection.execute(_KEEP_ROWS, values).rowcount


# A reference names an order of Amazon's when the book has one of this name, or when MCF orders are in Amazon's own
# list under it (they begin with S).
_NEW = text("""
    SELECT row_id, at, seller_sku, event, reference, units, disposition, reason, center, seen_at,
           EXISTS (SELECT FROM order_line AS o WHERE o.channel = f.channel AND o.order_id = f.reference) AS has_order
    FROM fba_row AS f
    WHERE channel = :channel AND state = 'new'
      AND EXISTS (SELECT FROM fba_mirror AS m JOIN binding AS b
                  ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = :network
                  WHERE m.channel = f.channel AND m.seller_sku = f.seller_sku AND m.opened_at IS NOT NULL)
    ORDER BY at, row_id LIMIT :at_most
""")
_SETTLE = text("""
    UPDATE fba_row SET state = :state, settled_at = :now
    WHERE channel = :channel AND row_id = ANY(CAST(:row_ids AS text[]))
""")
# Booked because its order never came; then it came.
_LATE = text("""
    SELECT row_id, at, seller_sku, event, reference, units, disposition, reason, center FROM fba_row AS f
    WHERE channel = :channel AND event = 'Shipments' AND state = 'booked' AND reference <> ''
      AND EXISTS (SELECT FROM order_line AS o WHERE o.channel = f.channel AND o.order_id = f.reference)
    ORDER BY at, row_id
""")


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row nobody has decided about.

    has_order   the book has an order by the name of its reference
    """

    row: LedgerRow
    seen_at: datetime
    has_order: bool


def new_rows(connection: Connection, channel: str, *, at_most: int) -> list[NewRow]:
    """Rows to decide about, oldest first; those of SKUs that are not followed wait and hold up no other."""
    values = {"channel": channel, "network": FBA, "at_most": at_most}
    rows = connection.execute(_NEW, values)
    return [NewRow(LedgerRow(*row[:9]), row.seen_at, row.has_order) for row in rows]


def late_orders(connection: Connection, channel: str) -> list[LedgerRow]:
    """Shipments that were booked for want of an order whose order is in the book now."""
    return [LedgerRow(*row) for row in connection.execute(_LATE, {"channel": channel})]


def settle_rows(
    connection: Connection,
    channel: str,
    row_ids: Iterable[str],
    state: str,
    *,
    now: datetime,
) -> None:
    """Write down what became of rows (a state of `fba_row`), in the transaction that tells the book."""
    given = sorted(row_ids)
    if given:
        values = {"channel": channel, "row_ids": given, "state": state, "now": now}
        connection.execute(_SETTLE, values)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two consecutive readings of one SKU, and what moved between them."""

    reading_id: int
    before_id: int
    seller_sku: str
    from_at: datetime
    to_at: datetime
    before: Parts
    after: Parts
    moves: Moves


# Explained again: for a month what has something unexplained, and what is young when rows or MCF orders came in late.
_PAIRS = text(f"""
    SELECT after.id, before.id AS before_id, after.seller_sku, before.as_of AS from_at, after.as_of AS to_at,
           {", ".join(f"before.{part} AS before_{part}" for part in PARTS)},
           {", ".join(f"after.{part} AS after_{part}" for part in PARTS)},
           told.received, told.returned, told.removed, told.adjusted,
           greatest(told.shipped, coalesce(booked.shipped, 0)) AS shipped,
           coalesce(mcf.ordered, 0) - coalesce(mcf.let_go, 0) AS mcf_ordered
    FROM fba_reading AS after
    LEFT JOIN fba_change AS known ON known.reading_id = after.id
    CROSS JOIN LATERAL (
        SELECT * FROM fba_reading AS earlier
        WHERE earlier.channel = after.channel AND earlier.seller_sku = after.seller_sku
          AND (earlier.as_of, earlier.id) < (after.as_of, after.id)
        ORDER BY earlier.as_of DESC, earlier.id DESC LIMIT 1
    ) AS before
    LEFT JOIN binding AS b
           ON b.channel = after.channel AND b.item_id = after.seller_sku AND b.vendor_location_id = :network
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(units) FILTER (WHERE event = 'Receipts'), 0)::bigint AS received,
               coalesce(sum(units) FILTER (WHERE event = 'CustomerReturns'), 0)::bigint AS returned,
               coalesce(sum(units) FILTER (WHERE event = 'VendorReturns'), 0)::bigint AS removed,
               coalesce(sum(units) FILTER (WHERE event NOT IN
                   ('Receipts', 'CustomerReturns', 'VendorReturns', 'WhseTransfers', 'Shipments')
                   OR (event = 'Shipments' AND units > 0)), 0)::bigint AS adjusted,
               coalesce(sum(-units) FILTER (WHERE event = 'Shipments' AND units < 0), 0)::bigint AS shipped
        FROM fba_row
        WHERE channel = after.channel AND seller_sku = after.seller_sku AND disposition = 'SELLABLE'
          AND at > before.as_of AND at <= after.as_of
    ) AS told
    LEFT JOIN LATERAL (
        SELECT (sum(p.units) / b.pack)::bigint AS shipped
        FROM posting AS p JOIN event AS e ON e.id = p.event_id AND e.kind = 'ship'
        WHERE p.sku = b.sku AND p.from_location = b.location AND p.to_state = 'customer'
          AND p.occurred_at > before.as_of AND p.occurred_at <= after.as_of
          AND NOT EXISTS (SELECT FROM event AS undo WHERE undo.reverses = e.id)
    ) AS booked ON true
    LEFT JOIN LATERAL (
        SELECT sum(l.units - l.unfulfillable_units) FILTER (
                   WHERE o.received_at > before.as_of AND o.received_at <= after.as_of)::bigint AS ordered,
               sum(l.cancelled_units) FILTER (
                   WHERE o.status_at > before.as_of AND o.status_at <= after.as_of)::bigint AS let_go
        FROM mcf_line AS l
        JOIN mcf_order AS o USING (channel, seller_fulfillment_order_id)
        WHERE l.channel = after.channel AND l.seller_sku = after.seller_sku
          AND (o.received_at > before.as_of OR o.status_at > before.as_of)
    ) AS mcf ON true
    WHERE after.channel = :channel
      AND (known.reading_id IS NULL
           OR (known.rest <> 0 AND after.as_of > :old)
           OR (after.as_of > :young AND (
               EXISTS (SELECT FROM fba_row AS f
                       WHERE f.channel = after.channel AND f.seller_sku = after.seller_sku
                         AND f.at > known.from_at AND f.at <= known.to_at AND f.seen_at >= known.explained_at)
               OR EXISTS (SELECT FROM mcf_line AS l JOIN mcf_order AS o USING (channel, seller_fulfillment_order_id)
                          WHERE l.channel = after.channel AND l.seller_sku = after.seller_sku
                            AND o.updated_at >= known.explained_at))))
    ORDER BY after.id
""")  # noqa: S608 -- names of columns, from the dataclass


def pairs(connection: Connection, channel: str, *, young: datetime, old: datetime) -> list[Pair]:
    """Changes that are not explained yet, or may be explained better.

    young    changes after it are explained again when something of theirs came in late
    old      those with a rest are explained again after this one
    """
    values = {"channel": channel, "network": FBA, "young": young, "old": old}
    return [
        Pair(
            row.id,
            row.before_id,
            row.seller_sku,
            row.from_at,
            row.to_at,
            parts_of(row, "before_"),
            parts_of(row, "after_"),
            Moves(
                row.received,
                row.returned,
                row.removed,
                row.adjusted,
                row.shipped,
                row.mcf_ordered,
            ),
        )
        for row in connection.execute(_PAIRS, values)
    ]


# Only asked for what differs: what Amazon's ledger shipped since the book follows, less what the book shipped.
_BEYOND = text("""
    SELECT m.seller_sku, (told.units * b.pack - coalesce(booked.units, 0))::bigint AS units
    FROM fba_mirror AS m
    JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = :network
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(-units), 0) AS units FROM fba_row
        WHERE channel = m.channel AND seller_sku = m.seller_sku AND event = 'Shipments' AND units < 0
          AND disposition = 'SELLABLE' AND state <> 'new' AND at > greatest(m.opened_at, CAST(:since AS timestamptz))
    ) AS told
    LEFT JOIN LATERAL (
        SELECT sum(p.units) AS units FROM posting AS p JOIN event AS e ON e.id = p.event_id AND e.kind = 'ship'
        WHERE p.sku = b.sku AND p.from_location = b.location AND p.to_state = 'customer'
          AND p.occurred_at > greatest(m.opened_at, CAST(:since AS timestamptz))
          AND NOT EXISTS (SELECT FROM event AS undo WHERE undo.reverses = e.id)
    ) AS booked ON true
    WHERE m.channel = :channel AND m.seller_sku = ANY(CAST(:skus AS text[]))
    ORDER BY m.seller_sku
""")


def shipped_beyond_the_book(
    connection: Connection, channel: str, seller_skus: Sequence[str], *, since: datetime
) -> dict[str, int]:
    """Units of ours that Amazon's ledger shipped and the book did not; below 0 where its rows are still to come."""
    if not seller_skus:
        return {}
    values = {"channel": channel, "network": FBA, "since": since, "skus": list(seller_skus)}
    return {row.seller_sku: row.units for row in connection.execute(_BEYOND, values)}
