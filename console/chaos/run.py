"""Many schedules in several processes, each with a database of its own; what failed, and the shortest form of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

import psycopg
from sqlalchemy import Engine

from channels.simulators.clock import Clock
from console import logs
from console.chaos import books
from console.chaos.casts import CASTS
from console.chaos.direct import Director, house_of, play
from console.chaos.house import found, people, subscribe
from console.chaos.mortal import mortal_engine
from console.chaos.plans import plan_of, shrunk
from console.chaos.plants import PLANTS
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
#: Statistics would come at a moment of their own, and plans, and with them orders, would change; nobody looks at the
#: others, and each takes its part of every statement.
_QUIET: Final = ("autovacuum", "track_counts", "track_activities", "update_process_title")
#: Simulated seconds in which the first numbers are shown.
_OPENS_S: Final = 120
#: Points of a shop's plan, and points a second, while it is opened.
_AMPLE: Final = (300.0, 15.0)


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
        # Over the socket: half the way of loopback TCP.
        way = f"?host={quote(str(running.sockets))}&port={running.port}"
        urls = [
            running.url(role, "X").partition("@")[0] + "@/{database}" + way
            for role in (SUPERUSER, APP, OWNER)
        ]
        server = Server(urls[0], urls[1])
        with psycopg.connect(server.plain.format(database="postgres"), autocommit=True) as of:
            for setting in _QUIET:
                of.execute(f"ALTER SYSTEM SET {setting} = off")
            of.execute("SELECT pg_reload_conf()")
        books.copy(server.plain.format(database="postgres"), TEMPLATE, "template0")
        upgrade(urls[2].format(database=TEMPLATE))
        yield server
    finally:
        running.discard()
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """A house as it stands when a schedule of its cast begins.

    shown    (channel, SKU, location) -> units its vendors show
    """

    book: books.Opening
    at: datetime
    shown: Mapping[tuple[str, str, str], int]


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
        self._opened: dict[str, Opened] = {}
        self._make(template)
        self._empty = books.opening_of(self._keeper, "empty")

    def close(self) -> None:
        """Remove the database."""
        self._stage.close()
        self._engine.dispose()
        self._keeper.close()
        books.drop(self._superuser.format(database="postgres"), self._name)

    def play(self, plan: Plan, *, plant: str = "", keep_trace: bool = False) -> Outcome:
        """One schedule, from the opening on; `plant` is a mistake of `plants.PLANTS` that its house makes."""
        if plan.cast not in self._opened:
            self._restore(self._empty)
            self._opened[plan.cast] = self._open(plan.cast)
        opened = self._opened[plan.cast]
        self._restore(opened.book)
        return play(
            plan,
            self._engine,
            self._stage,
            Clock.held(opened.at),
            opened.shown,
            plant=plant,
            keep_trace=keep_trace,
        )

    def _make(self, template: str) -> None:
        books.copy(self._superuser.format(database="postgres"), self._name, template)
        self._engine: Engine = mortal_engine(self._app.format(database=self._name), self._stage)
        self._keeper = books.keeper(self._superuser.format(database=self._name))

    def _restore(self, opening: books.Opening) -> None:
        if books.is_worn(self._worn):
            self.close()
            self._make(self._template)
            self._worn = 0
        self._worn += opening.restore(self._keeper)

    def _open(self, cast: str) -> Opened:
        """Open a house in an empty book, with nothing going wrong."""
        plan = Plan(0, CALM, (), cast)
        # To list what an account sells takes more than its small plan has.
        ample = replace(CASTS[cast], plan=_AMPLE)
        house = house_of(
            plan, ample, self._engine, Clock.held(ample.begins), self._stage, Random("the opening")
        )
        director = Director(plan, house, self._stage)
        with people(house, {}, director.later):
            subscribe(house)
            found(house)
            director.until(_OPENS_S)
            shown = {(row.channel, row.sku, row.location): row.units for row in house.rows(_SHOWN)}
        return Opened(books.opening_of(self._keeper, cast), house.clock.now(), shown)


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
    returns    schedules, failed, failing_seeds, seconds, a_second, turns, order_lines, oversold_lines (all within
               a lag), windows (how many needed how many), breaches
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
        "order_lines": sum(outcome.taken for outcome in outcomes),
        "oversold_lines": sum(outcome.oversold for outcome in outcomes),
        "windows": _counted(str(outcome.windows) for outcome in outcomes if not outcome.breaches),
        "breaches": _counted(
            name for o in outcomes for name in sorted({b.invariant for b in o.breaches})
        ),
        "shrunk": short,
        "passed": not failing,
    }


def _mistake(name: str) -> dict[str, Any]:
    assert _theatre is not None, "a process plays after it has entered"
    plant = PLANTS[name]
    broken = sorted({b.invariant for b in _theatre.play(plan_of(plant.seed), plant=name).breaches})
    clean = not _theatre.play(plan_of(plant.seed)).breaches
    return {
        "plant": name,
        "seed": plant.seed,
        "breaks": plant.breaks,
        "broken": broken,
        "clean": clean,
        "caught": clean and plant.breaks in broken,
    }


def mistakes(*, jobs: int) -> dict[str, Any]:
    """Play every mistake of `plants.PLANTS` with its seed, and the same seed without it.

    returns    plants (each: plant, seed, breaks, broken, clean, caught), caught, seconds, passed
    """
    began = time.perf_counter()
    with (
        own_server() as server,
        ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=_enter, initargs=(server,)
        ) as pool,
    ):
        played = list(pool.map(_mistake, PLANTS))
    caught = sum(each["caught"] for each in played)
    return {
        "plants": played,
        "caught": caught,
        "seconds": round(time.perf_counter() - began, 1),
        "passed": caught == len(played),
    }


def table_of_mistakes(result: Mapping[str, Any], say: Callable[[str], object]) -> None:
    """What a person reads of `mistakes`."""
    for each in result["plants"]:
        what = "caught" if each["caught"] else "NOT CAUGHT"
        clean = "" if each["clean"] else "; the seed fails without the mistake too"
        say(f"{each['plant']} (seed {each['seed']}): {what}: {', '.join(each['broken'])}{clean}")


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
