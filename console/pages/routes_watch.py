"""Addresses of pages that look at what went wrong: drift, halts, runs, incidents, cases, failures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from console.access.types import Role, Unknown
from console.api.state import Reading, TheHouse, needs
from console.api.words import PathId
from console.pages.asked import Asked, moment_of, renderer_of
from console.pages.failing import filter_of
from console.views import alerts, book, cases, halts, recon, trade
from console.views.listing import BadCursor, Page, page
from console.views.stock import like
from workers.alerts import keeping
from workers.alerts.rules import RULES
from workers.failures import operations as bulk
from workers.failures import store as failures
from workers.failures.types import CLASSES, OPERATION_STATES, ORIGINS, STATES, VERBS, Cursor
from workers.flows import operations

router = APIRouter(include_in_schema=False)
#: Rows of a list that stands beside the page's own; all of them are on a page of theirs.
_FEW: Final = 10


@router.get("/drift")
def drift(request: Request, reading: Reading, said: Asked) -> Response:
    """Differences found, grouped by cause above, one by one below."""
    asked = said.meant("channel", "sku", "cause")
    held = page(reading, recon.QUARANTINE, asked | {"sku": None, "cause": None}, limit=_FEW)
    return renderer_of(request).answer(
        request,
        "drift.html",
        causes=book.by_cause(reading),
        quarantined=held.rows,
        more_quarantined=held.after,
        page=page(
            reading, recon.DRIFT, asked | {"all": said.all}, limit=said.limit, after=said.after
        ),
    )


@router.get("/drift/quarantine")
def quarantine(request: Request, reading: Reading, said: Asked) -> Response:
    """Places where nothing is repaired until a person has looked."""
    asked = said.meant("channel", "sku", "cause")
    found = page(reading, recon.QUARANTINE, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "quarantine.html", page=found)


@router.get("/drift/{number}")
def one_drift(request: Request, reading: Reading, number: PathId) -> Response:
    """A difference with its evidence."""
    found = _known(book.drift(reading, number), f"there is no drift {number}")
    return renderer_of(request).answer(request, "drift_one.html", d=found)


@router.get("/halts")
def halted(request: Request, reading: Reading, said: Asked) -> Response:
    """What is off sale, since when, by whom, and what that holds back."""
    asked = said.meant("channel", "sku") | {"each": said.each}
    found = page(reading, halts.HALTS, asked, limit=said.limit, after=said.after)
    places = [(row["channel"], row["sku"]) for row in found.rows]
    scopes = halts.scopes(reading, said.meant("channel"), limit=_FEW, after=None)
    return renderer_of(request).answer(
        request,
        "halts.html",
        page=found,
        scopes=scopes.rows,
        more_scopes=scopes.after,
        units=trade.units_off_sale(reading, places),
    )


@router.get("/halts/scopes")
def scopes(request: Request, reading: Reading, said: Asked) -> Response:
    """Halts of a channel, a location, or a SKU everywhere."""
    asked = said.meant("channel", "location", "sku")
    found = halts.scopes(reading, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "halt_scopes.html", page=found)


@router.get("/runs")
def runs(request: Request, reading: Reading, said: Asked) -> Response:
    """Windows of reconciliation, the newest first."""
    asked = said.meant("channel", "state")
    found = page(reading, recon.RUNS, asked, limit=said.limit, after=said.after)
    early = page(reading, recon.EARLY, said.meant("channel"), limit=_FEW)
    return renderer_of(request).answer(
        request,
        "runs.html",
        page=found,
        states=recon.STATES,
        early=early.rows,
        more_early=early.after,
    )


@router.get("/runs/early")
def early(request: Request, reading: Reading, said: Asked) -> Response:
    """SKUs that are read before their window, those that sell out soonest first."""
    asked = said.meant("channel", "sku")
    found = page(reading, recon.EARLY, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "early.html", page=found)


@router.get("/incidents")
def incidents(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """Incidents as they are told, and which rules are silent."""
    asked = said.meant("rule", "channel") | {"all": said.all}
    return renderer_of(request).answer(
        request,
        "incidents.html",
        page=page(reading, alerts.INCIDENTS, asked, limit=said.limit, after=said.after),
        silences=list(keeping.silences(reading, house.now())),
        rules=RULES,
    )


@router.get("/incidents/{number}")
def incident(request: Request, reading: Reading, number: PathId, said: Asked) -> Response:
    """An incident with its alarms and who was told."""
    found = _known(book.incident(reading, number), f"there is no incident {number}")
    asked = {"incident": number, "like": like(said.q)}
    alarms = page(reading, alerts.ALARMS_OF, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(
        request, "incident.html", i=found, rule=RULES.get(found["rule"]), page=alarms
    )


@router.get("/cases")
def oversold(request: Request, reading: Reading, said: Asked) -> Response:
    """Order lines that were accepted and are not there."""
    asked = said.meant("channel", "sku") | {"all": said.all}
    found = cases.listed(reading, asked, limit=said.limit, after=said.after)
    return renderer_of(request).answer(request, "cases.html", page=found)


@router.get("/cases/{number}")
def case(request: Request, reading: Reading, number: PathId) -> Response:
    """A case with its steps and what happened around it."""
    found = _known(cases.case(reading, number), f"there is no case {number}")
    return renderer_of(request).answer(request, "case.html", c=found)


@router.get("/failed")
def failed(request: Request, house: TheHouse, reading: Reading, said: Asked) -> Response:
    """What was given up, by class; one tab a state."""
    state = said.state if said.state in STATES else "open"
    said_of = said.meant("channel", "kind", "sku", "order") | {"origin": said.source}
    wanted = filter_of(said_of)
    meant = operations.preview(house.engine, "retry", wanted) if wanted.names_something else None
    wanted = replace(wanted, states=(state,))
    rows = failures.page(reading, wanted, most=said.limit + 1, before=_before(said.after))
    more, rows = len(rows) > said.limit, rows[: said.limit]
    after = f"{rows[-1].last_seen.isoformat()}~{rows[-1].id}" if more else None
    return renderer_of(request).answer(
        request,
        "failed.html",
        page=Page([{"row": row} for row in rows], after),
        meant=meant,
        filter={name: value for name, value in said_of.items() if value},
        counts=failures.counts(reading),
        state=state,
        states=STATES,
        classes=CLASSES,
        origins=ORIGINS,
    )


@router.get("/failed/{number}", dependencies=[Depends(needs(Role.OPERATOR))])
def one_failed(request: Request, reading: Reading, number: PathId) -> Response:
    """A failure with its payload and traceback, which may name a buyer."""
    row, traceback = _known(failures.one(reading, number), f"there is no failure {number}")
    kept = failures.kept(reading, row)
    return renderer_of(request).answer(
        request, "failed_one.html", f=row, traceback=traceback, kept=kept
    )


@router.get("/operations")
def bulk_work(request: Request, reading: Reading, said: Asked) -> Response:
    """Bulk work with its progress."""
    before = _uuid(said.after)
    rows = bulk.page(
        reading, most=said.limit + 1, before=before, **said.meant("verb", "state", "actor")
    )
    after = str(rows[said.limit - 1].id) if len(rows) > said.limit else None
    return renderer_of(request).answer(
        request,
        "operations.html",
        page=Page([{"op": row} for row in rows[: said.limit]], after),
        verbs=VERBS,
        states=OPERATION_STATES,
    )


def _before(said: str | None) -> Cursor | None:
    if not said:
        return None
    moment, _, number = said.partition("~")
    at = moment_of(moment)
    if at is None or not number.isdecimal() or len(number) > 18:
        raise BadCursor("`after` is no place in this list")
    return Cursor(at, int(number))


def _uuid(said: str | None) -> UUID | None:
    try:
        return UUID(said) if said else None
    except ValueError:
        raise BadCursor("`after` is no place in this list") from None


def _known(found: Any, why: str) -> Any:
    if found is None:
        raise Unknown(why)
    return found
