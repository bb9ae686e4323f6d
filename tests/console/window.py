"""A shop window of the test's own: the availability door behind HTTP, and the ledger behind it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import redis
import requests
import uvicorn

from console.availability import application
from ledger.db import connect
from tests.builders import a_fact, book, stock_the_house
from tests.console.door import a_door, the_settings
from tests.databases import Servers
from tests.servers import Database
from tests.workers.shelf import apply

RULES = """\
[locations.WH]
[locations.STORE-1]
kind = "store"
safety_units = 2
why = "shelf"
[locations.STORE-1.pickup]
confidence = 0.97
threshold = 3
hours = 0
loss_per_day = 0
why = "the last three are hard to find"
[locations.STORE-2]
kind = "store"
[locations.STORE-2.pickup]
threshold = 0
hours = 0
loss_per_day = 0
why = "counted every morning"
[exposure]
per_day = 0
why = "nothing sells by itself here"
"""
TOKEN = "shop-window"
SKUS = ("MUG-RED", "MUG-BLUE", "Größe/2 x")


@dataclass
class Window:
    """A relay whose availability door is open, and the ledger behind it."""

    database: Database
    url: str
    redis: redis.Redis
    wire: requests.Session = field(default_factory=requests.Session)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, sku: str = "MUG-RED", query: str = "location=STORE-1", token: str = TOKEN) -> Any:
        path = f"{self.url}/availability/{quote(sku, safe='')}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.wire.get(f"{path}?{query}" if query else path, headers=headers, timeout=10)

    def units(self, sku: str = "MUG-RED", location: str = "STORE-1") -> int:
        answer = self.ask(sku, f"location={location}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["units"])

    def say(self, kind: str, **said: Any) -> None:
        """A fact of this moment in the book."""
        fact = {"id": f"{kind}:{next(self.serial)}", "location": "STORE-1"} | said
        when = {"occurred_at": datetime.now(UTC)} | fact
        book(self.database.engine, a_fact(kind, **when), now=datetime.now(UTC))

    def kept(self) -> bytes | str:
        """The key of the one number that was asked for; it is written after the answer has gone."""
        until = time.monotonic() + 10
        while not (keys := list(self.redis.keys("*pickup:*"))):
            assert time.monotonic() < until
        (key,) = keys
        return key


@contextmanager
def a_window(
    database: Database, valkey: str, *, age_s: float = 30.0, rules: str = RULES
) -> Iterator[Window]:
    stock_the_house(database.engine, SKUS, ())
    with database.engine.begin() as connection:
        apply(connection, rules, datetime.now(UTC))
    settings = the_settings(redis_url=valkey, availability_token=TOKEN, availability_age_s=age_s)
    engine = connect(database.app_url)
    with (
        redis.Redis.from_url(valkey) as client,
        a_door(settings, engine, database) as door,
    ):
        window = Window(database, door.url, client)
        try:
            yield window
        finally:
            window.wire.close()
    engine.dispose()


@contextmanager
def away(servers: Servers, database: Database) -> Iterator[None]:
    """Nobody gets into the database, and who is in is put out."""
    database.dispose()
    allow = f"ALTER DATABASE {database.name} WITH ALLOW_CONNECTIONS"
    with servers.connect() as connection:
        connection.execute(f"{allow} false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database.name],
        )
        try:
            yield
        finally:
            connection.execute(f"{allow} true")


@contextmanager
def alone(database: Database, valkey: str) -> Iterator[str]:
    """The door without the relay; the value is its address."""
    engine = connect(database.app_url)
    app = application(the_settings(redis_url=valkey, availability_token=TOKEN), engine)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not (server.started and server.servers):
        assert time.monotonic() < until, "the door did not open"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
    engine.dispose()
