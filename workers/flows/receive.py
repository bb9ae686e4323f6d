"""Keep a delivery that somebody hands over, whatever state it is in."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Engine

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import Delivery, Kept

#: Headers worth keeping: what routes and dates a delivery. Never a cookie, a token or an address.
_KEPT_HEADERS = ("content-type", "user-agent")
_KEPT_PREFIXES = ("x-shopify-", "shopify-", "x-amz", "square-", "webhook-")
_BASE64 = "base64:"


def receive(
    engine: Engine,
    source: str,
    topic: str,
    delivery_id: str,
    headers: Mapping[str, str] | None,
    body: Any,
    *,
    now: datetime,
) -> Kept:
    """Keep one delivery from an outside relay.

    body      the raw body as text, `base64:...` for bytes, or the JSON value itself; what is none of these is kept as
              JSON and rejected by the drain with its reason, so that nothing handed over is lost
    """
    delivery = Delivery(
        source=_name(source),
        delivery_id=_name(delivery_id),
        topic=_name(topic) or "fact",
        body=_bytes(body),
        headers=kept_headers(headers or {}),
    )
    with transaction(engine) as connection:
        return inbox.keep(connection, [delivery], now=now)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go into the inbox, in small letters."""
    return {
        name.lower(): str(value)[:500].replace("\x00", "")
        for name, value in headers.items()
        if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIXES)
    }


def _name(said: object) -> str:
    """A routing name as PostgreSQL can hold it; an empty one keeps its place in the inbox as `unnamed`."""
    return str(said).replace("\x00", "")[:255] or "unnamed"


def _bytes(body: Any) -> bytes:
    if isinstance(body, str):
        if body.startswith(_BASE64):
            try:
                return b64decode(body[len(_BASE64) :], validate=True)
            except ValueError:
                return body.encode()
        return body.encode("utf-8", errors="surrogatepass")
    return orjson.dumps(body)
