"""Migrated databases for tests: copied from a template once, then emptied and lent again.

A copy costs a quarter of a second, emptying one a tenth of that: in one message, over a connection that stays and so
knows the tables already. What is lent again is as it was copied: no rows but the template's own, sequences at their
start, nobody connected but one who has forgotten what it did, and the same catalogue (tables, columns, triggers,
functions, rights). Where that cannot be had the database is dropped and the next test gets a new copy.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from console.local.cluster import OWNER
from tests.servers import Database

#: Rows deleted since the copy; beyond that the dead ones would begin to cost.
WEAR = 20_000
#: How long the server may take to notice that a test has hung up.
HANG_UP_S = 0.5

_numbers = itertools.count(1)

_CATALOGUES = (
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_extension",
    "pg_namespace",
    "pg_policy",
    "pg_proc",
    "pg_trigger",
    "pg_type",
)
# Whoever changes a catalogue writes a row anew, under the number of his transaction.
_CATALOGUE = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT count(*), sum(xmin::text::bigint) FROM {}").format(sql.Identifier(name))
    for name in _CATALOGUES
)
_SETTINGS = """
    SELECT count(*) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
    WHERE d.datname = current_database()
"""
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> %s
      AND backend_type = 'client backend'
"""
_TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_FILL = sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, {1}::jsonb)")
_REWIND = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the pair of this run listens: a URL for each role, with `{database}` to be filled in."""

    superuser_url: str
    admin_url: str
    app_url: str
    valkey_url: str

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A superuser connection in autocommit."""
        url = self.superuser_url.format(database=database).replace("+psycopg", "", 1)
        return psycopg.connect(url, autocommit=True)

    def create(self, source: str) -> Database:
        """A copy of the database `source`, owned by `lockstep`."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        with self.connect() as connection:
            copy(connection, name, source)
        urls = {
            role: url.format(database=name)
            for role, url in asdict(self).items()
            if role != "valkey_url"
        }
        return Database(name=name, **urls)

    def drop(self, database: Database) -> None:
        """Remove it, whoever is still connected."""
        with self.connect() as connection:
            name = sql.Identifier(database.name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


class Shelf:
    """The databases that wait to be lent; one shelf per process."""

    def __init__(self, servers: Servers, template: str) -> None:
        self._servers = servers
        self._template = template
        # Looked at in a copy: nobody can copy the template while somebody is connected to it.
        first = servers.create(template)
        self._free = [first]
        self._worn: dict[str, int] = {}
        with servers.connect(first.name) as connection:
            self._catalogue = connection.execute(_CATALOGUE).fetchall()
            named = [sql.Identifier(*row) for row in connection.execute(_TABLES).fetchall()]
            tables = [(table, _rows(connection, table)) for table in named]
            self._sweep = _sweep(tables).as_string(connection)
        self._keepers: dict[str, psycopg.Connection] = {}

    def lend(self) -> Database:
        """A database like the template, that nobody else has."""
        return self._free.pop() if self._free else self._servers.create(self._template)

    def take_back(self, database: Database) -> None:
        """Empty it for the next test, or drop it."""
        resting = database.rest()
        if self._emptied(database, resting):
            self._free.append(database)
        else:
            database.dispose()
            self._let_go(database.name)
            self._servers.drop(database)

    def close(self) -> None:
        """Give the connections back."""
        for database in self._free:
            database.dispose()
        for name in list(self._keepers):
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        keeper = self._keepers.pop(name, None)
        if keeper is not None:
            keeper.close()

    def _emptied(self, database: Database, resting: int) -> bool:
        try:
            return self._empty(database.name, resting)
        except psycopg.OperationalError:
            # A test sent everybody away, or stopped the server, and the keeper went with them.
            self._let_go(database.name)
            return self._empty(database.name, resting)

    def _empty(self, name: str, resting: int) -> bool:
        keeper = self._keepers.get(name)
        if keeper is None:
            keeper = self._keepers[name] = self._servers.connect(name)
            # Several statements in one message cannot be prepared.
            keeper.prepare_threshold = None
            # A superuser's way round the triggers that keep the ledger append-only.
            keeper.execute("SET session_replication_role = replica")
        if not _alone(keeper, resting) or keeper.execute(_SETTINGS).fetchone() != (0,):
            return False
        if keeper.execute(_CATALOGUE).fetchall() != self._catalogue:
            return False
        self._worn[name] = self._worn.get(name, 0) + _deleted(keeper.execute(self._sweep))
        return self._worn[name] < WEAR


def _sweep(tables: Sequence[tuple[sql.Identifier, str | None]]) -> sql.Composed:
    """All tables emptied, the rows of the template put back, sequences at their start; one transaction."""
    emptied = [sql.SQL("DELETE FROM {}").format(table) for table, _ in tables]
    filled = [_FILL.format(table, sql.Literal(rows)) for table, rows in tables if rows is not None]
    return sql.SQL("; ").join([*emptied, *filled, sql.SQL(_REWIND)])


def _deleted(answers: psycopg.Cursor[Any]) -> int:
    """How many rows went, over the answers to all statements of a message."""
    deleted = 0
    while True:
        if (answers.statusmessage or "").startswith("DELETE"):
            deleted += answers.rowcount
        if not answers.nextset():
            return deleted


def copy(connection: psycopg.Connection, name: str, source: str) -> None:
    """Copy the database `source` to a new one, owned by `lockstep`."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(source), sql.Identifier(OWNER)
        )
    )


def _alone(connection: psycopg.Connection, resting: int) -> bool:
    """Whether nobody is connected but this one and the one whose process rests."""
    until = time.monotonic() + HANG_UP_S
    while connection.execute(_OTHERS, [resting]).fetchone() != (0,):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _rows(connection: psycopg.Connection, table: sql.Identifier) -> str | None:
    """All rows of a table as JSON; None when it is empty."""
    statement = sql.SQL("SELECT jsonb_agg(t)::text FROM {} AS t").format(table)
    row = connection.execute(statement).fetchone()
    return row[0] if row else None
