"""What partners were promised for later, as rows: units of our SKUs and the day each was promised for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from channels.edi.standing import order_id

_BACKORDERS = text("""
    SELECT o.partner, o.number, o.release, l.line, l.store, o.location, l.promised_for, part.sku,
           sum(l.backordered * part.units)::bigint AS units, jsonb_array_length(l.parts) AS parts
    FROM edi_line AS l
    JOIN edi_order AS o ON o.partner = l.partner AND o.number = l.number AND o.release = l.release
    CROSS JOIN LATERAL jsonb_to_recordset(l.parts) AS part (sku text, units bigint)
    WHERE l.backordered > 0 AND o.state = 'open'
      AND (CAST(:skus AS text[]) IS NULL OR part.sku = ANY(CAST(:skus AS text[])))
    GROUP BY o.partner, o.number, o.release, l.partner, l.number, l.release, l.line, l.store, part.sku
    ORDER BY l.promised_for, o.ordered_at, o.partner, o.number, o.release, l.place, l.store, part.sku
""")


@dataclass(frozen=True, slots=True)
class Backorder:
    """Units of one SKU that a line of an order waits for.

    key             (line, store) of the order
    order, line     as the ledger names them
    """

    partner: str
    order: str
    line: str
    key: tuple[str, str]
    sku: str
    location: str
    units: int
    promised_for: date


def backorders(connection: Connection, skus: Collection[str] | None = None) -> list[Backorder]:
    """Everything that waits, by the day and then by the order it was promised in; of these SKUs, or of all."""
    given = None if skus is None else sorted(skus)
    return [
        Backorder(
            partner=row.partner,
            order=order_id(row.number, row.release),
            line=_name(row.line, row.store, row.sku if row.parts > 1 else ""),
            key=(row.line, row.store),
            sku=row.sku,
            location=row.location,
            units=row.units,
            promised_for=row.promised_for,
        )
        for row in connection.execute(_BACKORDERS, {"skus": given})
    ]


def _name(line: str, store: str, part: str) -> str:
    name = f"{line}@{store}" if store else line
    return f"{name}#{part}" if part else name
