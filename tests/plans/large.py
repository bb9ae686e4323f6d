"""A database that is full enough for plans to matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from ledger.db import connect
from tests.databases import Shelf


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
