"""Clocks that jump: one process gets a calendar of its own, which is set while it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from console.faults.slots import slots_between
from console.faults.types import Fault, Scene
from console.local import layout
from console.local.layout import LAPTOP
from console.local.supervisor import Service

_HOUR_S: Final = 3600
_ABOUT: Final = timedelta(minutes=30)
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


def _jumps(seconds: int, *made: Made) -> Callable[[Scene], list[str]]:
    def does(scene: Scene) -> list[str]:
        house = scene.house
        with ExitStack() as clocks:
            offsets = [clocks.enter_context(_own_clock(scene, one)) for one in made]
            # A process that has just begun is late with its first window, which is nothing of its clock.
            time.sleep(house.told.reconcile_s)
            begun, last = house.now(), house.one(_LAST)
            time.sleep(house.told.reconcile_s)
            for offset in offsets:
                _set(offset, seconds)
            time.sleep(max(scene.hold_s, 4 * house.told.reconcile_s))
            said = slots_between(house, begun, house.now())
        others = house.one(_ELSEWHERE, since=begun)
        wrong = house.one(_DATED, last=last, since=begun - _ABOUT, until=house.now() + _ABOUT)
        said += [f"{others} windows of another hour were opened"] if others else []
        return said + ([f"{wrong} deliveries were dated by another hour"] if wrong else [])

    return does


_ELSEWHERE: Final = """
    SELECT count(*) FROM run WHERE job IN ('reconcile', 'orders')
       AND abs(extract(epoch FROM window_at - coalesce(started_at, finished_at, now()))) > 1800
       AND coalesce(started_at, finished_at, now()) >= :since
"""
_LAST: Final = "SELECT coalesce(max(id), 0) FROM inbox"
#: Nothing waits for minutes in this house: whatever came since was received and settled about then.
_DATED: Final = """
    SELECT count(*) FROM inbox
    WHERE id > :last
      AND (received_at NOT BETWEEN :since AND :until OR settled_at NOT BETWEEN :since AND :until)
"""


def _beat(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.beat(scene.house.told, entry)


def _relay(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.relay(scene.house.stack.settings, entry)


def _threads(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.worker(scene.house.told, LAPTOP[0], entry)


def _prefork(scene: Scene, entry: tuple[str, ...]) -> Service:
    return layout.worker(scene.house.told, LAPTOP[1], entry)


#: Whose clock is set: one process, as if it stood on a machine of its own, or all of ours beside PostgreSQL's.
_WHOSE: Final[tuple[tuple[str, str, tuple[Made, ...]], ...]] = (
    ("relay", "the relay's clock", (_relay,)),
    ("beat", "beat's clock", (_beat,)),
    ("worker", "one worker's clock", (_threads,)),
    ("machine", "the clock of relay, beat and both workers", (_relay, _beat, _threads, _prefork)),
)

FAULTS: Final = tuple(
    Fault(f"{name}-clock-{way}", f"{whose} is set {way} by an hour", _jumps(seconds, *made))
    for name, whose, made in _WHOSE
    for way, seconds in (("back", -_HOUR_S), ("on", _HOUR_S))
)
