"""Keep a delivery that somebody hands over, whatever state it is in."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import Delivery, Kept

if TYPE_CHECKING:
    from workers.flows.traces import Traces

#: Headers worth keeping: what routes and dates a delivery.
_KEPT_HEADERS = ("content-type", "user-agent")
_KEPT_PREFIXES = ("x-shopify-", "shopify-", "x-amz", "x-square-", "square-", "webhook-")
#: By these a vendor says what a delivery is and that it is genuine.
TELLING = (*_KEPT_PREFIXES, "x-pipe-")
#: Never these, whatever the prefix: who has them can act for the shop.
_NEVER_KEPT = ("token", "cookie", "authorization", "secret", "password", "credential")
_BASE64 = "base64:"
_UNNAMED = "unnamed"
#: A name longer than this is kept as its beginning and a hash.
_LONGEST = 255


def receive(
    engine: Engine,
    source: Any,
    topic: Any,
    delivery_id: Any,
    headers: Any,
    body: Any,
    *,
    now: datetime,
    tolerated: timedelta | None = None,
    traces: Traces | None = None,
) -> Kept:
    """Keep one delivery from an outside relay.

    body         the raw body as text, as bytes or as `base64:...`, or the JSON value itself; what makes no sense is
                 kept and rejected by the drain with its reason, so that nothing handed over is lost
    tolerated    see `ledger.inbox.keep`
    """
    delivery = named(
        Delivery(
            source=name_of(source) or _UNNAMED,
            delivery_id=name_of(delivery_id),
            topic=name_of(topic) or _UNNAMED,
            body=_bytes(body),
            headers=kept_headers(headers) if isinstance(headers, Mapping) else {},
        )
    )
    if traces is None:
        return _keep(engine, delivery, now, tolerated)
    with traces.receiving([delivery]) as marked:
        return _keep(engine, marked[0], now, tolerated)


def _keep(engine: Engine, delivery: Delivery, now: datetime, tolerated: timedelta | None) -> Kept:
    with transaction(engine) as connection:
        kept = inbox.keep(connection, [delivery], now=now, tolerated=tolerated)
        if not kept.differing:
            return kept
        return inbox.keep(connection, [of_its_own(delivery)], now=now, tolerated=tolerated)


def named(delivery: Delivery) -> Delivery:
    """The delivery with an id: one that came without is known by its body."""
    if delivery.delivery_id:
        return delivery
    return replace(delivery, delivery_id=f"sha256:{hashlib.sha256(delivery.body).hexdigest()}")


def of_its_own(delivery: Delivery) -> Delivery:
    """The delivery under an id that its body is part of.

    For a sender who used one id for two bodies: both may be facts, so the second is kept as well.
    """
    digest = hashlib.sha256(delivery.body).hexdigest()
    return replace(delivery, delivery_id=f"{named(delivery).delivery_id}#{digest[:16]}")


def kept_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """The headers that go into the inbox, in small letters."""
    lower = {str(name).lower(): value for name, value in headers.items()}
    return {
        _plain(name)[:_LONGEST]: _plain(str(value))[:500]
        for name, value in lower.items()
        if (name in _KEPT_HEADERS or name.startswith(_KEPT_PREFIXES))
        and not any(word in name for word in _NEVER_KEPT)
    }


def name_of(said: Any) -> str:
    """A routing name as PostgreSQL can hold it and an index can carry it; "" when it says nothing."""
    name = _plain("" if said is None else str(said)).strip()
    if len(name) <= _LONGEST:
        return name
    # Cut alone would make one of two.
    return f"{name[: _LONGEST - 17]}#{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _plain(said: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL cannot hold."""
    return said.replace("\x00", "").encode("utf-8", errors="replace").decode()


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        try:
            # Not orjson: numbers of any size and whatever else a message can carry must pass.
            return json.dumps(body, default=str).encode()
        except RecursionError:
            return b'"a value nested too deeply to be kept"'
    if body.startswith(_BASE64):
        try:
            return b64decode(body[len(_BASE64) :], validate=True)
        except ValueError:
            pass
    return body.encode("utf-8", errors="surrogatepass")
