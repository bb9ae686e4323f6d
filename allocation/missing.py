"""Units that a reading found gone before any order told of them: sold, it must be feared, and nobody's until heard of.

Where stock is divided into quotas they matter: there, what one channel has let go is given to another
(`allocation.escrow`). They are noted of every SKU, because what was read before the quotas begin is missing in them,
too. They are settled by the sale that is heard of later (`own_sales`), or when every order up to the reading is in the
inbox and none was it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from allocation.sql import SEEN

# The first number of a place may have landed and sold before anything is known of what it shows.
_FIRST = text("""
    INSERT INTO shown (channel, sku, location)
    SELECT d.channel, d.sku, d.location
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]))
         AS given (sku, location, units)
    JOIN push_due d ON d.channel = :channel AND d.sku = given.sku AND d.location = given.location
    WHERE d.push_key IS NOT NULL AND given.units IS NOT NULL
    ORDER BY d.channel, d.sku, d.location
    ON CONFLICT (channel, sku, location) DO NOTHING
""")

# A write that was confirmed may take effect later, and a reading before that tells the number of before. What shows
# exactly what the write set has not sold the difference: the write came.
_BELIEVED = f"(CASE WHEN s.units = given.units THEN s.units ELSE {SEEN} END)"

# A call that was not answered may have landed, and what it showed may have sold before the reading. Most readings find
# what is believed: of these no row is locked.
_MOST = f"""greatest({_BELIEVED}, CASE WHEN CAST(:answered AS boolean) THEN NULL ELSE (
                   SELECT max(p.units)
                   FROM push_due d JOIN push p USING (push_key, channel, sku, location)
                   WHERE channel = s.channel AND sku = s.sku AND location = s.location) END)"""  # noqa: S608
_FEAR = text(f"""
    WITH feared AS MATERIALIZED (
        SELECT s.channel, s.sku, s.location, given.read_at, {_MOST} - given.units AS units
        FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                    CAST(:read_at AS timestamptz[])) AS given (sku, location, units, read_at)
        JOIN shown s ON s.channel = :channel AND s.sku = given.sku AND s.location = given.location
        WHERE (s.read_at IS NULL OR s.read_at < given.read_at) AND {_MOST} > given.units
        ORDER BY s.channel, s.sku, s.location
        FOR UPDATE OF s
    )
    UPDATE shown s SET missing = s.missing + feared.units, missing_at = feared.read_at
    FROM feared
    WHERE s.channel = feared.channel AND s.sku = feared.sku AND s.location = feared.location
""")  # noqa: S608 -- composed of constants

_DUE = text("""
    INSERT INTO due (sku, since)
    SELECT DISTINCT sku, CAST(:now AS timestamptz) FROM shown
    WHERE channel = :channel AND missing > 0 AND missing_at < :mark
      AND EXISTS (SELECT FROM exposure e WHERE e.sku = shown.sku AND (e.scarce <> '{}' OR e.held))
    ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
""")

_FOUND = text("""
    WITH held AS MATERIALIZED (
        SELECT channel, sku, location FROM shown
        WHERE channel = :channel AND missing > 0 AND missing_at < :mark
        ORDER BY channel, sku, location
        FOR UPDATE
    )
    UPDATE shown s SET missing = 0, missing_at = NULL FROM held
    WHERE s.channel = held.channel AND s.sku = held.sku AND s.location = held.location
""")


def fear(
    connection: Connection,
    channel: str,
    skus: Sequence[str],
    locations: Sequence[str],
    units: Sequence[int | None],
    read_at: Sequence[datetime],
    *,
    answered: bool,
) -> None:
    """Note what readings show less than was believed; before they are written down.

    answered    the vendor has said what became of every call, so that none can have landed unseen
    """
    places = {
        "channel": channel,
        "skus": list(skus),
        "locations": list(locations),
        "units": list(units),
    }
    if not answered:
        connection.execute(_FIRST, places)
    connection.execute(_FEAR, places | {"read_at": list(read_at), "answered": answered})


def all_heard(connection: Connection, channel: str, mark: datetime, now: datetime) -> None:
    """Every order of a channel up to `mark` is in: what was missed by then was no sale, or is booked by now."""
    values = {"channel": channel, "mark": mark}
    connection.execute(_DUE, values | {"now": now})
    connection.execute(_FOUND, values)
