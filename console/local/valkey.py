"""Our own Valkey (or Redis): the bell. Losing its data costs time, never stock; a kept home still keeps its log."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

import redis

from console.local import binaries, ports
from console.local.child import Child, spawn, wait_ready
from console.local.errors import AlreadyRunning, LocalError, NotReady

DATABASES = 64
START_LIMIT_S = 30.0
START_TRIES = 5

# noeviction: every other policy drops whole queues in silence when memory is full.
_ALWAYS = {
    "bind": ports.LOOPBACK,
    "databases": str(DATABASES),
    "maxmemory-policy": "noeviction",
    "save": '""',
    "daemonize": "no",
    "loglevel": "notice",
    "logfile": '""',
}


class RunningValkey:
    """A Valkey server of ours; made by `start_valkey`.

    Its port and password stand in `valkey.conf` in the home, readable by its owner only.
    """

    def __init__(self, home: Path, *, durable: bool, redis_bin: Path | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home.resolve()
        self.durable = durable
        self.data = self.home / "valkey"
        self.log = self.home / "logs" / "valkey.log"
        self._bin = binaries.redis_bin(redis_bin)
        self._child: Child | None = None
        self._port, self._password = self._recall()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; it stays the same over `stop` or `kill` and `start`."""
        return self._port

    @property
    def child(self) -> Child:
        """The running process; raises LocalError when the server was stopped."""
        if self._child is None:
            raise LocalError("Valkey is not running: call start()")
        return self._child

    @property
    def pid(self) -> int:
        """The server's process id; raises LocalError when the server was stopped."""
        return self.child.pid

    @property
    def url(self) -> str:
        """`redis://` URL of database 0."""
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """`redis://` URL of one of the 64 numbered databases."""
        return f"redis://:{self._password}@{ports.LOOPBACK}:{self._port}/{database}"

    def start(self) -> None:
        """Start the server on what it kept, if anything.

        raises  AlreadyRunning when another supervisor serves this home, NotReady with the log's end
        """
        if self._child is not None and self._child.exit_code() is None:
            return
        if self._answers():
            raise AlreadyRunning(
                f"a server of the home {self.home} answers on port {self._port}: stop the Lockstep that runs there,"
                " or choose another LOCKSTEP_HOME"
            )
        for attempt in range(1, START_TRIES + 1):
            self._port = ports.free_port(self._port)
            try:
                self._start_once()
                break
            except NotReady as refusal:
                if "already in use" not in str(refusal) or attempt == START_TRIES:
                    raise
                self._port = 0

    def stop(self) -> None:
        """End it in good order; nothing when it does not run."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """kill -9, as a crash would; `start` brings back what the append-only file holds."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def discard(self) -> None:
        """Stop it and remove its data for good."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        self._config.unlink(missing_ok=True)

    @property
    def _config(self) -> Path:
        return self.home / "valkey.conf"

    def _recall(self) -> tuple[int, str]:
        """Port and password of the last run, or none and a new one."""
        if not self._config.exists():
            return 0, secrets.token_hex(24)
        kept = dict(line.split(" ", 1) for line in self._config.read_text().splitlines())
        return int(kept["port"]), json.loads(kept["requirepass"])

    def _start_once(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._write_config()
        child = spawn("valkey", [self._bin, self._config], log=self.log, cwd=self.home)
        wait_ready(child, self._answers, limit_s=START_LIMIT_S)
        self._child = child

    def _write_config(self) -> None:
        """In a file, because a password among the arguments is open to every user of the machine."""
        lines = _ALWAYS | {
            "port": str(self._port),
            # JSON and the configuration file agree on how a string is quoted.
            "requirepass": json.dumps(self._password),
            "dir": json.dumps(str(self.data), ensure_ascii=False),
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
        }
        self._config.touch(mode=0o600)
        self._config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))

    def _answers(self) -> bool:
        """A server with our password answers on our port and has loaded its data."""
        if not self._port:
            return False
        with redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def start_valkey(home: Path, *, durable: bool, redis_bin: Path | None = None) -> RunningValkey:
    """A server on what this home keeps, ready for commands.

    durable  True: append-only file, at most one second lost by a power cut. False: memory only
    raises   BinaryMissing, AlreadyRunning, NotReady
    """
    server = RunningValkey(home, durable=durable, redis_bin=redis_bin)
    server.start()
    return server
