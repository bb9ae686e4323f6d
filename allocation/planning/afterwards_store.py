"""Forecasts of older runs in PostgreSQL, with the weeks that came after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, text

from allocation.planning.afterwards import CHANCE, Kept, apart
from ledger.db import fetch

_RUNS = text("""
    SELECT max(id) AS id, until_day FROM forecast_run
    WHERE stage = 'done' AND until_day > :first AND until_day < :until
    GROUP BY until_day ORDER BY until_day
""")
_KEPT = text("""
    SELECT f.sku, f.location, f.kind, f.until_day, f.horizon_days, f.per_day,
           coalesce((f.quantiles ->> :chance)::float8, 0) AS enough, d.weeks, d.until_day AS weeks_until
    FROM forecast AS f JOIN demand_weeks AS d ON d.sku = f.sku AND d.location = f.location
    WHERE f.run_id = :run AND d.until_day >= f.until_day + 7
    ORDER BY f.sku, f.location
""")
#: Rows that are held at a time.
_ROWS: Final = 1_000
_FOUR_WEEKS: Final = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that is done; it knew nothing of `until_day` and later."""

    id: int
    until_day: date


def earlier(connection: Connection, since: date, until: date) -> list[Earlier]:
    """Runs whose forecasts reach into [since, until), four weeks apart, oldest first."""
    rows = fetch(connection, _RUNS, {"first": since - _FOUR_WEEKS, "until": until})
    by_day = {row.until_day: row.id for row in rows}
    return [Earlier(by_day[day], day) for day in apart(list(by_day), since)]


def kept(connection: Connection, run: Earlier) -> Iterator[Kept]:
    """What a run said of each place, with its weeks as the newest run read them; none that it is younger than."""
    rows = connection.execute(
        _KEPT, {"run": run.id, "chance": str(CHANCE)}, execution_options={"yield_per": _ROWS}
    )
    for row in rows:
        yield Kept(
            (row.sku, row.location), row.kind, row.until_day, row.horizon_days, row.per_day, row.enough,
            row.weeks, row.weeks_until,
        )  # fmt: skip
