"""How long the server takes for each page of the dashboard, with a house full of what has happened.

A real `lockstep serve api` is started and signed in to as a browser does. Every address of the dashboard is asked: each
page, the second page of every list, and a search in every list. Which addresses there are is read off the
application's own routes, so that none is forgotten: one that nobody says how to ask fails the measurement. Times are
taken by the client on the same machine, from sending the request to the last byte: what the server takes is less.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, create_engine, text
from starlette.routing import BaseRoute

from console.access.types import Role
from console.api.app import application
from console.bench import pages_fill
from console.bench.pages_asked import ASKED, SAMPLES, asked_of
from console.local import ports
from console.verbs import tokens
from workers.settings import Settings
from workers.wiring import Wiring, now

GOAL_MS: Final = 300.0
_START_S: Final = 60.0
_NEXT = re.compile(r'<a href="([^"]+)" rel="next">')
_LIST = re.compile(r'id="list".*?<tbody>(.*?)</tbody>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    text: str
    ms: float


def measure(
    settings: Settings,
    *,
    skus: int,
    events: int,
    failed: int,
    rounds: int,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """Fill an empty house and ask its dashboard.

    settings   naming an empty, migrated database
    rounds     times each address is asked again after its first
    returns    start_s (process start to the first answer), signed_in_ms (the first requests after that: the login page,
               the login, Now), pages (a row for each address: route, what, address, status, first_ms, p50_ms, max_ms,
               kb), worst_ms, and `faults`: what was not answered, not paged, or not searched; `passed`
    """
    begun = time.perf_counter()
    size = pages_fill.fill(settings, skus=skus, events=events, failed=failed)
    say(
        f"{size['events']:,} events of {skus:,} SKUs are loaded: {time.perf_counter() - begun:.0f} s"
    )
    return size | ask(settings, rounds=rounds)


def ask(settings: Settings, *, rounds: int) -> dict[str, Any]:
    """Ask the dashboard of a house that is full; see `measure`."""
    engine = create_engine(settings.database_url)
    try:
        samples = _samples(engine)
        secret = tokens.create(
            engine, f"bench-{os.getpid()}", Role.ADMIN, by="bench", now=now(), random=os.urandom(32)
        ).secret
        with (
            served(settings) as (port, start_s),
            closing(HTTPConnection("127.0.0.1", port, timeout=60)) as door,
        ):
            signed = _sign_in(door, secret)
            faults: list[str] = []
            rows = list(_all(signed, routes_of(settings), samples, rounds, faults))
    finally:
        engine.dispose()
    return _result(start_s, signed, rows, faults)


def _result(
    start_s: float, signed: Signed, rows: list[dict[str, Any]], faults: list[str]
) -> dict[str, Any]:
    worst = max(max(row["first_ms"], row["max_ms"]) for row in rows)
    worst = max([worst, *signed.took_ms.values()])
    slow = [
        f"{row['what']} {row['address']}: {max(row['first_ms'], row['max_ms'])} ms"
        for row in rows
        if max(row["first_ms"], row["max_ms"]) >= GOAL_MS
    ]
    return {
        "start_s": round(start_s, 2),
        "routes": len({row["route"] for row in rows}),
        "signed_in_ms": signed.took_ms,
        "pages": rows,
        "worst_ms": round(worst, 1),
        "goal_ms": GOAL_MS,
        "slow": slow,
        "faults": faults,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "passed": not faults and worst < GOAL_MS,
    }


def routes_of(settings: Settings) -> list[str]:
    """Paths of every page: what a browser may GET from `console.pages`."""
    with closing(Wiring(settings)) as wiring:
        return pages_of(application(wiring))


def pages_of(app: FastAPI) -> list[str]:
    """The same of an application."""
    return [
        route.path
        for route in _each(app.routes)
        if "GET" in (route.methods or ()) and route.endpoint.__module__.startswith("console.pages")
    ]


def _each(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    """Routes one by one; those of an included router stand in it."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from _each(router.routes)
        elif isinstance(route, APIRoute):
            yield route


@dataclass(frozen=True, slots=True)
class Signed:
    """A browser that somebody is logged in with."""

    door: HTTPConnection
    cookie: str
    took_ms: dict[str, float]

    def get(self, address: str) -> Answer:
        """A page."""
        return _ask(self.door, "GET", address, cookie=self.cookie)[0]


def _sign_in(door: HTTPConnection, secret: str) -> Signed:
    page, _ = _ask(door, "GET", "/login")
    form = f"token={secret}"
    login, headers = _ask(door, "POST", "/login", body=form)
    cookie = headers.get("set-cookie", "").partition(";")[0]
    if login.status != 303 or not cookie:
        raise RuntimeError(f"the login was answered with {login.status}: {login.text[:300]}")
    first, _ = _ask(door, "GET", "/", cookie=cookie)
    took = {"login page": page.ms, "login": login.ms, "Now": first.ms}
    return Signed(door, cookie, {name: round(ms, 1) for name, ms in took.items()})


