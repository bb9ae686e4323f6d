"""How fast the availability door answers while stock changes, and whether every answer is true.

A server of its own process is asked at a steady rate over connections that are kept, each question at its own
random moment whatever became of the one before; what an answer takes is counted from that moment. Meanwhile orders
and receipts are booked, in a third process, and Redis is emptied half way. Every answer is held against what was
booked: the number of its ledger version, and that this version had not ended before the moment the answer says it
is true as of.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import platform
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.synchronize import Event
from typing import Any, Final

import orjson
import redis
import requests
import uvloop
from sqlalchemy import text

from allocation import store
from allocation.document import read
from console.bench.availability_load import Answer, Question, ask_all
from console.local.ports import LOOPBACK, free_port
from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows.ingest import drain
from workers.settings import Settings
from workers.wiring import Wiring, now

GOAL_P99_MS: Final = 10.0
TOKEN: Final = "bench"
PLACE: Final = "STORE-1"
RULES: Final = f"""\
[locations.{PLACE}]
kind = "store"
safety_units = 2
why = "measurement"
[locations.{PLACE}.pickup]
why = "measurement"
"""
OPENING_UNITS: Final = 500
#: Changes that are booked together.
_TOGETHER: Final = 5
_CHUNK: Final = 400
_START_S: Final = 20.0
_WARM_S: Final = 2.0
_SHOWN: Final = 3

_BALANCES = text("""
    SELECT sku, version, units FROM balance
    WHERE sku = ANY(CAST(:skus AS text[])) AND location = :place AND state = 'available'
    ORDER BY sku
""")


@dataclass(frozen=True, slots=True)
class Booked:
    """A balance after a change.

    ended_at    when the change was certainly in the book, seconds since 1970
    """

    sku: str
    version: int
    available: int
    ended_at: float


def measure(
    settings: Settings,
    *,
    rate: int,
    seconds: int,
    skus: int,
    changes_per_s: int,
    seed: int = 0,
    empty: Callable[[redis.Redis], object] = redis.Redis.flushall,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask `rate` times a second for `seconds`.

    settings         naming an empty, migrated database and an empty Redis
    skus             asked for and changed alike
    changes_per_s    orders and receipts booked meanwhile
    empty            throws everything in Redis away, half way
    returns          p50_ms, p95_ms, p99_ms, max_ms, rate_reached, wrong and failed answers, the part answered from
                     Redis, and `passed`
    """
    names = [f"SKU-{number:05}" for number in range(skus)]
    dice = random.Random(seed)
    with _open(settings, names) as site, _served(settings) as port:
        say(f"{rate} questions a second for {seconds} s, {changes_per_s} changes a second")
        questions = list(_questions(names, rate, _WARM_S + seconds, dice))
        with site.booking(changes_per_s, seed), _emptied(settings, _WARM_S + seconds / 2, empty):
            answers = uvloop.run(ask_all(port, TOKEN, PLACE, questions))
        begin = min(answer.due for answer in answers) + _WARM_S
        return _report([one for one in answers if one.due >= begin], site.booked, rate, skus)


def _questions(
    names: Sequence[str], rate: int, seconds: float, dice: random.Random
) -> Iterator[Question]:
    """Questions at random moments, as of many people who do not know of each other."""
    after_s = 0.0
    while (after_s := after_s + dice.expovariate(rate)) < seconds:
        yield after_s, dice.choice(names)


@dataclass(slots=True)
class _Site:
    """A ledger with stock, and what became of it."""

    settings: Settings
    names: Sequence[str]
    booked: list[Booked] = field(default_factory=list)

    @contextmanager
    def booking(self, changes_per_s: int, seed: int) -> Iterator[None]:
        """Changes come in, from a process of their own, from before the block begins until it ends."""
        context = multiprocessing.get_context("spawn")
        begun, over = context.Event(), context.Event()
        with ProcessPoolExecutor(1, context, _remember, (begun, over)) as pool:
            work = pool.submit(_book, self.settings, self.names, changes_per_s, seed)
            try:
                begun.wait(_START_S)
                yield
            finally:
                over.set()
            self.booked += work.result()


