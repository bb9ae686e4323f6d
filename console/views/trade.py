"""Documents exchanged with partners, and what Amazon holds for the house."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from channels.edi import report
from console.views.listing import Listing

#: partner, number (or NULL); trouble: only those that need somebody
DOCUMENTS: Final = Listing(
    "d.id, d.made_at, d.partner, d.direction, d.set_id, i.control, d.order_number, d.release, d.reference, d.state,"
    " d.ack_state, d.due_at, d.error",
    "FROM edi_document AS d JOIN edi_interchange AS i ON i.id = d.interchange_id",
    """
    (CAST(:partner AS text) IS NULL OR d.partner = :partner)
      AND (CAST(:number AS text) IS NULL OR d.order_number = :number)
      AND (NOT :trouble OR d.ack_state IN ('rejected', 'overdue') OR d.state IN ('held', 'parked', 'rejected'))
    """,
    (("d.id", "bigint"),),
)

_DOCUMENT = text("""
    SELECT d.id, d.made_at, d.partner, d.direction, d.set_id, d.group_control, d.set_control, d.order_number, d.release,
           d.reference, d.state, d.ack_state, d.due_at, d.acked_at, d.answers, d.resends, d.error, i.control, i.file,
           i.sent_at, encode(coalesce(i.body, n.body), 'escape') AS body
    FROM edi_document AS d JOIN edi_interchange AS i ON i.id = d.interchange_id
    LEFT JOIN inbox AS n ON n.id = i.inbox_id
    WHERE d.id = :id
""")

#: What the vendor holds, and how far the mirror is off; sku (or NULL).
FBA: Final = Listing(
    "m.channel, m.seller_sku, b.sku, r.as_of, r.fulfillable, r.pending_orders,"
    " r.transshipment + r.processing + r.researching AS held,"
    " r.inbound_working + r.inbound_shipped + r.inbound_receiving AS inbound, r.unfulfillable, r.read_at,"
    " (SELECT units FROM balance WHERE balance.sku = b.sku AND balance.location = b.location"
    " AND state = 'available') AS available, m.off_units AS off, m.off_cycles AS windows, m.off_since",
    "FROM fba_mirror AS m JOIN fba_reading AS r ON r.id = m.reading_id"
    " LEFT JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = 'FBA'",
    """
    (CAST(:channel AS text) IS NULL OR m.channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR m.seller_sku = :sku
           OR (m.channel, m.seller_sku) IN (
               SELECT channel, item_id FROM binding
               WHERE channel = ANY(ARRAY(SELECT channel FROM channel)) AND sku = :sku AND vendor_location_id = 'FBA'))
      AND (NOT :off OR m.off_units <> 0)
    """,
    (("m.channel", "text"), ("m.seller_sku", "text")),
    newest=False,
)

_SPLIT = text("""
    SELECT c.channel, count(*) FILTER (WHERE b.read_only) AS fba, count(*) FILTER (WHERE NOT b.read_only) AS fbm,
           (SELECT count(*) FROM fba_mirror AS m WHERE m.channel = c.channel AND m.off_units <> 0) AS off,
           (SELECT count(*) FROM mcf_order AS o WHERE o.channel = c.channel AND o.problem <> '') AS mcf_problems
    FROM channel AS c LEFT JOIN binding AS b ON b.channel = c.channel
    WHERE c.kind = 'amazon' GROUP BY c.channel ORDER BY c.channel
""")
#: ASINs that a channel's offers were heard of, by name; channel; sku: one of them (or NULL).
OFFERS: Final = Listing(
    "o.channel, o.asin",
    "FROM (SELECT DISTINCT channel, asin FROM offer_share) AS o",
    """
    (CAST(:channel AS text) IS NULL OR o.channel = :channel) AND (CAST(:sku AS text) IS NULL OR o.asin = :sku)
    """,
    (("o.channel", "text"), ("o.asin", "text")),
    newest=False,
)

_RISK = text("""
    SELECT t.channel, t.sku, sum(t.units)::bigint AS units
    FROM unnest(CAST(:channels AS text[]), CAST(:skus AS text[])) AS place (channel, sku)
    JOIN target AS t ON t.channel = place.channel AND t.sku = place.sku
    GROUP BY t.channel, t.sku
""")


def document(connection: Connection, number: int) -> dict[str, Any] | None:
    """A document as it was exchanged; None: there is none."""
    row = connection.execute(_DOCUMENT, {"id": number}).mappings().one_or_none()
    return None if row is None else dict(row)


def status(connection: Connection, now: datetime) -> dict[str, Any]:
    """How every partner stands, which documents need somebody, and what was not taken."""
    return {
        "partners": [
            asdict(each) | {"in_trouble": each.is_in_trouble}
            for each in report.partners(connection, now=now)
        ],
        "trouble": report.documents(connection, trouble=True),
        "refused": report.refused(connection),
    }


def split(connection: Connection) -> list[dict[str, Any]]:
    """Of each Amazon channel, who ships how many SKUs."""
    return [dict(row) for row in connection.execute(_SPLIT).mappings()]


def units_off_sale(
    connection: Connection, places: list[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """(channel, SKU) -> units that would be for sale there."""
    given = {"channels": [channel for channel, _ in places], "skus": [sku for _, sku in places]}
    return {(row.channel, row.sku): row.units for row in connection.execute(_RISK, given)}
