"""How many of the accepted order lines were oversold, by channel and week, and what that cost.

A line counts in the week it was accepted in, once, and stays counted whatever became of it. What was taken away after
an order was accepted is no oversell (`types.COUNTED`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from reconcile.oversold.types import COUNTED

#: Percent of accepted lines that may be oversold.
TARGET_PERCENT: Final = 0.2
#: What an oversold line costs, at least and at most, where nobody has said what is done about it.
COST_RANGE: Final = (Decimal(30), Decimal(80))

# Lines are counted by the first that was heard of each. Ids of events rise with time: no others are read.
_LINES = text("""
    SELECT channel, date_trunc('week', accepted_at, 'UTC')::date AS week, count(*) AS lines
    FROM (
        SELECT e.channel, min(e.occurred_at) AS accepted_at
        FROM event AS e
        WHERE e.id >= CAST(:floor AS uuid) AND e.kind = 'order' AND e.source NOT LIKE 'history:%'
        GROUP BY e.channel, e.order_id, e.line_id
    ) AS line
    WHERE accepted_at >= :since AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    GROUP BY 1, 2
""")

_OVERSOLD = text("""
    SELECT channel, date_trunc('week', accepted_at, 'UTC')::date AS week, count(*) AS lines,
           sum(units)::bigint AS units, coalesce(sum(cost), 0) AS cost,
           count(*) FILTER (WHERE cost IS NULL AND state <> 'closed') AS undecided
    FROM oversold_case
    WHERE accepted_at >= :since AND found_by = ANY(CAST(:counted AS text[]))
      AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    GROUP BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class Rate:
    """Oversold lines of a channel and week.

    week         its Monday (UTC); None in a sum
    percent      of the accepted lines; None where none was accepted
    cost         of what was chosen;  undecided    open cases nobody has chosen for
    cost_low, cost_high    with those at 30 and at 80 dollars
    """

    channel: str
    week: date | None
    accepted: int
    oversold: int
    units: int
    percent: float | None
    cost: Decimal
    undecided: int
    cost_low: Decimal
    cost_high: Decimal


def rates(
    connection: Connection, *, since: datetime, channel: str | None = None
) -> tuple[list[Rate], Rate]:
    """By channel and week, the newest week first; and the sum of all.

    since    weeks from the one with this moment on
    """
    monday = since - timedelta(
        days=since.weekday(),
        hours=since.hour,
        minutes=since.minute,
        seconds=since.second,
        microseconds=since.microsecond,
    )
    values = {
        "since": monday,
        # An order is booked after it was accepted, but for clocks that differ.
        "floor": str(UUID(int=int((monday - timedelta(hours=1)).timestamp() * 1000) << 80)),
        "channel": channel,
        "counted": sorted(COUNTED),
    }
    accepted = {(row.channel, row.week): row.lines for row in connection.execute(_LINES, values)}
    oversold = {(row.channel, row.week): row for row in connection.execute(_OVERSOLD, values)}
    found = []
    for key in sorted(accepted.keys() | oversold.keys(), key=lambda k: (-k[1].toordinal(), k[0])):
        row = oversold.get(key)
        counted = (
            (0, 0, Decimal(0), 0)
            if row is None
            else (row.lines, row.units, row.cost, row.undecided)
        )
        found.append(_rate(*key, accepted.get(key, 0), *counted))
    return found, total(found)


def total(found: Sequence[Rate]) -> Rate:
    """The sum of these."""
    return _rate(
        "all",
        None,
        sum(each.accepted for each in found),
        sum(each.oversold for each in found),
        sum(each.units for each in found),
        _sum(each.cost for each in found),
        sum(each.undecided for each in found),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _rate(
    channel: str,
    week: date | None,
    accepted: int,
    oversold: int,
    units: int,
    cost: Decimal,
    undecided: int,
) -> Rate:
    low, high = COST_RANGE
    percent = round(100 * oversold / accepted, 3) if accepted else None
    return Rate(
        channel, week, accepted, oversold, units, percent, cost, undecided,
        cost + undecided * low, cost + undecided * high,
    )  # fmt: skip
