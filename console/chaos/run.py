"""Many schedules in several processes, each with a database of its own; what failed, and the shortest form of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
from sqlalchemy import Engine

from channels.simulators.clock import Clock
from console import logs
from console.chaos import books
from console.chaos.direct import Director, play
from console.chaos.house import BEGINS, House, found, people, subscribe
from console.chaos.mortal import mortal_engine
from console.chaos.plans import plan_of, shrunk
from console.chaos.stage import Stage
from console.chaos.types import CALM, Outcome, Plan
from console.local.cluster import APP, OWNER, SUPERUSER
from console.local.lifeline import lifeline
from console.local.postgres import start_postgres
from ledger.migrate import upgrade

TEMPLATE: Final = "chaos_template"
#: Schedules a process is given at a time.
_CHUNK: Final = 4
#: Failing schedules that are shrunk; the others are named.
_SHRUNK: Final = 3
_SHOWN = "SELECT channel, sku, location, units FROM shown"
#: Simulated seconds in which the first numbers are shown.
_OPENS_S: Final = 120


@dataclass(frozen=True, slots=True)
class Server:
    """Where PostgreSQL listens: a URL for each role, with `{database}` to be filled in."""

    superuser_url: str
    app_url: str

    @property
    def plain(self) -> str:
        """The superuser's, as the driver reads it."""
        return self.superuser_url.replace("+psycopg", "", 1)


@contextmanager
def own_server() -> Iterator[Server]:
    """A PostgreSQL of this run with a migrated database to copy, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="lockstep-chaos-")).resolve()
    # Passable for the user PostgreSQL runs as when we are root.
    home.chmod(0o711)
    lifeline().remove(home)
    running = start_postgres(home, durable=False)
    for folder in running.folders():
        lifeline().remove(folder)
    try:
        urls = [
            running.url(role, "X").removesuffix("X") + "{database}"
            for role in (SUPERUSER, APP, OWNER)
        ]
        server = Server(urls[0], urls[1])
        with psycopg.connect(server.plain.format(database="postgres"), autocommit=True) as of:
            # Statistics would come at a moment of their own, and plans, and with them orders, would change.
            of.execute("ALTER SYSTEM SET autovacuum = off")
            of.execute("SELECT pg_reload_conf()")
        books.copy(server.plain.format(database="postgres"), TEMPLATE, "template0")
        upgrade(urls[2].format(database=TEMPLATE))
        yield server
    finally:
        running.discard()
        shutil.rmtree(home, ignore_errors=True)


class Theatre:
    """One process's database, stage and opening; schedule after schedule is played in it.

    superuser_url, app_url    of the server, with `{database}` to be filled in
    template                  a migrated database
    """

    def __init__(self, server: Server, name: str, template: str = TEMPLATE) -> None:
        self._superuser, self._app = server.plain, server.app_url
        self._template, self._name = template, name
        self._worn = 0
        self._stage = Stage()
        self._make(template)
        with books.keeper(self._superuser.format(database=name)) as connection:
            self.shown = self._open()
            self._opening = books.opening_of(connection)

    def close(self) -> None:
        """Remove the database."""
        self._engine.dispose()
        books.drop(self._superuser.format(database="postgres"), self._name)

    def play(self, plan: Plan, *, plant: str = "", keep_trace: bool = False) -> Outcome:
        """One schedule, from the opening on; `plant` is a mistake of `plants.PLANTS` that its house makes."""
        self._restore()
        return play(
            plan,
            self._engine,
            self._stage,
            Clock.held(self._begins),
            self.shown,
            plant=plant,
            keep_trace=keep_trace,
        )

    def _make(self, template: str) -> None:
        books.copy(self._superuser.format(database="postgres"), self._name, template)
        self._engine: Engine = mortal_engine(self._app.format(database=self._name), self._stage)

    def _restore(self) -> None:
        if books.is_worn(self._worn):
            self.close()
            self._make(self._template)
            self._worn = 0
        with books.keeper(self._superuser.format(database=self._name)) as connection:
            self._worn += self._opening.restore(connection)

    def _open(self) -> dict[tuple[str, str, str], int]:
        """Open the house once, with nothing going wrong; what its vendors show then."""
        house = House(
            self._engine, Clock.held(BEGINS), self._stage, Random("the opening"), weather=CALM
        )
        director = Director(Plan(0, CALM, ()), house, self._stage)
        with people(house, {}, director.later):
            subscribe(house)
            found(house)
            director.until(_OPENS_S)
            self._begins = house.now()
            return {(row.channel, row.sku, row.location): row.units for row in house.rows(_SHOWN)}


_theatre: Theatre | None = None


def _enter(server: Server) -> None:
    """In a process of the pool: its theatre."""
    logs.configure("CRITICAL")
    global _theatre
    from os import getpid

    _theatre = Theatre(server, f"chaos_{getpid()}")


def _play(plant: str, seeds: Sequence[int]) -> list[Outcome]:
    assert _theatre is not None, "a process plays after it has entered"
    return [_theatre.play(plan_of(seed), plant=plant) for seed in seeds]


def _shrink(plant: str, seed: int) -> tuple[Plan, Outcome]:
    assert _theatre is not None, "a process plays after it has entered"
    return shortest(_theatre, plan_of(seed), plant=plant)


def shortest(theatre: Theatre, plan: Plan, *, plant: str = "") -> tuple[Plan, Outcome]:
    """The shortest schedule found that breaks a promise as this one does, and what it comes to."""
    broken = {breach.invariant for breach in theatre.play(plan, plant=plant).breaches}

    def fails(shorter: Plan) -> bool:
        found = theatre.play(shorter, plant=plant).breaches
        return bool(broken & {breach.invariant for breach in found})

    plan = shrunk(plan, fails)
    return plan, theatre.play(plan, plant=plant, keep_trace=True)


def measure(
    *,
    schedules: int,
    seed: int,
    jobs: int,
    plant: str = "",
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Play so many schedules, from this seed on.

    jobs       processes, each with a database of its own
    plant      a mistake of `plants.PLANTS` that every house makes
    returns    schedules, failed, failing_seeds, seconds, a_second, turns, windows (how many needed how many), breaches
               (by promise), shrunk (the first failures in their shortest form), passed
    """
    began = time.perf_counter()
    seeds = range(seed, seed + schedules)
    chunks = [seeds[at : at + _CHUNK] for at in range(0, schedules, _CHUNK)]
    outcomes: list[Outcome] = []
    with (
        own_server() as server,
        ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=_enter, initargs=(server,)
        ) as pool,
    ):
        opened = time.perf_counter()
        for of_chunk in pool.map(partial(_play, plant), chunks):
            outcomes += of_chunk
            for outcome in of_chunk:
                for breach in outcome.breaches[:1]:
                    say(f"seed {outcome.seed}: {breach.invariant}: {breach.says}")
        played_s = time.perf_counter() - opened
        failing = [outcome.seed for outcome in outcomes if outcome.breaches]
        short = [_told(*of) for of in pool.map(partial(_shrink, plant), failing[:_SHRUNK])]
    return {
        "schedules": schedules,
        "failed": len(failing),
        "failing_seeds": failing,
        "seconds": round(time.perf_counter() - began, 1),
        "a_second": round(schedules / played_s, 2),
        "seed": seed,
        "jobs": jobs,
        "plant": plant,
        "turns": sum(outcome.turns for outcome in outcomes),
        "windows": _counted(str(outcome.windows) for outcome in outcomes if not outcome.breaches),
        "breaches": _counted(
            name for o in outcomes for name in sorted({b.invariant for b in o.breaches})
        ),
        "shrunk": short,
        "passed": not failing,
    }


