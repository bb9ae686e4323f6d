"""SKUs: found by name, and what is where."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from console.views.listing import Listing
from ledger import queries

#: like: a pattern of ILIKE, or NULL; due: those alone whose numbers are to be computed
SKUS: Final = Listing(
    "sku, title, created_at",
    "FROM sku",
    """
    (CAST(:like AS text) IS NULL OR sku ILIKE :like OR title ILIKE :like)
      AND (CAST(:due AS boolean) IS NOT TRUE OR EXISTS (SELECT FROM due WHERE due.sku = sku.sku))
    """,
    (("sku", "text"),),
    newest=False,
    optional=("due",),
)

_SHOWN = text("""
    SELECT t.channel, t.location, t.units AS should, s.units AS confirmed, s.read_units AS read, s.read_at,
           d.error AS waits, EXISTS (SELECT FROM halt AS h WHERE h.channel = t.channel AND h.sku = t.sku
                                     AND h.state <> 'lifted') AS halted
    FROM target AS t
    LEFT JOIN shown AS s USING (channel, sku, location)
    LEFT JOIN push_due AS d USING (channel, sku, location)
    WHERE t.sku = :sku ORDER BY t.channel, t.location
""")


def like(said: str | None) -> str | None:
    """The pattern that finds these words anywhere."""
    if not said:
        return None
    plain = said.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"


def sku(
    connection: Connection,
    name: str,
    *,
    now: datetime,
    at: datetime | None = None,
    known_at: datetime | None = None,
) -> dict[str, Any] | None:
    """What is where, now or as of a moment and as known at another, and what channels show now; None: no such SKU."""
    if at or known_at:
        positions = queries.position_at(connection, name, at=at or now, known_at=known_at or now)
    else:
        positions = queries.positions(connection, name)
    shown = [dict(row) for row in connection.execute(_SHOWN, {"sku": name}).mappings()]
    if not positions and not shown:
        return None
    return {"sku": name, "positions": positions, "channels": shown}
