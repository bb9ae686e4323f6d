"""Signed webhooks of a shop over HTTP connections that are kept: at their moments, or as fast as they are answered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from console.local.ports import LOOPBACK

#: What is not answered so long after the last one was due never will be. Seconds.
_LAST_S: Final = 120.0
_ANSWER = b"content-length:"


@dataclass(frozen=True, slots=True)
class Hook:
    """One request, as the bytes that go over the wire.

    after_s    seconds from the start; 0 for all of them is as fast as the connections take them
    order      the order it tells of
    """

    after_s: float
    order: int
    request: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer; `due` and `at` are seconds since 1970, status 0 when the connection broke."""

    order: int
    due: float
    at: float
    status: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a shop's order says of a SKU beside its text."""

    sku: str
    variant: int
    product: int


def hooks(
    template: Mapping[str, Any],
    listings: Sequence[Listing],
    moments: Sequence[float],
    *,
    first: int,
    secret: str,
    shop: str,
) -> list[Hook]:
    """One `orders/create` of one unit for each moment, of one listing after the other.

    template    such a body, with one line
    first       the vendor's number of the first order; each later one counts up
    """
    made = []
    for place, after_s in enumerate(moments):
        order, listing = first + place, listings[place % len(listings)]
        body = _body(template, order, listing)
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
        head = (
            f"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"X-Shopify-Topic: orders/create\r\nX-Shopify-Shop-Domain: {shop}\r\n"
            f"X-Shopify-Webhook-Id: bench-{order}\r\nX-Shopify-Hmac-Sha256: {signature.decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(Hook(after_s, order, head.encode() + body))
    return made


def _body(template: Mapping[str, Any], order: int, listing: Listing) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {
        **template["line_items"][0],
        "id": order * 10,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{order * 10}",
        "sku": listing.sku,
        "variant_id": listing.variant,
        "product_id": listing.product,
    }
    said = {
        **template,
        "id": order,
        "admin_graphql_api_id": f"gid://shopify/Order/{order}",
        "name": f"#{order}",
        "created_at": now,
        "updated_at": now,
        "processed_at": now,
        "line_items": [line],
    }
    return json.dumps(said).encode()


async def post_all(port: int, hooks: Sequence[Hook], *, connections: int) -> list[Heard]:
    """Post every hook at its moment, or as soon as a connection is free; what it waits for one counts.

    raises    TimeoutError when some were never answered
    """
    load = _Load()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, wire = await loop.create_connection(lambda: _Wire(load), LOOPBACK, port)
        load.free.append(wire)
    wires = list(load.free)
    begun = time.time()
    for hook in hooks:
        due = begun + hook.after_s
        if hook.after_s and due > time.time():
            await asyncio.sleep(due - time.time())
        load.post(hook, due)
    async with asyncio.timeout(_LAST_S):
        while len(load.heard) < len(hooks):
            await asyncio.sleep(0.005)
    for wire in wires:
        wire.close()
    return load.heard


@dataclass(slots=True)
class _Load:
    free: list[_Wire] = field(default_factory=list)
    waiting: deque[tuple[Hook, float]] = field(default_factory=deque)
    heard: list[Heard] = field(default_factory=list)

    def post(self, hook: Hook, due: float) -> None:
        if self.free:
            self.free.pop().post(hook, due)
        else:
            self.waiting.append((hook, due))

    def is_free(self, wire: _Wire) -> None:
        if self.waiting:
            wire.post(*self.waiting.popleft())
        else:
            self.free.append(wire)


class _Wire(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._posted: tuple[int, float] | None = None
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def post(self, hook: Hook, due: float) -> None:
        if self._transport is None:
            raise AssertionError("posted before it was connected")
        self._posted = hook.order, due
        self._transport.write(hook.request)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        head, end, body = self._bytes.partition(b"\r\n\r\n")
        if not end:
            return
        said = head.lower().split(_ANSWER, 1)[1].split(b"\r\n", 1)[0]
        if len(body) >= int(said):
            self._bytes = b""
            self._told(int(head[9:12]))
            self._load.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._load.free:
            self._load.free.remove(self)
        self._told(0)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _told(self, status: int) -> None:
        if self._posted is not None:
            order, due = self._posted
            self._posted = None
            self._load.heard.append(Heard(order, due, time.time(), status))
