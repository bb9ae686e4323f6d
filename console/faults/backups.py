"""A dump that is taken while the house works, and the day when it is all that is left."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Final
from urllib.parse import urlsplit

from psycopg import sql
from sqlalchemy import create_engine, text

from console.faults.types import Fault, Scene
from console.local import binaries
from console.local.cluster import DATABASE, OWNER, SUPERUSER
from console.local.postgres import RunningPostgres
from ledger.verify import verify

_RESTORED: Final = "lockstep_restored"
_LIMIT_S: Final = 300.0
_KEPT: Final = text("SELECT delivery_id FROM inbox WHERE source = 'wms'")


def _missing() -> str:
    folder = binaries.postgres_bin()
    lacks = [name for name in ("pg_dump", "pg_restore") if not (folder / name).exists()]
    return f"{folder} has no {' and no '.join(lacks)}" if lacks else ""


def _run(postgres: RunningPostgres, name: str, database: str, *options: str) -> None:
    parts = urlsplit(postgres.url(SUPERUSER, database))
    command = [
        str(binaries.postgres_bin() / name), "--host", str(parts.hostname), "--port", str(parts.port),
        "--username", str(parts.username), "--dbname", database, *options,
    ]  # fmt: skip
    # In the environment: a password among the arguments is open to every user of the machine.
    env = {**os.environ, "PGPASSWORD": str(parts.password)}
    subprocess.run(command, check=True, env=env, timeout=_LIMIT_S, capture_output=True)


def _restored(scene: Scene) -> list[str]:
    house, supervisor = scene.house, scene.house.stack.supervisor
    postgres = house.stack.postgres
    if postgres is None:
        raise AssertionError("the house has a PostgreSQL of its own")
    dump = house.stack.home / "book.dump"
    before = list(scene.load.diary.accepted)
    _run(postgres, "pg_dump", DATABASE, "--format=custom", f"--file={dump}")
    # What comes from here on is in no dump.
    time.sleep(scene.hold_s / 2)
    with postgres.connect() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                sql.Identifier(_RESTORED), sql.Identifier(OWNER)
            )
        )
    _run(postgres, "pg_restore", _RESTORED, "--exit-on-error", str(dump))
    said = _proved(postgres, before)
    scene.load.stop()
    services = ("relay", "beat", *house.workers)
    for name in services:
        supervisor.stop(name)
    house.wiring.engine.dispose()
    gone = house.now()
    _swap(postgres)
    for name in services:
        supervisor.start(name)
    scene.load.diary.undo(set(before), until=gone)
    return said


def _proved(postgres: RunningPostgres, before: list[str]) -> list[str]:
    """The restored book as it lies there: whole, and everything in it that was accepted before the dump began."""
    restored = create_engine(postgres.url(SUPERUSER, _RESTORED))
    try:
        said = [f"the dump: {f.check} {f.row} {f.says}" for f in verify(restored).findings]
        with restored.connect() as connection:
            kept = set(connection.execute(_KEPT).scalars())
    finally:
        restored.dispose()
    lost = [name for name in before if name not in kept]
    return [*said, *(f"accepted before the dump and not in it: {name}" for name in lost[:5])]


def _swap(postgres: RunningPostgres) -> None:
    """The dump takes the place of the book, which is gone."""
    with postgres.connect() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE))
        )
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(_RESTORED), sql.Identifier(DATABASE)
            )
        )


FAULTS: Final = (
    Fault(
        "backup",
        "the book is lost; a dump taken under load takes its place, and senders tell what came since",
        _restored,
        _missing,
    ),
)
