"""Ingest measured against its floor and against one task per event, on the same servers in the same run."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import create_engine, make_url, text

from channels.registry import LANES
from console.bench import accept, floor
from ledger import catalogue, inbox
from ledger.context import Catalogue
from ledger.db import connect, transaction
from ledger.ids import uuid7s
from ledger.inbox import FACT_TOPIC, Delivery
from ledger.migrate import upgrade
from ledger.verify import verify
from workers.flows.ingest import House, drain
from workers.settings import Settings
from workers.wiring import now

SKUS = 2000
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Goals:
    """What the measurement must reach to pass."""

    ratio_to_floor: float = 0.5
    hot_to_uniform: float = 0.9
    against_one_task_per_event: float = 10.0


def measure(
    settings: Settings, *, events: int, rounds: int, tasks: int, requests: int = 2000
) -> dict[str, Any]:
    """Ingest, hot and uniform, the floor, one task per event; medians of `rounds`. Then the door, and history.

    settings   naming a database (its server gets throw-away databases) and a Redis
    events     a round
    tasks      events for the one-task-per-event figure
    requests   webhooks of each go at the relay's door
    """
    floors, uniform, hot = [], [], []
    for _ in range(rounds):
        # Side by side: what the machine does to one it does to the next.
        floors.append(_floor(settings, events))
        uniform.append(_ingest(settings, events, hot=False))
        hot.append(_ingest(settings, events, hot=True))
    per_task = _one_task_per_event(settings, tasks)
    doors = _doors(settings, requests)
    ratios = [ours / theirs for ours, theirs in zip(uniform, floors, strict=True)]
    hots = [one / ours for one, ours in zip(hot, uniform, strict=True)]
    goals = Goals()
    result: dict[str, Any] = {
        "events": events,
        "rounds": rounds,
        "events_per_s": round(statistics.median(uniform)),
        "hot_events_per_s": round(statistics.median(hot)),
        "floor_events_per_s": round(statistics.median(floors)),
        "ratio_to_floor": round(statistics.median(ratios), 2),
        "hot_to_uniform": round(statistics.median(hots), 2),
        "task_per_event_per_s": round(per_task),
        "against_one_task_per_event": round(statistics.median(uniform) / per_task, 1),
        "each_round": [
            {"floor": round(f), "uniform": round(u), "hot": round(h)}
            for f, u, h in zip(floors, uniform, hot, strict=True)
        ],
        "doors": doors,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "durability": _durability(settings),
    }
    result["passed"] = (
        result["ratio_to_floor"] >= goals.ratio_to_floor
        and result["hot_to_uniform"] >= goals.hot_to_uniform
        and result["against_one_task_per_event"] >= goals.against_one_task_per_event
        and doors["ratio_to_door_floor"] >= accept.GOAL_RATIO_TO_DOOR
    )
    return result


def _doors(settings: Settings, requests: int) -> dict[str, Any]:
    with _fresh(settings) as (app_url, _), tempfile.TemporaryDirectory() as logs:
        here = settings.model_copy(update={"database_url": app_url, "env": f"bench-{os.getpid()}"})
        names = [f"SKU-{n:04}" for n in range(SKUS)]
        result = accept.measure(here, names, Path(logs), requests=requests)
    with _fresh(settings) as (app_url, _):
        return result | accept.imported(app_url)


def _facts(count: int, *, hot: bool) -> list[dict[str, Any]]:
    at = now().isoformat()
    return [
        {
            "kind": "order",
            "source": "bench",
            "id": f"order:{n}",
            "occurred_at": at,
            "channel": "shopify",
            "order": f"{n}",
            "line": "1",
            "sku": "SKU-0000" if hot else f"SKU-{n * 7 % SKUS:04}",
            "location": "WH-MAIN",
            "units": 1 + n % 5,
        }
        for n in range(count)
    ]


def _ingest(settings: Settings, count: int, *, hot: bool) -> float:
    """Events a second through inbox and drain, kept and drained at the same time as in the product."""
    facts = [(fact["id"], orjson.dumps(fact)) for fact in _facts(count, hot=hot)]
    with _fresh(settings) as (app_url, _):
        engine = connect(app_url)
        house = House(engine, LANES, Catalogue(), os.urandom)

        def keep(begin: int) -> None:
            deliveries = [
                Delivery("bench", name, FACT_TOPIC, body)
                for name, body in facts[begin : begin + _CHUNK]
            ]
            with transaction(engine) as connection:
                inbox.keep(connection, deliveries, now=now())

        with _calm(), ThreadPoolExecutor(1) as relay:
            begun = time.perf_counter()
            keeping = [relay.submit(keep, begin) for begin in range(0, count, _CHUNK)]
            for kept in keeping:
                kept.result()
                drain(house, now=now())
            took = time.perf_counter() - begun
        _prove(engine, count)
        engine.dispose()
    return count / took


def _prove(engine: Any, count: int) -> None:
    """A figure counts only when every event is in a clean book."""
    proof = verify(engine)
    if not proof.clean or proof.events != count:
        raise AssertionError(f"{proof.events} of {count} events in the book; {proof.findings[:1]}")


def _floor(settings: Settings, count: int) -> float:
    ids = [
        str(event)
        for begin in range(0, count, 4000)
        for event in uuid7s(
            int(time.time() * 1000) + begin, os.urandom(8 * min(4000, count - begin))
        )
    ]
    rows = [
        {
            "id": event,
            "kind": "order",
            "source": "bench",
            "source_id": fact["id"],
            "body": orjson.dumps(fact).decode(),
            "occurred_at": fact["occurred_at"],
            "channel": "shopify",
            "order_id": fact["order"],
            "line_id": "1",
            "sku": fact["sku"],
            "units": fact["units"],
            "from_location": "WH-MAIN",
            "from_state": "available",
            "to_location": "WH-MAIN",
            "to_state": "committed",
        }
        for event, fact in zip(ids, _facts(count, hot=False), strict=True)
    ]
    with _fresh(settings) as (_, admin_url):
        plain = (
            make_url(admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
        )
        with _calm():
            begun = time.perf_counter()
            floor.load(plain, rows)
            return count / (time.perf_counter() - begun)


def _one_task_per_event(settings: Settings, count: int) -> float:
    """Events a second when each is a Celery task that writes its own transaction: two prefork children, acks late."""
    with _fresh(settings) as (app_url, _):
        environment = {
            **os.environ,
            "LOCKSTEP_DATABASE_URL": app_url,
            "LOCKSTEP_REDIS_URL": settings.redis_url,
        }
        environment["LOCKSTEP_ENV"] = f"bench-{os.getpid()}"
        command = [sys.executable, "-m", "console.bench.one_task", str(count)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"the one-task-per-event run failed: {done.stderr[-1000:]}")
        return float(done.stdout.strip().splitlines()[-1])


_END_SESSIONS = text("""
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = :name AND backend_type = 'client backend' AND pid <> pg_backend_pid()
""")


@contextmanager
def _fresh(settings: Settings) -> Iterator[tuple[str, str]]:
    """A throw-away database on the same server: (application's URL, owner's URL)."""
    admin = make_url(settings.database_admin_url or settings.database_url)
    app = make_url(settings.database_url)
    name = f"bench_{os.getpid()}_{time.monotonic_ns() % 10**9}"
    server = create_engine(admin, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        owner_url = admin.set(database=name).render_as_string(hide_password=False)
        upgrade(owner_url)
        app_url = app.set(database=name).render_as_string(hide_password=False)
        engine = connect(app_url)
        with transaction(engine) as connection:
            catalogue.add_skus(connection, {f"SKU-{n:04}": "" for n in range(SKUS)})
            catalogue.add_locations(connection, ["WH-MAIN"])
        engine.dispose()
        yield app_url, owner_url
    finally:
        with server.connect() as connection:
            # WITH (FORCE) would end a vacuum too, which only a superuser may; without it the vacuum gives way.
            connection.execute(_END_SESSIONS, {"name": name})
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        server.dispose()


@contextmanager
def _calm() -> Iterator[None]:
    """Without the collector stopping the world for objects that live as long as the run."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _durability(settings: Settings) -> dict[str, str]:
    engine = create_engine(settings.database_admin_url or settings.database_url)
    with engine.connect() as connection:
        said = {
            name: str(connection.execute(text(f"SHOW {name}")).scalar_one())
            for name in ("fsync", "synchronous_commit", "full_page_writes", "server_version")
        }
    engine.dispose()
    return said


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    say(f"ingest            {result['events_per_s']:>8} events/s")
    say(
        f"one hot SKU       {result['hot_events_per_s']:>8} events/s   {result['hot_to_uniform']:.2f} of uniform"
    )
    say(
        f"set-based floor   {result['floor_events_per_s']:>8} events/s   we reach {result['ratio_to_floor']:.2f} of it"
    )
    say(
        f"one task an event {result['task_per_event_per_s']:>8} events/s   we are"
        f" {result['against_one_task_per_event']:.0f} times as fast"
    )
    doors = result["doors"]
    for name, rate in doors["accepted_per_s"].items():
        count = name.split()[0]
        say(
            f"relay, {name:<11}{rate:>8} accepted/s   the least door {doors['door_floor_per_s'][count]}"
        )
    say(f"drain of webhooks {doors['drained_per_s']:>8} webhooks/s")
    say(
        f"history import    {doors['history_per_s']:>8} events/s   {doors['history_events']} events"
    )
    say(
        f"PostgreSQL {result['durability']['server_version']}, fsync {result['durability']['fsync']},"
        f" {result['machine']['cores']} cores, Python {result['machine']['python']}"
    )
