"""The rows of a sheet out of the database, as CSV and as sums of one snapshot; nothing is kept in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ledger import seals
from ledger.db import transaction
from workers.feed.manifest import Sums
from workers.feed.sheets import TAKEN, Cut, Sheet

#: What was written down with a time may be committed so much later: a day is taken when it has been over for longer.
SETTLED: Final = timedelta(hours=1)

_FIRST_DAY = text("""
    SELECT least((SELECT min(recorded_at) FROM posting), (SELECT min(seen_at) FROM drift),
                 (SELECT min(found_at) FROM oversold_case))
""")
_LAST_EVENT = text(
    "SELECT id::text FROM event WHERE seq > :after AND seq <= :upto ORDER BY seq DESC LIMIT 1"
)
_SEQ = text("SELECT seq FROM event WHERE id = CAST(:id AS uuid)")

# Each event has one row whose line is 0 or 1.
_OF_EVENTS: Final = "count(*) FILTER (WHERE line <= 1)"
_STATES: Final = """
    SELECT state, sum(units)::bigint FROM (
        SELECT to_state AS state, units FROM ({rows}) AS r WHERE line > 0
        UNION ALL
        SELECT from_state, -units FROM ({rows}) AS r WHERE line > 0
    ) AS leg GROUP BY state ORDER BY state
"""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One view of the database for as long as a file takes; it holds nobody up."""
    with transaction(engine) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = '30min'"))
        yield connection


def written_through(engine: Engine, after: int) -> int:
    """Up to which number of the order of writing nothing can be added any more."""
    with transaction(engine) as connection:
        return seals.written_through(connection, after)


def number_of(connection: Connection, event_id: str) -> int | None:
    """The number of an event; None where this ledger does not have it."""
    return connection.execute(_SEQ, {"id": event_id}).scalar_one_or_none()


def last_event(connection: Connection, after: int, upto: int) -> str:
    """The event with the highest number of a range; "" where it has none."""
    found = connection.execute(_LAST_EVENT, {"after": after, "upto": upto}).scalar_one_or_none()
    return found or ""


def first_day(connection: Connection) -> date | None:
    """The first day of which anything is in the book; None of an empty one."""
    found: datetime | None = connection.execute(_FIRST_DAY).scalar_one()
    return None if found is None else found.date()


def _query(sheet: Sheet) -> str:
    columns = ", ".join(sheet.columns)
    if sheet.cut is Cut.NOW:
        columns = f"now() AS {TAKEN}, {columns}"
    return sheet.rows.format(columns=columns)


def sums(connection: Connection, sheet: Sheet, bounds: Mapping[str, Any]) -> Sums:
    """What the rows come to, added up by the database."""
    with _as_ours():
        return _sums(connection, sheet, bounds)


def _sums(connection: Connection, sheet: Sheet, bounds: Mapping[str, Any]) -> Sums:
    rows = _query(sheet)
    of_events = _OF_EVENTS if sheet.cut is Cut.SEQ else "0"
    units = f"coalesce(sum({sheet.units}), 0)::bigint" if sheet.units else "0"
    with _driver(connection).cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_told(f"SELECT count(*), {units}, {of_events} FROM ({rows}) AS r"), bounds)  # noqa: S608 -- composed of constants
        found = cursor.fetchone()
        assert found is not None
        states: dict[str, int] = {}
        if sheet.cut is Cut.SEQ:
            cursor.execute(_told(_STATES.format(rows=rows)), bounds)
            states = {str(state): int(total) for state, total in cursor}
    return Sums(found[0], found[1], found[2], states)


def rows(
    connection: Connection, sheet: Sheet, bounds: Mapping[str, Any]
) -> Iterator[bytes | bytearray | memoryview]:
    """The rows as CSV without a header, each whole within one part."""
    told = _told(f"COPY ({_query(sheet)}) TO STDOUT WITH (FORMAT csv)")
    with _as_ours(), _driver(connection).cursor() as cursor, cursor.copy(told, bounds) as copy:
        yield from copy


@contextmanager
def _as_ours() -> Iterator[None]:
    """What the driver raises, as SQLAlchemy would: nobody else need know both."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError("the export", {}, error) from error


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _told(statement: str) -> bytes:
    """A statement made of constants; values travel beside it."""
    return statement.encode()
