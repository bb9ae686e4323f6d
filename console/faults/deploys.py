"""A deployment while the house works: the newest migration beside running workers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import psycopg

from console.faults.types import Fault, Scene
from console.local.stack import Stack
from ledger.migrate import previous, upgrade

#: Nobody may wait for a lock of a migration for longer. Seconds.
LOCK_S: Final = 1.0
_WAITING: Final = """
    SELECT extract(epoch FROM clock_timestamp() - waiting.state_change), left(waiting.query, 80)
    FROM pg_stat_activity AS waiting
    JOIN pg_stat_activity AS migrating
      ON migrating.pid = ANY(pg_blocking_pids(waiting.pid)) AND migrating.usename = 'lockstep'
    WHERE waiting.usename = 'lockstep_app'
"""


@dataclass
class _Watch:
    """Sees who waits for a migration, every few hundredths of a second."""

    longest_s: float = 0.0
    query: str = ""
    looks: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def look(self, connection: psycopg.Connection) -> None:
        while not self.enough.wait(0.03):
            self.looks += 1
            for waited_s, query in connection.execute(_WAITING).fetchall():
                if float(waited_s) > self.longest_s:
                    self.longest_s, self.query = float(waited_s), query


def older(stack: Stack) -> None:
    """The schema as it was before the newest migration."""
    upgrade(stack.admin_url, to=previous())


def _migrated(scene: Scene) -> list[str]:
    stack = scene.house.stack
    if stack.postgres is None:
        raise AssertionError("the house has a PostgreSQL of its own")
    time.sleep(scene.hold_s / 4)
    watch = _Watch()
    with stack.postgres.connect("lockstep") as connection:
        watching = threading.Thread(target=watch.look, args=(connection,))
        watching.start()
        begun_s = time.monotonic()
        try:
            upgrade(stack.admin_url)
        finally:
            took_s = time.monotonic() - begun_s
            watch.enough.set()
            watching.join()
    scene.say(
        f"    from {previous()} on in {took_s:.1f} s; the longest wait for it {watch.longest_s:.3f} s,"
        f" looked at {watch.looks} times"
    )
    time.sleep(scene.hold_s / 4)
    if watch.longest_s > LOCK_S:
        return [f"a statement waited {watch.longest_s:.1f} s for the migration: {watch.query}"]
    return []


FAULTS: Final = (
    Fault(
        "migration",
        f"the newest migration beside running workers; nobody waits over {LOCK_S:g} s for it",
        _migrated,
        schema=older,
    ),
)
