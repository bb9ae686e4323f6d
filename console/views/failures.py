"""Failed work and bulk work on it, as every door tells of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from console.access.types import Unknown
from console.views.listing import Page, cursor, read_cursor
from workers.failures import operations, store
from workers.failures.types import Cursor, Filter, Operation, Row

_KEY: Final = ("timestamptz", "bigint")


def failures(connection: Connection, wanted: Filter, *, limit: int, after: str | None) -> Page:
    """Failures that are meant, newest first. Raises BadCursor."""
    before = None
    if after is not None:
        at, number = read_cursor(after, _KEY)
        before = Cursor(datetime.fromisoformat(at), int(number))
    found = store.page(connection, wanted, most=limit + 1, before=before)
    more, found = len(found) > limit, found[:limit]
    next_ = cursor([found[-1].last_seen.isoformat(), found[-1].id]) if more else None
    return Page([row_of(each) for each in found], next_)


def row_of(row: Row) -> dict[str, Any]:
    """A failure, without what is kept of its object."""
    return asdict(row) | {"operation": str(row.operation) if row.operation else None}


def failure(connection: Connection, number: int) -> dict[str, Any]:
    """A failure whole, with what is kept of its object, which may name a buyer. Raises Unknown."""
    found = store.one(connection, number)
    if found is None:
        raise Unknown(f"there is no failure {number}: see `lockstep failed list --since 30d`")
    row, trace = found
    return row_of(row) | {"traceback": trace, "kept": store.kept(connection, row)}


def bulk(connection: Connection, *, limit: int, after: str | None) -> Page:
    """Bulk work, newest first. Raises BadCursor."""
    before = UUID(read_cursor(after, ["uuid"])[0]) if after is not None else None
    found = operations.page(connection, most=limit + 1, before=before)
    more, found = len(found) > limit, found[:limit]
    return Page([of(each) for each in found], cursor([str(found[-1].id)]) if more else None)


def of(each: Operation) -> dict[str, Any]:
    """Bulk work as it stands."""
    return asdict(each) | {"id": str(each.id)}


def operation(connection: Connection, number: UUID) -> dict[str, Any]:
    """One of them, with how its failures stand now. Raises Unknown."""
    found = operations.one(connection, number)
    if found is None:
        raise Unknown(f"there is no operation {number}: see `lockstep op list`")
    stand = {str(state): rows for state, rows in store.states_of(connection, number).items()}
    return of(found) | {"failures": stand}
