"""The `lockstep` command in this process: its own environment, output apart, the exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from console.cli import cli
from tests.servers import Database
from workers.settings import settings


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def read(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


def lockstep(*command: str, environment: Mapping[str, str], typed: str | None = None) -> Said:
    """Run a command; an error that is no sentence is raised.

    typed    what stands on its standard input
    """
    settings.cache_clear()
    try:
        result = CliRunner().invoke(
            cli, list(command), input=typed, env=environment, prog_name="lockstep"
        )
    finally:
        settings.cache_clear()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def surroundings(database: Database, **more: str) -> dict[str, str]:
    """The environment of a house with this database and no broker."""
    return {
        "LOCKSTEP_DATABASE_URL": database.app_url,
        "LOCKSTEP_DATABASE_ADMIN_URL": database.admin_url,
        "LOCKSTEP_REDIS_URL": "redis://127.0.0.1:1/0",
        **more,
    }
