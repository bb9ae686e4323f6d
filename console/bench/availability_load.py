"""An open-loop load of one kind of question over HTTP connections that are kept: none waits for another's answer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import orjson

from console.local.ports import LOOPBACK

#: (seconds from the start, SKU)
Question: TypeAlias = tuple[float, str]

#: Connections. When all of them are busy a question waits, and what it waits counts.
_OPEN: Final = 128
#: What is not answered so long after the last question never will be. Seconds.
_LAST_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One question and what came back.

    due, heard    seconds since 1970: when it was to be asked, and when the answer was there
    status        0: the connection broke
    """

    sku: str
    due: float
    heard: float
    status: int
    said: dict[str, Any]


@dataclass(slots=True)
class _Load:
    token: str
    location: str
    free: list[_Wire] = field(default_factory=list)
    waiting: deque[tuple[str, float]] = field(default_factory=deque)
    answers: list[Answer] = field(default_factory=list)

    def ask(self, sku: str, due: float) -> None:
        """Ask now, or as soon as a connection is free."""
        if self.free:
            self.free.pop().ask(sku, due)
        else:
            self.waiting.append((sku, due))

    def is_free(self, wire: _Wire) -> None:
        """Its answer is there."""
        if self.waiting:
            wire.ask(*self.waiting.popleft())
        else:
            self.free.append(wire)


async def ask_all(
    port: int, token: str, location: str, questions: Sequence[Question]
) -> list[Answer]:
    """Ask every question at its moment.

    questions    in order of their moments
    raises       TimeoutError when some were never answered
    """
    load = _Load(token, location)
    loop = asyncio.get_running_loop()
    wires = [
        (await loop.create_connection(lambda: _Wire(load), LOOPBACK, port))[1] for _ in range(_OPEN)
    ]
    load.free += wires
    begun = time.time()
    for after_s, sku in questions:
        due = begun + after_s
        if due > time.time():
            await asyncio.sleep(due - time.time())
        # A timer of whole milliseconds may be early.
        load.ask(sku, min(due, time.time()))
    async with asyncio.timeout(_LAST_S):
        while len(load.answers) < len(questions):
            await asyncio.sleep(0.01)
    for wire in wires:
        wire.close()
    return load.answers


class _Wire(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._asked: tuple[str, float] | None = None
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of it.
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, sku: str, due: float) -> None:
        """Send a question; the answer goes to the load."""
        self._asked = sku, due
        if self._transport is None:
            raise AssertionError("asked before it was connected")
        self._transport.write(
            f"GET /availability/{sku}?location={self._load.location} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {self._load.token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        head, end, body = self._bytes.partition(b"\r\n\r\n")
        if not end:
            return
        said = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
        if len(body) < int(said):
            return
        self._bytes = b""
        status = int(head[9:12])
        # What the server itself refuses comes as plain text.
        is_json = b"application/json" in head
        self._heard(status, orjson.loads(body) if is_json else {"error": body.decode()})
        self._load.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._load.free:
            self._load.free.remove(self)
        if self._asked is not None:
            self._heard(0, {})

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _heard(self, status: int, said: dict[str, Any]) -> None:
        if self._asked is not None:
            sku, due = self._asked
            self._asked = None
            self._load.answers.append(Answer(sku, due, time.time(), status, said))
