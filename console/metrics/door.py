"""GET /metrics, for Prometheus: one exporter serves the house; the workers have no door."""

from __future__ import annotations

import hmac

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from console.guesses import Guesses, Shared
from console.metrics.exporter import Exporter

log = structlog.get_logger(__name__)

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def application(exporter: Exporter, token: str, *, shared: Shared | None = None) -> Starlette:
    """The door.

    token     what a scrape has to bring as a bearer; "" lets everybody in who reaches the port
    shared    what other doors have seen of who guesses
    """

    def metrics(request: Request) -> Response:
        said = request.headers.get("authorization", "")
        if token and not hmac.compare_digest(said.encode(), f"Bearer {token}".encode()):
            return PlainTextResponse(
                "the token is missing or wrong: LOCKSTEP_METRICS_TOKEN\n",
                401,
                {"www-authenticate": "Bearer"},
            )
        try:
            page = exporter.page()
        except SQLAlchemyError as error:
            # A scrape that fails is `up == 0`; half a page would look like a house without trouble.
            log.error("metrics.database.away", error=type(error).__name__)
            return PlainTextResponse("the database does not answer\n", 503)
        return Response(page, media_type=_TEXT, background=BackgroundTask(exporter.look_slowly))

    def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/metrics", metrics, methods=["GET"]),
            Route("/healthz", alive, methods=["GET"]),
        ],
        middleware=[Middleware(Guesses, shared=shared)],
    )
