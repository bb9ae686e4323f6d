"""A deployment while the house works: another release's processes, the newest migration, then our own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg

from console.faults.house import hands
from console.faults.releases import commit_before
from console.faults.types import Fault, Scene
from console.local import layout
from ledger.migrate import upgrade, versions

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


def _released(scene: Scene) -> list[str]:
    """Another release's processes on its schema, migrated under them, then replaced one after the other."""
    house, begun = scene.house, scene.house.now()
    pause_s = scene.hold_s / 4
    time.sleep(pause_s)
    said = _migrated(scene)
    time.sleep(pause_s)
    relay, (first, second, beat) = layout.relay(house.stack.settings), hands(house.told)
    # Our worker with messages of the other's relay and beat; then the other's worker with messages of ours.
    for service in (first, beat, relay, second):
        ours = replace(service, name=f"{service.name}-new")
        if service is relay:
            # Two cannot hold one port.
            house.stack.supervisor.stop(service.name)
            house.stack.supervisor.up(ours)
        else:
            house.stack.supervisor.up(ours)
            house.stack.supervisor.stop(service.name)
        time.sleep(pause_s)
    return [*said, *(f"{row.task} failed: {row.error}" for row in house.rows(_FAILED, since=begun))]


#: Whatever was told of a failure, though it ended well later; that windows of ten seconds go by while two cores start a
#: process is of no release.
_FAILED: Final = """
    SELECT coalesce(task, origin) AS task, left(error, 200) AS error FROM failure
    WHERE last_seen >= :since AND error <> 'no scheduler opened this window' ORDER BY id LIMIT 10
"""


def _migrated(scene: Scene) -> list[str]:
    """The newest migration beside running processes."""
    stack = scene.house.stack
    if stack.postgres is None:
        raise AssertionError("the house has a PostgreSQL of its own")
    watch = _Watch()
    before, after = versions(stack.admin_url)
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
        f"    from {before} to {after} in {took_s:.1f} s; the longest wait for it {watch.longest_s:.3f} s,"
        f" looked at {watch.looks} times"
    )
    if watch.longest_s > LOCK_S:
        return [f"a statement waited {watch.longest_s:.1f} s for the migration: {watch.query}"]
    return []


FAULTS: Final = (
    Fault(
        "release",
        "an earlier release's processes; the newest migration under them, nobody waits over"
        f" {LOCK_S:g} s for it; then ours in their place, one after the other",
        _released,
        release=commit_before,
    ),
)
