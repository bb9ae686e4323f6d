"""Amazon's HTTP face: Login with Amazon, the API, presigned files, the static sandbox, the control plane beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.simulators.amazon import sandbox
from channels.simulators.amazon.account import Refused, Unknown
from channels.simulators.amazon.control import Control
from channels.simulators.amazon.engine import Reply, Ticket
from channels.simulators.amazon.errors import LwaError, invalid_input
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.faults import UnknownFault
from channels.simulators.server import (
    ResetResponse,
    TruncatedResponse,
    control_routes,
    json_response,
)

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_app(simulator: AmazonSimulator) -> Starlette:
    """The ASGI app of one account. Calls run on the event loop: they take milliseconds and want the account's lock."""
    doors = _Doors(simulator)
    statuses: dict[type[Exception], int] = {Unknown: 404, Refused: 409, UnknownFault: 400}
    return Starlette(
        routes=[
            Route("/auth/o2/token", doors.token, methods=["POST"]),
            Route("/files/{document}", doors.file, methods=["GET", "PUT"]),
            Route("/sandbox/{rest:path}", doors.recorded, methods=_METHODS),
            *control_routes(Control(simulator).verbs(), simulator.control_token, statuses),
            Route("/{rest:path}", doors.api, methods=_METHODS),
        ]
    )


class _Doors:
    """The endpoints, each bytes in and bytes out."""

    def __init__(self, simulator: AmazonSimulator) -> None:
        self._simulator = simulator

    async def token(self, request: Request) -> Response:
        raw = (await request.body()).decode("utf-8", "replace")
        form = {name: values[0] for name, values in parse_qs(raw).items()}
        simulator = self._simulator
        try:
            return json_response(simulator.lwa.token(form, simulator.clock.now()))
        except LwaError as error:
            return json_response(error.body(), error.status)

    async def api(self, request: Request) -> Response:
        raw = await request.body()
        engine = self._simulator.engine
        answer = engine.admit(request.method, _path(request), _query(request), request.headers, raw)
        if isinstance(answer, Ticket):
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            answer = engine.finish(answer)
        return _respond(answer)

    async def recorded(self, request: Request) -> Response:
        path = _path(request).removeprefix("/sandbox")
        raw = await request.body()
        try:
            status, body = sandbox.answer(request.method, path, _query(request), raw)
        except ValueError:
            return json_response(invalid_input("Could not match input arguments").body(), 400)
        return Response(b"", status) if body is None else json_response(body, status)

    async def file(self, request: Request) -> Response:
        return _file(self._simulator, request, await request.body())


def _file(simulator: AmazonSimulator, request: Request, raw: bytes) -> Response:
    """What the bucket answers: the content type is part of an upload's signature."""
    query, now = dict(request.query_params), simulator.clock.now()
    with simulator.account.lock:
        document = simulator.service.files.open(
            request.path_params["document"], request.method, query, now
        )
        if isinstance(document, str):
            return _bucket_error(document, 403)
        if request.method == "PUT":
            if request.headers.get("content-type") != document.content_type:
                return _bucket_error("SignatureDoesNotMatch", 403)
            document.content = raw
            return Response(b"")
        if document.content is None:
            return _bucket_error("NoSuchKey", 404)
        return Response(document.content, media_type=document.content_type)


def _bucket_error(code: str, status: int) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Response(text, status, media_type="application/xml")


def _path(request: Request) -> str:
    """As it was sent: an escaped slash is part of a SKU, a bare one is not."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("ascii", "replace").split("?", 1)[0]


def _query(request: Request) -> Mapping[str, list[str]]:
    names = dict.fromkeys(request.query_params.keys())
    return {name: request.query_params.getlist(name) for name in names}


def _respond(reply: Reply) -> Response:
    kind = {"ok": Response, "reset": ResetResponse, "truncate": TruncatedResponse}[reply.wire]
    return kind(reply.body, reply.status, reply.headers)