@contextmanager
def _open(settings: Settings, names: Sequence[str]) -> Iterator[_Site]:
    """Rules, SKUs and opening stock."""
    wiring = Wiring(settings)
    with closing(wiring):
        with transaction(wiring.engine) as connection:
            catalogue.add_skus(connection, dict.fromkeys(names, ""))
            store.apply_rules(connection, RULES, read(RULES), "bench", "measurement", now())
        site = _Site(settings, names)
        for begin in range(0, len(names), _CHUNK):
            opening = [("opening", sku, OPENING_UNITS) for sku in names[begin : begin + _CHUNK]]
            site.booked += _change(wiring, opening, f"{begin}")
        yield site


_signals: list[Event] = []


def _remember(begun: Event, over: Event) -> None:
    """Events go to another process only as it starts."""
    _signals[:] = [begun, over]


def _book(settings: Settings, names: Sequence[str], changes_per_s: int, seed: int) -> list[Booked]:
    """Orders, and receipts that make up for them, at a steady rate until it is over."""
    booked: list[Booked] = []
    has_begun, is_over = _signals
    dice, begun = random.Random(f"{seed} changes"), time.monotonic()
    together = max(1, min(_TOGETHER, changes_per_s))
    with closing(Wiring(settings)) as wiring:
        for turn in itertools.count(1):
            ahead_s = begun + turn * together / changes_per_s - time.monotonic()
            if is_over.wait(max(0.0, ahead_s)):
                return booked
            changes = [
                (dice.choice(("order", "receipt")), sku, dice.randint(1, 5))
                for sku in sorted(dice.sample(names, min(together, len(names))))
            ]
            booked += _change(wiring, changes, f"turn:{turn}")
            has_begun.set()
    raise AssertionError("turns do not end")


def _change(wiring: Wiring, changes: Sequence[tuple[str, str, int]], name: str) -> list[Booked]:
    """Book changes of different SKUs through the inbox; what their balances came to."""
    facts = [
        {
            "kind": kind,
            "source": "bench",
            "id": f"{name}:{sku}",
            "occurred_at": now().isoformat(),
            "sku": sku,
            "location": PLACE,
            "units": units,
        }
        | ({"channel": "desk", "order": f"{name}:{sku}", "line": "1"} if kind == "order" else {})
        for kind, sku, units in changes
    ]
    deliveries = [
        Delivery("bench", str(fact["id"]), FACT_TOPIC, orjson.dumps(fact)) for fact in facts
    ]
    with transaction(wiring.engine) as connection:
        inbox.keep(connection, deliveries, now=now())
    drain(wiring.house, now=now())
    ended_at = time.time()
    with transaction(wiring.engine) as connection:
        rows = connection.execute(
            _BALANCES, {"skus": [sku for _, sku, _ in changes], "place": PLACE}
        )
        return [Booked(row.sku, row.version, row.units, ended_at) for row in rows]


