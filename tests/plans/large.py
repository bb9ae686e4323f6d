"""A database that is full enough for plans to matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from ledger.db import connect
from tests.databases import Shelf
from tests.servers import FIRST_NOW
from tests.workers.shelf import apply


def seed(connection: Connection, skus: int, rules: str, statements: Sequence[str]) -> None:
    """So many SKUs, rules in force, and what the statements add as of the first moment of every test.

    Nothing is checked on the way in: it is right by how it is made.
    """
    connection.execute(text("SET session_replication_role = replica"))
    connection.execute(
        text(
            "INSERT INTO sku (sku) SELECT 'S' || lpad(n::text, 6, '0') FROM generate_series(1, :n) n"
        ),
        {"n": skus},
    )
    apply(connection, rules, FIRST_NOW)
    for statement in statements:
        connection.execute(text(statement), {"now": FIRST_NOW})


@contextmanager
def filled(shelf: Shelf, fill: Callable[[Connection], None]) -> Iterator[Engine]:
    """Lend a database, fill it as its superuser, and ask as the application, with fresh statistics."""
    database = shelf.lend()
    with database.superuser.begin() as connection:
        fill(connection)
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    engine = connect(database.app_url)
    yield engine
    engine.dispose()
    shelf.take_back(database)
