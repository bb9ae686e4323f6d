"""What the fixtures of `conftest.py` hand to a test: a database of its own, a clock it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import psycopg
from sqlalchemy import Engine, QueuePool, create_engine

FIRST_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

# `DISCARD ALL` would also drop statements that the driver believes to be prepared.
_FORGET = (
    "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();"
    " DISCARD TEMP; DISCARD SEQUENCES"
)


class Database:
    """A migrated database that only this test sees; emptied or dropped after it.

    app_url        login `lockstep_app`: what the product runs as; may not touch the append-only tables
    admin_url      login `lockstep`: owner of the schema, for migrations and sealing; no superuser
    superuser_url  login `postgres`: for tests that play the intruder or look behind the curtain
    """

    def __init__(self, *, name: str, app_url: str, admin_url: str, superuser_url: str) -> None:
        self.name = name
        self.app_url = app_url
        self.admin_url = admin_url
        self.superuser_url = superuser_url

    @cached_property
    def engine(self) -> Engine:
        """The application's engine, made at first use."""
        return create_engine(self.app_url)

    @cached_property
    def owner(self) -> Engine:
        """The schema owner's engine, made at first use."""
        return create_engine(self.admin_url)

    @cached_property
    def superuser(self) -> Engine:
        """The superuser's engine, made at first use."""
        return create_engine(self.superuser_url)

    def dispose(self) -> None:
        """Close what was opened."""
        for name in ("engine", "owner", "superuser"):
            engine = self.__dict__.get(name)
            if engine is not None:
                engine.dispose()

    def rest(self) -> int:
        """Close what was opened, but for one connection of the application, which knows the tables by now.

        Nothing of a session is left in it but prepared statements: no settings, temporary tables, locks.

        returns    the process that serves it, 0 when none is kept
        """
        engine: Engine | None = self.__dict__.get("engine")
        pool = None if engine is None else engine.pool
        if engine is None or not isinstance(pool, QueuePool) or pool.checkedout():
            self.dispose()
            return 0
        idle = [engine.raw_connection() for _ in range(pool.checkedin())]
        for number, one in enumerate(idle):
            driver = one.driver_connection
            assert isinstance(driver, psycopg.Connection)
            try:
                if number == 0:
                    driver.autocommit = True
                    driver.execute(_FORGET)
                    driver.autocommit = False
                    kept = driver.info.backend_pid
                else:
                    one.invalidate()
            except psycopg.Error:
                self.dispose()
                return 0
            finally:
                one.close()
        for other in ("owner", "superuser"):
            if other in self.__dict__:
                self.__dict__[other].dispose()
        return kept if idle else 0


@dataclass
class Clock:
    """A clock the test holds: it stands still until told to move."""

    now: datetime = field(default=FIRST_NOW)

    def advance(self, seconds: float) -> datetime:
        """Move on and say the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now
