"""Our own PostgreSQL: made once per home, started without pg_ctl, ended with its supervisor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg

from console.local import binaries, cluster, place, ports
from console.local.child import Child, User, spawn, wait_ready
from console.local.cluster import APP, DATABASE, OWNER, SUPERUSER
from console.local.errors import AlreadyRunning, LocalError, NotReady

START_LIMIT_S = 120.0  # crash recovery of a large home may take a minute
START_TRIES = 20

_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "1",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}
_DURABLE = {
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
_FLEETING = {
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
}


class RunningPostgres:
    """A PostgreSQL server of ours; made by `start_postgres`.

    data     the data folder
    sockets  folder of the unix socket
    user     whom it runs as, None for ourselves

    `patience_s` is how long `start` waits for an earlier run to end: a watcher may still be ending it.
    """

    def __init__(
        self, home: Path, *, durable: bool, pg_bin: Path | None = None, patience_s: float = 10.0
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home.resolve()
        self.durable = durable
        self.user: User | None = place.server_user()
        self._base = place.data_base(self.home, self.user, durable=durable)
        self.data = self._base / cluster.DATA
        self.sockets = place.socket_folder(self._base, self.home, self.user)
        self.log = self.home / "logs" / "postgres.log"
        self._bin = place.reachable_install(binaries.postgres_bin(pg_bin), self.user)
        self._record = cluster.read_record(self._base) or cluster.new_record()
        self._child: Child | None = None
        self._patience_s = patience_s

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; it stays the same over `stop` or `kill` and `start`."""
        return self._record.port

    @property
    def child(self) -> Child:
        """The running process; raises LocalError when the server was stopped."""
        if self._child is None:
            raise LocalError("PostgreSQL is not running: call start()")
        return self._child

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises LocalError when the server was stopped."""
        return self.child.pid

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
            cluster.write_record(self._base, self._record)
            cluster.found(
                self._bin, self._base, self._record.passwords, user=self.user, durable=self.durable
            )
            (self.home / place.POINTER).write_text(f"{self.data}\n")
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
        cluster.forget_record(self._base)
        (self.home / place.POINTER).unlink(missing_ok=True)
        if self._base != self.home:
            self._base.rmdir()

    def folders(self) -> list[Path]:
        """Every folder it writes outside its home; empty when all is inside."""
        outside = {self._base, self.sockets}
        return sorted(folder for folder in outside if not folder.is_relative_to(self.home))

    def _start_on_a_port(self) -> None:
        """Start; on another port when ours was taken, after a pause when a killed run's backends still end."""
        for attempt in range(1, START_TRIES + 1):
            self._record = replace(self._record, port=ports.free_port(self._record.port))
            cluster.write_record(self._base, self._record)
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
        child = spawn(
            "postgres",
            command,
            log=self.log,
            env=cluster.ENVIRONMENT,
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

    def _wait_for_former(self) -> None:
        """Until no process of an earlier run holds the data; drop a pid file whose number now means another process."""
        pid_file = self.data / "postmaster.pid"
        until = time.monotonic() + self._patience_s
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
