"""A RabbitMQ node of a test's own: Debian's server under a name, ports and folders that nobody else has, on loopback.

Erlang's name server (epmd) is started beside it, on a port of its own: one that a node starts would outlive it.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from console.local import ports
from console.local.child import Child, spawn, wait_ready

# Debian's command on the PATH changes the user and the folders; this is what it calls then.
_DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_LIMIT_S = 120.0


def command() -> str | None:
    """The server's command; None where RabbitMQ is not installed."""
    found = shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return str(_DEBIAN) if found and _DEBIAN.is_file() else found


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ports.LOOPBACK, port)) == 0


class Rabbit:
    """A node; `start`, `stop` and `start` again keep its port and what it holds.

    url    `amqp://` of its first virtual host, for guests from this host
    """

    def __init__(self, home: Path) -> None:
        self.home = home / "rabbitmq"
        self.port, self._dist_port, self._epmd_port = (ports.free_port() for _ in range(3))
        self.url = f"amqp://guest:guest@{ports.LOOPBACK}:{self.port}//"
        self._names: Child | None = None
        self._node: Child | None = None

    def start(self) -> None:
        """Start it on what it kept. Raises NotReady with the log's end."""
        self.home.mkdir(exist_ok=True)
        (self.home / "plugins").write_text("[].")
        if self._names is None:
            names = ("epmd", "-address", ports.LOOPBACK, "-port", str(self._epmd_port))
            self._names = spawn("epmd", names, log=self.home / "epmd.log", env=self._environment())
            wait_ready(self._names, lambda: _answers(self._epmd_port), limit_s=20)
        known = command()
        assert known is not None
        log = self.home / "node.log"
        self._node = spawn("rabbitmq", [known], log=log, env=self._environment(), cwd=self.home)
        node = self._node
        wait_ready(
            node, lambda: b"Server startup complete" in node.output(), limit_s=_START_LIMIT_S
        )

    def stop(self) -> None:
        """End the node in good order."""
        if self._node is not None:
            self._node.stop(grace_s=60)
            self._node = None

    def kill(self) -> None:
        """kill -9 of the node, as a crash would."""
        if self._node is not None:
            self._node.kill()
            self._node = None

    def close(self) -> None:
        """End everything it started."""
        self.stop()
        if self._names is not None:
            self._names.kill()
            self._names = None

    def _environment(self) -> dict[str, str]:
        here = str(self.home)
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin",
            # Erlang keeps its cookie there.
            "HOME": here,
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": ports.LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"lockstep{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": ports.LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{here}/data",
            "RABBITMQ_LOG_BASE": f"{here}/logs",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{here}/none",
            "RABBITMQ_PID_FILE": f"{here}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
        }