def replay(seed: int, *, plant: str, trace: Path) -> None:
    """Play one schedule and write down all that happened."""
    with own_server() as server:
        outcome = Theatre(server, "chaos_replay").play(plan_of(seed), plant=plant, keep_trace=True)
    trace.write_text("\n".join(outcome.trace) + "\n")


def _counted(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def _told(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """A failure in its shortest form."""
    weather = {name: value for name, value in asdict(plan.weather).items() if value}
    return {
        "seed": plan.seed,
        "weather": weather,
        "steps": [str(step) for step in plan.steps],
        "breaches": [f"{breach.invariant}: {breach.says}" for breach in outcome.breaches],
        "trace": outcome.trace,
    }


def table(result: Mapping[str, Any], say: Callable[[str], object]) -> None:
    """What a person reads."""
    planted = f" with the mistake {result['plant']}" if result["plant"] else ""
    say(
        f"{result['schedules']} schedules from seed {result['seed']}{planted}, {result['jobs']} at a time:"
        f" {result['failed']} failed, {result['seconds']} s ({result['a_second']} a second)"
    )
    windows = ", ".join(f"{of} after {window}" for window, of in result["windows"].items())
    say(f"windows until all was well: {windows or '-'}")
    for name, count in result["breaches"].items():
        say(f"  {name}: {count}")
    for failure in result["shrunk"]:
        say(f"seed {failure['seed']}, shortest form, weather {failure['weather']}:")
        for step in failure["steps"]:
            say(f"  {step}")
        for breach in failure["breaches"]:
            say(f"  ! {breach}")
