"""Processes that die, are told to end, or hang."""

from __future__ import annotations

import signal
import time
from typing import Final

from console.faults.acts import end, frozen, kill
from console.faults.types import Fault, Scene

#: Deaths of one process in one fault.
_TIMES: Final = 2
_PAUSE_S: Final = 0.5


def _killed(scene: Scene, *names: str) -> list[str]:
    for _ in range(_TIMES):
        for name in names:
            kill(scene.house, name)
            # Chosen anew each time, so that it dies in another place of its work.
            time.sleep(_PAUSE_S * scene.dice.random())
    return []


def _ended(scene: Scene, *names: str) -> list[str]:
    for _ in range(_TIMES):
        for name in names:
            end(scene.house, name)
            time.sleep(_PAUSE_S * scene.dice.random())
    return []


def _frozen(scene: Scene, name: str) -> list[str]:
    with frozen(scene.house, name):
        time.sleep(scene.hold_s)
    return []


def _both_workers_killed(scene: Scene) -> list[str]:
    return _killed(scene, *scene.house.workers)


def _both_workers_ended(scene: Scene) -> list[str]:
    return _ended(scene, *scene.house.workers)


def _valkey_forgets(scene: Scene) -> list[str]:
    valkey = scene.house.stack.valkey
    if valkey is None:
        raise AssertionError("the house has a Valkey of its own")
    for _ in range(_TIMES):
        # It holds its files open and does not notice; who comes after it finds nothing.
        valkey.data.rename(valkey.data.with_name(f"lost-{time.monotonic_ns()}"))
        kill(scene.house, "valkey")
        time.sleep(_PAUSE_S * scene.dice.random())
    return []


def _postgres_ends(scene: Scene) -> list[str]:
    """SIGTERM would let it wait for its clients, who never leave; SIGINT cuts them, as a restart does."""
    for _ in range(_TIMES):
        end(scene.house, "postgres", signal.SIGINT)
        time.sleep(_PAUSE_S * scene.dice.random())
    return []


def _all_at_once(scene: Scene) -> list[str]:
    """As when the machine loses its power: everything of ours dies, and comes back in whatever order."""
    supervisor = scene.house.stack.supervisor
    names = ("postgres", "valkey", "relay", "beat", *scene.house.workers)
    for name in names:
        supervisor.kill(name)
    for name in names:
        supervisor.wait_ready(name, limit_s=240)
    return []


FAULTS: Final = (
    Fault("worker-kill", "kill -9 of both workers in turn, twice", _both_workers_killed),
    Fault("worker-term", "SIGTERM to both workers in turn, twice", _both_workers_ended),
    Fault("beat-kill", "kill -9 of beat, twice", lambda scene: _killed(scene, "beat")),
    Fault("beat-term", "SIGTERM to beat, twice", lambda scene: _ended(scene, "beat")),
    Fault("relay-kill", "kill -9 of the relay, twice", lambda scene: _killed(scene, "relay")),
    Fault("relay-term", "SIGTERM to the relay, twice", lambda scene: _ended(scene, "relay")),
    Fault(
        "valkey-kill", "kill -9 of Valkey, its file kept, twice",
        lambda scene: _killed(scene, "valkey"),
    ),
    Fault("valkey-lost", "kill -9 of Valkey, its file lost, twice", _valkey_forgets),
    Fault(
        "valkey-term", "SIGTERM to Valkey, twice", lambda scene: _ended(scene, "valkey")
    ),
    Fault(
        "postgres-kill", "kill -9 of the postmaster, twice",
        lambda scene: _killed(scene, "postgres"),
    ),
    Fault("postgres-int", "SIGINT to the postmaster, twice: it ends at once", _postgres_ends),
    Fault("all-kill", "kill -9 of everything at once", _all_at_once),
    Fault(
        "worker-stop", "SIGSTOP of one of two workers", lambda scene: _frozen(scene, "worker-threads")
    ),
    Fault("relay-stop", "SIGSTOP of the relay", lambda scene: _frozen(scene, "relay")),
    Fault("beat-stop", "SIGSTOP of beat", lambda scene: _frozen(scene, "beat")),
    Fault("valkey-stop", "SIGSTOP of Valkey", lambda scene: _frozen(scene, "valkey")),
    Fault("postgres-stop", "SIGSTOP of PostgreSQL", lambda scene: _frozen(scene, "postgres")),
)  # fmt: skip
