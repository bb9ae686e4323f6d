"""What counts say of the house."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Engine

from allocation.fit import week_of
from console.access.types import Unknown
from reconcile import count_reports
from reconcile.counting.accuracy import ALL, Shrunk, Sold, percent, quarter
from reconcile.counting.accuracy import accuracy as accuracy_of
from reconcile.counting.tiers import Due, by_location
from reconcile.counting.types import Terms
from workers.flows import counts

_WEEK: Final = timedelta(days=7)


def accuracy(
    connection: Connection, *, now: datetime, location: str | None, weeks: int, rolling: int
) -> list[dict[str, Any]]:
    """Records within tolerance of those counted, week by week, by location and tier, each of them, and all."""
    since = week_of(now) - (weeks - 1) * _WEEK
    span = [since + number * _WEEK for number in range(weeks)]
    records = count_reports.records(
        connection, since - (rolling - 1) * _WEEK, span[-1] + _WEEK, location
    )
    return [asdict(row) for row in accuracy_of(records, span, rolling) if row.rolling_counted]


def due(
    engine: Engine,
    terms: Terms,
    now: datetime,
    *,
    location: str | None = None,
    day: date | None = None,
    lines: int | None = None,
) -> list[dict[str, Any]]:
    """What is to be counted by the end of a day (UTC, today if left out), location by location.

    lines     most of a location
    raises    Unknown: nobody counts there
    """
    end = (day or now.astimezone(UTC).date()) + timedelta(days=1)
    until = datetime.combine(end, datetime.min.time(), UTC)
    try:
        found = counts.plan(engine, terms, now=now, until=until, location=location)
    except counts.NoSuchPlace as error:
        raise Unknown(str(error)) from None
    return [_due_row(line) for of_it in by_location(found).values() for line in of_it[:lines]]


def _due_row(line: Due) -> dict[str, Any]:
    known = line.known
    return {
        "location": known.location,
        "sku": known.sku,
        "description": known.title,
        "tier": known.tier,
        "why": list(line.why),
        "counted_at": known.counted_at,
        "due_at": line.due_at,
        "book": known.on_hand,
    }


def shrinkage(connection: Connection, said: str, location: str | None) -> list[dict[str, Any]]:
    """What was lost less what was found in a quarter such as 2026Q4. Raises ValueError: it names none."""
    since, until = quarter(said)
    shrunk = count_reports.shrunk(connection, since, until, location)
    sold = count_reports.sold(connection, since, until, location)
    return list(_shrinkage(shrunk, sold))


def shrinkage_kept(
    connection: Connection, said: str, location: str | None
) -> tuple[list[dict[str, Any]], datetime | None]:
    """The same as it was added up within the last hour, and when; None: it was not yet."""
    since, _ = quarter(said)
    shrunk, sold = count_reports.kept(connection, since, location)
    return list(_shrinkage(shrunk, sold)), count_reports.added_up_at(connection, since)


def _shrinkage(shrunk: Sequence[Shrunk], sold: Sequence[Sold]) -> Iterator[dict[str, Any]]:
    """Each location and reason, each location, and all; sales are those of the location, or of all."""
    locations = sorted({one.location for one in shrunk} | {one.location for one in sold})
    for location in locations:
        here = [one for one in shrunk if one.location == location]
        sales = [one for one in sold if one.location == location]
        for one in here:
            yield _shrink_row(location, one.reason, [one], sales)
        yield _shrink_row(location, ALL, here, sales)
    yield _shrink_row(ALL, ALL, shrunk, sold)


def _shrink_row(
    location: str, reason: str, shrunk: Sequence[Shrunk], sold: Sequence[Sold]
) -> dict[str, Any]:
    units, sold_units = sum(one.units for one in shrunk), sum(one.units for one in sold)
    cost = sum((one.cost for one in shrunk), Decimal(0))
    sales = sum((one.sales for one in sold), Decimal(0))
    uncosted = sum(one.uncosted for one in shrunk)
    return {
        "location": location,
        "reason": reason,
        "lost": sum(one.lost for one in shrunk),
        "found": sum(one.found for one in shrunk),
        "units": units,
        "cost": float(round(cost, 2)),
        "uncosted_units": uncosted,
        "sold_units": sold_units,
        "sales": float(round(sales, 2)),
        "unpriced_units": sum(one.unpriced for one in sold),
        "percent_of_sales": percent(cost, sales),
        "percent_of_units": percent(units, sold_units),
    }
