"""The relay, served by uvicorn in a thread on a free port, and the wire to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import uvicorn
from sqlalchemy import Engine, text

from allocation import document, store
from console.relay import application
from console.serving import options as serving_options
from ledger.db import connect
from tests.servers import FIRST_NOW, Database
from workers.settings import Settings

RULES = """\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
account = "one.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
[channels.second]
kind = "shopify"
base_url = "https://second.example"
account = "two.example"
locations = ["WH"]
vendor_locations = { "gid://2" = "WH" }
"""
NEW, OLD, SECOND, TOKEN = "secret-new", "secret-old", "secret-second", "let-me-in"
BODY_LIMIT = 100_000
ONE = b'{"id": 1}'
SECRETS = json.dumps(
    {
        "shop": {"token": "t", "webhook_secrets": [NEW, OLD]},
        "second": {"token": "t", "webhook_secrets": [SECOND]},
    }
)


def the_settings(**wished: Any) -> Settings:
    """A relay with two Shopify channels, a token and a small limit."""
    given = {
        "relay_token": TOKEN,
        "channel_secrets": SECRETS,
        "relay_body_bytes": BODY_LIMIT,
    }
    return Settings.model_validate(given | wished)


def set_up_channels(database: Database) -> None:
    """The two channels of `RULES` in force."""
    with database.engine.begin() as connection:
        store.apply_rules(connection, RULES, document.read(RULES), "ann", "test", FIRST_NOW)


def signed(body: bytes, secret: str = NEW) -> str:
    """What Shopify puts in its signature header."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def head(*headers: str, length: int = len(ONE), path: str = "/hooks/shopify") -> str:
    """The head of a request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
    return "\n".join(lines)


@dataclass
class Door:
    """A running relay.

    rung    one entry for each time it rang
    """

    url: str
    port: int
    database: Database | None
    rung: list[float] = field(default_factory=list)

    def hook(
        self,
        body: bytes = b'{"id": 1}',
        *,
        delivery_id: str = "d-1",
        topic: str = "orders/create",
        secret: str = NEW,
        kind: str = "shopify",
        **headers: str,
    ) -> requests.Response:
        """Deliver a webhook as Shopify does."""
        said = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": delivery_id,
            "X-Shopify-Shop-Domain": "one.example",
            "X-Shopify-Hmac-Sha256": signed(body, secret),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        said = {name: value for name, value in said.items() if value}
        return requests.post(f"{self.url}/hooks/{kind}", data=body, headers=said, timeout=10)

    def events(self, document: Any, token: str = TOKEN, **headers: str) -> requests.Response:
        """Post canonical events; bytes go as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.post(f"{self.url}/events", data=body, headers=headers, timeout=10)

    def raw(
        self, head: str, body: bytes = b"", *, more: Callable[[socket.socket], None] | None = None
    ) -> bytes:
        """The answer to bytes as they are; `more` may go on sending."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as wire:
            wire.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
            if more is not None:
                more(wire)
            answer = b""
            try:
                while chunk := wire.recv(65536):
                    answer += chunk
                    if b"\r\n\r\n" in answer and _is_whole(answer):
                        break
            except ConnectionResetError:
                pass
            return answer

    def inbox(self) -> list[tuple[Any, ...]]:
        """(source, delivery id, topic, body) of every row, seen by another connection than the relay's."""
        assert self.database is not None
        with self.database.owner.connect() as connection:
            rows = connection.execute(
                text("SELECT source, delivery_id, topic, body FROM inbox ORDER BY id")
            )
            return [(row[0], row[1], row[2], bytes(row[3])) for row in rows]


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    ]
    return bool(lengths) and len(body) >= lengths[0]


@contextmanager
def a_door(
    settings: Settings,
    engine: Engine,
    database: Database | None = None,
    *,
    ring: Callable[[], None] | None = None,
    serving: dict[str, Any] | None = None,
    **options: Any,
) -> Iterator[Door]:
    """Serve the relay until the block ends, as `lockstep serve relay` does; `serving` has other bounds."""
    door = Door("", 0, database)
    app = application(
        settings, engine, ring or (lambda: door.rung.append(time.monotonic())), **options
    )
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, lifespan="on", **(serving or serving_options()))
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not (server.started and server.servers):
        assert time.monotonic() < until, "the relay did not start"
        time.sleep(0.01)
    door.port = server.servers[0].sockets[0].getsockname()[1]
    door.url = f"http://127.0.0.1:{door.port}"
    try:
        yield door
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def a_door_with_channels(database: Database) -> Iterator[Door]:
    """A door of this database with the channels of `RULES`."""
    set_up_channels(database)
    engine = connect(database.app_url)
    with a_door(the_settings(), engine, database) as door:
        yield door
    engine.dispose()
