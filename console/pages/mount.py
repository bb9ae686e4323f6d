"""The dashboard put into the API's application: its routes behind the gate, its doorstep before it."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from console.api.state import House
from console.pages import (
    acts,
    routes,
    routes_amazon,
    routes_limits,
    routes_planning,
    routes_review,
    routes_watch,
    routes_work,
)
from console.pages.doorstep import Doorstep, mistaken
from console.pages.rendering import Renderer


def mount(app: FastAPI) -> None:
    """Serve pages too; to be called when the gate is in its place."""
    house: House = app.state.house
    app.state.renderer = Renderer(house.settings.env, house.now)
    parts = (
        routes, routes_limits, routes_watch, routes_work, routes_amazon, routes_planning, routes_review,
        acts,
    )  # fmt: skip
    for each in parts:
        app.include_router(each.router)
    app.add_middleware(Doorstep, renderer=app.state.renderer)

    def handle(request: Request, error: Exception) -> Response:
        return mistaken(app.state.renderer, request, error)

    app.add_exception_handler(Exception, handle)
