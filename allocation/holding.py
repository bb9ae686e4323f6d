"""What is shown, locked in one order before a statement changes rows of it in its own."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, text

from allocation.own_sales import OwnSale
from allocation.sightings import Seen
from ledger.db import fetch

_HOLD = text("""
    SELECT s.sku
    FROM shown s
    JOIN unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS wanted (channel, sku, location) USING (channel, sku, location)
    ORDER BY s.channel, s.sku, s.location FOR UPDATE OF s
""")

_HOLD_TOLD = text("""
    SELECT s.sku
    FROM shown s
    JOIN (
        SELECT channel, sku, location
        FROM json_to_recordset(CAST(:sold AS json)) AS o (channel text, sku text, location text)
        UNION
        SELECT b.channel, b.sku, b.location
        FROM json_to_recordset(CAST(:seen AS json)) AS o (channel text, item_id text, vendor_location_id text)
        JOIN binding b USING (channel, item_id, vendor_location_id)
    ) AS wanted USING (channel, sku, location)
    ORDER BY s.channel, s.sku, s.location FOR UPDATE OF s
""")


def hold(
    connection: Connection, channels: Sequence[str], skus: Sequence[str], locations: Sequence[str]
) -> None:
    """Lock what is shown at these places, until this transaction ends."""
    fetch(connection, _HOLD, {"channels": channels, "skus": skus, "locations": locations})


def hold_told(connection: Connection, sold: Sequence[OwnSale], seen: Sequence[Seen]) -> None:
    """Lock what is shown of everything that channels sold and told of; for a caller who notes both."""
    if not (sold and seen):
        # One statement alone locks its rows in order by itself.
        return
    values = {
        "sold": [{"channel": o.channel, "sku": o.sku, "location": o.location} for o in sold],
        "seen": [
            {
                "channel": o.channel,
                "item_id": o.item_id,
                "vendor_location_id": o.vendor_location_id,
            }
            for o in seen
        ],
    }
    connection.execute(_HOLD_TOLD, {name: orjson.dumps(of).decode() for name, of in values.items()})
