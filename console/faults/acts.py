"""What is done to processes: shot, told to end, held still, and waited for until they are back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from console.faults.house import House
from console.local.errors import NotReady

#: A process that was shot is back within this, however busy the machine is.
BACK_S = 120.0
_POLL_S = 0.05


def kill(house: House, name: str) -> None:
    """kill -9 of a service with its group, and wait until its successor is ready."""
    house.stack.supervisor.kill(name)
    house.stack.supervisor.wait_ready(name, limit_s=BACK_S)


def end(house: House, name: str, number: int = signal.SIGTERM) -> None:
    """SIGTERM (or another signal), as a deployment does it, and wait until its successor is ready."""
    supervisor = house.stack.supervisor
    before = pid_of(house, name)
    supervisor.signal(name, number)
    until_s = time.monotonic() + BACK_S
    while pid_of(house, name) == before:
        if time.monotonic() > until_s:
            raise NotReady(f"{name} did not end within {BACK_S:g} s of its signal")
        time.sleep(_POLL_S)
    supervisor.wait_ready(name, limit_s=BACK_S)


@contextmanager
def frozen(house: House, name: str) -> Iterator[None]:
    """SIGSTOP for the block: a service and everything it started, whatever group that is in."""
    pids = family(pid_of(house, name))
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def pid_of(house: House, name: str) -> int:
    """The process of a service. Raises NotReady when it has none."""
    for status in house.stack.supervisor.status():
        if status.name == name and status.pid is not None:
            return status.pid
    raise NotReady(f"{name} does not run")


def family(pid: int) -> list[int]:
    """A process and all its descendants, parents first: PostgreSQL's backends lead groups of their own."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    children: dict[int, list[int]] = defaultdict(list)
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children[parent].append(child)
    found = [pid]
    for one in found:
        found += children[one]
    return found
