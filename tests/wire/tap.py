"""A tap on the wire: a simulator behind a second port that keeps every call and its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from channels.simulators.server import App, Message, Receive, Scope, Send, Server


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer, as they went over the wire; header names are lower case.

    path     as it was sent, still escaped
    status   0 when the connection broke off without an answer;  answered_as: the answer's content type
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    status: int
    answered_as: str
    answer: bytes

    @property
    def asked(self) -> Any:
        """The request's JSON."""
        return json.loads(self.body)

    @property
    def told(self) -> Any:
        """The answer's JSON."""
        return json.loads(self.answer)

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


@dataclass
class Tap:
    """What went by, in order."""

    url: str = ""
    heard: list[Exchange] = field(default_factory=list)


@contextmanager
def tapped(app: App) -> Iterator[Tap]:
    """Serve `app` on a free port of this machine and listen."""
    tap = Tap()
    server = Server(_listening(app, tap))
    tap.url = server.url
    server.start()
    try:
        yield tap
    finally:
        server.stop()


def _listening(app: App, tap: Tap) -> App:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = bytearray()
        told: MutableMapping[str, Any] = {"status": 0, "headers": [], "body": bytearray()}

        async def hear() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            told["status"] = message.get("status", told["status"])
            told["headers"] = message.get("headers", told["headers"])
            told["body"] += message.get("body", b"")
            await send(message)

        try:
            await app(scope, hear, say)
        finally:
            tap.heard.append(_exchange(scope, bytes(asked), told))

    return outer


def _exchange(scope: Scope, body: bytes, told: Mapping[str, Any]) -> Exchange:
    return Exchange(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii").split("?", 1)[0],
        query=parse_qs(scope["query_string"].decode("ascii"), keep_blank_values=True),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
        body=body,
        status=told["status"],
        answered_as=dict(told["headers"]).get(b"content-type", b"").decode("latin-1"),
        answer=bytes(told["body"]),
    )
