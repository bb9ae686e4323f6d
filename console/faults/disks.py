"""A disk that is full: the house stands on a small file system of its own, and a ballast takes what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from console.faults.acts import BACK_S
from console.faults.types import Fault, Scene

#: PostgreSQL with its log, Valkey, and all logs, need less than half of it.
_SIZE: Final = "700m"
_BLOCK: Final = b"\0" * 65_536


def _missing() -> str:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a small file system is mounted by root only (Linux)"
    return ""


@contextmanager
def small(folder: Path) -> Iterator[Path]:
    """A place on a small file system in memory, which is gone afterwards."""
    folder.mkdir()
    options = f"size={_SIZE},mode=0711"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder / "house"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(ballast: Path) -> None:
    """Take every byte that is left, by pieces that get smaller."""
    with ballast.open("ab", buffering=0) as file:
        piece = _BLOCK
        while piece:
            try:
                file.write(piece)
            except OSError:
                piece = piece[: len(piece) // 2]


def _full(scene: Scene) -> list[str]:
    """Fill it, go on asking, make room again. What cannot be kept is refused, and the sender comes again."""
    home, answers = scene.house.stack.home, scene.load.diary.answers
    before = answers.copy()
    ballast = home / "ballast"
    until_s = time.monotonic() + scene.hold_s
    try:
        while time.monotonic() < until_s:
            # What servers give back is taken again.
            with suppress(OSError):
                _fill(ballast)
            time.sleep(0.2)
    finally:
        ballast.unlink(missing_ok=True)
    for name in ("postgres", "valkey", "relay", "beat", *scene.house.workers):
        scene.house.stack.supervisor.wait_ready(name, limit_s=BACK_S)
    met = answers - before
    scene.say(f"    answers while it was full: {dict(met)}")
    said = [] if met[503] else ["nothing was refused: the disk was never full for the inbox"]
    strange = sorted(status for status in met if status not in (0, 200, 503))
    return [*said, *(f"the relay answered {status}" for status in strange)]


FAULTS: Final = (
    Fault(
        "disk-full",
        "no byte left for PostgreSQL, Valkey and all logs; room again later",
        _full,
        missing=_missing,
        home=small,
    ),
)
