"""Our own PostgreSQL: made once per home, started without pg_ctl, ended with its supervisor.

Logins use passwords (SCRAM) even on the loopback address, because on a shared machine every local user can connect
there and the superuser may read files. The passwords are random and 192 bits long, so one hashing round is enough and
a connection costs hardly more than with `trust`. They stand in `postgres.json` beside the data, closed to others.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from console.local import binaries, place, ports
from console.local.child import Child, User, spawn, wait_ready
from console.local.errors import AlreadyRunning, LocalError, NotReady

SUPERUSER = "postgres"
OWNER = "lockstep"
APP = "lockstep_app"
DATABASE = "lockstep"
START_LIMIT_S = 120.0  # crash recovery of a large home may take a minute
START_TRIES = 20

_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "1",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FLEETING = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "256MB",
}
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
    """What is remembered beside the data: the port last used and the password of each role."""

    port: int
    passwords: Mapping[str, str]


class RunningPostgres:
    """A PostgreSQL server of ours; made by `start_postgres`.

    data     the data folder
    sockets  folder of the unix socket
    user     whom it runs as, None for ourselves
    """

    def __init__(self, home: Path, *, durable: bool, pg_bin: Path | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home.resolve()
        self.durable = durable
        self.user: User | None = place.server_user()
        self._base = place.data_base(self.home, self.user, durable=durable)
        self.data = self._base / "postgres"
        self.sockets = place.socket_folder(self._base, self.home, self.user)
        self.log = self.home / "logs" / "postgres.log"
        self._bin = place.reachable_install(binaries.postgres_bin(pg_bin), self.user)
        self._record = _read_record(self._base) or _new_record()
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; it stays the same over `stop` or `kill` and `start`."""
        return self._record.port

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises LocalError when the server was stopped."""
        if self._child is None:
            raise LocalError("PostgreSQL is not running: call start()")
        return self._child.pid

    @property
    def superuser_url(self) -> str:
        """SQLAlchemy URL of the superuser, for tests and for making roles."""
        return self.url(SUPERUSER)

    @property
    def admin_url(self) -> str:
        """SQLAlchemy URL of the role that owns the database and its schema; it may create roles."""
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        """SQLAlchemy URL of the application's login, which owns nothing."""
        return self.url(APP)

    def url(self, role: str, database: str = DATABASE) -> str:
        """SQLAlchemy URL of a role (`postgres`, `lockstep`, `lockstep_app`) and a database."""
        login = f"{role}:{self._record.passwords[role]}"
        return f"postgresql+psycopg://{login}@{ports.LOOPBACK}:{self.port}/{quote(database)}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A superuser connection over the unix socket, in autocommit."""
        return psycopg.connect(
            host=str(self.sockets),
            port=self.port,
            user=SUPERUSER,
            password=self._record.passwords[SUPERUSER],
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def start(self) -> None:
        """Start the server on its data, made first when there is none; recovers from a kill.

        raises  AlreadyRunning when another supervisor serves this home, NotReady with the log's end
        """
        if self._child is not None and self._child.exit_code() is None:
            return
        self._wait_for_former()
        if not (self.data / "PG_VERSION").exists():
            _write_record(self._base, self._record)
            self._make_data()
        self._start_on_a_port()

    def stop(self) -> None:
        """End it in good order (open sessions are cut); nothing when it does not run."""
        if self._child is not None:
            self._child.stop(30.0)
            self._child = None

    def kill(self) -> None:
        """kill -9, as a crash would; `start` recovers. Returns when no backend is left to hold the data."""
        if self._child is None:
            return
        self._child.kill()
        self._child = None
        self._wait_for_former()

    def discard(self) -> None:
        """Stop it and remove its data for good."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
        (self._base / "postgres.json").unlink(missing_ok=True)
        (self.home / place.POINTER).unlink(missing_ok=True)
        if self._base != self.home:
            self._base.rmdir()

    def folders(self) -> list[Path]:
        """Every folder it writes outside its home; empty when all is inside."""
        outside = {self._base, self.sockets}
        return sorted(folder for folder in outside if not folder.is_relative_to(self.home))

    def _make_data(self) -> None:
        """initdb into a draft that becomes the data folder only when roles and database stand in it."""
        draft = self._base / "postgres.draft"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        place.give(draft, self.user)
        self._initdb(draft)
        if self.data.exists():
            self.data.rmdir()
        draft.rename(self.data)
        (self.home / place.POINTER).write_text(f"{self.data}\n")

    def _initdb(self, draft: Path) -> None:
        """Roles and database are made by a single-user run, so a data folder is never seen without them."""
        password_file = self._base / "postgres.password"
        password_file.touch(mode=0o600)
        password_file.write_text(f"{self._record.passwords[SUPERUSER]}\n")
        if self.user is not None:
            os.chown(password_file, self.user.uid, self.user.gid)
        options = f"--username={SUPERUSER} --auth=scram-sha-256 --locale=C --encoding=UTF8 --set=scram_iterations=1"
        command: list[str | Path] = [
            self._bin / "initdb",
            "--pgdata",
            draft,
            "--pwfile",
            password_file,
            *options.split(),
        ]
        if not self.durable:
            command.append("--no-sync")
        try:
            self._run(command, "")
        finally:
            password_file.unlink()
        single: list[str | Path] = [
            self._bin / "postgres",
            "--single",
            "-j",
            "-D",
            draft,
            "-c",
            "scram_iterations=1",
            "postgres",
        ]
        self._run(single, ";\n\n".join([*self._founding_statements(), ""]))

    def _founding_statements(self) -> list[str]:
        role = {name: sql.Identifier(name) for name in (OWNER, APP)}
        secret = {name: sql.Literal(self._record.passwords[name]) for name in (OWNER, APP)}
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

    def _run(self, command: list[str | Path], stdin: str) -> None:
        answer = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_LIMIT_S,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=None if self.user is None else self.user.uid,
            group=None if self.user is None else self.user.gid,
            extra_groups=None if self.user is None else [],
        )
        if answer.returncode != 0 or "ERROR:" in answer.stderr:
            raise NotReady(
                f"{Path(command[0]).name} failed in {self._base}\n{answer.stdout}{answer.stderr}"
            )

    def _start_on_a_port(self) -> None:
        """Start; on another port when ours was taken, after a pause when a killed run's backends still end."""
        for attempt in range(1, START_TRIES + 1):
            self._record = replace(self._record, port=ports.free_port(self._record.port))
            _write_record(self._base, self._record)
            try:
                self._start_once()
                break
            except NotReady as refusal:
                port_taken = "could not bind" in str(refusal)
                passing = port_taken or "shared memory block" in str(refusal)
                if not passing or attempt == START_TRIES:
                    raise
                if port_taken:
                    self._record = replace(self._record, port=0)
                time.sleep(0.2)

    def _start_once(self) -> None:
        settings = _SETTINGS | (_DURABLE if self.durable else _FLEETING) | {"port": str(self.port)}
        settings["unix_socket_directories"] = '"{}"'.format(str(self.sockets).replace('"', '""'))
        command: list[str | Path] = [self._bin / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        child = spawn(
            "postgres",
            command,
            log=self.log,
            env=environment,
            cwd=Path("/"),
            user=self.user,
            farewell=signal.SIGINT,
        )
        wait_ready(child, self._answers, limit_s=START_LIMIT_S)
        self._child = child

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                # Another server on the same port and folder cannot know our data folder.
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]) == self.data

    def _wait_for_former(self, limit_s: float = 10.0) -> None:
        """Until no process of an earlier run holds the data; drop a pid file whose number now means another process."""
        pid_file = self.data / "postmaster.pid"
        until = time.monotonic() + limit_s
        while (pid := _former_pid(pid_file)) is not None:
            if not _serves(pid, self.data):
                pid_file.unlink(missing_ok=True)
                return
            if time.monotonic() > until:
                raise AlreadyRunning(
                    f"process {pid} serves the data in {self.data}: stop the Lockstep that runs there,"
                    " or choose another LOCKSTEP_HOME"
                )
            time.sleep(0.05)


