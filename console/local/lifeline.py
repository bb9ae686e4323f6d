"""No process outlives us: one small watcher per process of ours that starts servers.

A parent-death signal would be simpler, but Linux sends it when the starting *thread* ends, and other systems have none.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

GRACE_S = 5.0
_WATCH = Path(__file__).with_name("lifeline_watch.py")


class Lifeline:
    """The pipe to a watcher that ends registered processes once this process is gone, by whatever death."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._reapers: dict[int, Callable[[], object]] = {}
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WATCH), str(grace_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def add(self, pid: int, farewell: int, reap: Callable[[], object]) -> None:
        """Have the leader of a process group told `farewell`, and after the grace the group killed.

        reap  collects the exit code: a dead child that nobody asked for looks alive to the watcher
        """
        self._reapers[pid] = reap
        self._send("add", pid, farewell)

    def drop(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._reapers.pop(pid, None)
        self._send("drop", pid)

    def remove(self, folder: Path) -> None:
        """Have a scratch folder removed after the processes have ended."""
        self._send("remove", str(folder))

    def close(self) -> None:
        """Let go: the watcher ends what is still registered and then itself; returns when it is gone."""
        with self._lock:
            if self._watcher.stdin is not None and not self._watcher.stdin.closed:
                self._watcher.stdin.close()
        while self._watcher.poll() is None:
            for reap in list(self._reapers.values()):
                reap()
            time.sleep(0.02)

    def alive(self) -> bool:
        """True while the watcher listens to this very process (a fork inherits the object, not the duty)."""
        return self._owner == os.getpid() and self._watcher.poll() is None

    def _send(self, *order: str | int) -> None:
        with self._lock:
            stdin = self._watcher.stdin
            if stdin is None or stdin.closed:
                return
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()


_current: Lifeline | None = None
_current_lock = threading.Lock()


def lifeline() -> Lifeline:
    """The watcher of this process, started at the first call."""
    global _current
    with _current_lock:
        if _current is None or not _current.alive():
            _current = Lifeline()
            atexit.register(_current.close)
        return _current
