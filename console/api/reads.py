"""Routes that read: stock, and what channels were told of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from console.access.types import Role, Unknown
from console.api.answers import PAGE, PROBLEMS, listed, told
from console.api.state import Reading, TheHouse, needs
from console.api.words import (
    CompleteQuery,
    DueQuery,
    ExplainQuery,
    InboxQuery,
    OfPlace,
    Paging,
    PathId,
    PathName,
    Search,
    SkuQuery,
)
from console.views import book, stock, work
from console.views.channels import complete as complete_of
from console.views.explained import in_full
from workers.flows import explain as explaining

router = APIRouter(responses=PROBLEMS)


@router.get("/skus", responses=PAGE, tags=["stock"])
def skus(reading: Reading, query: Annotated[Search, Query()]) -> Response:
    """SKUs by name or title."""
    return listed(reading, stock.SKUS, query, {"like": stock.like(query.q)})


@router.get("/skus/{sku:path}/explain", tags=["stock"])
def explain(house: TheHouse, sku: PathName, query: Annotated[ExplainQuery, Query()]) -> Response:
    """Why a channel shows a number: ledger rows, rule steps, push, read-back. As `lockstep sku explain --json`."""
    try:
        found = explaining.explain(
            house.engine, sku, query.channel, query.location, query.at, query.rows
        )
    except explaining.NothingToExplain as error:
        raise Unknown(str(error)) from None
    return told(in_full(found))


@router.get("/skus/{sku:path}", tags=["stock"])
def sku(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[SkuQuery, Query()]
) -> Response:
    """What is where, and what channels show. As `lockstep sku show --json`."""
    found = stock.sku(reading, sku, now=house.now(), at=query.at, known_at=query.known_at)
    if found is None:
        raise Unknown(f"nothing is known of SKU {sku!r}")
    return told(found)


@router.get("/channels/complete", tags=["channels"])
def complete(
    house: TheHouse, reading: Reading, query: Annotated[CompleteQuery, Query()]
) -> Response:
    """Orders that each channel told against those in the book. As `lockstep channel complete --json`."""
    return told(complete_of(reading, house.now(), query.hours, query.channel))


@router.get("/channels", responses=PAGE, tags=["channels"])
def channels(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Every channel, and what waits on it. As `lockstep channel list --json`."""
    return listed(reading, work.CHANNELS, query, {})


@router.get("/pushes", responses=PAGE, tags=["pushes"])
def pushes(reading: Reading, query: Annotated[OfPlace, Query()]) -> Response:
    """What was pushed, newest first."""
    return listed(reading, work.PUSHES, query, _place(query))


@router.get("/pushes/due", responses=PAGE, tags=["pushes"])
def due(reading: Reading, query: Annotated[DueQuery, Query()]) -> Response:
    """What waits to be shown, the oldest first; `parked=true`: what a channel refuses, with its words."""
    return listed(reading, work.DUE, query, _place(query) | {"parked": query.parked})


@router.get("/pushes/{number}", tags=["pushes"])
def push(reading: Reading, number: PathId) -> Response:
    """A push with its answer. As `lockstep push show --json`."""
    found = book.push(reading, number)
    if found is None:
        raise Unknown(f"there is no push {number}")
    return told(found)


@router.get("/inbox", responses=PAGE, tags=["inbox"])
def inbox(reading: Reading, query: Annotated[InboxQuery, Query()]) -> Response:
    """Deliveries, newest first. As `lockstep inbox list --json`."""
    return listed(
        reading,
        work.inbox_of(query.state),
        query,
        {"state": query.state, "source": query.source},
    )


@router.get("/inbox/{delivery}", dependencies=[Depends(needs(Role.OPERATOR))], tags=["inbox"])
def delivery(reading: Reading, delivery: PathId) -> Response:
    """One delivery as it came, which may name a buyer: for operators and above."""
    found = work.delivery(reading, delivery)
    if found is None:
        raise Unknown(f"there is no delivery {delivery}")
    return told(found)


def _place(query: OfPlace) -> dict[str, Any]:
    return {"channel": query.channel, "sku": query.sku}
