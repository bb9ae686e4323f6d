"""Shopify's HTTP face: the Admin GraphQL endpoint, bulk files, and the control plane beside it."""

from __future__ import annotations

import asyncio
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.simulators.faults import UnknownFault
from channels.simulators.server import (
    ResetResponse,
    TruncatedResponse,
    control_routes,
    json_response,
)
from channels.simulators.shopify.control import Control
from channels.simulators.shopify.engine import Reply, Ticket
from channels.simulators.shopify.shop import Refused, Unknown
from channels.simulators.shopify.simulator import ShopifySimulator


def make_app(simulator: ShopifySimulator) -> Starlette:
    """The ASGI app of one shop. Calls run on the event loop: they take milliseconds and want the shop's lock anyway."""

    async def graphql(request: Request) -> Response:
        raw = await request.body()
        answer = simulator.admit(request.path_params["version"], request.headers, raw)
        if isinstance(answer, Ticket):
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            answer = simulator.finish(answer)
        # By the shop's clock, in whole seconds, like everything it stamps.
        answer.headers["date"] = format_datetime(simulator.clock.now(), usegmt=True)
        return _respond(answer)

    async def bulk_file(request: Request) -> Response:
        content = simulator.file(request.path_params["number"])
        if content is None:
            return json_response({"error": "no such file, or it expired"}, 404)
        return Response(content, media_type="application/jsonl")

    verbs = Control(simulator).verbs()
    statuses: dict[type[Exception], int] = {Unknown: 404, Refused: 409, UnknownFault: 400}
    return Starlette(
        routes=[
            Route("/admin/api/{version}/graphql.json", graphql, methods=["POST"]),
            Route("/bulk/{number:int}.jsonl", bulk_file, methods=["GET"]),
            *control_routes(verbs, simulator.control_token, statuses),
        ]
    )


def _respond(reply: Reply) -> Response:
    kind = {"ok": Response, "reset": ResetResponse, "truncate": TruncatedResponse}[reply.wire]
    return kind(reply.body, reply.status, reply.headers)
