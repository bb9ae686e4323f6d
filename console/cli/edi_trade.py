"""Trading with wholesale partners: how they stand, what was exchanged, ship notices, repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from channels.edi import report, shipping
from channels.edi.outbox import NotToDismiss, NotToResend
from channels.edi.partner import BadPartner
from channels.edi.segments import Unwritable
from channels.edi.shipping import Consignment, LineKey, NotToNotice
from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, by, emit, house, reason
from ledger.db import transaction
from workers.flows import edi_exchange, edi_fill, edi_ship, edi_work
from workers.flows.edi_work import NotToRetry
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_REFUSALS = (NotToNotice, NotToResend, NotToDismiss, NotToRetry, BadPartner, Unwritable)


@contextmanager
def _guarded() -> Iterator[None]:
    """What a guard refuses is a sentence and exit code 5."""
    try:
        yield
    except _REFUSALS as error:
        raise Failed(str(error), code=5) from None


@click.command()
@as_json
def status(as_json: bool) -> None:
    """How every partner stands, and what needs somebody. 3: something does."""
    with house() as wiring, transaction(wiring.engine) as connection:
        partners = report.partners(connection, now=now())
        trouble = report.documents(connection, trouble=True)
        refused = report.refused(connection)
    if as_json:
        emit({"partners": partners, "trouble": trouble, "refused": refused}, as_json=True)
    else:
        emit(partners, as_json=False)
        for document in trouble:
            what = f"{document.set_id} {document.order_number or document.reference}".strip()
            said = document.error or document.ack_state
            click.echo(f"{document.partner}: document {document.id} ({what}): {said}")
        for file in refused:
            click.echo(f"{file.partner}: {file.file} refused: {file.error}")
    if any(partner.is_in_trouble for partner in partners):
        raise SystemExit(3)


@click.command()
@click.option("--partner", help="Only this channel's.")
@click.option("--order", "number", help="Only those of this purchase order.")
@click.option("--trouble", is_flag=True, help="Only those that need somebody, or wait.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@as_json
def documents(
    partner: str | None, number: str | None, trouble: bool, limit: int, as_json: bool
) -> None:
    """Documents that came and went, newest first."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = report.documents(
            connection, partner=partner, number=number, trouble=trouble, most=limit
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
@as_json
@said_by
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
    as_json: bool,
) -> None:
    """Send the ship notice (856) for what the ledger shipped of an order. 5: the sums differ, nothing is sent."""
    consignment = Consignment(carrier, bill, tracking, _weight(weight))
    asked = _lines(lines) if lines else None
    with acting("edi.ship") as wiring, _guarded():
        packed = shipping.read_packing(_text(cartons)) if cartons else []
        noticed = edi_ship.ship(
            wiring.engine,
            partner,
            number,
            release=release,
            lines=asked,
            packed=packed,
            consignment=consignment,
            now=now(),
        )
    emit(noticed, as_json=as_json)


@click.command()
@click.argument("document", type=int)
@said_by
def resend(document: int) -> None:
    """Send a document of ours again, under new control numbers. 5: it is not to be sent again."""
    with acting("edi.resend") as wiring, _guarded():
        made = edi_ship.resend(wiring.engine, document, now=now())
    click.echo(f"document {made} says again what document {document} said")


@click.command()
@click.argument("document", type=int)
@said_by
def retry(document: int) -> None:
    """Work a partner's document again that waits for a person. 5: it does not wait."""
    with acting("edi.retry") as wiring, _guarded():
        click.echo(edi_work.retry(wiring.house, document, now=now()))


@click.command()
@click.argument("document", type=int)
@reason
@by
def dismiss(document: int, reason: str, by: str) -> None:
    """Take a document off the list of those that need somebody. 5: it needs nobody."""
    with acting("edi.dismiss") as wiring, _guarded():
        edi_ship.dismiss(wiring.engine, document, by=by, reason=reason, now=now())
    click.echo(f"document {document} is off the list")


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
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file} cannot be read as UTF-8 text: {error}") from None
