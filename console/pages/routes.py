"""Addresses of pages that look at the house now and at one SKU."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, text
from starlette.responses import RedirectResponse, Response

from console.access.types import Unknown
from console.api.answers import told
from console.api.state import Reading, TheHouse
from console.api.words import Name
from console.pages import links
from console.pages.asked import Asked, moment_of, renderer_of
from console.pages.doorstep import WANTED, wanted_of
from console.views import alerts, found, now, stock, timeline
from console.views.explained import in_full
from console.views.listing import page
from workers.flows import explain as explaining

router = APIRouter(include_in_schema=False)

#: Spans of a timeline and a chart, in hours.
HOURS: Final = (1, 6, 24, 24 * 7, 24 * 30)
_INCIDENTS: Final = 8
#: Events of a balance that a page adds up by kind.
_ADDED_UP: Final = 500

_SKU = text("SELECT sku, title, created_at FROM sku WHERE sku = :sku")
_HALTS = text("""
    SELECT id, channel, state, reason, set_by, set_at, until_at FROM halt
    WHERE sku = :sku AND state <> 'lifted' AND channel = ANY(ARRAY(SELECT channel FROM channel)) ORDER BY channel
""")


@router.get("/login")
def login(request: Request) -> Response:
    """Ask for a token."""
    return renderer_of(request).answer(request, "login.html", problem=None)


@router.get("/")
def home(request: Request, house: TheHouse, reading: Reading) -> Response:
    """The house now; who wanted another page before the login goes on to that."""
    if (wanted := wanted_of(request)) is not None:
        answer: Response = RedirectResponse(wanted, status_code=303)
        answer.delete_cookie(WANTED, path="/")
        return answer
    return renderer_of(request).answer(request, "now.html", **_now(reading, house.now()))


@router.get("/now/live")
def live(request: Request, house: TheHouse, reading: Reading) -> Response:
    """The part of the first page that is asked for again and again."""
    return renderer_of(request).answer(request, "now_live.html", **_now(reading, house.now()))


def _now(connection: Connection, at: datetime) -> dict[str, Any]:
    said = {"all": False, "rule": None, "channel": None}
    open_ = page(connection, alerts.INCIDENTS, said, limit=_INCIDENTS)
    return {"found": now.now_of(connection, at), "incidents": open_.rows}


@router.get("/skus")
def skus(request: Request, reading: Reading, said: Asked) -> Response:
    """SKUs by name or title."""
    rows = page(
        reading,
        stock.SKUS,
        {"like": stock.like(said.q), "due": said.due or None},
        limit=said.limit,
        after=said.after,
    )
    return renderer_of(request).answer(request, "skus.html", page=rows)


@router.get("/search")
def search(
    request: Request, reading: Reading, q: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """Whatever goes by a name; straight to it where it is one SKU."""
    words = q.replace("\0", "").strip()
    finds = found.find(reading, words) if words else {}
    if list(finds) == ["skus"] and (len(finds["skus"]) == 1 or finds["skus"][0]["sku"] == words):
        return RedirectResponse(links.sku(finds["skus"][0]["sku"]), status_code=303)
    return renderer_of(request).answer(
        request, "search.html", words=words, finds=finds, most=found.MOST
    )


@router.get("/sku/{name:path}")
def sku(request: Request, house: TheHouse, reading: Reading, name: str, said: Asked) -> Response:
    """All of a SKU: what is where, what channels show, what happened."""
    row = reading.execute(_SKU, {"sku": name.replace("\0", "")}).mappings().one_or_none()
    if row is None:
        raise Unknown(f"there is no SKU {name!r}")
    at = house.now()
    hours = said.hours if said.hours in HOURS else 24
    until = moment_of(said.until) or at
    happened = timeline.happened(
        reading, name, since=until - timedelta(hours=hours), until=until, kind=said.kind or None,
        channel=said.channel or None,
    )  # fmt: skip
    known = stock.sku(reading, name, now=at) or {"positions": [], "channels": []}
    moment = moment_of(said.at)
    return renderer_of(request).answer(
        request,
        "sku.html",
        sku=row,
        positions=known["positions"],
        places=known["channels"],
        halts=[dict(each) for each in reading.execute(_HALTS, {"sku": name}).mappings()],
        happened=happened,
        most=timeline.MOST,
        kinds=timeline.KINDS,
        hours=hours,
        spans=HOURS,
        moment=timeline.at_moment(reading, name, moment, at) if moment else None,
    )


@router.get("/explain")
def explain(request: Request, house: TheHouse, sku: Name, channel: Name, said: Asked) -> Response:
    """The arithmetic of a number, each term with what says so."""
    try:
        found_ = explaining.explain(
            house.engine, sku, channel, said.location or None, moment_of(said.at), 10, _ADDED_UP
        )
    except explaining.NothingToExplain as error:
        raise Unknown(str(error)) from None
    return renderer_of(request).answer(request, "explain.html", x=in_full(found_))


@router.get("/chart")
def chart(
    house: TheHouse, reading: Reading, sku: Name, channel: Name, location: Name, hours: int = 24
) -> Response:
    """The two lines of a place's chart."""
    until = house.now().astimezone(UTC)
    since = until - timedelta(hours=hours if hours in HOURS else 24)
    return told(timeline.charted(reading, sku, channel, location, since=since, until=until))
