"""Routes that change something of wholesale partners and of Amazon."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from console.api.acts import does
from console.api.answers import PROBLEMS, told
from console.api.state import TheAct
from console.api.words import PathId, PathName, Reason
from console.api.words_acts import (
    IpiSet,
    NoticeNew,
    ProgramNew,
    ProgramRelease,
    TermsRow,
    TermsRows,
)
from console.verbs import amazon, edi, planning, programs

router = APIRouter(responses=PROBLEMS)


@does("edi.ship", "/edi/notices", "edi", router)
def ship(act: TheAct, body: NoticeNew) -> Response:
    """Send the ship notice (856) for what the ledger shipped of an order; refused where the sums differ."""
    with act.doing(body.arguments()):
        done = edi.ship(act.engine, body.notice(), now=act.now())
    return told(done)


@does("edi.resend", "/edi/documents/{document}/resend", "edi", router)
def resend(act: TheAct, document: PathId) -> Response:
    """Send a document of ours again, under new control numbers."""
    with act.doing({"document": document}):
        done = edi.resend(act.engine, document, now=act.now())
    return told(done)


@does("edi.retry", "/edi/documents/{document}/retry", "edi", router)
def retry(act: TheAct, document: PathId) -> Response:
    """Work a partner's document again that waits for a person."""
    with act.doing({"document": document}):
        done = edi.retry(act.house.wiring.house, document, now=act.now())
    return told(done)


@does("edi.dismiss", "/edi/documents/{document}/dismiss", "edi", router)
def dismiss(act: TheAct, document: PathId, body: Reason) -> Response:
    """Take a document off the list of those that need somebody."""
    with act.doing({"document": document}, body.reason):
        done = edi.dismiss(act.engine, document, by=act.by, reason=body.reason, now=act.now())
    return told(done)


@does("partner.reserve", "/programs", "programs", router)
def reserve(act: TheAct, body: ProgramNew) -> Response:
    """Make a program: reserve units for a partner, all of it or nothing."""
    with act.doing(body.arguments(), body.reason):
        done = programs.reserve(
            act.house.wiring.house, body.wish(), by=act.by, reason=body.reason, now=act.now()
        )
    return told(done)


@does("partner.release", "/programs/{program}/release", "programs", router)
def release(act: TheAct, program: PathName, body: ProgramRelease) -> Response:
    """Let go of what a program holds."""
    with act.doing({"program": program, "units": body.units}, body.reason):
        done = programs.release(
            act.house.wiring.house, program, body.units, by=act.by, reason=body.reason, now=act.now()
        )  # fmt: skip
    return told(done)


@does("amazon.ipi.set", "/amazon/ipi", "amazon", router)
def ipi(act: TheAct, body: IpiSet) -> Response:
    """Write down an IPI score as Seller Central shows it, which no API tells."""
    with act.doing({"name": body.channel, **body.arguments()}):
        done = amazon.set_ipi(
            act.engine, body.channel, body.score, body.threshold, body.scored_on, by=act.by,
            now=act.now(),
        )  # fmt: skip
    return told(done)


@does("reorder.set", "/reorder/terms/set", "supply", router)
def set_terms(act: TheAct, body: TermsRow) -> Response:
    """Say what a SKU, a supplier's SKUs or the house are ordered by, whole; nothing said takes it back."""
    with act.doing({"sku": body.sku, "supplier": body.supplier, **body.arguments()}):
        row = planning.stated(body.model_dump())
        what = f"terms:{row.scope} {row.name}".strip()
        done = planning.state(act.engine, [row], what, by=act.by, now=act.now())
    return told(done)


@does("reorder.import", "/reorder/terms", "supply", router)
def import_terms(act: TheAct, body: TermsRows) -> Response:
    """Say what many are ordered by; all of it, or nothing."""
    with act.doing({"file": body.file, "rows": len(body.rows)}):
        rows = [planning.stated(row.model_dump()) for row in body.rows]
        done = planning.state(act.engine, rows, f"file:{body.file}", by=act.by, now=act.now())
    return told(done)
