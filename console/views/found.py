"""What a search box finds: SKUs, names at channels, orders, purchase orders, events, pushes, deliveries."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Connection, text

from console.views.stock import like

MOST: Final = 20

SKUS: Final = text("""
    SELECT sku, title FROM sku
    WHERE sku = :said OR sku ILIKE :like OR title ILIKE :like
    ORDER BY sku <> :said, sku LIMIT :most
""")
ITEMS: Final = text("""
    SELECT DISTINCT b.channel, b.sku, b.item_id
    FROM channel AS c JOIN binding AS b ON b.channel = c.channel AND b.item_id = :said
    UNION
    SELECT b.channel, b.sku, b.item_id
    FROM channel AS c JOIN binding AS b ON b.channel = c.channel AND b.variant_id = :said
    LIMIT :most
""")
ORDERS: Final = text("""
    SELECT c.channel, found.order_id, found.lines
    FROM channel AS c
    CROSS JOIN LATERAL (
        SELECT order_id, count(*) AS lines FROM order_line
        WHERE channel = c.channel AND order_id = :said GROUP BY order_id
    ) AS found
""")
PURCHASES: Final = text(
    "SELECT partner, number, release, state FROM edi_order WHERE number = :said LIMIT :most"
)
EVENTS: Final = text("""
    SELECT id::text, kind, source, source_id FROM event WHERE id = CAST(:uuid AS uuid)
""")
NUMBERS: Final = text("""
    SELECT 'push' AS what, id, channel || ' ' || sku || ' ' || units AS said FROM push WHERE id = :number
    UNION ALL
    SELECT 'delivery', id, source || ' ' || delivery_id || ' ' || state FROM inbox WHERE id = :number
    UNION ALL
    SELECT 'drift', id, channel || ' ' || sku || ' ' || cause FROM drift WHERE id = :number
    UNION ALL
    SELECT 'incident', id, rule || ' ' || channel FROM incident WHERE id = :number
    UNION ALL
    SELECT 'case', id, channel || ' ' || order_id || ' ' || sku FROM oversold_case WHERE id = :number
    UNION ALL
    SELECT 'failure', id, class || ' ' || object FROM failure WHERE id = :number
""")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"(?:inc-|#)?(\d{1,18})", re.ASCII | re.IGNORECASE)


def find(connection: Connection, said: str) -> dict[str, list[dict[str, Any]]]:
    """Everything that goes by this name, by kind; kinds without a find are left out."""
    given: dict[str, Any] = {"said": said, "like": like(said), "most": MOST}
    asked = {"skus": SKUS, "listings": ITEMS, "orders": ORDERS, "purchases": PURCHASES}
    found = {
        name: [dict(row) for row in connection.execute(statement, given).mappings()]
        for name, statement in asked.items()
    }
    if _UUID.fullmatch(said):
        rows = connection.execute(EVENTS, {"uuid": said}).mappings()
        found["events"] = [dict(row) for row in rows]
    if number := _NUMBER.fullmatch(said):
        rows = connection.execute(NUMBERS, {"number": int(number[1])}).mappings()
        found["numbers"] = [dict(row) for row in rows]
    return {name: rows for name, rows in found.items() if rows}
