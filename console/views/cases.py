"""Order lines that were accepted and are not there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from console.views.listing import Listing, Page, page
from reconcile.oversold import rates, steps, store, timeline
from workers.flows import cases

#: all: those that are closed too; channel, sku (or NULL)
_CASES: Final = Listing(
    "id",
    "FROM oversold_case",
    """
    (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR sku = :sku)
    """,
    (("found_at", "timestamptz"), ("id", "bigint")),
    open_only="state <> 'closed'",
)


def listed(connection: Connection, said: dict[str, Any], *, limit: int, after: str | None) -> Page:
    """Cases, the newest first, each with what is to be done next."""
    found = page(connection, _CASES, said, limit=limit, after=after)
    ids = [row["id"] for row in found.rows]
    read = {each.id: each for each in store.read(connection, ids)}
    stood = steps.of(connection, ids)
    rows = [
        store.row_of(read[number])
        | {"next": cases.todo_of(read[number], [s for s in stood if s.case_id == number])}
        for number in ids
    ]
    return Page(rows, found.after)


def case(connection: Connection, number: int) -> dict[str, Any] | None:
    """A case with its steps and what happened around it; None: there is none."""
    found = store.read(connection, [number])
    if not found:
        return None
    stood = steps.of(connection, [number])
    happened = timeline.timeline(connection, found[0], cases.RULE)
    row = store.row_of(found[0]) | {"next": cases.todo_of(found[0], stood)}
    return row | {"steps": stood, "timeline": happened}


def rate(
    connection: Connection, now: datetime, *, weeks: int, channel: str | None
) -> dict[str, Any]:
    """Oversold lines of a hundred accepted, by channel and week of acceptance, the sum of all, and the target."""
    since = now - timedelta(weeks=weeks - 1)
    found, total = rates.rates(connection, since=since, channel=channel)
    return {
        "target_percent": rates.TARGET_PERCENT,
        "total": _numbers(total),
        "weeks": [_numbers(each) for each in found],
    }


def _numbers(each: rates.Rate) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in rates.Rate.__slots__}
    return row | {name: float(row[name]) for name in ("cost", "cost_low", "cost_high")}
