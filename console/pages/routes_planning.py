"""Addresses of what will be wanted, and of what is to be ordered."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.access.types import Unknown
from console.api.state import Reading, TheHouse
from console.api.words import PathName
from console.pages.asked import Asked, renderer_of
from console.views import planning
from console.views.listing import BadCursor, Page, page

router = APIRouter(include_in_schema=False)
#: SKUs that are held back, told on the list's own page.
_FEW = 10


@router.get("/reorder")
def reorder(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What to order now, the soonest to run out first, by what it was forecast, and what is held back."""
    found = planning.reorder(reading, house.now())
    lines = [
        line
        for line in found["lines"]
        if said.sku in (None, line["sku"])
        and said.location in (None, line["location"])
        and said.source in (None, line["supplier"])
    ]
    begin = _place(said.after)
    end = begin + said.limit
    return renderer_of(request).answer(
        request,
        "reorder.html",
        page=Page(lines[begin:end], str(end) if end < len(lines) else None),
        count=len(lines),
        units=sum(line["units"] for line in lines),
        run=found["run"],
        going=planning.status(reading)["open"],
        held_back=found["held_back"][:_FEW],
        held=len(found["held_back"]),
        pulls=found["pulls"][:_FEW],
        pulled=len(found["pulls"]),
        terms=planning.terms(reading)[: said.limit],
    )


@router.get("/levels")
def levels(request: Request, reading: Reading, said: Asked) -> Response:
    """When to order of every place, and up to how much."""
    asked = said.meant("sku", "location")
    found = page(reading, planning.LEVELS, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "levels.html", page=found)


@router.get("/reorder/{sku:path}")
def one(request: Request, reading: Reading, sku: PathName) -> Response:
    """What the last run says of a SKU, what it says it by, and its levels."""
    found = planning.kept(reading, sku)
    if not found:
        raise Unknown(f"the last run of the forecast says nothing of {sku}")
    return renderer_of(request).answer(request, "reorder_one.html", sku=sku, places=found)


def _place(after: str | None) -> int:
    if after is None:
        return 0
    if not after.isdecimal() or len(after) > 9:
        raise BadCursor("it is no place in this list")
    return int(after)
