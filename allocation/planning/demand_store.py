"""What was bought, and when nobody could buy, read from the book and from what was shown; nothing is written.

A line counts as it stands now and at the time of the first that was told of it, as in `allocation.pace_store`: so the
pace that is kept with every booking must equal what these lines come to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection, text

from allocation.pace import Sold, Sums, gathered
from allocation.planning.series import Bought, Closed, Series, series
from allocation.types import Rules, Show
from ledger.db import fetch

#: A line can be booked under a time somewhat before that of its order: clocks differ, snapshots overtake each other.
_BEFORE: Final = timedelta(days=2)

# An order line is found by what was posted of it; one under another SKU today is not of these any more.
_SOLD = """
    WITH given AS MATERIALIZED (
        SELECT sku FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    ), named AS (
        SELECT DISTINCT e.channel, e.order_id, e.line_id
        FROM given
        JOIN posting AS p ON p.sku = given.sku AND p.occurred_at >= :heard
        JOIN event AS e ON e.id = p.event_id
        WHERE e.kind = 'order' AND p.to_state = 'committed' AND e.order_id IS NOT NULL
    ), first AS (
        SELECT DISTINCT ON (e.channel, e.order_id, e.line_id) e.channel, e.order_id, e.line_id, e.occurred_at AS at
        FROM named
        JOIN event AS e ON e.channel = named.channel AND e.order_id = named.order_id AND e.line_id = named.line_id
        WHERE e.kind = 'order'
        ORDER BY e.channel, e.order_id, e.line_id, e.seq
    ), sold AS (
        SELECT l.sku, l.channel, l.location, first.at, l.ordered_units - l.cancelled_units AS units
        FROM first
        JOIN order_line AS l USING (channel, order_id, line_id)
        WHERE l.sku = ANY(CAST(:skus AS text[]))
          AND l.ordered_units > l.cancelled_units AND first.at >= :since AND first.at < :until
        UNION ALL
        SELECT p.sku, coalesce(e.payload ->> 'channel', ''), p.from_location, e.occurred_at, p.units
        FROM given
        JOIN posting AS p ON p.sku = given.sku AND p.occurred_at >= :since AND p.occurred_at < :until
        JOIN event AS e ON e.id = p.event_id
        WHERE e.kind = 'ship' AND e.line_id IS NULL AND p.to_state = 'customer'
          AND NOT EXISTS (SELECT FROM event AS undone WHERE undone.reverses = e.id)
    )
"""

_BOUGHT = text(f"""
    {_SOLD}
    SELECT sku, channel, location, CAST(at AT TIME ZONE 'UTC' AS date) AS day, units, count(*) AS lines
    FROM sold
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
""")  # noqa: S608 -- composed of constants

_LINES = text(f"""
    {_SOLD}
    SELECT sku, channel, location, at, units FROM sold ORDER BY sku, channel, location, at
""")  # noqa: S608 -- composed of constants

# A number stands until the next one is told. A halt hides it from when it was set until it was lifted.
_CLOSED = text("""
    WITH given AS MATERIALIZED (
        SELECT sku FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    ), told AS (
        SELECT h.sku, h.channel, h.location, h.units, h.set_at AS since,
               lead(h.set_at, 1, :until) OVER (PARTITION BY h.sku, h.channel, h.location ORDER BY h.number) AS until
        FROM given JOIN target_history AS h USING (sku)
        WHERE h.set_at < :until
    )
    SELECT sku, channel, location, since, until, 'nothing shown' AS why
    FROM told WHERE units = 0 AND until > :since
    UNION ALL
    SELECT h.sku, h.channel, NULL, h.set_at, coalesce(h.lifted_at, :until), 'halted'
    FROM given JOIN halt AS h USING (sku)
    WHERE h.set_at < :until AND (h.lifted_at IS NULL OR h.lifted_at > :since)
    ORDER BY 1, 2, 4, 3
""")


def midnight(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def bought(connection: Connection, skus: Collection[str], first: date, until: date) -> list[Bought]:
    """Order lines of the days [first, until), as they count now, by place, day and size."""
    rows = fetch(connection, _BOUGHT, _asked(skus, midnight(first), midnight(until)))
    return [Bought(*row) for row in rows]


def closed(
    connection: Connection, skus: Collection[str], rules: Rules, first: date, until: date
) -> list[Closed]:
    """When channels showed nothing of these SKUs or were halted, within the days [first, until).

    rules    in force: where a pooled channel shows the number that stands for all its locations; a channel that is not
             in them masks nothing
    """
    show_at = {
        channel.name: channel.show_at if channel.show is Show.POOLED else None
        for channel in rules.channels
    }
    found = []
    for row in fetch(connection, _CLOSED, _asked(skus, midnight(first), midnight(until))):
        stretch = Closed(*row)
        if stretch.channel not in show_at:
            continue
        place = show_at[stretch.channel]
        if stretch.location is None or place is None:
            found.append(stretch)
        elif stretch.location == place:
            found.append(stretch._replace(location=None))
    return found


def demand(
    connection: Connection, skus: Collection[str], rules: Rules, first: date, until: date
) -> Mapping[str, list[Series]]:
    """By SKU, its masked series of the days [first, until); what was never bought in them is missing.

    Each begins with the day on which the SKU was bought first: before that it may not have been there to be bought.
    """
    rows: dict[str, list[Bought]] = {}
    for row in bought(connection, skus, first, until):
        rows.setdefault(row.sku, []).append(row)
    shut: dict[str, list[Closed]] = {}
    if rows:
        for stretch in closed(connection, list(rows), rules, first, until):
            shut.setdefault(stretch.sku, []).append(stretch)
    return {
        sku: series(of, shut.get(sku, []), min(row.day for row in of), until)
        for sku, of in rows.items()
    }


def recomputed(connection: Connection, skus: Collection[str], until: datetime) -> list[Sums]:
    """What the pace of these SKUs comes to, computed anew from the book: each place as of its newest line.

    until    lines of orders from then on do not count
    """
    since = datetime.min.replace(tzinfo=UTC) + _BEFORE
    rows = fetch(connection, _LINES, _asked(skus, since, until))
    return gathered([Sold(*row) for row in rows])


def _asked(skus: Collection[str], since: datetime, until: datetime) -> dict[str, object]:
    return {"skus": sorted(skus), "since": since, "until": until, "heard": since - _BEFORE}
