"""The relay: takes webhooks and canonical events, writes them into the inbox, answers after the commit, rings.

A signature is checked on the raw body, in constant time, before anything is parsed. Headers are hints for routing: no
signature covers them. Nothing a stranger sends makes a 500.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channels.base import Unreadable
from channels.lane import Lane
from channels.registry import LANES
from console import availability, partners
from console.accepting import Accepting, Fate
from console.guesses import Guesses, Shared
from console.posted import deliveries_of
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, INTERCHANGE_TOPIC, Delivery, Kept
from workers.clock import TOLERATED
from workers.flows.receive import TELLING, kept_headers, name_of, named, of_its_own
from workers.settings import Settings
from workers.wiring import Secrets, clock, read_secrets
from workers.wiring import now as of_the_doors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workers.flows.traces import Traces

log = structlog.get_logger()

_CHANNELS = text("""
    SELECT channel, kind, account, coalesce(options ->> 'notification_url', '') AS url FROM channel ORDER BY channel
""")
_READY = text("SELECT count(*) FROM schema_version")


class Differing(Exception):
    """Ids that are known with another content; nothing of the request was kept."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(", ".join(ids))
        self.ids = ids


@dataclass(frozen=True, slots=True)
class Hook:
    """A channel that may call us; `url` is where it was told to, which some vendors sign."""

    channel: str
    kind: str
    account: str
    url: str


