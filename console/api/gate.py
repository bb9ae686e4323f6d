"""The gate before every route: who comes, how much they bring, and the headers that browsers must obey."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from console.access import tokens
from console.access.secrets import is_token
from console.access.types import Actor, Door, Token
from console.api import problems
from console.api.problems import Problem
from console.api.sessions import COOKIE, CSRF_FIELD, CSRF_HEADER, Session, Sessions, is_word
from ledger.db import transaction

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: What anybody may ask: whether we live, how to talk to us, and to be let in.
OPEN: Final = frozenset({"/healthz", "/readyz", "/api/v1/openapi.json", "/login"})
BODY_S: Final = 10.0

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """Who asks, and the browser's session where there is one."""

    actor: Actor
    session: Session | None = None


class Gate:
    """Wraps the application; routes find who asks in `request.state.known`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: Engine,
        sessions: Sessions,
        now: Callable[[], datetime],
        body_bytes: int,
    ) -> None:
        self._app = app
        self._engine = engine
        self._sessions = sessions
        self._now = now
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let who is known through, and nobody else."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send, is_tls=scope["scheme"] == "https")
        request = Request(scope, receive)
        try:
            known = request.state.known = await self._known(request)
            if known is None and request.url.path not in OPEN:
                raise _stranger()
            body = await self._body(request)
            if known is not None and known.session is not None and request.method not in SAFE:
                _refuse_forged(request, known.session, body)
        except Problem as problem:
            await problems.answer(problem)(scope, receive, guarded)
            return
        except SQLAlchemyError as error:
            await problems.answer(problems.of(error))(scope, receive, guarded)
            return
        except ClientDisconnect:
            return
        await self._app(scope, _replayed(body, receive), guarded)

    async def _body(self, request: Request) -> bytes:
        """The whole body: not too large, not compressed, within a time."""
        if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise Problem(
                415,
                "compressed bodies are not taken",
                which="content-encoding",
                next="send it plain",
            )
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._body_bytes:
                        raise Problem(
                            413,
                            f"the body is larger than {self._body_bytes} bytes",
                            which="body",
                            next="send less at a time",
                        )
        except TimeoutError:
            raise Problem(
                408,
                f"the body did not come within {BODY_S:g} s",
                which="body",
                next="send it again",
            ) from None
        return bytes(body)

    async def _known(self, request: Request) -> Known | None:
        bearer = request.headers.get("authorization")
        if bearer is not None:
            return await run_in_threadpool(self._by_token, bearer)
        cookie = request.cookies.get(COOKIE)
        return await run_in_threadpool(self._by_cookie, cookie) if cookie else None

    def _by_token(self, header: str) -> Known | None:
        scheme, _, said = header.partition(" ")
        if scheme.lower() != "bearer" or not is_token(said.strip()):
            return None
        with transaction(self._engine) as connection:
            found = tokens.find(connection, said.strip(), self._now())
        return None if found is None else Known(_actor(found, Door.API))

    def _by_cookie(self, cookie: str) -> Known | None:
        session = self._sessions.read(cookie, self._now())
        if session is None:
            return None
        with transaction(self._engine) as connection:
            found = tokens.by_id(connection, session.token_id, self._now())
        return None if found is None else Known(_actor(found, Door.WEB), session)


def _actor(token: Token, door: Door) -> Actor:
    return Actor(token.name, token.role, door, token.id)


def _stranger() -> Problem:
    return Problem(
        401,
        "nobody is known by this request",
        which="authorization",
        next="send `Authorization: Bearer <token>`; `lockstep token create NAME --role ROLE` makes one",
        headers={"WWW-Authenticate": 'Bearer realm="lockstep"'},
    )


def _refuse_forged(request: Request, session: Session, body: bytes) -> None:
    """A browser sends its cookie whoever asked it to; only our own pages know the word."""
    refuse_elsewhere(request)
    said = request.headers.get(CSRF_HEADER, "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not said and kind == "application/x-www-form-urlencoded":
        said = form_of(body).get(CSRF_FIELD, "")
    if not is_word(session, said):
        raise Problem(
            403,
            "the form does not know this session's word",
            which=CSRF_HEADER,
            next="load the page again; scripts read the word from GET /session",
        )


def refuse_elsewhere(request: Request) -> None:
    """Browsers say from where they were sent; another site has no business here."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Problem(
            403, "another site sent this", which="sec-fetch-site", next="use a page of this house"
        )


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name."""
    try:
        fields = parse_qs(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200
        )
    except ValueError:
        return {}
    return {name: said[0] for name, said in fields.items()}


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send, *, is_tls: bool) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            more: list[Any] = list(HEADERS)
            said = {name for name, _ in message["headers"]}
            if b"cache-control" not in said:
                more.append((b"cache-control", b"no-store"))
            if is_tls:
                more.append((b"strict-transport-security", b"max-age=31536000"))
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return guarded
