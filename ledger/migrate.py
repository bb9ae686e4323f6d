"""Bring a database to the newest schema, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from ledger.db import UnfitDatabase

_MIGRATIONS = Path(__file__).parent / "migrations"
#: One number for all of Lockstep's migrations; any other program may use any other.
_LOCK = 7_305_200_115

#: In the order of their code points.
_SORTED = ["B", "a", "a-c", "ab", "\u00e9", "\u4e00"]
_MADE = text("""
    SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS sorting
    FROM pg_database WHERE datname = current_database()
""")
_ORDER = text(
    "SELECT array_agg(word ORDER BY word) FROM unnest(CAST(:words AS text[])) AS given (word)"
)


@contextmanager
def locked(connection: Connection) -> Iterator[None]:
    """Hold the migration lock of this database; a second migrator waits, then finds nothing to do."""
    connection.execute(text("SET lock_timeout = '60s'"))
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    # A migration that cannot get its table lock at once must give way to the running house.
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(url: str, *, to: str = "head") -> None:
    """Apply every migration that `url` does not have yet.

    url       SQLAlchemy URL of the schema's owner (not of the application role)
    to        the newest one to be applied
    raises    UnfitDatabase for one that is not in UTF-8 or sorts otherwise than by code points: rows are locked and
              catalogues are read in one order, here and there
    """
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            _refuse_unfit(connection)
        with engine.connect() as connection, locked(connection):
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            connection.commit()
    finally:
        engine.dispose()


def _refuse_unfit(connection: Connection) -> None:
    name, encoding, sorting = connection.execute(_MADE).one()
    if encoding != "UTF8":
        wrong = f"is in {encoding}"
    elif connection.execute(_ORDER, {"words": _SORTED[::-1]}).scalar_one() != _SORTED:
        wrong = f"sorts as {sorting} does"
    else:
        return
    raise UnfitDatabase(
        f"database {name} {wrong}, and a ledger needs UTF-8 and the order of code points. Make another one:"
        f" CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    )


def previous() -> str:
    """The schema version before the newest one that this code knows."""
    scripts = ScriptDirectory.from_config(_config())
    newest = scripts.get_revision("head")
    if not isinstance(newest.down_revision, str):
        raise AssertionError("migrations follow each other one by one, and there are two at least")
    return newest.down_revision


def versions(url: str) -> tuple[str | None, str | None]:
    """The schema version of the database at `url`, and the newest one this code knows."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": "schema_version"}
            )
            return context.get_current_revision(), ScriptDirectory.from_config(
                _config()
            ).get_current_head()
    finally:
        engine.dispose()
