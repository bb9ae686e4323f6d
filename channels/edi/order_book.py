"""Orders of partners as rows: read and locked, written back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import Connection, text

from channels.edi.documents import Party, ProductId, Reference
from channels.edi.standing import Standing, StandingLine
from channels.names import Part

#: An order's place among those that wait: (ordered at, partner, number, release).
Turn: TypeAlias = tuple[datetime, str, str, str]

_ORDER = text("""
    SELECT number, release, state, kind, day, location, document_id, content_hash, changes_seen, parties,
           ordered_at, revision
    FROM edi_order
    WHERE partner = :partner AND number = :number AND release = :release
    FOR UPDATE
""")

_LINES = text("""
    SELECT line, store, place, item, products, parts, measure, price, ordered, accepted, backordered, rejected,
           noticed, promised_for
    FROM edi_line
    WHERE partner = :partner AND number = :number AND release = :release
    ORDER BY place, line, store
""")

_SHIPPED = text("""
    SELECT line_id, shipped_units FROM order_line WHERE channel = :partner AND order_id = :order_id
""")

_KEEP_ORDER = text("""
    INSERT INTO edi_order (partner, number, release, state, kind, day, location, document_id, content_hash,
                           changes_seen, parties, ordered_at, revision)
    VALUES (:partner, :number, :release, :state, :kind, :day, :location, :document_id, :content_hash,
            :changes_seen, CAST(:parties AS jsonb), :ordered_at, :revision)
    ON CONFLICT (partner, number, release) DO UPDATE SET
        state = excluded.state, kind = excluded.kind, day = excluded.day, document_id = excluded.document_id,
        content_hash = excluded.content_hash, changes_seen = excluded.changes_seen, parties = excluded.parties,
        revision = excluded.revision
""")

_KEEP_LINES = text("""
    INSERT INTO edi_line (partner, number, release, line, store, place, item, products, parts, measure, price,
                          ordered, accepted, backordered, rejected, promised_for)
    SELECT :partner, :number, :release, line, store, place, item, products, parts, measure, price,
           ordered, accepted, backordered, rejected, promised_for
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (line text, store text, place integer, item text, products jsonb, parts jsonb, measure text,
                   price numeric, ordered bigint, accepted bigint, backordered bigint, rejected bigint,
                   promised_for date)
    ORDER BY line, store
    ON CONFLICT (partner, number, release, line, store) DO UPDATE SET
        item = excluded.item, products = excluded.products, parts = excluded.parts, measure = excluded.measure,
        price = excluded.price, ordered = excluded.ordered, accepted = excluded.accepted,
        backordered = excluded.backordered, rejected = excluded.rejected, promised_for = excluded.promised_for
""")

_NOTICE = text("""
    UPDATE edi_line SET noticed = noticed + given.quantity
    FROM json_to_recordset(CAST(:rows AS json)) AS given (line text, store text, quantity bigint)
    WHERE edi_line.partner = :partner AND edi_line.number = :number AND edi_line.release = :release
      AND edi_line.line = given.line AND edi_line.store = given.store
""")

_BACKORDERS = text("""
    SELECT DISTINCT o.partner, o.number, o.release, o.ordered_at
    FROM edi_line AS l
    JOIN edi_order AS o ON o.partner = l.partner AND o.number = l.number AND o.release = l.release
    CROSS JOIN LATERAL jsonb_to_recordset(l.parts) AS part (sku text, units bigint)
    JOIN balance AS b ON b.sku = part.sku AND b.location = o.location AND b.state = 'available'
    WHERE l.backordered > 0 AND o.state = 'open'
      AND (b.units >= part.units OR EXISTS (
          SELECT FROM program AS p JOIN program_line AS held ON held.program = p.name
          WHERE p.partner = o.partner AND p.state = 'open' AND held.sku = b.sku AND held.location = b.location
            AND held.agreed - held.used - held.released > 0))
      AND (o.ordered_at, o.partner, o.number, o.release)
        > (CAST(:ordered_at AS timestamptz), CAST(:partner AS text), CAST(:number AS text), CAST(:release AS text))
    ORDER BY o.ordered_at, o.partner, o.number, o.release
    LIMIT :most
