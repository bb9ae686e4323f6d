"""Keeps the processes of a stack running, and ends every one of them.

One thread walks over all services and moves each along:

    starting --probe says yes--> ready --process ends--> waiting --back-off over--> starting
        |                                                   ^
        +--process ends, or ready_limit_s passes------------+      stop() leads from anywhere to stopped

Restarting is not a comfort: a Celery worker that acknowledges late may exit when Redis restarts, and counts on us.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from console.local.child import Child, spawn
from console.local.errors import LocalError, NotReady
from console.local.probes import Probe, survives

TICK_S = 0.05
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SETTLED_S = 30.0  # a process that ran this long starts its back-off anew


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Service:
    """A process to keep running.

    env            added to our own environment
    ready          tells when it is ready for work
    restart        False: when it ends, it stays ended
    grace_s        time between the polite signal and the kill
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    ready: Probe = field(default_factory=lambda: survives(0.0))
    # One that ends is seen at once; the limit is for one that hangs, and a busy machine starts ten times as slowly.
    ready_limit_s: float = 180.0
    restart: bool = True
    grace_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server with its own launcher: `launch` returns when it is ready, and starts it again after a crash."""

    name: str
    launch: Callable[[], Child]
    grace_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """How a service is doing; `pid` and `exit_code` are of the latest process."""

    name: str
    state: State
    pid: int | None
    restarts: int
    exit_code: int | None
    log: Path | None


@dataclass
class _Kept:
    """A service and where it is on its way."""

    service: Service | Server
    state: State = State.STOPPED
    child: Child | None = None
    restarts: int = 0
    failures: int = 0
    exit_code: int | None = None
    start_at_s: float = 0.0
    fault: str = ""


class Supervisor(AbstractContextManager["Supervisor"]):
    """Starts services in order and keeps them running until the block ends, however it ends.

    logs   folder; each service writes `<name>.log`, the supervisor `supervisor.log`
    """

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.logs = logs
        self._kept: dict[str, _Kept] = {}
        self._order: list[list[str]] = []
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._walker = threading.Thread(target=self._walk, name="supervisor", daemon=True)
        self._walker.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def up(self, *services: Service | Server, limit_s: float = 240.0) -> None:
        """Start these together and return when all are ready.

        raises  NotReady when one ends before it was ready, or `limit_s` passes; the others keep running
        """
        names = [service.name for service in services]
        with self._lock:
            for service in services:
                if service.name in self._kept:
                    raise LocalError(f"there is already a service named {service.name!r}")
                self._kept[service.name] = _Kept(service)
            self._order.append(names)
            for name in names:
                self._launch(self._kept[name])
        self._await(names, limit_s)

    def kill(self, name: str) -> int:
        """kill -9 of a service and all it started, as a crash would; it is restarted. Returns the pid that died."""
        with self._lock:
            child = self._one(name).child
            if child is None:
                raise LocalError(f"{name} does not run")
            child.kill()
            return child.pid

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the main process of a service: SIGSTOP makes it hang, SIGCONT go on."""
        with self._lock:
            child = self._one(name).child
            if child is None:
                raise LocalError(f"{name} does not run")
            child.signal(number)

    def stop(self, name: str) -> None:
        """End one service in good order; it stays stopped until `start`."""
        with self._lock:
            kept = self._one(name)
            kept.state = State.STOPPED
            child = kept.child
        if child is not None:
            kept.exit_code = child.stop(kept.service.grace_s)

    def start(self, name: str, limit_s: float = 240.0) -> None:
        """Start a stopped service again and return when it is ready."""
        with self._lock:
            kept = self._one(name)
            if kept.state is State.STOPPED:
                kept.failures = 0
                self._launch(kept)
        self._await([name], limit_s)

    def wait_ready(self, name: str, limit_s: float = 60.0) -> None:
        """Return when a service is (again) ready; raises NotReady after `limit_s`."""
        until = time.monotonic() + limit_s
        while True:
            with self._lock:
                kept = self._one(name)
                # After a kill the walker may not have looked yet.
                if (
                    kept.state is State.READY
                    and kept.child is not None
                    and kept.child.exit_code() is None
                ):
                    return
            if time.monotonic() > until:
                raise NotReady(f"{name} was not ready again after {limit_s:g} s\n{_log_end(kept)}")
            time.sleep(TICK_S)

    def status(self) -> list[Status]:
        """Every service in starting order."""
        with self._lock:
            return [_status(self._kept[name]) for group in self._order for name in group]

    def close(self) -> None:
        """End all services, last started first, and the walker; may be called twice."""
        self._closing.set()
        if self._walker.is_alive():
            self._walker.join()
        for group in reversed(self._order):
            self._stop_together([self._kept[name] for name in group])
        self._order.clear()

    def _stop_together(self, group: Iterable[_Kept]) -> None:
        leaving = [kept for kept in group if kept.child is not None]
        for kept in leaving:
            if kept.child is not None and kept.child.exit_code() is None:
                kept.child.signal(kept.child.farewell)
        for kept in leaving:
            kept.state = State.STOPPED
            if kept.child is not None:
                kept.exit_code = kept.child.wait(kept.service.grace_s)

    def _walk(self) -> None:
        while not self._closing.wait(TICK_S):
            with self._lock:
                for kept in self._kept.values():
                    self._move(kept, time.monotonic())

    def _move(self, kept: _Kept, now_s: float) -> None:
        match kept.state:
            case State.STARTING:
                self._look_for_readiness(kept, now_s)
            case State.READY if kept.child is not None and kept.child.exit_code() is not None:
                self._mourn(kept, now_s)
            case State.WAITING if now_s >= kept.start_at_s:
                kept.restarts += 1
                self._launch(kept)
            case _:
                pass

    def _look_for_readiness(self, kept: _Kept, now_s: float) -> None:
        child, service = kept.child, kept.service
        if child is None or isinstance(service, Server):
            return
        if child.exit_code() is not None:
            self._mourn(kept, now_s)
        elif service.ready(child):
            kept.state = State.READY
            self._note(f"{service.name}: ready, pid {child.pid}")
        elif now_s - child.started_s > service.ready_limit_s:
            kept.fault = f"was not ready after {service.ready_limit_s:g} s"
            child.kill()
            self._mourn(kept, now_s)

    def _mourn(self, kept: _Kept, now_s: float) -> None:
        """A process has ended by itself: decide what comes next."""
        if kept.child is None:
            return
        kept.exit_code = kept.child.exit_code()
        name, was_ready = kept.service.name, kept.state is State.READY
        kept.fault = kept.fault or f"ended with code {kept.exit_code}"
        if isinstance(kept.service, Service) and not kept.service.restart:
            kept.state = State.STOPPED
            self._note(f"{name}: ended with code {kept.exit_code}")
            return
        if was_ready and now_s - kept.child.started_s > SETTLED_S:
            kept.failures = 0
        pause_s = BACKOFF_S[min(kept.failures, len(BACKOFF_S) - 1)]
        kept.failures += 1
        kept.state, kept.start_at_s = State.WAITING, now_s + pause_s
        self._note(f"{name}: {kept.fault}; starts again in {pause_s:g} s")

    def _launch(self, kept: _Kept) -> None:
        kept.fault = ""
        match kept.service:
            case Service() as service:
                kept.child = spawn(
                    service.name,
                    service.command,
                    log=self.logs / f"{service.name}.log",
                    env={**os.environ, **service.env},
                    cwd=service.cwd,
                )
                kept.state = State.STARTING
            case Server() as server:
                self._launch_server(kept, server)

    def _launch_server(self, kept: _Kept, server: Server) -> None:
        try:
            kept.child = server.launch()
        except LocalError as refusal:
            if kept.child is None:
                raise
            kept.fault = str(refusal)
            self._mourn(kept, time.monotonic())
        else:
            kept.state = State.READY
            self._note(f"{server.name}: ready, pid {kept.child.pid}")

    def _await(self, names: Sequence[str], limit_s: float) -> None:
        until = time.monotonic() + limit_s
        while True:
            with self._lock:
                group = [self._kept[name] for name in names]
                if all(_is_done(kept) for kept in group):
                    return
                for kept in group:
                    if kept.fault:
                        raise NotReady(f"{kept.service.name} {kept.fault}\n{_log_end(kept)}")
            if time.monotonic() > until:
                late = ", ".join(kept.service.name for kept in group if not _is_done(kept))
                raise NotReady(f"not ready after {limit_s:g} s: {late}")
            time.sleep(TICK_S)

    def _one(self, name: str) -> _Kept:
        if name not in self._kept:
            raise LocalError(f"no service named {name!r}; there are: {', '.join(self._kept)}")
        return self._kept[name]

    def _note(self, line: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with (self.logs / "supervisor.log").open("a") as log:
            log.write(f"{stamp} {line}\n")


def raise_on_sigterm() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that blocks end and take their processes with them.

    Call it once in the main thread of a command that runs a stack; Ctrl-C does the same by itself.
    """

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def _is_done(kept: _Kept) -> bool:
    """Ready, or a one-time job that ended well."""
    once = isinstance(kept.service, Service) and not kept.service.restart
    return kept.state is State.READY or (once and kept.exit_code == 0)


def _status(kept: _Kept) -> Status:
    child = kept.child
    return Status(
        name=kept.service.name,
        state=kept.state,
        pid=None if child is None else child.pid,
        restarts=kept.restarts,
        exit_code=kept.exit_code,
        log=None if child is None else child.log,
    )


def _log_end(kept: _Kept) -> str:
    return "" if kept.child is None else kept.child.log_end()
