"""Addresses of pages about the work itself: pushes, inbox, rules, counts, documents, audit, settings."""

from __future__ import annotations

import difflib
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from allocation import store as rule_store
from channels.edi import report
from console.access.types import Role, Unknown
from console.api.state import Reading, TheHouse, known_of, needs
from console.api.words import PathId
from console.pages.asked import Asked, renderer_of
from console.views import access, book, burning, channels, counts, now, rules, told, trade, work
from console.views.listing import Page, page
from console.views.recounts import RECOUNTS
from console.views.stock import like
from reconcile.counting.accuracy import quarter_of
from workers.feed import hook_store

router = APIRouter(include_in_schema=False)
_WEEKS: Final = 13
_DAY_H: Final = 24
#: Rows of a list that stands beside the page's own; all of them are on a page of theirs.
_FEW: Final = 10


@router.get("/pushes")
def pushes(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What waits to be shown, and what was pushed."""
    asked = said.meant("channel", "sku")
    due = page(
        reading,
        work.DUE,
        asked | {"parked": said.parked or None},
        limit=said.limit,
        after=said.after,
    )
    return renderer_of(request).answer(
        request,
        "pushes.html",
        found=now.now_of(reading, house.now()),
        page=due,
        complete=channels.complete(reading, house.now(), _DAY_H, said.channel)
        if said.channel
        else [],
        pushed=page(reading, work.PUSHES, asked, limit=20).rows,
    )


@router.get("/pushes/sent")
def sent(request: Request, reading: Reading, said: Asked) -> Response:
    """What was pushed, the newest first."""
    found = page(
        reading, work.PUSHES, said.meant("channel", "sku"), limit=said.limit, after=said.after
    )
    return renderer_of(request).answer(request, "sent.html", page=found)


@router.get("/pushes/{number}")
def push(request: Request, reading: Reading, number: PathId) -> Response:
    """A push with its answer."""
    found = _known(book.push(reading, number), f"there is no push {number}")
    return renderer_of(request).answer(request, "push.html", p=found)


@router.get("/events/{number}")
def event(request: Request, reading: Reading, number: UUID) -> Response:
    """A row of the ledger with what it moved."""
    found = _known(book.event(reading, str(number)), f"there is no event {number}")
    return renderer_of(request).answer(request, "event.html", e=found)


@router.get("/order")
def order(request: Request, reading: Reading, said: Asked) -> Response:
    """What the book knows of an order."""
    name = said.order or ""
    found = _known(
        book.order(reading, name, said.channel or None), f"the book knows no order {name!r}"
    )
    return renderer_of(request).answer(request, "order.html", o=found)


@router.get("/inbox")
def inbox(request: Request, reading: Reading, said: Asked) -> Response:
    """Deliveries; those that are parked or rejected unless another state is asked for."""
    states = [said.state] if said.state in work.STATES else ["parked", "rejected"]
    asked = {"state": states} | said.meant("source")
    found = page(reading, work.inbox_of(states), asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "inbox.html", page=found, states=work.STATES)


@router.get("/inbox/{number}", dependencies=[Depends(needs(Role.OPERATOR))])
def delivery(request: Request, reading: Reading, number: PathId) -> Response:
    """A delivery as it came; it may name a buyer."""
    found = _known(work.delivery(reading, number), f"there is no delivery {number}")
    return renderer_of(request).answer(request, "delivery.html", d=found)


@router.get("/rules")
def versions(request: Request, reading: Reading, said: Asked) -> Response:
    """Versions of the rules; the newest is in force."""
    asked = {"like": like(said.q)}
    found = page(reading, rules.VERSIONS, asked, limit=said.limit, after=said.after)
    first = page(reading, rules.VERSIONS, {}, limit=1).rows
    newest = first[0]["version"] if first else None
    source = rule_store.source_of(reading, newest) if newest and not said.after else ""
    return renderer_of(request).answer(
        request, "rules.html", page=found, newest=newest, source=source
    )


@router.get("/rules/{number}")
def version(request: Request, reading: Reading, number: PathId) -> Response:
    """A version as it was applied, and what it changed."""
    source = rules.version(reading, number)["source"]
    last = rules.before(reading, number)
    before = rules.version(reading, last)["source"] if last else ""
    lines = difflib.unified_diff(
        before.splitlines(), source.splitlines(), f"version {last or 0}", f"version {number}", lineterm=""
    )  # fmt: skip
    return renderer_of(request).answer(
        request, "rules_one.html", number=number, source=source, diff=list(lines)
    )


@router.get("/stores")
def stores(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """Accuracy, recounts that are due, what was lost this quarter."""
    at = house.now()
    location = said.location or None
    quarter = quarter_of(at)
    shrunk, added_up_at = counts.shrinkage_kept(reading, quarter, location)
    accuracy = counts.accuracy(reading, now=at, location=location, weeks=_WEEKS, rolling=_WEEKS)
    newest = max((row["week"] for row in accuracy), default=None)
    orders = page(reading, RECOUNTS, {"location": location, "sku": None}, limit=_FEW)
    return renderer_of(request).answer(
        request,
        "stores.html",
        accuracy=[row for row in accuracy if row["week"] == newest],
        weeks=_WEEKS,
        orders=orders.rows,
        more=orders.after,
        quarter=quarter,
        shrunk=shrunk,
        added_up_at=added_up_at,
    )


@router.get("/stores/recounts")
def recounts(request: Request, reading: Reading, said: Asked) -> Response:
    """Recounts that no count has answered yet."""
    asked = said.meant("location", "sku")
    found = page(reading, RECOUNTS, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "recounts.html", page=found)


@router.get("/edi")
def edi(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """Partners, their programs, and the documents exchanged."""
    asked = {
        "partner": said.channel or None,
        "number": said.order or None,
        "trouble": not said.all and not said.order,
    }
    programs = burning.burns(reading, house.now(), partner=said.channel or None, limit=_FEW)
    return renderer_of(request).answer(
        request,
        "edi.html",
        partners=report.partners(reading, now=house.now()),
        burns=programs.rows,
        more_burns=programs.after,
        page=page(reading, trade.DOCUMENTS, asked, limit=said.limit, after=said.after),
    )


@router.get("/edi/programs")
def programs(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What is held for partners, and how it is used up."""
    found = burning.burns(
        reading,
        house.now(),
        partner=said.channel or None,
        sku=said.sku or None,
        limit=said.limit,
        after=said.after,
    )
    return renderer_of(request).answer(request, "programs.html", page=found)


@router.get("/edi/{number}", dependencies=[Depends(needs(Role.OPERATOR))])
def document(request: Request, reading: Reading, number: PathId) -> Response:
    """A document as it was exchanged."""
    found = _known(trade.document(reading, number), f"there is no document {number}")
    return renderer_of(request).answer(request, "document.html", d=found)


@router.get("/audit")
def audit(request: Request, reading: Reading, said: Asked) -> Response:
    """Who did what, at which door, and how it ended."""
    asked: dict[str, Any] = said.meant("actor", "object", "verb", "outcome") | {"since": None}
    listing = access.TRAIL if said.trail else access.deeds_of(said.outcome)
    found = page(reading, listing, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "audit.html", page=found)


@router.get("/settings")
def settings(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What this process was told, secrets masked; for admins the tokens too."""
    is_admin = known_of(request).actor.role.covers(Role.ADMIN)
    asked = {
        "all": said.all,
        "now": house.now(),
        "like": like(said.q),
        "role": said.kind or None,
    }
    tokens = (
        page(reading, access.TOKENS, asked, limit=said.limit, after=said.after)
        if is_admin
        else Page([], None)
    )
    return renderer_of(request).answer(
        request,
        "settings.html",
        rows=told.settings(house.settings),
        is_admin=is_admin,
        page=tokens,
        hooks=hook_store.listed(reading) if is_admin else [],
        roles=[role.value for role in Role],
    )


def _known(found: dict[str, Any] | None, why: str) -> dict[str, Any]:
    if found is None:
        raise Unknown(why)
    return found
