"""Migrated databases for tests: copied from a template once, then emptied and lent again.

A copy costs a quarter of a second, emptying one a tenth of that. What is lent again is as it was copied: no rows but
the template's own, sequences at their start, nobody connected, and the same catalogue (tables, columns, triggers,
functions, rights). Where that cannot be had the database is dropped and the next test gets a new copy.
"""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import asdict, dataclass

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
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_FILL = sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb)")
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
            self._tables = [(table, _rows(connection, table)) for table in named]

    def lend(self) -> Database:
        """A database like the template, that nobody else has."""
        return self._free.pop() if self._free else self._servers.create(self._template)

    def take_back(self, database: Database) -> None:
        """Empty it for the next test, or drop it."""
        database.dispose()
        if self._emptied(database):
            self._free.append(database)
        else:
            self._servers.drop(database)

    def _emptied(self, database: Database) -> bool:
        with self._servers.connect(database.name) as connection:
            if not _alone(connection) or connection.execute(_SETTINGS).fetchone() != (0,):
                return False
            if connection.execute(_CATALOGUE).fetchall() != self._catalogue:
                return False
            # A superuser's way round the triggers that keep the ledger append-only.
            connection.execute("SET session_replication_role = replica")
            worn = self._worn.get(database.name, 0)
            for table, rows in self._tables:
                worn += connection.execute(sql.SQL("DELETE FROM {}").format(table)).rowcount
                if rows is not None:
                    connection.execute(_FILL.format(table), [rows])
            connection.execute(_REWIND)
        self._worn[database.name] = worn
        return worn < WEAR


def copy(connection: psycopg.Connection, name: str, source: str) -> None:
    """Copy the database `source` to a new one, owned by `lockstep`."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(source), sql.Identifier(OWNER)
        )
    )


def _alone(connection: psycopg.Connection) -> bool:
    until = time.monotonic() + HANG_UP_S
    while connection.execute(_OTHERS).fetchone() != (0,):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _rows(connection: psycopg.Connection, table: sql.Identifier) -> str | None:
    """All rows of a table as JSON; None when it is empty."""
    statement = sql.SQL("SELECT jsonb_agg(t)::text FROM {} AS t").format(table)
    row = connection.execute(statement).fetchone()
    return row[0] if row else None
