"""What Amazon holds for the house, what it ships for other shops, featured offers, planning figures, IPI."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text

from channels.amazon import health_store
from console.access.types import Unknown

KIND: Final = "amazon"

_CHANNELS = text("SELECT channel FROM channel WHERE kind = :kind ORDER BY channel")
_FBA = text("""
    SELECT m.channel, m.seller_sku, b.sku, r.as_of, r.fulfillable, r.pending_orders,
           r.transshipment + r.processing + r.researching AS held, r.transshipment, r.processing, r.researching,
           r.inbound_working + r.inbound_shipped + r.inbound_receiving AS inbound, r.inbound_working,
           r.inbound_shipped, r.inbound_receiving, r.unfulfillable, r.source, r.read_at,
           (SELECT units FROM balance
            WHERE balance.sku = b.sku AND balance.location = b.location AND state = 'available') AS available,
           m.off_units AS off, m.off_cycles AS windows, m.off_since
    FROM fba_mirror AS m
    JOIN fba_reading AS r ON r.id = m.reading_id
    LEFT JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = 'FBA'
    WHERE m.channel = :channel AND (CAST(:sku AS text) IS NULL OR :sku IN (m.seller_sku, b.sku))
      AND (NOT :only_off OR m.off_units <> 0)
    ORDER BY m.seller_sku
""")
_CHANGES = text("""
    SELECT seller_sku, from_at, to_at, fulfillable AS change, sale, mcf, inbound, returned, removal, adjustment,
           transfer, rest
    FROM fba_change
    WHERE channel = :channel AND (CAST(:sku AS text) IS NULL OR seller_sku = :sku) AND (NOT :only_rest OR rest <> 0)
    ORDER BY to_at DESC, reading_id DESC LIMIT :limit
""")
_MCF = text("""
    SELECT seller_fulfillment_order_id AS id, status, role, of_channel, of_order, ours, received_at, status_at,
           (SELECT sum(units) FROM mcf_line AS l WHERE l.channel = o.channel
               AND l.seller_fulfillment_order_id = o.seller_fulfillment_order_id) AS units,
           (SELECT sum(units) FROM mcf_shipped AS s WHERE s.channel = o.channel
               AND s.seller_fulfillment_order_id = o.seller_fulfillment_order_id) AS shipped,
           problem
    FROM mcf_order AS o WHERE channel = :channel AND (NOT :only_problems OR problem <> '')
    ORDER BY coalesce(received_at, seen_at) DESC LIMIT :limit
""")


def channels_of(connection: Connection) -> list[str]:
    """The channels at Amazon, by name."""
    return list(connection.execute(_CHANNELS, {"kind": KIND}).scalars())


def channel_of(connection: Connection, name: str | None) -> str:
    """The channel that is meant: the one named, or the only one there is. Raises Unknown."""
    known = channels_of(connection)
    if name is None and len(known) == 1:
        return known[0]
    if name is not None and name in known:
        return name
    listed = ", ".join(known) or "none"
    raise Unknown(f"which channel? Of kind {KIND}: {listed}. Say it with --channel")


def fba(
    connection: Connection, name: str | None, sku: str | None, *, only_off: bool
) -> list[dict[str, Any]]:
    """What Amazon holds of each SKU, as of its own time, and what the book says of it."""
    return _rows(connection, _FBA, name, sku=sku, only_off=only_off)


def changes(
    connection: Connection, name: str | None, sku: str | None, *, only_rest: bool, limit: int
) -> list[dict[str, Any]]:
    """Each change of what can be sold, by cause."""
    return _rows(connection, _CHANGES, name, sku=sku, only_rest=only_rest, limit=limit)


def mcf(
    connection: Connection, name: str | None, *, only_problems: bool, limit: int
) -> list[dict[str, Any]]:
    """Orders of other shops that Amazon ships, newest first."""
    return _rows(connection, _MCF, name, only_problems=only_problems, limit=limit)


def scores(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    """IPI scores, newest first."""
    return [dict(row) for row in health_store.ipi(connection, channel_of(connection, name))]


def offers(
    connection: Connection, name: str | None, days: int, now: datetime
) -> list[dict[str, Any]]:
    """Our share of the featured offer of each ASIN, by time, beside the hours in which Amazon had none to sell.

    An offer that is lost while there was nothing to sell is lost for that; one that is lost at a price above the
    featured one is lost for the price.
    """
    channel, since = channel_of(connection, name), now - timedelta(days=days)
    shelves = health_store.shelves(connection, channel, since=since, now=now)
    return [
        asdict(share) | beside(shelves.get(share.asin))
        for share in health_store.shares(connection, channel, since=since, now=now)
    ]


def beside(shelf: health_store.Shelf | None) -> dict[str, Any]:
    """What stands beside a share: hours out of stock, and units to sell now; None: Amazon holds none of it."""
    if shelf is None:
        return {"out_hours": None, "fulfillable": None}
    return {"out_hours": round(shelf.out_s / 3600, 1), "fulfillable": shelf.fulfillable}


def _rows(
    connection: Connection, statement: TextClause, name: str | None, **said: Any
) -> list[dict[str, Any]]:
    values = {"channel": channel_of(connection, name), **said}
    return [dict(row) for row in connection.execute(statement, values).mappings()]
