"""What the vendors still allow, asked for by the first page once it is there: a Redis that hangs holds up no page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.state import TheHouse
from console.metrics.limits import buckets, tightest
from console.pages.asked import renderer_of
from ledger.db import transaction

router = APIRouter(include_in_schema=False)


@router.get("/now/limits")
def limits(request: Request, house: TheHouse) -> Response:
    """The tightest limit of each channel, in the vendor's calls or points."""
    if not house.settings.redis_url:
        return renderer_of(request).answer(request, "limits.html", limits=None)
    with transaction(house.engine) as connection:
        held = buckets(connection, house.wiring.redis, f"lockstep:{house.settings.env}")
    return renderer_of(request).answer(request, "limits.html", limits=tightest(held))
