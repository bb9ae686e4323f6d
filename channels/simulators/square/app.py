"""Square's HTTP face: /v2, and the control plane beside it."""

from __future__ import annotations

import asyncio
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.simulators.faults import UnknownFault
from channels.simulators.server import ResetResponse, TruncatedResponse, control_routes
from channels.simulators.square.control import Control
from channels.simulators.square.engine import Ticket
from channels.simulators.square.merchant import Refused, Unknown
from channels.simulators.square.simulator import SquareSimulator


def make_app(simulator: SquareSimulator) -> Starlette:
    """The ASGI app of one account. Calls run on the event loop: they take milliseconds and want one lock anyway."""

    async def api(request: Request) -> Response:
        raw = await request.body()
        query = dict(request.query_params)
        answer = simulator.engine.admit(
            request.method, request.url.path, query, request.headers, raw
        )
        if isinstance(answer, Ticket):
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            answer = simulator.engine.finish(answer)
        # By the account's clock, in whole seconds: callers date what they read by it.
        answer.headers["date"] = format_datetime(simulator.clock.now(), usegmt=True)
        kind = {"ok": Response, "reset": ResetResponse, "truncate": TruncatedResponse}[answer.wire]
        return kind(answer.body, answer.status, answer.headers)

    verbs = Control(simulator).verbs()
    statuses: dict[type[Exception], int] = {Unknown: 404, Refused: 409, UnknownFault: 400}
    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(
        routes=[
            Route("/v2/{rest:path}", api, methods=methods),
            *control_routes(verbs, simulator.control_token, statuses),
        ]
    )
