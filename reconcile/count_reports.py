"""What counts say of the house: accuracy week by week, shrinkage by quarter; and what a unit is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

import orjson
from sqlalchemy import Connection, text

from reconcile.counting.accuracy import Records, Shrunk, Sold

# A recount looks where something is known to be wrong, or has just been put right: neither tells of the house.
_RECORDS = text("""
    SELECT date_trunc('week', counted_at, 'UTC') AS week, location, tier, count(*) AS counted,
           count(*) FILTER (WHERE within) AS within
    FROM count_variance
    WHERE counted_at >= :since AND counted_at < :until AND NOT undone AND NOT recount
      AND (CAST(:location AS text) IS NULL OR location = :location)
    GROUP BY week, location, tier
    ORDER BY week, location, tier
""")

# Units that went to loss or came from found, by the reason of the event that first said so: a reversal and a
# restatement belong to what they correct.
_SHRUNK = text("""
    WITH moved AS (
        SELECT CASE WHEN p.to_location = 'OUTSIDE' THEN p.from_location ELSE p.to_location END AS location, p.sku,
               CASE WHEN p.to_state = 'loss' THEN p.units WHEN p.from_state = 'loss' THEN -p.units ELSE 0 END AS lost,
               CASE WHEN p.from_state = 'found' THEN p.units WHEN p.to_state = 'found' THEN -p.units ELSE 0 END
                   AS found,
               coalesce(told.id, e.id) AS event_id
        FROM posting AS p
        JOIN event AS e ON e.id = p.event_id
        LEFT JOIN event AS told ON told.id = CASE
            WHEN e.reverses IS NOT NULL THEN e.reverses
            WHEN e.kind = 'count' AND e.source = 'lockstep'
                 AND e.reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN CAST(e.reference AS uuid) END
        WHERE p.occurred_at >= :since AND p.occurred_at < :until
          AND (p.from_state IN ('loss', 'found') OR p.to_state IN ('loss', 'found'))
    ), by_sku AS (
        SELECT moved.location, moved.sku,
               coalesce(e.payload ->> 'reason_code', CASE e.kind WHEN 'count' THEN 'none given' ELSE e.kind END)
                   AS reason,
               sum(lost) AS lost, sum(found) AS found
        FROM moved JOIN event AS e ON e.id = moved.event_id
        GROUP BY 1, 2, 3
    )
    SELECT location, reason, sum(lost)::bigint AS lost, sum(found)::bigint AS found,
           coalesce(sum((lost - found) * worth.cost), 0) AS cost,
           coalesce(sum(lost - found) FILTER (WHERE worth.cost IS NULL), 0)::bigint AS uncosted
    FROM by_sku LEFT JOIN sku_worth AS worth USING (sku)
    WHERE CAST(:location AS text) IS NULL OR location = :location
    GROUP BY location, reason
    ORDER BY location, reason
""")

_SOLD = text("""
    WITH gone AS (
        SELECT CASE to_state WHEN 'customer' THEN from_location ELSE to_location END AS location, sku,
               CASE to_state WHEN 'customer' THEN units ELSE -units END AS units
        FROM posting
        WHERE (to_state = 'customer' OR from_state = 'customer') AND occurred_at >= :since AND occurred_at < :until
    )
    SELECT location, sum(units)::bigint AS units, coalesce(sum(units * worth.price), 0) AS sales,
           coalesce(sum(units) FILTER (WHERE worth.price IS NULL), 0)::bigint AS unpriced
    FROM gone LEFT JOIN sku_worth AS worth USING (sku)
    WHERE CAST(:location AS text) IS NULL OR location = :location
    GROUP BY location
    ORDER BY location
""")

_FORGET = tuple(text(f"DELETE FROM {name} WHERE since = :since") for name in ("sold", "shrunk"))  # noqa: S608 -- constants
_KEEP_SOLD = text("""
    INSERT INTO sold (since, location, units, sales, unpriced, added_up_at)
    SELECT :since, location, units, sales, unpriced, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (location text, units bigint, sales numeric, unpriced bigint)
    ORDER BY location
""")
_KEEP_SHRUNK = text("""
    INSERT INTO shrunk (since, location, reason, lost, found, cost, uncosted, added_up_at)
    SELECT :since, location, reason, lost, found, cost, uncosted, :now
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (location text, reason text, lost bigint, found bigint, cost numeric, uncosted bigint)
    ORDER BY location, reason