def start_postgres(home: Path, *, durable: bool, pg_bin: Path | None = None) -> RunningPostgres:
    """A server on the data of this home, ready for connections.

    home     folder of the stack; made when missing. The data stands inside, or elsewhere as `place` says
    durable  True: nothing acknowledged is lost by a crash or power cut. False: fast, for tests and demos
    raises   BinaryMissing, PlaceRefused, AlreadyRunning, NotReady
    """
    server = RunningPostgres(home, durable=durable, pg_bin=pg_bin)
    server.start()
    return server


def _former_pid(pid_file: Path) -> int | None:
    """The pid an earlier postmaster left behind, if a process of that number lives."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    except PermissionError:
        return pid
    return pid


def _serves(pid: int, data: Path) -> bool:
    """Whether the process of that number was started on that data folder; yes when nobody can tell."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        try:
            arguments = subprocess.run(
                ["ps", "-wwo", "args=", "-p", str(pid)], capture_output=True, check=False
            ).stdout
        except FileNotFoundError:
            return True
    return os.fsencode(data) in arguments


def _new_record() -> Record:
    return Record(0, {role: secrets.token_hex(24) for role in (SUPERUSER, OWNER, APP)})


def _read_record(base: Path) -> Record | None:
    path = base / "postgres.json"
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return Record(
        int(kept["port"]), {str(role): str(secret) for role, secret in kept["passwords"].items()}
    )


def _write_record(base: Path, record: Record) -> None:
    draft = base / "postgres.json.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(base / "postgres.json")
