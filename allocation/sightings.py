"""What notifications say a channel shows. Never a posting: an echo proves our push, too much asks for a look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Seen:
    """A number that a notification told, by the vendor's names.

    units    in the vendor's own
    at       when, by the vendor's clock
    """

    channel: str
    item_id: str
    vendor_location_id: str
    units: int
    at: datetime


# An echo is known by its value: it is what the channel confirmed last. It saves the read-back that was to come, but not
# that of a zero, which takes a listing off sale if nobody has yet. A vendor's clock that is ahead counts as ours.
# Less than was confirmed is mostly a sale whose order is on its way to us: reconciliation judges it. More than there
# should be, with nothing on its way, is read back at once, or when the write before it has settled: until then a vendor
# may tell the number of before, and whoever reads it then finds a write swallowed that is on its way. What is halted
# should show nothing, whatever was confirmed and whatever waits until the halt is lifted.
_NOTE = text("""
    WITH told AS (
        SELECT DISTINCT ON (b.channel, b.sku, b.location) b.channel, b.sku, b.location, s.units * b.pack AS units,
               least(s.at, CAST(:now AS timestamptz)) AS at, b.read_only
        FROM json_to_recordset(CAST(:seen AS json))
             AS s (channel text, item_id text, vendor_location_id text, units bigint, at timestamptz)
        JOIN binding b ON b.channel = s.channel AND b.item_id = s.item_id
                      AND b.vendor_location_id = s.vendor_location_id
        ORDER BY b.channel, b.sku, b.location, s.at DESC
    ), held AS (
        SELECT shown.channel, shown.sku, shown.location, told.units, told.at, target.units AS target,
               EXISTS (SELECT FROM halt h WHERE h.channel = shown.channel AND h.sku = shown.sku
                       AND h.state IN ('setting', 'set')) AS halted
        FROM shown JOIN told USING (channel, sku, location)
        JOIN target USING (channel, sku, location)
        WHERE NOT told.read_only
        ORDER BY shown.channel, shown.sku, shown.location
        FOR UPDATE OF shown
    )
    UPDATE shown SET
        read_units = CASE WHEN held.units = shown.units THEN held.units ELSE shown.read_units END,
        read_at = CASE WHEN held.units = shown.units THEN held.at ELSE shown.read_at END,
        verify_at = CASE WHEN held.halted THEN least(shown.verify_at, CAST(:now AS timestamptz))
                         WHEN held.units <> shown.units OR shown.units IS NULL
                         THEN coalesce(shown.verify_at, CAST(:now AS timestamptz))
                         WHEN held.units = 0 THEN shown.verify_at END,
        verify_first = true
    FROM held
    WHERE shown.channel = held.channel AND shown.sku = held.sku AND shown.location = held.location
      AND (held.halted AND held.units > 0
           OR held.units = shown.units AND shown.verify_at IS NOT NULL AND held.at >= shown.confirmed_at
              AND (shown.read_at IS NULL OR shown.read_at < held.at)
           OR held.units > held.target AND held.units IS DISTINCT FROM shown.units
              AND (shown.confirmed_at IS NULL OR held.at >= shown.confirmed_at)
              AND NOT EXISTS (SELECT FROM push_due d WHERE d.channel = shown.channel AND d.sku = shown.sku
                              AND d.location = shown.location))
""")

# The first of several that wait is not put off by those after it, and these are not taken to be answered with it.
_ASK = text("""
    UPDATE channel SET orders_asked_at = coalesce(orders_asked_at, CAST(:at AS timestamptz)),
        orders_asked_last = greatest(orders_asked_last, CAST(:at AS timestamptz))
    WHERE channel = ANY(CAST(:channels AS text[]))
""")


def note(connection: Connection, seen: Iterable[Seen], now: datetime) -> None:
    """Take in what notifications told, in the transaction that settles them."""
    rows = [
        {
            "channel": each.channel,
            "item_id": each.item_id,
            "vendor_location_id": each.vendor_location_id,
            "units": each.units,
            "at": each.at,
        }
        for each in seen
    ]
    if rows:
        connection.execute(_NOTE, {"seen": orjson.dumps(rows).decode(), "now": now})


def ask_for_orders(connection: Connection, channels: Iterable[str], at: datetime) -> None:
    """Somebody named orders of these channels without telling them: their order API is to be asked, from `at` on."""
    named = sorted(set(channels))
    if named:
        connection.execute(_ASK, {"channels": named, "at": at})
