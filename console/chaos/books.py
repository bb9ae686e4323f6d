"""Databases of a run: one a worker process, opened once, brought back to its opening before each schedule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from console.local.cluster import OWNER

#: Rows deleted after which the dead ones would begin to cost.
_WORN: Final = 60_000
_TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_FILL = sql.SQL(
    "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::{0}, {1}::jsonb)"
)
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
    """A house as it stood when it was opened: how to bring a database back there."""

    statement: bytes

    def restore(self, connection: psycopg.Connection[Any]) -> int:
        """Bring it back; returns how many rows there were since."""
        gone = 0
        cursor = connection.execute(self.statement)
        while True:
            if (cursor.statusmessage or "").startswith("DELETE"):
                gone += max(0, cursor.rowcount)
            if not cursor.nextset():
                return gone


def opening_of(connection: psycopg.Connection[Any]) -> Opening:
    """Remember the database as it is. The connection is the superuser's: nobody else may empty the book."""
    tables = [sql.Identifier(*row) for row in connection.execute(_TABLES).fetchall()]
    parts: list[sql.Composable] = [sql.SQL("SET session_replication_role = replica")]
    parts += [sql.SQL("DELETE FROM {}").format(table) for table in tables]
    for table in tables:
        row = connection.execute(_ROWS.format(table)).fetchone()
        if row and row[0]:
            parts.append(_FILL.format(table, sql.Literal(row[0])))
    for name, value in connection.execute(_SEQUENCES).fetchall():
        parts.append(
            sql.SQL("SELECT setval({}::regclass, {}, false)").format(
                sql.Literal(name), sql.Literal(value)
            )
        )
    return Opening(sql.SQL("; ").join(parts).as_string(connection).encode())


@contextmanager
def keeper(url: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser's connection to one database, in autocommit."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def is_worn(rows: int) -> bool:
    """Whether so many deleted rows are too many to go on with the same tables."""
    return rows > _WORN
