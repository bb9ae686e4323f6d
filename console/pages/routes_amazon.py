"""Addresses of pages about Amazon: the mirror, the featured offer, how its stock stands, what to send and take out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from allocation.planning.send_in import Terms
from channels.amazon import health_store
from console.api.state import Reading, TheHouse
from console.pages.asked import Asked, renderer_of
from console.views import amazon as amazon_views
from console.views import amazon_health, trade
from console.views.listing import Page, page

router = APIRouter(include_in_schema=False)
#: Rows of a list that stands beside the page's own; all of them are on a page of theirs.
_FEW: Final = 10


@router.get("/amazon")
def amazon(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """Who ships what, what the mirror is off by, what lies too long, what drives the index."""
    asked = said.meant("channel", "sku") | {"off": not said.all and not said.sku}
    at = house.now()
    of_channel = said.meant("channel") | {"sku": None}
    heard = page(reading, trade.OFFERS, of_channel, limit=_FEW)
    standing = page(reading, amazon_health.STANDING, of_channel | {"every": False}, limit=_FEW)
    return renderer_of(request).answer(
        request,
        "amazon.html",
        split=trade.split(reading),
        standing=standing.rows,
        more_standing=standing.after,
        shares=_shares(reading, heard, at),
        more_offers=heard.after,
        scores=list(health_store.ipi(reading))[:6],
        factors=amazon_health.factors(reading, said.channel or None),
        page=page(reading, trade.FBA, asked, limit=said.limit, after=said.after),
    )


@router.get("/amazon/offers")
def offers(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """How often the featured offer was ours today, ASIN by ASIN, beside when there was nothing to sell."""
    heard = page(
        reading, trade.OFFERS, said.meant("channel", "sku"), limit=said.limit, after=said.after
    )
    shares = _shares(reading, heard, house.now())
    return renderer_of(request).answer(
        request, "offers.html", page=Page([{"share": share} for share in shares], heard.after)
    )


@router.get("/amazon/aged")
def aged(request: Request, reading: Reading, said: Asked) -> Response:
    """How SKUs stood at the last daily look: what lies too long, is too much, or cannot be bought."""
    asked: dict[str, Any] = said.meant("channel", "sku") | {"every": said.all or bool(said.sku)}
    found = page(reading, amazon_health.STANDING, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "aged.html", page=found)


@router.get("/amazon/standing")
def standing(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """One SKU with all that its numbers follow from, as of now."""
    found = amazon_health.explained(reading, said.channel or None, said.sku or "", house.now())
    return renderer_of(request).answer(request, "standing.html", s=found)


@router.get("/amazon/send-in")
def send_in(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What the last daily look would send to Amazon and take out, and the limits in force."""
    asked = said.meant("channel", "sku", "location")
    found = page(reading, amazon_health.TO_DO, asked, limit=said.limit, after=said.after)
    limits = amazon_health.limits(reading, said.channel or None, house.now())
    return renderer_of(request).answer(
        request, "send_in.html", page=found, limits=limits, terms=Terms()
    )


def _shares(
    connection: Connection, heard: Page, at: datetime
) -> list[tuple[str, health_store.Share, dict[str, Any]]]:
    """(channel, share, what stands beside it) of today of the ASINs of a page."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    asins: dict[str, list[str]] = {}
    for row in heard.rows:
        asins.setdefault(row["channel"], []).append(row["asin"])
    found = []
    for channel, of_it in asins.items():
        said: dict[str, Any] = {"since": today, "now": at, "asins": of_it}
        shelves = health_store.shelves(connection, channel, **said)
        found += [
            (channel, share, amazon_views.beside(shelves.get(share.asin)))
            for share in health_store.shares(connection, channel, **said)
        ]
    return found
