"""MCF orders in PostgreSQL: what Amazon has, whose they are, and what the book was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from channels.amazon.mcf import ASKED, ENDED, McfDetail, McfLine, McfOrder, McfShipped
from channels.amazon.mcf_booking import Act, Left, Line, Told


@dataclass(frozen=True, slots=True)
class Kept:
    """An MCF order as we know it.

    role       new, matched or foreign;  of  (channel, order) in the book, when matched
    problem    why it cannot be booked, in words; "" when it can
    seen_at    when we first heard of it
    """

    detail: McfDetail
    role: str
    of: tuple[str, str] | None
    ours: bool
    problem: str
    seen_at: datetime


_KEEP_ORDER = text("""
    INSERT INTO mcf_order (channel, seller_fulfillment_order_id, displayable_order_id, status, received_at, status_at,
                           seen_at, updated_at)
    VALUES (:channel, :id, :displayable, :status, :received_at, :status_at, :now, :now)
    ON CONFLICT (channel, seller_fulfillment_order_id) DO UPDATE SET
        displayable_order_id = excluded.displayable_order_id, status = excluded.status,
        received_at = excluded.received_at, status_at = excluded.status_at, updated_at = excluded.updated_at
    WHERE mcf_order.status_at IS NULL OR mcf_order.status_at <= excluded.status_at
""")
_KEEP_LINES = text("""
    INSERT INTO mcf_line (channel, seller_fulfillment_order_id, item_id, seller_sku, units, cancelled_units,
                          unfulfillable_units)
    SELECT :channel, :id, item_id, seller_sku, units, cancelled, unfulfillable
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        item_id text, seller_sku text, units bigint, cancelled bigint, unfulfillable bigint)
    ORDER BY item_id
    ON CONFLICT (channel, seller_fulfillment_order_id, item_id) DO UPDATE SET
        units = excluded.units, cancelled_units = excluded.cancelled_units,
        unfulfillable_units = excluded.unfulfillable_units
""")
_KEEP_SHIPPED = text("""
    INSERT INTO mcf_shipped (channel, seller_fulfillment_order_id, shipment_id, item_id, units, shipped_at)
    SELECT :channel, :id, shipment_id, item_id, units, shipped_at
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        shipment_id text, item_id text, units bigint, shipped_at timestamptz)
    ORDER BY shipment_id, item_id
    ON CONFLICT DO NOTHING
""")


def keep(connection: Connection, channel: str, detail: McfDetail, *, now: datetime) -> None:
    """Keep an order as Amazon shows it; an older state never overwrites a newer one."""
    order = detail.order
    values = {"channel": channel, "id": order.seller_id}
    kept = connection.execute(
        _KEEP_ORDER,
        values
        | {
            "displayable": order.displayable_id,
            "status": order.status,
            "received_at": order.received_at,
            "status_at": order.status_at,
            "now": now,
        },
    )
    if kept.rowcount:
        lines = orjson.dumps([asdict(line) for line in detail.lines]).decode()
        connection.execute(_KEEP_LINES, values | {"rows": lines})
    # What has left has left, in whatever order it is told.
    shipped = orjson.dumps([asdict(one) for one in detail.shipped]).decode()
    connection.execute(_KEEP_SHIPPED, values | {"rows": shipped})


_ASK = text("""
    INSERT INTO mcf_order (channel, seller_fulfillment_order_id, displayable_order_id, status, role, of_channel,
                           of_order, ours, seen_at, updated_at)
    VALUES (:channel, :id, :displayable, :status, 'matched', :of_channel, :of_order, true, :now, :now)
    ON CONFLICT (channel, seller_fulfillment_order_id) DO UPDATE SET
        role = 'matched', of_channel = excluded.of_channel, of_order = excluded.of_order, ours = true
""")


def ask(
    connection: Connection,
    channel: str,
    seller_id: str,
    displayable_id: str,
    of: tuple[str, str],
    *,
    now: datetime,
) -> None:
    """Remember that Amazon is going to be asked to ship an order of the book."""
    connection.execute(
        _ASK,
        {
            "channel": channel,
            "id": seller_id,
            "displayable": displayable_id,
            "status": ASKED,
            "of_channel": of[0],
            "of_order": of[1],
            "now": now,
        },
    )


_DROP = text("""
    UPDATE mcf_order SET status = 'Invalid', problem = :why, updated_at = :now
    WHERE channel = :channel AND seller_fulfillment_order_id = :id AND status = :asked
