"""Clocks that jump. A process gets a clock of its own by libfaketime, whose offset is changed while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from console.faults.slots import slots_between
from console.faults.types import Fault, Scene
from console.local import layout
from console.local.layout import LAPTOP
from console.local.supervisor import Service

_LIBRARIES: Final = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
_HOUR: Final = 3600


def library() -> Path | None:
    """libfaketime, where a distribution puts it; None when it is not installed."""
    for pattern in _LIBRARIES:
        for found in sorted(Path("/").glob(pattern.lstrip("/"))):
            return found
    return None


def _missing() -> str:
    return "" if library() else "libfaketime is not installed (Debian: apt-get install faketime)"


@contextmanager
def _own_clock(scene: Scene, service: Service) -> Iterator[Path]:
    """In place of a service one with a clock of its own; yields the file that holds its offset."""
    supervisor, found = scene.house.stack.supervisor, library()
    if found is None:
        raise AssertionError(_missing())
    offset = scene.house.stack.home / f"clock-{time.monotonic_ns()}"
    offset.write_text("+0\n")
    env = {
        **service.env,
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        # Waits go on as they were: it is the calendar that jumps.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    other = replace(service, name=offset.name, env=env)
    supervisor.stop(service.name)
    supervisor.up(other)
    try:
        yield offset
    finally:
        supervisor.stop(other.name)
        supervisor.start(service.name)


def _jumped(scene: Scene, service: Service, seconds: int) -> list[str]:
    house = scene.house
    with _own_clock(scene, service) as offset:
        begun = house.now()
        time.sleep(house.told.reconcile_s)
        offset.write_text(f"{seconds:+d}\n")
        time.sleep(max(scene.hold_s, 3 * house.told.reconcile_s))
        said = slots_between(house, begun, house.now())
    ahead = house.one("SELECT count(*) FROM run WHERE window_at > now() + interval '1 minute'")
    return [*said, *([f"{ahead} windows of the future were opened"] if ahead else [])]


def _beat(scene: Scene, seconds: int) -> list[str]:
    return _jumped(scene, layout.beat(scene.house.told), seconds)


def _worker(scene: Scene, seconds: int) -> list[str]:
    return _jumped(scene, layout.worker(scene.house.told, LAPTOP[0]), seconds)


FAULTS: Final = (
    Fault("beat-clock-back", "beat's clock jumps an hour back", lambda s: _beat(s, -_HOUR), _missing),
    Fault("beat-clock-on", "beat's clock jumps an hour ahead", lambda s: _beat(s, _HOUR), _missing),
    Fault(
        "worker-clock-back", "a worker's clock jumps an hour back",
        lambda s: _worker(s, -_HOUR), _missing,
    ),
    Fault(
        "worker-clock-on", "a worker's clock jumps an hour ahead",
        lambda s: _worker(s, _HOUR), _missing,
    ),
)  # fmt: skip
