"""More of everything: two beats, three relays, ten workers, and senders that tell all three relays the same."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from console.faults.slots import slots_between
from console.faults.types import Fault, Scene
from console.local import layout, ports
from console.local.layout import Worker

_MORE_WORKERS: Final = 8
_MORE_RELAYS: Final = 2


def _crowded(scene: Scene) -> list[str]:
    house, supervisor = scene.house, scene.house.stack.supervisor
    stamp = time.monotonic_ns()
    workers = [
        Worker(f"crowd-{stamp}-{n}", (), "prefork" if n < 2 else "threads", 1 if n < 2 else 2)
        for n in range(_MORE_WORKERS)
    ]
    doors = [
        house.stack.settings.model_copy(update={"relay_port": ports.free_port()})
        for _ in range(_MORE_RELAYS)
    ]
    beat = replace(layout.beat(house.told), name=f"beat-{stamp}")
    relays = [
        replace(layout.relay(door), name=f"relay-{stamp}-{n}") for n, door in enumerate(doors)
    ]
    crowd = [beat, *relays, *(layout.worker(house.told, worker) for worker in workers)]
    # A few at a time: ten that start together take all of a small machine, and nothing else is done meanwhile.
    for begin in range(0, len(crowd), 3):
        supervisor.up(*crowd[begin : begin + 3])
    try:
        scene.load.tell_all([0, *(door.relay_port for door in doors)])
        begun = house.now()
        time.sleep(max(scene.hold_s, 3 * house.told.reconcile_s))
        return slots_between(house, begun, house.now())
    finally:
        scene.load.tell_all([0])
        for service in crowd:
            supervisor.stop(service.name)


FAULTS: Final = (
    Fault(
        "crowd",
        "two beats, three relays that are told the same at the same time, ten workers",
        _crowded,
    ),
)
