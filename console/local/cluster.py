"""The data folder of our own PostgreSQL: initdb, the roles, the database, and the record of their passwords.

Logins use passwords (SCRAM) even on the loopback address, because on a shared machine every local user can connect
there and the superuser may read files. The passwords are random and 192 bits long, so one hashing round is enough and
a connection costs hardly more than with `trust`. They stand in `postgres.json` beside the data, closed to others.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg import sql

from console.local import place
from console.local.child import User
from console.local.errors import NotReady

SUPERUSER = "postgres"
OWNER = "lockstep"
APP = "lockstep_app"
DATABASE = "lockstep"
DATA = "postgres"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

_RECORD = "postgres.json"
_INITDB_LIMIT_S = 120.0
# A statement that waits longer than this has found a fault, not a queue.
_SESSION = {
    OWNER: {"idle_in_transaction_session_timeout": "30s"},
    APP: {
        "idle_in_transaction_session_timeout": "30s",
        "lock_timeout": "5s",
        "statement_timeout": "30s",
    },
}


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered beside the data: the port last used (0: none yet) and the password of each role."""

    port: int
    passwords: Mapping[str, str]


def new_record() -> Record:
    """No port yet, a new password for each of the three roles."""
    return Record(0, {role: secrets.token_hex(24) for role in (SUPERUSER, OWNER, APP)})


def read_record(base: Path) -> Record | None:
    """The record beside the data; None when there is none."""
    path = base / _RECORD
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    passwords = {str(role): str(secret) for role, secret in kept["passwords"].items()}
    return Record(int(kept["port"]), passwords)


def write_record(base: Path, record: Record) -> None:
    """Replace the record in one step; only its owner may read it."""
    draft = base / f"{_RECORD}.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(base / _RECORD)


def forget_record(base: Path) -> None:
    """Remove the record."""
    (base / _RECORD).unlink(missing_ok=True)


def found(
    binaries: Path, base: Path, passwords: Mapping[str, str], *, user: User | None, durable: bool
) -> None:
    """Make `base/postgres`: a draft that takes its name only when roles and database stand in it.

    passwords  of the superuser, the owner and the application
    user       who shall own it, None for ourselves
    raises     NotReady with what initdb or postgres said
    """
    draft = base / f"{DATA}.draft"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    place.give(draft, user)
    _initdb(binaries, draft, passwords[SUPERUSER], user=user, durable=durable)
    single = [binaries / "postgres", "--single", "-j", "-D", draft, "-c", "scram_iterations=1"]
    statements = ";\n\n".join([*_founding_statements(passwords), ""])
    _run([*map(str, single), "postgres"], statements, user)
    if (base / DATA).exists():
        (base / DATA).rmdir()
    draft.rename(base / DATA)


def _initdb(
    binaries: Path, draft: Path, superuser_password: str, *, user: User | None, durable: bool
) -> None:
    password_file = draft.with_name("postgres.password")
    password_file.touch(mode=0o600)
    password_file.write_text(f"{superuser_password}\n")
    if user is not None:
        os.chown(password_file, user.uid, user.gid)
    options = ["--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--set=scram_iterations=1"]
    if not durable:
        options.append("--no-sync")
    command = [binaries / "initdb", "--pgdata", draft, "--pwfile", password_file]
    try:
        _run([*map(str, command), f"--username={SUPERUSER}", *options], "", user)
    finally:
        password_file.unlink()


def _founding_statements(passwords: Mapping[str, str]) -> list[str]:
    role = {name: sql.Identifier(name) for name in (OWNER, APP)}
    secret = {name: sql.Literal(passwords[name]) for name in (OWNER, APP)}
    statements = [
        sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
            role[OWNER], secret[OWNER]
        ),
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role[APP], secret[APP]),
        sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role[OWNER]),
        *(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                role[name], sql.Identifier(setting), sql.Literal(value)
            )
            for name, settings in _SESSION.items()
            for setting, value in settings.items()
        ),
    ]
    return [statement.as_string() for statement in statements]


def _run(command: list[str], stdin: str, user: User | None) -> None:
    answer = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INITDB_LIMIT_S,
        cwd="/",
        env=ENVIRONMENT,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    )
    # A single-user postgres reports a failed statement and ends with 0.
    if answer.returncode != 0 or "ERROR:" in answer.stderr:
        raise NotReady(f"{Path(command[0]).name} failed\n{answer.stdout}{answer.stderr}")
