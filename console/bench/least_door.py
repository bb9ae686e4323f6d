"""The least a door for webhooks can be: the signature checked, one INSERT committed, 200. To measure the relay against.

Run as `python -m console.bench.least_door PORT SECRET`, with the settings of the house in the environment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys

import uvicorn
from psycopg_pool import ConnectionPool
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from console.local.ports import LOOPBACK
from workers.settings import settings

_KEEP = """
    INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at)
    VALUES ('least', %s, %s, %s, now(), 'applied', now()) ON CONFLICT DO NOTHING
"""


def application(pool: ConnectionPool, secret: str) -> Starlette:
    """The door."""

    def keep(delivery_id: str, topic: str, body: bytes) -> None:
        with pool.connection() as connection:
            connection.execute(_KEEP, (delivery_id, topic, body))

    async def hook(request: Request) -> Response:
        body = await request.body()
        expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
        if not hmac.compare_digest(expected, request.headers["x-shopify-hmac-sha256"].encode()):
            return PlainTextResponse("forged", 401)
        headers = request.headers
        await run_in_threadpool(
            keep, headers["x-shopify-webhook-id"], headers["x-shopify-topic"], body
        )
        return PlainTextResponse("kept")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("up")

    return Starlette(
        routes=[
            Route("/hooks/shopify", hook, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ]
    )


def main(port: int, secret: str) -> None:
    """Serve until told to stop."""
    url = make_url(settings().database_url).set(drivername="postgresql")
    plain = url.render_as_string(hide_password=False)
    with ConnectionPool(plain, min_size=8, max_size=8) as pool:
        uvicorn.run(
            application(pool, secret),
            host=LOOPBACK,
            port=port,
            log_level="warning",
            access_log=False,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