class Relay:
    """What the routes share.

    now       the clock; the database's dates what comes in where the two differ (`workers.clock`)
    ring      called after every commit that kept something, from a thread of its own; its failure costs seconds
    traces    None: nothing is traced
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        ring: Callable[[], None],
        *,
        now: Callable[[], datetime],
        body_s: float,
        channels_s: float,
        traces: Traces | None = None,
    ) -> None:
        self.settings = settings
        self._now = now
        self._traces = traces
        self.body_s = body_s
        self._channels_s = channels_s
        self.engine = engine
        self.secrets = read_secrets(settings)
        self._ring = ring
        self._accepting = Accepting(self.keep)
        self._asked = threading.Event()
        self._stopped = False
        self._hooks: tuple[float, tuple[Hook, ...]] = (float("-inf"), ())

    def start(self) -> None:
        """Start the ringer: however slow the broker is, no request waits for it."""
        threading.Thread(target=self._ringer, name="ringer", daemon=True).start()

    def stop(self) -> None:
        """Let the ringer end."""
        self._stopped = True
        self._asked.set()

    def _ringer(self) -> None:
        while self._asked.wait() and not self._stopped:
            self._asked.clear()
            try:
                self._ring()
            except Exception as error:
                log.warning(
                    "relay.bell.failed",
                    error=type(error).__name__,
                    next="the sweep rings within seconds",
                )

    def keep(
        self, deliveries: list[Delivery], *, refuse_differing: bool = False, told: str = ""
    ) -> Kept:
        """Commit deliveries to the inbox and ask for the bell.

        told    the trace that a sender we know goes on with
        """
        if self._traces is None:
            return self._keep(deliveries, refuse_differing)
        with self._traces.receiving(deliveries, told=told) as marked:
            return self._keep(marked, refuse_differing)

    async def accept(self, delivery: Delivery) -> Fate:
        """Commit a webhook with whatever else comes at the same time; alone where each begins a trace of its own."""
        if self._traces is None:
            return await self._accepting.keep(delivery)
        kept = await run_in_threadpool(self.keep, [delivery])
        return "differing" if kept.differing else "repeated" if kept.repeated else "fresh"

    def _keep(self, deliveries: list[Delivery], refuse_differing: bool) -> Kept:
        with transaction(self.engine) as connection:
            kept = inbox.keep(connection, deliveries, now=self._now(), tolerated=TOLERATED)
            if refuse_differing and kept.differing:
                raise Differing([deliveries[position].delivery_id for position in kept.differing])
        if kept.fresh:
            self._asked.set()
        return kept

    async def hooks(self, kind: str) -> list[Hook]:
        """The channels of a kind that have a webhook secret; read again every few seconds."""
        if time.monotonic() - self._hooks[0] > self._channels_s:
            self._hooks = await run_in_threadpool(self._read_hooks)
        return [
            h
            for h in self._hooks[1]
            if h.kind == kind and self.secrets.get(h.channel, Secrets()).webhook_secrets
        ]

    def _read_hooks(self) -> tuple[float, tuple[Hook, ...]]:
        with transaction(self.engine) as connection:
            known = tuple(Hook(*row) for row in connection.execute(_CHANNELS))
        return time.monotonic(), known

    def sender(
        self, lane: Lane, hooks: list[Hook], account: str, body: bytes, signature: str
    ) -> Hook | None:
        """The channel whose secret signed the body; the account the headers name is tried first."""
        by_hint = sorted(hooks, key=lambda hook: hook.account != account)
        return next(
            (
                h
                for h in by_hint
                if lane.verify(body, signature, self.secrets[h.channel].webhook_secrets, h.url)
            ),
            None,
        )


def application(
    settings: Settings,
    engine: Engine,
    ring: Callable[[], None],
    *,
    now: Callable[[], datetime] = of_the_doors,
    body_s: float = 10.0,
    channels_s: float = 5.0,
    traces: Traces | None = None,
    guesses: Shared | None = None,
) -> Starlette:
    """The relay as an ASGI application.

    ring, now     see `Relay`
    body_s        a sender that is slower than this with its body is not a sender
    channels_s    how long a channel that was added may stay unknown
    traces        see `Relay`;  guesses  what other doors have seen
    raises        NotSetUp when the channels' secrets cannot be read
    """
    relay = Relay(
        settings, engine, ring, now=now, body_s=body_s, channels_s=channels_s, traces=traces
    )
    pickup = availability.Availability(settings, engine)

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        relay.start()
        yield
        relay.stop()
        await pickup.close()

    app = Starlette(
        routes=[
            Route("/hooks/{kind}", _hook, methods=["POST"]),
            Route("/events", _events, methods=["POST"]),
            Route(availability.PATH, pickup, methods=["GET"]),
            Route("/partners/{partner}/availability", partners.availability, methods=["GET"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", _readyz, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: _refusal,
            SQLAlchemyError: _away,
            ClientDisconnect: _gone,
        },
        lifespan=running,
        middleware=[Middleware(Guesses, shared=guesses)],
    )
    app.state.relay = relay
    return app


async def _hook(request: Request) -> Response:
    relay: Relay = request.app.state.relay
    kind = request.path_params["kind"]
    lane = LANES.get(kind)
    if lane is None:
        raise HTTPException(404, f"no lane {kind!r}; there are: {', '.join(LANES)}")
    hooks = await relay.hooks(kind)
    if not hooks:
        raise HTTPException(
            404, f"no {kind} channel is set up with a webhook secret (LOCKSTEP_CHANNEL_SECRETS)"
        )
    _refuse_doubled(request)
    body = await _body(request, relay)
    signed = lane.signed(request.headers)
    sender = relay.sender(lane, hooks, signed.account, body, signed.signature)
    if sender is None:
        raise HTTPException(
            401,
            "the signature does not match the body under any webhook secret of ours; where the vendor signs its own"
            " address too (Square), the channel's option notification_url must be that address, letter for letter",
        )
    try:
        said = lane.routing(request.headers, body)
    except Unreadable as error:
        raise HTTPException(400, f"it cannot be told what this is: {error}") from None
    topic = name_of(said.topic)
    # No signature covers the topic: whoever may send a shop's webhooks may not book canonical events by a header.
    if topic in ("", FACT_TOPIC, INTERCHANGE_TOPIC):
        raise HTTPException(400, "no topic: the delivery must say what it is about")
    if not body.strip():
        raise HTTPException(400, "the body is empty")
    delivery = Delivery(
        source=sender.channel,
        delivery_id=name_of(said.delivery_id),
        topic=topic,
        body=body,
        headers=kept_headers(request.headers),
    )
    fate = await relay.accept(named(delivery))
    if fate == "differing":
        fate = await relay.accept(of_its_own(delivery))
    return JSONResponse({"kept": int(fate == "fresh"), "repeated": int(fate == "repeated")})


def _refuse_doubled(request: Request) -> None:
    """Which of two is meant, proxies and servers do not agree on; no vendor sends a header of its own twice."""
    names = [name for name in request.headers if name.startswith(TELLING)]
    if len(names) > len(set(names)):
        raise HTTPException(400, "a header of the vendor's stands twice: send each once")


async def _events(request: Request) -> Response:
    relay: Relay = request.app.state.relay
    token = relay.settings.relay_token.get_secret_value()
    if not token:
        raise HTTPException(404, "this door is closed: set LOCKSTEP_RELAY_TOKEN to open it")
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise HTTPException(401, "send `Authorization: Bearer <LOCKSTEP_RELAY_TOKEN>`")
    body = await _body(request, relay)
    deliveries = await run_in_threadpool(deliveries_of, body)
    try:
        told = request.headers.get("traceparent", "")
        kept = await run_in_threadpool(relay.keep, deliveries, refuse_differing=True, told=told)
    except Differing as reused:
        raise HTTPException(
            409,
            f"nothing was kept: {len(reused.ids)} id(s) are known with another content: {', '.join(reused.ids[:10])};"
            " a corrected fact needs an id of its own",
        ) from None
    return JSONResponse({"kept": len(kept.fresh), "repeated": len(kept.repeated)})


async def _body(request: Request, relay: Relay) -> bytes:
    """The raw body, not too large, not compressed, within a time."""
    most = relay.settings.relay_body_bytes
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise HTTPException(415, "compressed bodies are not taken; send it plain")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:19]) > most:
        raise HTTPException(413, f"the body is larger than {most} bytes")
    chunks = bytearray()
    try:
        async with asyncio.timeout(relay.body_s):
            async for chunk in request.stream():
                chunks += chunk
                if len(chunks) > most:
                    raise HTTPException(413, f"the body is larger than {most} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {relay.body_s:g} s") from None
    return bytes(chunks)


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"up": True})


async def _readyz(request: Request) -> Response:
    relay: Relay = request.app.state.relay

    def check() -> None:
        with transaction(relay.engine) as connection:
            connection.execute(_READY)

    await run_in_threadpool(check)
    return JSONResponse({"ready": True, "clock_ahead_s": round(clock.ahead_s, 1)})


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _away(_request: Request, error: Exception) -> Response:
    """The database does not answer: the sender must come again; what a lost commit kept is then a repeat."""
    log.error("relay.database.away", error=type(error).__name__)
    return JSONResponse(
        {"error": "the ledger cannot be reached now; send it again, a repeat does no harm"},
        status_code=503,
        headers={"Retry-After": "5"},
    )


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
