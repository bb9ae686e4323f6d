"""Clocks that jump: one process gets a calendar of its own, which is set while it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from console.faults.slots import slots_between
from console.faults.types import Fault, Scene
from console.local import layout
from console.local.layout import LAPTOP
from console.local.supervisor import Service

_HOUR_S: Final = 3600
#: A service of ours, started by that command line.
Made: TypeAlias = Callable[[Scene, tuple[str, ...]], Service]


def _set(file: Path, seconds: int) -> None:
    """Whole or not at all: who reads it half would have another time."""
    draft = file.with_suffix(".draft")
    draft.write_text(str(seconds))
    os.replace(draft, file)


@contextmanager
def _own_clock(scene: Scene, made: Made) -> Iterator[Path]:
    """In place of a service one with a clock of its own; yields the file that holds its offset."""
    supervisor = scene.house.stack.supervisor
    offset = scene.house.stack.home / f"clock-{time.monotonic_ns()}"
    _set(offset, 0)
    entry = (sys.executable, "-m", "console.faults.shifted", str(offset))
    other = replace(made(scene, entry), name=offset.name)
    usual = made(scene, entry).name
    supervisor.stop(usual)
    supervisor.up(other)
    try:
        yield offset
    finally:
        supervisor.stop(other.name)
        supervisor.start(usual)


def _jumps(made: Made, seconds: int) -> Callable[[Scene], list[str]]:
    def does(scene: Scene) -> list[str]:
        house = scene.house
        with _own_clock(scene, made) as offset:
            # A process that has just begun is late with its first window, which is nothing of its clock.
            time.sleep(house.told.reconcile_s)
            begun = house.now()
            time.sleep(house.told.reconcile_s)
            _set(offset, seconds)
            time.sleep(max(scene.hold_s, 4 * house.told.reconcile_s))
            said = slots_between(house, begun, house.now())
        others = house.one(_ELSEWHERE, since=begun)
        return [*said, *([f"{others} windows of another hour were opened"] if others else [])]

    return does


_ELSEWHERE: Final = """
    SELECT count(*) FROM run WHERE job IN ('reconcile', 'orders')
       AND abs(extract(epoch FROM window_at - coalesce(started_at, finished_at, now()))) > 1800
       AND coalesce(started_at, finished_at, now()) >= :since
"""


def _beat(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.beat(scene.house.told, entry)


def _worker(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.worker(scene.house.told, LAPTOP[0], entry)


FAULTS: Final = (
    Fault("beat-clock-back", "beat's clock is set back by an hour", _jumps(_beat, -_HOUR_S)),
    Fault("beat-clock-on", "beat's clock is set on by an hour", _jumps(_beat, _HOUR_S)),
    Fault(
        "worker-clock-back", "one worker's clock is set back by an hour", _jumps(_worker, -_HOUR_S)
    ),
    Fault("worker-clock-on", "one worker's clock is set on by an hour", _jumps(_worker, _HOUR_S)),
)
