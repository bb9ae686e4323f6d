"""GET /partners/{id}/availability: what a wholesale partner may order now, for its portal.

The token says who asks: each partner has its own (`portal_token` among its channel's secrets), and sees only its own
numbers. They are those that its 846 tells: targets, in the partner's own items, at its own numbers of our places.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Engine, text
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.db import transaction
from workers.wiring import Secrets, now

if TYPE_CHECKING:
    from console.relay import Relay

#: Name of the secret.
TOKEN = "portal_token"
USUAL_ROWS, MOST_ROWS = 200, 1000

_PARTNER = text("SELECT EXISTS (SELECT FROM channel WHERE channel = :channel AND kind = 'edi')")

# A halt stops sale: nothing may be ordered of it, whatever its target is.
_AVAILABLE = text("""
    SELECT binding.sku, binding.variant_id AS item, binding.vendor_location_id AS location, target.set_at AS since,
           CASE WHEN EXISTS (SELECT FROM halt
                             WHERE halt.channel = binding.channel AND halt.sku = binding.sku
                               AND halt.state IN ('setting', 'set'))
                THEN 0 ELSE target.units / binding.pack END AS units
    FROM binding JOIN target USING (channel, sku, location)
    WHERE binding.channel = :channel
      AND (CAST(:skus AS text[]) IS NULL
           OR binding.sku = ANY(CAST(:skus AS text[])) OR binding.variant_id = ANY(CAST(:skus AS text[])))
      AND (binding.sku, binding.location) > (:after_sku, :after_location)
    ORDER BY binding.sku, binding.location
    LIMIT :rows
""")

_LOCATION_OF = text("""
    SELECT location FROM binding WHERE channel = :channel AND sku = :sku AND vendor_location_id = :place
""")


async def availability(request: Request) -> Response:
    """200 with numbers; 401 without a token of ours; 404 for everybody else's partner."""
    relay: Relay = request.app.state.relay
    name = whose(relay.secrets, request.headers.get("authorization", ""))
    if name is None:
        raise HTTPException(
            401,
            "send `Authorization: Bearer <your portal token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if name != request.path_params["partner"]:
        raise HTTPException(404, "no such partner")
    rows = _rows(request.query_params.get("limit", ""))
    after = _cursor(request.query_params.get("after", ""))
    skus = request.query_params.getlist("sku") or None
    if skus and any("\x00" in sku for sku in skus):
        raise HTTPException(400, "no SKU holds a NUL")
    page = await run_in_threadpool(_page, relay.engine, name, skus, after, rows, now())
    return JSONResponse(page, headers={"Cache-Control": "no-store"})


def whose(secrets: Mapping[str, Secrets], authorization: str) -> str | None:
    """The partner whose token was sent; every token is compared, so that the time says nothing."""
    given = authorization.encode()
    found = None
    for name, of in secrets.items():
        token = of.named.get(TOKEN, "")
        if token and hmac.compare_digest(given, f"Bearer {token}".encode()):
            found = name
    return found


def _page(
    engine: Engine,
    partner: str,
    skus: list[str] | None,
    after: tuple[str, str],
    rows: int,
    at: datetime,
) -> dict[str, Any]:
    with transaction(engine) as connection:
        if not connection.execute(_PARTNER, {"channel": partner}).scalar_one():
            raise HTTPException(404, "no such partner")
        after_location = ""
        if after[0]:
            key = {"channel": partner, "sku": after[0], "place": after[1]}
            after_location = connection.execute(_LOCATION_OF, key).scalar_one_or_none() or ""
        values = {
            "channel": partner,
            "skus": skus,
            "after_sku": after[0],
            "after_location": after_location,
            "rows": rows + 1,
        }
        found = connection.execute(_AVAILABLE, values).all()
    items = [
        {
            "sku": row.sku,
            "item": row.item,
            "location": row.location,
            "units": int(row.units),
            "since": row.since.isoformat(),
        }
        for row in found[:rows]
    ]
    last = items[-1] if len(found) > rows else None
    following = _written_cursor(str(last["sku"]), str(last["location"])) if last else None
    return {"partner": partner, "as_of": at.isoformat(), "items": items, "next": following}


def _rows(said: str) -> int:
    if not said:
        return USUAL_ROWS
    if not (said.isascii() and said.isdecimal() and 1 <= int(said[:9]) <= MOST_ROWS):
        raise HTTPException(400, f"limit is a number from 1 to {MOST_ROWS}")
    return int(said)


def _written_cursor(sku: str, place: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([sku, place])).decode()


def _cursor(said: str) -> tuple[str, str]:
    if not said:
        return "", ""
    try:
        sku, place = orjson.loads(base64.urlsafe_b64decode(said.encode()))
    except (ValueError, TypeError, binascii.Error):
        raise HTTPException(400, "after is the `next` of the page before") from None
    if not (isinstance(sku, str) and isinstance(place, str)) or "\x00" in sku + place:
        raise HTTPException(400, "after is the `next` of the page before")
    return sku, place
