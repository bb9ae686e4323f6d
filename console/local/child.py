"""One process of ours: started in a session of its own, watched, and ended with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.local.errors import NotReady
from console.local.lifeline import lifeline

LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class User:
    """Another user to run a process as; needs root."""

    name: str
    uid: int
    gid: int


class Child:
    """A running process, leader of its own group.

    name       what messages and the log call it
    log        file its output is appended to
    farewell   the signal that asks it to end in good order
    started_s  when it started, on the monotonic clock
    """

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], log: Path, log_start: int, farewell: int
    ) -> None:
        self.name = name
        self.log = log
        self.pid = popen.pid
        self._popen = popen
        self.farewell = farewell
        self._swept = False
        self._log_start = log_start
        self.started_s = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs; then its exit code, negative for a signal."""
        code = self._popen.poll()
        if code is not None:
            self._sweep_group()
        return code

    def output(self, limit_bytes: int = 1_000_000) -> bytes:
        """What it has written so far, from the start."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read(limit_bytes)

    def log_end(self) -> str:
        """The last lines it wrote itself, headed by the log's path."""
        return log_end(self.log, since=self._log_start)

    def signal(self, number: int) -> None:
        """Signal the leader; nothing happens when it has ended."""
        self._popen.send_signal(number)

    def stop(self, grace_s: float = 10.0) -> int:
        """Ask it to end, kill the whole group after `grace_s`; the exit code."""
        self.signal(self.farewell)
        return self.wait(grace_s)

    def wait(self, grace_s: float) -> int:
        """Wait for its end, kill the whole group after `grace_s`; the exit code."""
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        self._sweep_group()
        return self._popen.returncode

    def kill(self) -> int:
        """kill -9 of the whole group; the exit code."""
        _kill_group(self.pid)
        self._popen.wait()
        self._sweep_group()
        return self._popen.returncode

    def _sweep_group(self) -> None:
        """A leader may leave children behind; they go with it. Once only: the number may be given out again."""
        if not self._swept:
            self._swept = True
            _kill_group(self.pid)
            lifeline().drop(self.pid)


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: User | None = None,
    farewell: int = signal.SIGTERM,
) -> Child:
    """Start a process in its own session, its output going to `log`, its life tied to ours.

    env   the whole environment; None inherits ours
    user  run it as this user, with no supplementary groups
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _turn_over(log)
    with log.open("ab") as sink:
        log_start = sink.tell()
        popen = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
    lifeline().add(popen.pid, farewell, popen.poll)
    return Child(name, popen, log, log_start, farewell)


def wait_ready(
    child: Child, probe: Callable[[], bool], *, limit_s: float, every_s: float = 0.02
) -> None:
    """Poll until `probe` says yes.

    raises  NotReady when the process ends or `limit_s` passes first; it is killed then
    """
    until = time.monotonic() + limit_s
    while not probe():
        code = child.exit_code()
        if code is not None:
            raise NotReady(
                f"{child.name} ended with code {code} before it was ready\n{child.log_end()}"
            )
        if time.monotonic() > until:
            child.kill()
            raise NotReady(f"{child.name} was not ready after {limit_s:g} s\n{child.log_end()}")
        time.sleep(every_s)


def log_end(log: Path, *, since: int = 0, lines: int = 15) -> str:
    """The last lines of a log file from the byte `since` on, headed by its path; reads at most 16 kB."""
    if not log.exists():
        return f"(no log at {log})"
    with log.open("rb") as file:
        file.seek(max(since, file.seek(0, os.SEEK_END) - 16_384))
        text = file.read().decode(errors="replace")
    return "\n".join([f"--- end of {log}", *text.splitlines()[-lines:]])


def _turn_over(log: Path) -> None:
    """Start a new file once the old one is large; one old file is kept."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))


def _kill_group(pgid: int) -> None:
    try:
        os.killpg(pgid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Gone, or (macOS) only a zombie is left.
        return
