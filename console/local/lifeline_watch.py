"""The watcher: ends what its owner started, when the owner is gone.

Run as a bare script (`python -I -S lifeline_watch.py <grace_s>`), so it imports nothing of ours. Its standard input
is a pipe whose other end only the owner holds; the kernel closes that end however the owner dies, kill -9 included.
Each line is a JSON list: ["add", pid, signal], ["drop", pid] or ["remove", folder].
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time


def send(pid: int, number: int, *, group: bool) -> bool:
    """Signal a process or its group; False when nobody is left to hear it."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def orders() -> tuple[dict[int, int], list[str]]:
    """What to end (pid -> signal) and what to remove, once the owner's end of the pipe is closed."""
    farewells: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        match json.loads(line):
            case ["add", int(pid), int(number)]:
                farewells[pid] = number
            case ["drop", int(pid)]:
                farewells.pop(pid, None)
            case ["remove", str(folder)]:
                folders.append(folder)
            case order:
                raise ValueError(f"not an order: {order!r}")
    return farewells, folders


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    grace_s = float(sys.argv[1])
    farewells, folders = orders()
    for pid, number in farewells.items():
        send(pid, number, group=False)
    until = time.monotonic() + grace_s
    while time.monotonic() < until and any(send(pid, 0, group=True) for pid in farewells):
        time.sleep(0.05)
    for pid in farewells:
        send(pid, signal.SIGKILL, group=True)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
