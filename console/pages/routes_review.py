"""The address of reviews: those that were kept, the newest unless another is asked for."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.access.types import Unknown
from console.api.state import Reading
from console.pages.asked import renderer_of
from console.review import report, store

router = APIRouter(include_in_schema=False)


@router.get("/review")
def review(request: Request, reading: Reading) -> Response:
    """A review as it was made."""
    since, until = (_day(request.query_params.get(name)) for name in ("since", "until"))
    found = store.one(reading, since if until else None, until)
    if found is None and since and until:
        raise Unknown(f"no review of {since} to {until} was kept")
    return renderer_of(request).answer(
        request,
        "review.html",
        r=found,
        plots=report.plotted(found) if found else {},
        kept=store.kept(reading),
    )


def _day(said: str | None) -> date | None:
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        return None
