"""The API, served by uvicorn in a thread on a free port, with a token of each role."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from console.access.types import Role
from console.api.app import application
from console.serving import options as serving_options
from console.verbs import tokens
from tests.builders import stock_the_house
from tests.console.door import set_up_channels
from tests.servers import Clock, Database
from workers.settings import Settings
from workers.wiring import Wiring

DEEDS = """
    SELECT d.actor, d.role, d.door, d.verb, d.object, d.reason, e.outcome, e.detail
    FROM deed AS d LEFT JOIN deed_end AS e ON e.deed_id = d.id ORDER BY d.id
"""


@dataclass
class Api:
    """A running API.

    tokens    by role
    """

    url: str
    database: Database
    clock: Clock
    wiring: Wiring
    app: FastAPI
    tokens: dict[Role, str] = field(default_factory=dict)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The API's own description; half a second of work for those who ask."""
        return self.app.openapi()

    def ask(
        self, method: str, path: str, role: Role | None = Role.ADMIN, **more: Any
    ) -> requests.Response:
        """A request of somebody with this role, or of nobody."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=10, allow_redirects=False, **more
        )

    def get(self, path: str, role: Role | None = Role.VIEWER, **more: Any) -> Any:
        """What a route under /api/v1 says; it must be fine."""
        answer = self.ask("GET", f"/api/v1{path}", role, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deeds(self) -> list[dict[str, Any]]:
        """All that was asked, oldest first."""
        return self.rows(DEEDS)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Rows of the database."""
        with self.database.owner.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement)).mappings()]

    def run(self, statement: str) -> None:
        """Change the database."""
        with self.database.owner.begin() as connection:
            connection.execute(text(statement))


@contextmanager
def an_api(database: Database, clock: Clock, home: Path, **wished: Any) -> Iterator[Api]:
    """Serve the API until the block ends, with two channels, two SKUs, and a token of each role."""
    set_up_channels(database)
    stock_the_house(database.engine)
    with open_api(database, clock, home, **wished) as api:
        yield api


@contextmanager
def open_api(database: Database, clock: Clock, home: Path, **wished: Any) -> Iterator[Api]:
    """The same of a house as it is."""
    settings = Settings.model_validate(
        {"database_url": database.app_url, "redis_url": "redis://127.0.0.1:1/0", "home": home}
        | wished
    )
    with closing(Wiring(settings)) as wiring:
        app = application(wiring, now=lambda: clock.now)
        server = uvicorn.Server(uvicorn.Config(app, port=0, **serving_options()))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not (server.started and server.servers):
            assert time.monotonic() < until, "the API did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        api = Api(f"http://127.0.0.1:{port}", database, clock, wiring, app)
        for role in Role:
            api.tokens[role] = a_token(api, f"{role}-1", role)
        try:
            yield api
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def a_token(api: Api, name: str, role: Role, lasts: timedelta | None = None) -> str:
    """A new token."""
    made = tokens.create(
        api.database.engine, name, role, by="ann", now=api.clock.now, random=os.urandom(32), lasts=lasts
    )  # fmt: skip
    return made.secret
