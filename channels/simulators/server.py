"""The thin server every simulator stands behind: an ASGI app in a thread, a control plane, ways to break an answer."""

from __future__ import annotations

import contextlib
import hmac
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Verb = Callable[[Mapping[str, Any]], object]
"""One operation of a control plane: the request's JSON (or query string) to something JSON can hold."""

_TRANSPORT = "lockstep.transport"
#: Callers come back to their connection after a pause; vendors keep one about so long.
_KEPT_S = 60


class BadRequest(ValueError):
    """The control plane cannot make sense of a request; answered with 400."""


def json_response(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body, default=str), status, media_type="application/json")


def control_routes(
    verbs: Mapping[str, Verb], token: str, statuses: Mapping[type[Exception], int]
) -> list[Route]:
    """`/control/<verb>` for each verb, GET or POST, behind `Authorization: Bearer <token>`.

    statuses   which status each exception becomes; the message goes into `{"error": ...}`
    """

    expected: tuple[type[Exception], ...] = (KeyError, TypeError, ValueError, *statuses)

    async def answer(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return json_response({"error": "the control plane wants its bearer token"}, 401)
        verb = verbs.get(request.path_params["verb"])
        if verb is None:
            return json_response({"error": f"no such operation; known: {', '.join(verbs)}"}, 404)
        try:
            return json_response(verb(await _facts(request)))
        except expected as problem:
            status = next(
                (code for kind, code in statuses.items() if isinstance(problem, kind)), 400
            )
            text = f"missing {problem}" if isinstance(problem, KeyError) else str(problem)
            return json_response({"error": text}, status)

    return [Route("/control/{verb}", answer, methods=["GET", "POST"])]


async def _facts(request: Request) -> Mapping[str, Any]:
    if request.method == "GET":
        return dict(request.query_params)
    raw = await request.body()
    facts = orjson.loads(raw) if raw else {}
    if not isinstance(facts, dict):
        raise BadRequest("the body is a JSON object")
    return facts


def with_transport(app: App) -> App:
    """Let the app below reach the connection, to break it on purpose."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return outer


def reset_connection(scope: Scope) -> None:
    """Tear the connection down so that the client sees a reset, not an end."""
    transport = scope.get(_TRANSPORT)
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class TruncatedResponse(Response):
    """Promises the whole body, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = scope.get(_TRANSPORT)
        if transport is not None:
            transport.close()


class ResetResponse(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reset_connection(scope)


class Server:
    """An ASGI app served by uvicorn in a daemon thread on a bound port.

    own_date   the app tells the Date of its answers itself, by its simulated clock
    """

    def __init__(
        self, app: App, host: str = "127.0.0.1", port: int = 0, *, own_date: bool = False
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            with_transport(app),
            log_level="critical",
            access_log=False,
            lifespan="off",
            loop="auto",
            ws="none",
            date_header=not own_date,
            timeout_keep_alive=_KEPT_S,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._uvicorn.run,
            kwargs={"sockets": [self._socket]},
            name=f"simulator-{self.port}",
            daemon=True,
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self, timeout_s: float = 10.0) -> None:
        """Return when the server answers. Raises RuntimeError when it does not come up."""
        self._thread.start()
        deadline_s = time.monotonic() + timeout_s
        while not self._uvicorn.started:
            if time.monotonic() > deadline_s or not self._thread.is_alive():
                raise RuntimeError(f"the simulator did not start on {self.url}")
            time.sleep(0.005)

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._uvicorn.force_exit = True
        self._thread.join(5)
        self._socket.close()
