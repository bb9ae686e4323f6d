"""How programs of partners are used up, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from allocation import program_store
from console.views.listing import Page, cursor, read_cursor
from console.views.programs import burn_row
from workers.flows import program_watch

_KEY: Final = ("program", "sku", "location")


def burns(
    connection: Connection,
    now: datetime,
    *,
    partner: str | None,
    sku: str | None = None,
    limit: int,
    after: str | None = None,
) -> Page:
    """Lines of programs that are not ended, by name; they are agreed by hand, and few enough to be computed all.

    raises    BadCursor
    """
    begin = tuple(read_cursor(after, ["text"] * len(_KEY))) if after else ()
    known = program_store.programs(connection, partner=partner, also_ended=False)
    rows: list[dict[str, Any]] = [
        burn_row(each)
        for each in program_watch.burns(connection, known, now)
        if sku in (None, each.sku)
    ]
    rows = sorted((row for row in rows if _key(row) > begin), key=_key)
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows, cursor(_key(rows[-1])) if more else None)


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in _KEY)
