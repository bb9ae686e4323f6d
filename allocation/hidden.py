"""Listings taken off sale because nothing is left, and what to undo when something is.

What is to be undone is written down before the vendor is asked, marked as pending: a repeat after a death would find
the listing stopped already, and could not tell how it was.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from allocation.sql import SEEN

# Only what the channel itself shows as 0 everywhere is taken off sale, and only after that: until then the zero that is
# on its way is what stops sales. An open halt has the listing in its hands.
_TO_HIDE = text(f"""
    SELECT DISTINCT ON (b.sku) b.sku, b.location,
           b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack
    FROM channel c JOIN binding b ON b.channel = c.channel AND b.sku = ANY(CAST(:skus AS text[]))
    WHERE c.channel = :channel AND c.writes AND coalesce((c.options ->> 'hide_at_zero')::boolean, false)
      AND NOT EXISTS (SELECT FROM hidden h WHERE h.channel = b.channel AND h.sku = b.sku
                      AND h.undo ->> '_pending' IS NULL)
      AND NOT EXISTS (SELECT FROM halt WHERE halt.channel = b.channel AND halt.sku = b.sku AND halt.state <> 'lifted')
      AND EXISTS (SELECT FROM target t WHERE t.channel = b.channel AND t.sku = b.sku)
      AND NOT EXISTS (
          SELECT FROM target t
          LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
          WHERE t.channel = b.channel AND t.sku = b.sku AND (t.units > 0 OR {SEEN} IS DISTINCT FROM 0))
    ORDER BY b.sku, b.location
""")  # noqa: S608 -- composed of constants

# Back on sale only once the new number is confirmed: a listing that returns with an older one could be sold from it.
_TO_RESUME = text(f"""
    SELECT b.sku, b.location, h.undo - '_pending' AS undo,
           b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack
    FROM hidden h JOIN binding b ON b.channel = h.channel AND b.sku = h.sku AND b.location = h.location
    WHERE h.channel = :channel AND (SELECT writes FROM channel WHERE channel = :channel)
      AND NOT EXISTS (SELECT FROM halt WHERE halt.channel = h.channel AND halt.sku = h.sku AND halt.state <> 'lifted')
      AND EXISTS (SELECT FROM target t JOIN shown s
                  ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location AND s.number = t.number
                  WHERE t.channel = h.channel AND t.sku = h.sku AND t.units > 0 AND {SEEN} > 0)
      AND NOT EXISTS (
          SELECT FROM target t
          LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
          WHERE t.channel = h.channel AND t.sku = h.sku AND {SEEN} > t.units)
    ORDER BY b.sku
    LIMIT :limit
""")  # noqa: S608 -- composed of constants

_KEEP = text("""
    INSERT INTO hidden AS h (channel, sku, location, undo, hidden_at)
    VALUES (:channel, :sku, :location, CAST(:undo AS jsonb), :now)
    ON CONFLICT (channel, sku) DO UPDATE SET undo = excluded.undo || h.undo
""")

_STOPPED = text("""
    UPDATE hidden SET undo = undo - '_pending' WHERE channel = :channel AND sku = :sku
""")

# A number that came back during the call was written over with 0: it is read back at once, and so sent again.
_OVERTAKEN = text("""
    UPDATE shown AS s SET read_units = 0, read_at = :now, verify_at = :now, verify_first = true
    FROM target t
    WHERE s.channel = :channel AND s.sku = :sku AND s.location = :location
      AND t.channel = s.channel AND t.sku = s.sku AND t.location = s.location AND t.units > 0
""")

_FORGET = text("DELETE FROM hidden WHERE channel = :channel AND sku = :sku")


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing to be taken off sale or put back, and the vendor's names for it.

    undo    what taking it off changed; empty before
    """

    channel: str
    sku: str
    location: str
    item_id: str
    vendor_location_id: str
    variant_id: str
    product_id: str
    level_id: str
    pack: int
    undo: Mapping[str, str]


def to_hide(connection: Connection, channel: str, skus: Collection[str]) -> list[Listing]:
    """Which of these SKUs are shown as 0 everywhere on a channel that wants them off sale then."""
    rows = connection.execute(_TO_HIDE, {"channel": channel, "skus": sorted(skus)})
    return [Listing(channel=channel, undo={}, **row._asdict()) for row in rows]


def to_resume(connection: Connection, channel: str, limit: int = 250) -> list[Listing]:
    """Hidden listings of a channel whose new number is confirmed, and nowhere shown above its target."""
    rows = connection.execute(_TO_RESUME, {"channel": channel, "limit": limit})
    return [Listing(channel=channel, **row._asdict()) for row in rows]


def keep(connection: Connection, listing: Listing, undo: Mapping[str, str], now: datetime) -> None:
    """Remember how to undo what is about to be done; what was remembered before is older and wins."""
    connection.execute(
        _KEEP,
        {
            "channel": listing.channel,
            "sku": listing.sku,
            "location": listing.location,
            "undo": json.dumps({**undo, "_pending": "yes"}),
            "now": now,
        },
    )


def stopped(connection: Connection, listing: Listing, now: datetime) -> None:
    """The vendor has taken the listing off sale, and shows 0 of it."""
    given = {"channel": listing.channel, "sku": listing.sku}
    connection.execute(_STOPPED, given)
    connection.execute(_OVERTAKEN, given | {"location": listing.location, "now": now})


def forget(connection: Connection, listing: Listing) -> None:
    """The listing is back on sale."""
    connection.execute(_FORGET, {"channel": listing.channel, "sku": listing.sku})
