"""Whether every order that a channel tells of is in the book: how many are, and since when the oldest is not.

The poll puts every order that the channel's API tells, and that no notification brought, into the inbox. So all of them
are there up to the channel's mark, and one that is not applied is a gap: it waits, or a person must mend something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Completeness:
    """How complete the book is for a channel.

    told            deliveries about orders that came since the moment asked for;  booked   of these, those applied
    polled          of these, those that only the poll brought: their notification was lost, or overtaken
    gaps            deliveries about orders that are not applied, whenever they came
    oldest_gap_at   when the oldest of these came
    complete_to     orders changed before this moment are in the inbox; None: the channel was never polled
    """

    channel: str
    told: int
    booked: int
    polled: int
    gaps: int
    oldest_gap_at: datetime | None
    complete_to: datetime | None

    @property
    def percent(self) -> float | None:
        """Booked of told, never rounded up to whole; None where nothing was told."""
        return None if not self.told else 100.0 * self.booked / self.told


# What is told of orders: by its topic where a notification brings it, else because the poll did.
_ABOUT_ORDERS = "(i.headers ->> 'road' = 'poll' OR i.topic ILIKE '%order%' OR i.topic = 'x12')"

#: Rows (channel, gaps, oldest_gap_at): what was told of orders and is not booked, by the indexes of what is not.
GAPS: Final = f"""
        SELECT i.source AS channel, count(*) AS gaps, min(i.received_at) AS oldest_gap_at
        FROM (
            SELECT source, received_at, headers, topic FROM inbox WHERE state = 'pending'
            UNION ALL
            SELECT source, received_at, headers, topic FROM inbox WHERE state = 'waiting'
            UNION ALL
            SELECT source, received_at, headers, topic FROM inbox WHERE state IN ('parked', 'rejected')
        ) AS i WHERE {_ABOUT_ORDERS} GROUP BY i.source
"""  # noqa: S608 -- composed of constants

# By channel the most frequent reasons of gaps, whichever order they name, each with how many it keeps out.
_REASONS = text(f"""
    SELECT source, state, why, orders, oldest_at FROM (
        SELECT i.source, i.state, coalesce(regexp_replace(i.error, ' in order ''[^'']*''', '', 'g'),
                                           'waits for ' || i.wait_for, '') AS why, count(*) AS orders,
               min(i.received_at) AS oldest_at,
               row_number() OVER (PARTITION BY i.source ORDER BY count(*) DESC, min(i.received_at)) AS place
        FROM inbox AS i
        WHERE i.state IN ('pending', 'waiting', 'parked', 'rejected') AND i.source = ANY(CAST(:channels AS text[]))
          AND {_ABOUT_ORDERS}
        GROUP BY 1, 2, 3
    ) AS reasons WHERE place <= :most ORDER BY source, place
""")  # noqa: S608 -- composed of constants

_COMPLETE = text(f"""
    WITH came AS (
        SELECT i.source AS channel, count(*) AS told, count(*) FILTER (WHERE i.state = 'applied') AS booked,
               count(*) FILTER (WHERE i.headers ->> 'road' = 'poll') AS polled
        FROM inbox AS i WHERE i.received_at >= :since AND {_ABOUT_ORDERS} GROUP BY i.source
    ), missing AS (
{GAPS}    )
    SELECT c.channel, coalesce(came.told, 0) AS told, coalesce(came.booked, 0) AS booked,
           coalesce(came.polled, 0) AS polled, coalesce(missing.gaps, 0) AS gaps, missing.oldest_gap_at,
           c.orders_mark AS complete_to
    FROM channel AS c LEFT JOIN came USING (channel) LEFT JOIN missing USING (channel)
    WHERE CAST(:channel AS text) IS NULL OR c.channel = :channel
    ORDER BY c.channel
""")  # noqa: S608 -- composed of constants


def completeness(
    connection: Connection, since: datetime, channel: str | None = None
) -> list[Completeness]:
    """How complete the book is for each channel, or for one, by name."""
    rows = connection.execute(_COMPLETE, {"since": since, "channel": channel})
    return [Completeness(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why orders of a channel are not booked; state: of their deliveries."""

    state: str
    why: str
    orders: int
    oldest_at: datetime


def reasons(
    connection: Connection, channels: Sequence[str], most: int = 3
) -> dict[str, list[Reason]]:
    """By channel, why its gaps are not booked, the most frequent first."""
    found: dict[str, list[Reason]] = {}
    values = {"channels": list(channels), "most": most}
    for source, *said in connection.execute(_REASONS, values):
        found.setdefault(source, []).append(Reason(*said))
    return found