""")


def refused(
    connection: Connection, channel: str, seller_id: str, why: str, *, now: datetime
) -> None:
    """Amazon did not take what it was asked."""
    values = {"channel": channel, "id": seller_id, "why": why[:500], "now": now, "asked": ASKED}
    connection.execute(_DROP, values)


_KNOWN = text("""
    SELECT seller_fulfillment_order_id AS id, status, status_at FROM mcf_order
    WHERE channel = :channel AND seller_fulfillment_order_id = ANY(CAST(:ids AS text[]))
""")


def unknown_states(
    connection: Connection, channel: str, orders: Sequence[McfOrder]
) -> list[McfOrder]:
    """Those of the listed orders whose state is news to us."""
    ids = [order.seller_id for order in orders]
    rows = connection.execute(_KNOWN, {"channel": channel, "ids": ids})
    known = {row.id: (row.status, row.status_at) for row in rows}
    return [o for o in orders if known.get(o.seller_id) != (o.status, o.status_at)]


_TO_ASK = text("""
    SELECT seller_fulfillment_order_id FROM mcf_order
    WHERE channel = :channel AND status IN ('Processing', :asked) AND updated_at < :before
    ORDER BY updated_at, seller_fulfillment_order_id LIMIT :at_most
""")


def to_ask(connection: Connection, channel: str, *, before: datetime, at_most: int) -> list[str]:
    """Orders whose shipments may move without their status, and those Amazon has not confirmed."""
    values = {"channel": channel, "asked": ASKED, "before": before, "at_most": at_most}
    return list(connection.execute(_TO_ASK, values).scalars())


# Settled again: whatever is not over, and what ended lately, since the shop may tell the same shipment later.
_UNSETTLED = text("""
    SELECT * FROM mcf_order
    WHERE channel = :channel AND received_at IS NOT NULL
      AND (role = 'new' OR problem <> '' OR NOT status = ANY(CAST(:ended AS text[])) OR updated_at > :since)
    ORDER BY received_at, seller_fulfillment_order_id
""")
_LINES = text("""
    SELECT seller_fulfillment_order_id AS id, item_id, seller_sku, units, cancelled_units, unfulfillable_units
    FROM mcf_line
    WHERE channel = :channel AND seller_fulfillment_order_id = ANY(CAST(:ids AS text[]))
    ORDER BY 1, 2
""")
_SHIPPED = text("""
    SELECT seller_fulfillment_order_id AS id, shipment_id, item_id, units, shipped_at FROM mcf_shipped
    WHERE channel = :channel AND seller_fulfillment_order_id = ANY(CAST(:ids AS text[]))
    ORDER BY shipped_at, shipment_id, item_id
""")


def unsettled(connection: Connection, channel: str, *, since: datetime) -> list[Kept]:
    """Orders that may have something to be told, oldest first."""
    found = connection.execute(
        _UNSETTLED, {"channel": channel, "ended": list(ENDED), "since": since}
    ).fetchall()
    of_these = {"channel": channel, "ids": [row.seller_fulfillment_order_id for row in found]}
    lines: dict[str, list[McfLine]] = {}
    for row in connection.execute(_LINES, of_these):
        lines.setdefault(row.id, []).append(McfLine(*row[1:]))
    shipped: dict[str, list[McfShipped]] = {}
    for row in connection.execute(_SHIPPED, of_these):
        shipped.setdefault(row.id, []).append(McfShipped(*row[1:]))
    return [
        _kept(
            row,
            lines.get(row.seller_fulfillment_order_id, []),
            shipped.get(row.seller_fulfillment_order_id, []),
        )
        for row in found
    ]


def _kept(row: Row[Any], lines: Sequence[McfLine], shipped: Sequence[McfShipped]) -> Kept:
    order = McfOrder(
        row.seller_fulfillment_order_id,
        row.displayable_order_id,
        row.status,
        row.received_at,
        row.status_at,
    )
    of = (row.of_channel, row.of_order) if row.role == "matched" else None
    detail = McfDetail(order, tuple(lines), tuple(shipped))
    return Kept(detail, row.role, of, row.ours, row.problem, row.seen_at)


_CANDIDATES = text("""
    SELECT channel, order_id, array_agg(DISTINCT sku ORDER BY sku) AS skus FROM order_line
    WHERE channel <> :channel AND order_id = ANY(CAST(:ids AS text[]))
    GROUP BY channel, order_id ORDER BY channel, order_id
