"""Routes about the health of Amazon's stock: how it stands, what to take out and send in, sizes and limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from console.api.acts import does
from console.api.answers import PROBLEMS, told
from console.api.state import Reading, TheAct, TheHouse
from console.api.words_amazon import CapacitySet, SendInQuery, Sizes, SizesQuery, StandingQuery
from console.api.words_reads import AmazonQuery
from console.verbs import amazon_room
from console.views import amazon_health as views

router = APIRouter(responses=PROBLEMS)


@router.get("/amazon/health", tags=["amazon"])
def health(house: TheHouse, query: Annotated[AmazonQuery, Query()]) -> Response:
    """How every SKU stands at Amazon, and the factors of the IPI. As `lockstep amazon health --json`."""
    return told(views.health(house.engine, query.channel, house.now()))


@router.get("/amazon/standing", tags=["amazon"])
def standing(
    house: TheHouse, reading: Reading, query: Annotated[StandingQuery, Query()]
) -> Response:
    """One SKU with all that its numbers follow from. As `lockstep amazon explain --json`."""
    return told(views.explained(reading, query.channel, query.sku, house.now()))


@router.get("/amazon/removals", tags=["amazon"])
def removals(house: TheHouse, query: Annotated[AmazonQuery, Query()]) -> Response:
    """What to take out of Amazon's network, and what that saves. As `lockstep amazon removals --json`."""
    return told(views.removals(house.engine, query.channel, house.now()))


@router.get("/amazon/send-in", tags=["amazon"])
def send_in(house: TheHouse, query: Annotated[SendInQuery, Query()]) -> Response:
    """What to send to Amazon, shipment by shipment, within its limits. As `lockstep amazon send-in --json`."""
    homes = [query.home] if query.home else []
    return told(views.send_in(house.engine, query.channel, query.terms(), homes, house.now()))


@router.get("/amazon/sizes", tags=["amazon"])
def sizes(reading: Reading, query: Annotated[SizesQuery, Query()]) -> Response:
    """How large units are, as the house says. As `lockstep amazon size list --json`."""
    return told(views.sizes(reading, query.sku))


@router.get("/amazon/capacity", tags=["amazon"])
def capacity(reading: Reading, query: Annotated[AmazonQuery, Query()]) -> Response:
    """Limits of storage, by type, the newest day first. As `lockstep amazon capacity list --json`."""
    return told(views.capacities(reading, query.channel))


@does("amazon.size.set", "/amazon/sizes", "amazon", router)
def set_sizes(act: TheAct, body: Sizes) -> Response:
    """Say how large units and cartons are; all of it, or nothing."""
    rows = [row.size() for row in body.rows]
    with act.doing({"file": body.file, "rows": len(rows)}):
        done = amazon_room.set_sizes(act.engine, rows, by=act.by, now=act.now())
    return told(done)


@does("amazon.capacity.set", "/amazon/capacity", "amazon", router)
def set_capacity(act: TheAct, body: CapacitySet) -> Response:
    """Write down a limit of storage as Seller Central shows it, which no API tells."""
    limit = amazon_room.limit_of(
        body.storage_type, body.since, body.cubic_feet, body.units, act.now()
    )
    with act.doing(body.told()):
        done = amazon_room.set_capacity(act.engine, body.channel, limit, by=act.by, now=act.now())
    return told(done)