@contextmanager
def _served(settings: Settings) -> Iterator[int]:
    """The door in a process of its own; the value is its port."""
    port = free_port()
    environment = os.environ | {
        "LOCKSTEP_ENV": settings.env,
        "LOCKSTEP_DATABASE_URL": settings.database_url,
        "LOCKSTEP_REDIS_URL": settings.redis_url,
        "LOCKSTEP_RELAY_HOST": LOOPBACK,
        "LOCKSTEP_AVAILABILITY_PORT": str(port),
        "LOCKSTEP_AVAILABILITY_TOKEN": TOKEN,
        "LOCKSTEP_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "console", "serve", "availability"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _until_up(process, port)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_up(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"http://{LOOPBACK}:{port}/healthz", timeout=2)
            return
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the door did not open on port {port}")
        time.sleep(0.05)


@contextmanager
def _emptied(
    settings: Settings, after_s: float, empty: Callable[[redis.Redis], object]
) -> Iterator[None]:
    """Everything in Redis is thrown away once, so long after the block begins."""

    def strike() -> None:
        with redis.Redis.from_url(settings.redis_url) as client:
            empty(client)

    timer = threading.Timer(after_s, strike)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


# ---- what it came to ----


def _report(
    answers: Sequence[Answer], booked: Sequence[Booked], rate: int, skus: int
) -> dict[str, Any]:
    good = [answer for answer in answers if answer.status == 200]
    failed = [answer for answer in answers if answer.status != 200]
    wrong = list(wrong_answers(good, booked))
    took_ms = sorted(1000 * (answer.heard - answer.due) for answer in answers)
    p50, p95, p99 = (took_ms[int(len(took_ms) * part)] for part in (0.5, 0.95, 0.99))
    reached = len(answers) / (max(a.heard for a in answers) - min(a.due for a in answers))
    computed = len({(answer.sku, answer.said["as_of"]) for answer in good})
    return {
        "rate": rate,
        "rate_reached": round(reached),
        "skus": skus,
        "answers": len(answers),
        "p50_ms": round(p50, 2),
        "p95_ms": round(p95, 2),
        "p99_ms": round(p99, 2),
        "max_ms": round(took_ms[-1], 2),
        "goal_p99_ms": GOAL_P99_MS,
        "oldest_s": max((answer.said["age_s"] for answer in good), default=None),
        "from_redis": round(1 - computed / max(1, len(good)), 3),
        "changes": len(booked) - skus,
        "wrong": len(wrong),
        "wrong_shown": wrong[:_SHOWN],
        "failed": len(failed),
        "failed_shown": [f"{answer.status} {answer.said}" for answer in failed[:_SHOWN]],
        "machine": {"cores": _cores(), "python": platform.python_version()},
        # Questions come at random moments, so that their number differs a little from the rate.
        "passed": not wrong and not failed and p99 < GOAL_P99_MS and reached > 0.95 * rate,
    }


def wrong_answers(answers: Iterable[Answer], booked: Iterable[Booked]) -> Iterator[str]:
    """What is not true of these answers, by what was booked."""
    available = {(one.sku, one.version): one.available for one in booked}
    # A version ends with the change after it.
    ended = {(one.sku, one.version - 1): one.ended_at for one in booked}
    for answer in answers:
        said = answer.said
        version = answer.sku, said["version"]["ledger"]
        true_at = datetime.fromisoformat(said["as_of"]).timestamp()
        who = f"{answer.sku} as of {said['as_of']}"
        if said["available"] != available.get(version):
            yield f"{who}: version {version[1]} had {available.get(version)}, not {said['available']}"
        elif ended.get(version, float("inf")) <= true_at:
            yield f"{who}: version {version[1]} had ended before"
        elif true_at + said["age_s"] < answer.due:
            yield f"{who}: asked at {answer.due}, it is not {said['age_s']} s old"
        elif said["age_s"] > said["max_age_s"] and true_at < answer.due:
            yield f"{who}: {said['age_s']} s old, and not made for the question"
        elif said["units"] != (
            said["available"] - said["safety"] - said["threshold"] + said["owed"]
        ):
            yield f"{who}: its terms do not add up"


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def table(result: dict[str, Any], say: Callable[[str], object]) -> None:
    """The result for a person."""
    say(f"{result['answers']:,} answers, {result['rate_reached']:,}/s of {result['rate']:,}/s")
    say(
        f"p50 {result['p50_ms']} ms, p95 {result['p95_ms']} ms, p99 {result['p99_ms']} ms"
        f" (goal {result['goal_p99_ms']:g}), longest {result['max_ms']} ms"
    )
    say(
        f"{result['wrong']} wrong, {result['failed']} failed; {result['changes']} changes meanwhile,"
        f" Redis emptied once, {result['from_redis']:.0%} answered from it; oldest {result['oldest_s']} s"
    )
    say(f"{result['machine']['cores']} cores, Python {result['machine']['python']}")
