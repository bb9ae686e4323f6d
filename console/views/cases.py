"""Order lines that were accepted and are not there."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from console.views.listing import Listing, Page, page
from reconcile.oversold import steps, store, timeline
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
