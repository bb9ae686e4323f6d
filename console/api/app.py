"""The API as an ASGI application: the gate, the routes, one form of error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response

from console.api import (
    acts,
    acts_book,
    acts_trade,
    amazon,
    failures,
    feed,
    login,
    problems,
    reads,
    reads_book,
    reads_trade,
    reads_watch,
)
from console.api.answers import told
from console.api.gate import Gate
from console.api.sessions import Sessions
from console.api.state import House
from console.guesses import Guesses, shared_by
from console.pages.mount import mount
from ledger.db import transaction
from workers.keys import key_of
from workers.wiring import Wiring, clock
from workers.wiring import now as of_the_doors

PREFIX: Final = "/api/v1"
_READY = text("SELECT count(*) FROM schema_version")
_WORDS: Final = (
    "What the command line does, over HTTP: the same verbs, the same check of the role, the same audit. Send"
    " `Authorization: Bearer <token>`. Lists come in pages: send `after` of one page to get the next."
)


def application(wiring: Wiring, *, now: Callable[[], datetime] = of_the_doors) -> FastAPI:
    """The API.

    wiring    nothing connects before the first request
    now       the clock
    """
    settings = wiring.settings
    sessions = Sessions(key_of(settings.session_key, settings.home, "session.key"))
    app = FastAPI(
        title="Lockstep",
        version="1",
        description=_WORDS,
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from elsewhere, which our policy refuses.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.house = House(wiring, sessions, now)
    # What is more special comes first: /skus/{sku}/explain before /skus/{sku}, /cases/rate before /cases/{number}.
    for part in (
        reads_book, reads_trade, amazon, reads, reads_watch, acts, acts_book, acts_trade, failures, feed
    ):  # fmt: skip
        app.include_router(part.router, prefix=PREFIX)
    app.include_router(login.router)
    app.add_api_route("/healthz", _healthz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/readyz", _readyz, methods=["GET"], include_in_schema=False)
    problems.install(app)
    app.add_middleware(
        Gate, engine=wiring.engine, sessions=sessions, now=now, body_bytes=settings.relay_body_bytes
    )
    # Outside the gate: who only guesses costs no look at the database.
    app.add_middleware(Guesses, shared=shared_by(wiring))
    mount(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """What FastAPI knows, with how one is let in."""
    if app.openapi_schema is None:
        said = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemes = said.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer"}
        said["security"] = [{"token": []}]
        if "/login" in said["paths"]:
            said["paths"]["/login"]["post"]["security"] = []
        app.openapi_schema = said
    return app.openapi_schema


def _healthz() -> Response:
    return told({"up": True})


def _readyz(request: Request) -> Response:
    with transaction(request.app.state.house.engine) as connection:
        connection.execute(_READY)
    return told({"ready": True, "clock_ahead_s": round(clock.ahead_s, 1)})
