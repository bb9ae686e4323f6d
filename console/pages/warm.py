"""Before the door opens: what the first who come would wait for is done."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from typing import Final

import structlog
from fastapi import FastAPI
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from allocation import store as rule_store
from console.api.state import House
from console.pages.rendering import Renderer
from console.views import alerts, book, found, halts, now, recon, timeline, trade, work
from console.views.listing import page

log = structlog.get_logger()

#: Connections that are made; a request takes two, who comes when all are taken makes another.
_CONNECTIONS: Final = 4
_READ_ONLY: Final = text("SET TRANSACTION READ ONLY")
_NOBODY: Final = {"channel": None, "sku": None, "cause": None, "rule": None}


def warm(app: FastAPI) -> None:
    """Compile the templates, connect, and ask what pages ask. A database that is away is no reason not to open."""
    house: House = app.state.house
    renderer: Renderer = app.state.renderer
    renderer.compile()
    try:
        connect(house.engine, house.now())
    except SQLAlchemyError as error:
        log.warning("pages.warm.left", error=type(error).__name__)


def connect(engine: Engine, at: datetime) -> None:
    """Make connections and let each read what it needs to know of the tables."""
    with ExitStack() as held:
        made = [held.enter_context(engine.connect()) for _ in range(_CONNECTIONS)]
        for connection in made:
            with connection.begin():
                connection.execute(_READ_ONLY)
                _ask(connection, at)


def _ask(connection: Connection, at: datetime) -> None:
    now.now_of(connection, at)
    book.by_cause(connection)
    found.find(connection, "warm")
    timeline.happened(connection, "", since=at, until=at)
    timeline.at_moment(connection, "", at, at)
    trade.split(connection)
    rule_store.current_rules(connection)
    for listing in (alerts.INCIDENTS, recon.DRIFT, recon.RUNS, work.DUE, work.PUSHES):
        page(connection, listing, {**_NOBODY, "all": False, "parked": None}, limit=1)
    page(connection, halts.HALTS, {**_NOBODY, "each": False}, limit=1)
