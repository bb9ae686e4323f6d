"""Databases of a run: one a worker process, opened once, brought back to its opening before each schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.errors import InvalidSchemaName, UndefinedFunction

from console.local.cluster import OWNER

#: Rows deleted after which the dead ones would begin to cost.
_WORN: Final = 60_000
_TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_FILL = sql.SQL(
    "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::{0}, {1}::jsonb);"
)
_EMPTY = sql.SQL("DELETE FROM {}; GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;")
_SET = sql.SQL("PERFORM setval({}::regclass, {}, false);")
_BODY = sql.SQL("DECLARE gone bigint := 0; n bigint; BEGIN {} RETURN gone; END")
_TEACH = sql.SQL("CREATE FUNCTION {}() RETURNS bigint LANGUAGE plpgsql AS {}")
_ASK = sql.SQL("SELECT {}()")
_ROWS = sql.SQL("SELECT jsonb_agg(t)::text FROM {} AS t")
_SEQUENCES = "SELECT seqrelid::regclass::text, nextval(seqrelid) FROM pg_sequence ORDER BY 1"


def copy(url: str, name: str, source: str) -> None:
    """Make a database like another one. `url`: the superuser's, of any database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(source), sql.Identifier(OWNER)
            )
        )


def drop(url: str, name: str) -> None:
    """Remove a database, whoever is connected."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """A house as it stood when it was opened: how to bring a database back there.

    taught    makes the function that does it, for one session: the server plans its statements once
    asked     calls it
    """

    taught: bytes
    asked: bytes

    def restore(self, connection: psycopg.Connection[Any]) -> int:
        """Bring it back; returns how many rows there were since."""
        try:
            row = connection.execute(self.asked).fetchone()
        except (UndefinedFunction, InvalidSchemaName):
            connection.execute(self.taught)
            row = connection.execute(self.asked).fetchone()
        assert row is not None, "a function returns a row"
        return int(row[0])


def opening_of(connection: psycopg.Connection[Any], name: str) -> Opening:
    """Remember the database as it is, by a name. The connection is a keeper's: nobody else may empty the book."""
    tables = [sql.Identifier(*row) for row in connection.execute(_TABLES).fetchall()]
    parts: list[sql.Composable] = [_EMPTY.format(table) for table in tables]
    for table in tables:
        row = connection.execute(_ROWS.format(table)).fetchone()
        if row and row[0]:
            parts.append(_FILL.format(table, sql.Literal(row[0])))
    for sequence, value in connection.execute(_SEQUENCES).fetchall():
        parts.append(_SET.format(sql.Literal(sequence), sql.Literal(value)))
    body = _BODY.format(sql.SQL(" ").join(parts)).as_string(connection)
    function = sql.Identifier("pg_temp", f"to {name}")
    taught = _TEACH.format(function, sql.Literal(body)).as_string(connection)
    return Opening(taught.encode(), _ASK.format(function).as_string(connection).encode())


def keeper(url: str) -> psycopg.Connection[Any]:
    """The superuser's connection to one database, in autocommit, at which no trigger fires."""
    return psycopg.connect(url, autocommit=True, options="-c session_replication_role=replica")


def is_worn(rows: int) -> bool:
    """Whether so many deleted rows are too many to go on with the same tables."""
    return rows > _WORN
