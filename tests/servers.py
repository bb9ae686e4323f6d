"""What the fixtures of `conftest.py` hand to a test: a database of its own, a clock it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from sqlalchemy import Engine, create_engine

FIRST_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


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


@dataclass
class Clock:
    """A clock the test holds: it stands still until told to move."""

    now: datetime = field(default=FIRST_NOW)

    def advance(self, seconds: float) -> datetime:
        """Move on and say the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now