def _ask(
    door: HTTPConnection, method: str, address: str, *, cookie: str = "", body: str | None = None
) -> tuple[Answer, dict[str, str]]:
    headers = {"Accept": "text/html", "Cookie": cookie}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    begun = time.perf_counter()
    door.request(method, address, body=body, headers=headers)
    answer = door.getresponse()
    said = answer.read().decode()
    ms = (time.perf_counter() - begun) * 1000
    if answer.status >= 500:
        # A server that made a mistake hangs up.
        door.close()
    return Answer(answer.status, said, ms), {n.lower(): v for n, v in answer.getheaders()}


def _all(
    signed: Signed,
    routes: list[str],
    samples: Mapping[str, Any],
    rounds: int,
    faults: list[str],
) -> Iterator[dict[str, Any]]:
    faults += [
        f"{path}: nobody says how to ask it (console/bench/pages_asked.py)"
        for path in routes
        if asked_of(path) is None
    ]
    faults += [
        f"{path}: it is asked and there is no such page" for path in set(ASKED) - set(routes)
    ]
    for path, asked in ((path, asked_of(path)) for path in routes):
        if asked is None:
            continue
        for address in asked.addresses:
            said, row = _timed(signed, path, "page", address.format_map(samples), rounds, faults)
            yield row
        if not asked.lists:
            continue
        following = _NEXT.search(said.text)
        if following is None:
            faults.append(f"{path}: its list has no second page")
        else:
            second, row = _timed(signed, path, "page 2", unescape(following[1]), rounds, faults)
            if rows_of(second) == rows_of(said):
                faults.append(f"{path}: its second page says what its first said")
            yield row
        for search, word in asked.searches:
            found, row = _timed(signed, path, "search", search.format_map(samples), rounds, faults)
            faults += _unfound(path, found, word.format_map(samples))
            yield row


def _unfound(path: str, found: Answer, word: str) -> Iterator[str]:
    """What a search got wrong: it found nothing, or something that does not have the word."""
    rows = rows_of(found)
    if not rows:
        yield f"{path}: a search for {word!r} finds nothing"
    elif without := [row for row in rows if word not in row]:
        yield f"{path}: a search for {word!r} finds {re.sub('<[^>]+>', ' ', without[0])[:120]!r} too"


def rows_of(answer: Answer) -> list[str]:
    """Rows of a page's list."""
    found = _LIST.search(answer.text)
    return found[1].split("<tr")[1:] if found else []


def _timed(
    signed: Signed, path: str, what: str, address: str, rounds: int, faults: list[str]
) -> tuple[Answer, dict[str, Any]]:
    first = signed.get(address)
    again = [signed.get(address) for _ in range(rounds)]
    wrong = sorted({each.status for each in (first, *again)} - {200})
    if wrong:
        faults.append(f"{address}: answered with {wrong[0]}")
    took = [each.ms for each in again]
    return first, {
        "route": path,
        "what": what,
        "address": address,
        "first_ms": round(first.ms, 1),
        "p50_ms": round(statistics.median(took), 1),
        "max_ms": round(max(took), 1),
        "kb": round(len(first.text) / 1024),
    }


def _samples(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        found = connection.execute(text(SAMPLES)).mappings().one()
    return dict(found)


@contextmanager
def served(settings: Settings) -> Iterator[tuple[int, float]]:
    """The dashboard as `lockstep serve api` runs it: its port, and seconds from its start to its first answer."""
    port = ports.free_port()
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as home:
        environment = {
            **os.environ,
            "LOCKSTEP_DATABASE_URL": settings.database_url,
            "LOCKSTEP_REDIS_URL": settings.redis_url,
            "LOCKSTEP_HOME": home,
            "LOCKSTEP_RELAY_HOST": "127.0.0.1",
            "LOCKSTEP_API_PORT": str(port),
        }
        log = Path(home) / "api.log"
        begun = time.perf_counter()
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "console", "serve", "api"],
                env=environment,
                stdout=out,
                stderr=out,
            )
        try:
            yield port, _started(process, port, log, begun)
        finally:
            process.terminate()
            process.wait(30)


def _started(process: subprocess.Popen[bytes], port: int, log: Path, begun: float) -> float:
    while time.perf_counter() - begun < _START_S:
        if process.poll() is not None:
            break
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as door:
                door.request("GET", "/healthz")
                if door.getresponse().status == 200:
                    return time.perf_counter() - begun
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the dashboard did not start: {log.read_text(errors='replace')[-1000:]}")


def table(result: dict[str, Any], say: Callable[[str], object]) -> None:
    """The result for a person."""
    say(
        f"{result['skus']:,} SKUs, {result['events']:,} events, {result['failed']:,} failed rows; started in"
        f" {result['start_s']} s; then "
        + ", ".join(f"{name} {ms} ms" for name, ms in result["signed_in_ms"].items())
    )
    for row in sorted(result["pages"], key=lambda row: -max(row["first_ms"], row["max_ms"])):
        say(
            f"{row['first_ms']:7.1f} first {row['p50_ms']:7.1f} p50 {row['max_ms']:7.1f} max ms {row['kb']:4} kB"
            f"  {row['what']:6} {row['address'][:90]}"
        )
    for fault in result["faults"]:
        say(f"fault: {fault}")
    say(
        f"{result['routes']} routes, the slowest answer {result['worst_ms']} ms (goal {result['goal_ms']:.0f})"
    )
