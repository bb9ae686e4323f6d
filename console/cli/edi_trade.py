"""Trading with wholesale partners: how they stand, what was exchanged, ship notices, repeats."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from channels.edi import report
from channels.edi.shipping import LineKey
from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, by, emit, reason, tell
from console.cli.elsewhere import asked, done, trying
from console.verbs import edi
from console.views import trade as views
from ledger.separated import NotText, decoded
from workers.flows import edi_exchange, edi_fill, edi_work
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@as_json
def status(as_json: bool) -> None:
    """How every partner stands, and what needs somebody. 3: something does."""
    told = asked("/edi/status", lambda _, book: views.status(book, now()))
    if as_json:
        emit(told, as_json=True)
    else:
        emit(
            [{n: v for n, v in row.items() if n != "in_trouble"} for row in told["partners"]],
            as_json=False,
        )
        for document in told["trouble"]:
            what = (
                f"{document['set_id']} {document['order_number'] or document['reference']}".strip()
            )
            said = document["error"] or document["ack_state"]
            click.echo(f"{document['partner']}: document {document['id']} ({what}): {said}")
        for file in told["refused"]:
            click.echo(f"{file['partner']}: {file['file']} refused: {file['error']}")
    if any(partner["in_trouble"] for partner in told["partners"]):
        raise SystemExit(3)


@click.command()
@click.option("--partner", help="Only this channel's.")
@click.option("--order", "number", help="Only those of this purchase order.")
@click.option("--trouble", is_flag=True, help="Only those that need somebody, or wait.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Rows at most."
)
@as_json
def documents(
    partner: str | None, number: str | None, trouble: bool, limit: int, as_json: bool
) -> None:
    """Documents that came and went, newest first."""
    found = asked(
        "/edi/documents",
        lambda _, book: report.documents(
            book, partner=partner, number=number, trouble=trouble, most=limit
        ),
        partner=partner,
        order=number,
        trouble=trouble,
        limit=limit,
    )
    columns = ("id", "made_at", "partner", "direction", "set_id", "control", "order_number")
    emit(found, as_json=as_json, table=(*columns, "state", "ack_state", "due_at", "error"))


@click.command()
@click.argument("partner")
@as_json
@said_by
def exchange(partner: str, as_json: bool) -> None:
    """Visit a partner's folder now, work what came, and send what is posted. 4: something was refused."""
    with acting("edi.exchange") as wiring:
        who, box = wiring.mailbox(partner)
        with closing(box):
            first = edi_exchange.visit(wiring.engine, who, box, now=now)
            worked = edi_work.work(wiring.house, now=now())
            filled = edi_fill.fill(wiring.house, now=now())
            second = edi_exchange.visit(wiring.engine, who, box, now=now)
    refused = [*first.refused, *second.refused]
    stopped = first.stopped or second.stopped
    said = {
        "kept": first.kept + second.kept,
        "repeated": first.repeated + second.repeated,
        "worked": len(worked),
        "filled": len(filled),
        "sent": first.sent + second.sent,
        "refused": refused,
        "stopped": stopped,
    }
    emit(said, as_json=as_json)
    if stopped:
        raise Failed(f"{partner}: {stopped}")
    if refused:
        raise SystemExit(4)


@click.command()
@click.argument("partner")
@click.argument("number")
@click.option("--release", default="", help="Release of a blanket order.")
@click.option("--lines", help="Only these: 1=24,2=12, or 1@STORE=6 for a store's part.")
@click.option("--cartons", type=_FILE, help="CSV: carton,line,quantity[,store,tracking,pallet].")
@click.option("--carrier", default="", help="SCAC.")
@click.option("--bill", default="", help="Bill of lading.")
@click.option("--tracking", default="", help="The carrier's number of the shipment.")
@click.option("--weight", default="", help="Gross, in pounds.")
@trying
@as_json
@by
def ship(
    partner: str,
    number: str,
    release: str,
    lines: str | None,
    cartons: Path | None,
    carrier: str,
    bill: str,
    tracking: str,
    weight: str,
    dry_run: bool,
    as_json: bool,
    by: str,
) -> None:
    """Send the ship notice (856) for what the ledger shipped of an order. 5: the sums differ, nothing is sent."""
    notice = edi.Notice(
        partner=partner,
        number=number,
        release=release,
        lines=_lines(lines) if lines else None,
        cartons=_text(cartons) if cartons else "",
        carrier=carrier,
        bill=bill,
        tracking=tracking,
        weight=_weight(weight),
    )
    body = asdict(notice) | {
        "lines": [[*key, units] for key, units in (notice.lines or {}).items()]
    }
    told = done(
        "edi.ship",
        "/edi/notices",
        body,
        lambda wiring: edi.ship(wiring.engine, notice, now=now()),
        dry_run=dry_run,
    )
    emit(told, as_json=as_json)


_document = click.argument("document", type=click.IntRange(1))


@click.command()
@_document
@trying
@by
@as_json
def resend(document: int, dry_run: bool, by: str, as_json: bool) -> None:
    """Send a document of ours again, under new control numbers. 5: it is not to be sent again."""
    told = done(
        "edi.resend",
        f"/edi/documents/{document}/resend",
        {},
        lambda wiring: edi.resend(wiring.engine, document, now=now()),
        dry_run=dry_run,
    )
    words = f"document {told['made']} says again what document {document} said"
    tell(told, words, as_json=as_json)


@click.command()
@_document
@trying
@by
@as_json
def retry(document: int, dry_run: bool, by: str, as_json: bool) -> None:
    """Work a partner's document again that waits for a person. 5: it does not wait."""
    told = done(
        "edi.retry",
        f"/edi/documents/{document}/retry",
        {},
        lambda wiring: edi.retry(wiring.house, document, now=now()),
        dry_run=dry_run,
    )
    tell(told, told["came_to"], as_json=as_json)


@click.command()
@_document
@trying
@reason
@by
@as_json
def dismiss(document: int, dry_run: bool, reason: str, by: str, as_json: bool) -> None:
    """Take a document off the list of those that need somebody. 5: it needs nobody."""
    told = done(
        "edi.dismiss",
        f"/edi/documents/{document}/dismiss",
        {"reason": reason},
        lambda wiring: edi.dismiss(wiring.engine, document, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"document {document} is off the list", as_json=as_json)


def _lines(said: str) -> dict[LineKey, int]:
    asked: dict[LineKey, int] = {}
    for part in filter(None, (piece.strip() for piece in said.split(","))):
        name, _, count = part.partition("=")
        line, _, store = name.partition("@")
        if not line or not (count.isascii() and count.isdecimal() and int(count[:9])):
            raise click.BadParameter(f"{part!r}: write line=quantity", param_hint="--lines")
        asked[line, store] = int(count[:9])
    return asked


def _weight(said: str) -> Decimal | None:
    try:
        return Decimal(said) if said else None
    except InvalidOperation:
        raise click.BadParameter(f"{said!r} is no number", param_hint="--weight") from None


def _text(file: Path) -> str:
    try:
        return decoded(file.read_bytes())
    except (OSError, NotText) as error:
        raise Failed(f"{file} cannot be read: {error}") from None