""")


def standing(connection: Connection, partner: str, number: str, release: str) -> Standing | None:
    """An order, locked, with what the ledger shipped of each line; None when there is none."""
    key = {"partner": partner, "number": number, "release": release}
    row = connection.execute(_ORDER, key).one_or_none()
    if row is None:
        return None
    found = Standing(
        number=row.number,
        release=row.release,
        kind=row.kind,
        day=row.day,
        location=row.location,
        document_id=row.document_id,
        content_hash=row.content_hash,
        ordered_at=row.ordered_at,
        revision=row.revision,
        parties=tuple(_party(said) for said in row.parties),
        changes_seen=row.changes_seen,
        is_cancelled=row.state == "cancelled",
    )
    rows = connection.execute(_SHIPPED, {"partner": partner, "order_id": found.order_id})
    shipped = {row.line_id: row.shipped_units for row in rows}
    lines = [_line(line, shipped) for line in connection.execute(_LINES, key)]
    return found.with_lines(tuple(lines))


def keep(
    connection: Connection, partner: str, order: Standing, changed: Iterable[StandingLine]
) -> None:
    """Write an order as it stands, and those of its lines that changed."""
    key = {"partner": partner, "number": order.number, "release": order.release}
    connection.execute(
        _KEEP_ORDER,
        {
            **key,
            "state": "cancelled" if order.is_cancelled else "open",
            "kind": order.kind,
            "day": order.day,
            "location": order.location,
            "document_id": order.document_id,
            "content_hash": order.content_hash,
            "changes_seen": order.changes_seen,
            "parties": orjson.dumps([asdict(party) for party in order.parties]).decode(),
            "ordered_at": order.ordered_at,
            "revision": order.revision,
        },
    )
    rows = [_row(line) for line in changed]
    connection.execute(_KEEP_LINES, {**key, "rows": orjson.dumps(rows).decode()})


def notice(
    connection: Connection, partner: str, order: Standing, told: Sequence[tuple[str, str, int]]
) -> None:
    """Add what a ship notice tells to its lines: (line, store, quantity)."""
    rows = [{"line": line, "store": store, "quantity": units} for line, store, units in told]
    key = {"partner": partner, "number": order.number, "release": order.release}
    connection.execute(_NOTICE, {**key, "rows": orjson.dumps(rows).decode()})


#: Before every order.
FIRST: Final[Turn] = (datetime.min.replace(tzinfo=UTC), "", "", "")


def fillable(connection: Connection, after: Turn = FIRST, *, most: int) -> list[Turn]:
    """(ordered at, partner, number, release) of orders with a backordered line of which stock is there now.

    Stock that is reserved for the partner counts.

    Oldest first, and only those behind `after`.
    """
    ordered_at, partner, number, release = after
    key = {"ordered_at": ordered_at, "partner": partner, "number": number, "release": release}
    rows = connection.execute(_BACKORDERS, {**key, "most": most})
    return [(row.ordered_at, row.partner, row.number, row.release) for row in rows]


def _line(row: Any, shipped_units: dict[str, int]) -> StandingLine:
    line = StandingLine(
        line=row.line,
        store=row.store,
        place=row.place,
        item=row.item,
        products=tuple(ProductId(said["qualifier"], said["value"]) for said in row.products),
        parts=tuple(Part(said["sku"], said["units"]) for said in row.parts),
        measure=row.measure,
        price=None if row.price is None else Decimal(row.price),
        ordered=row.ordered,
        accepted=row.accepted,
        backordered=row.backordered,
        rejected=row.rejected,
        noticed=row.noticed,
        promised_for=row.promised_for,
    )
    return line.with_shipped(shipped_units)


def _row(line: StandingLine) -> dict[str, Any]:
    return {
        "line": line.line,
        "store": line.store,
        "place": line.place,
        "item": line.item,
        "products": [asdict(product) for product in line.products],
        "parts": [asdict(part) for part in line.parts],
        "measure": line.measure,
        "price": None if line.price is None else str(line.price),
        "ordered": line.ordered,
        "accepted": line.accepted,
        "backordered": line.backordered,
        "rejected": line.rejected,
        "promised_for": line.promised_for,
    }


def _party(said: dict[str, Any]) -> Party:
    references = tuple(Reference(**each) for each in said["references"])
    listed = {"more_names", "address", "references"}
    plain = {name: value for name, value in said.items() if name not in listed}
    return Party(
        **plain,
        more_names=tuple(said["more_names"]),
        address=tuple(said["address"]),
        references=references,
    )