""")


def candidates(
    connection: Connection, channel: str, ids: Sequence[str]
) -> list[tuple[str, str, frozenset[str]]]:
    """Orders of other channels by these ids: (channel, order, its SKUs)."""
    rows = connection.execute(_CANDIDATES, {"channel": channel, "ids": list(ids)})
    return [(row.channel, row.order_id, frozenset(row.skus)) for row in rows]


_ROLE = text("""
    UPDATE mcf_order SET role = :role, of_channel = :of_channel, of_order = :of_order, problem = :problem
    WHERE channel = :channel AND seller_fulfillment_order_id = :id
      AND (role, coalesce(of_channel, ''), coalesce(of_order, ''), problem)
          IS DISTINCT FROM (:role, coalesce(:of_channel, ''), coalesce(:of_order, ''), :problem)
""")


def set_role(
    connection: Connection,
    channel: str,
    seller_id: str,
    role: str,
    of: tuple[str, str] | None,
    problem: str,
) -> None:
    """Say whose an order is, and what stands in the way of booking it."""
    connection.execute(
        _ROLE,
        {
            "channel": channel,
            "id": seller_id,
            "role": role,
            "of_channel": of[0] if of else None,
            "of_order": of[1] if of else None,
            "problem": problem[:500],
        },
    )


_TOLD = text("""
    SELECT fact_id, kind, for_channel, for_order, for_line, units FROM mcf_fact
    WHERE channel = :channel AND seller_fulfillment_order_id = :id AND NOT undone ORDER BY made_at, fact_id
""")
_TELL = text("""
    INSERT INTO mcf_fact (channel, seller_fulfillment_order_id, fact_id, kind, for_channel, for_order, for_line, units,
                          made_at)
    VALUES (:channel, :id, :fact_id, :kind, :for_channel, :for_order, :for_line, :units, :now)
    ON CONFLICT DO NOTHING
""")
_UNTELL = text("UPDATE mcf_fact SET undone = true WHERE channel = :channel AND fact_id = :fact_id")


def told(connection: Connection, channel: str, seller_id: str) -> list[Told]:
    """What the book was told of an order and still stands."""
    rows = connection.execute(_TOLD, {"channel": channel, "id": seller_id})
    return [Told(*row) for row in rows]


def tell(
    connection: Connection, channel: str, seller_id: str, acts: Sequence[Act], *, now: datetime
) -> None:
    """Remember what the book is told, in the transaction that tells it."""
    for act in acts:
        if act.undoes:
            connection.execute(_UNTELL, {"channel": channel, "fact_id": act.undoes})
        if act.told is not None:
            connection.execute(
                _TELL,
                {
                    "channel": channel,
                    "id": seller_id,
                    "fact_id": act.told.fact_id,
                    "kind": act.told.kind,
                    "for_channel": act.told.channel,
                    "for_order": act.told.order,
                    "for_line": act.told.line,
                    "units": act.told.units,
                    "now": now,
                },
            )


_ORDER_LINES = text("""
    SELECT line_id, sku, location, ordered_units, cancelled_units, shipped_units FROM order_line
    WHERE channel = :channel AND order_id = :order ORDER BY line_id
""")
_LEFT = text("""
    SELECT e.source, e.source_id, e.line_id, p.from_location, p.units, e.occurred_at
    FROM event AS e
    JOIN posting AS p ON p.event_id = e.id AND p.to_state = 'customer'
    WHERE e.channel = :channel AND e.order_id = :order AND e.kind = 'ship' AND e.source <> :amazon
      AND NOT EXISTS (SELECT FROM event AS undo WHERE undo.reverses = e.id)
    ORDER BY e.occurred_at, e.source_id
""")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line of an order in the book; units are ours."""

    line: str
    sku: str
    location: str
    ordered: int
    cancelled: int
    shipped: int

    @property
    def open(self) -> int:
        """Units still promised."""
        return self.ordered - self.cancelled - self.shipped

    @property
    def short(self) -> Line:
        """As the booking needs it."""
        return Line(self.line, self.sku, self.ordered, self.cancelled)


def order_lines(connection: Connection, of: tuple[str, str]) -> list[OrderLine]:
    """The lines of an order in the book."""
    rows = connection.execute(_ORDER_LINES, {"channel": of[0], "order": of[1]})
    return [OrderLine(*row) for row in rows]


def left(connection: Connection, of: tuple[str, str], amazon: str) -> list[Left]:
    """Shipments of an order that others than Amazon's channel told the book, and that stand."""
    rows = connection.execute(_LEFT, {"channel": of[0], "order": of[1], "amazon": amazon})
    return [Left(*row) for row in rows]