""")
_KEPT_SOLD = text("""
    SELECT location, units, sales, unpriced FROM sold
    WHERE since = :since AND (CAST(:location AS text) IS NULL OR location = :location)
    ORDER BY location
""")
_KEPT_SHRUNK = text("""
    SELECT location, reason, lost, found, cost, uncosted FROM shrunk
    WHERE since = :since AND (CAST(:location AS text) IS NULL OR location = :location)
    ORDER BY location, reason
""")
_ADDED_UP_AT = text("""
    SELECT max(added_up_at) FROM (
        SELECT added_up_at FROM sold WHERE since = :since UNION ALL SELECT added_up_at FROM shrunk WHERE since = :since
    ) AS kept
""")

_WORTH = text("""
    INSERT INTO sku_worth AS w (sku, cost, price, set_at, set_by)
    SELECT given.sku, given.cost, given.price, :now, :by
    FROM json_to_recordset(CAST(:rows AS json)) AS given (sku text, cost numeric, price numeric)
    ORDER BY given.sku
    ON CONFLICT (sku) DO UPDATE SET
        cost = coalesce(excluded.cost, w.cost), price = coalesce(excluded.price, w.price),
        set_at = excluded.set_at, set_by = excluded.set_by
""")


def records(
    connection: Connection, since: datetime, until: datetime, location: str | None
) -> list[Records]:
    """Counted records by week, location and tier, in [since, until); recounts and reversed counts left out."""
    rows = connection.execute(_RECORDS, {"since": since, "until": until, "location": location})
    return [Records(*row) for row in rows]


def shrunk(
    connection: Connection, since: datetime, until: datetime, location: str | None
) -> list[Shrunk]:
    """What was lost and found in [since, until) by location and reason.

    A count's reason is its code, or `none given`; corrections and write-offs by hand stand under their kind.
    """
    rows = connection.execute(_SHRUNK, {"since": since, "until": until, "location": location})
    return [Shrunk(*row) for row in rows]


def sold(
    connection: Connection, since: datetime, until: datetime, location: str | None
) -> list[Sold]:
    """Net sales in [since, until) by location: what left for customers less what came back. Reads all that was sold."""
    rows = connection.execute(_SOLD, {"since": since, "until": until, "location": location})
    return [Sold(*row) for row in rows]


def add_up(connection: Connection, since: datetime, until: datetime, now: datetime) -> None:
    """Keep what was sold, lost and found in [since, until) as of now: too much to add up for each who asks."""
    sold_rows = [asdict(row) for row in sold(connection, since, until, None)]
    shrunk_rows = [asdict(row) for row in shrunk(connection, since, until, None)]
    for statement in _FORGET:
        connection.execute(statement, {"since": since})
    for statement, rows in ((_KEEP_SOLD, sold_rows), (_KEEP_SHRUNK, shrunk_rows)):
        given = orjson.dumps(rows, default=str).decode()
        connection.execute(statement, {"since": since, "now": now, "rows": given})


def kept(
    connection: Connection, since: datetime, location: str | None
) -> tuple[list[Shrunk], list[Sold]]:
    """What was kept of [since, ...), as `shrunk` and `sold` tell it."""
    given = {"since": since, "location": location}
    return (
        [Shrunk(*row) for row in connection.execute(_KEPT_SHRUNK, given)],
        [Sold(*row) for row in connection.execute(_KEPT_SOLD, given)],
    )


def added_up_at(connection: Connection, since: datetime) -> datetime | None:
    """When what was sold and lost from `since` on was last added up; None: never, or nothing was."""
    found: datetime | None = connection.execute(_ADDED_UP_AT, {"since": since}).scalar_one()
    return found


def set_worth(
    connection: Connection,
    rows: Sequence[tuple[str, Decimal | None, Decimal | None]],
    by: str,
    now: datetime,
) -> None:
    """Say what units cost and are sold for, as (SKU, cost, price); None leaves what is known."""
    given = [
        {
            "sku": sku,
            "cost": None if cost is None else str(cost),
            "price": None if price is None else str(price),
        }
        for sku, cost, price in rows
    ]
    connection.execute(_WORTH, {"rows": orjson.dumps(given).decode(), "now": now, "by": by})
