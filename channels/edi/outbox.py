"""What was sent, to be sent again or numbered: documents of ours read back, cartons given their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, text

from channels.edi import envelope, mail, shipping
from channels.edi.mail import Outgoing
from channels.edi.partner import Partner
from channels.edi.shipping import NotToNotice

_SENT = text("""
    SELECT d.id, d.partner, d.set_id, d.place, d.order_number, d.release, d.sequence, d.reference, d.answers, i.body
    FROM edi_document AS d JOIN edi_interchange AS i ON i.id = d.interchange_id
    WHERE d.id = :id AND d.direction = 'out' AND d.state = 'posted'
    FOR UPDATE OF d
""")

_REPLACE = text("""
    UPDATE edi_document SET state = 'replaced', ack_state = 'none', error = :note WHERE id = :id
""")

_GIVEN = text("SELECT sscc FROM edi_sscc WHERE sscc = ANY(CAST(:numbers AS text[])) ORDER BY sscc")

_GIVE = text("""
    INSERT INTO edi_sscc (sscc, partner, shipment, made_at)
    SELECT given, :partner, :shipment, :now FROM unnest(CAST(:numbers AS text[])) AS given ORDER BY given
""")


_DISMISS = text("""
    UPDATE edi_document
    SET state = CASE direction WHEN 'in' THEN 'dismissed' ELSE 'replaced' END, ack_state = 'none', error = :note
    WHERE id = :id AND (state IN ('held', 'parked', 'rejected') OR ack_state IN ('overdue', 'rejected'))
    RETURNING partner
""")


class NotToDismiss(Exception):
    """A document that nobody needs to look at; the message says so."""


class NotToResend(Exception):
    """A document that is not sent again; the message says why and what to do."""


def partner_of_document(connection: Connection, document: int) -> str:
    """Whose document it is.

    raises    NotToResend when it is none of ours, or was sent again already
    """
    row = connection.execute(_SENT, {"id": document}).one_or_none()
    if row is None:
        raise NotToResend(
            f"document {document} was not sent by us, or was sent again already: see lockstep edi documents"
        )
    return str(row.partner)


def resend(connection: Connection, partner: Partner, document: int, *, now: datetime) -> int:
    """Post a document again: the same content under new control numbers; returns the new document.

    raises    NotToResend
    """
    row = connection.execute(_SENT, {"id": document}).one_or_none()
    if row is None:
        raise NotToResend(f"document {document} was not sent by us, or was sent again already")
    if row.set_id == "846":
        raise NotToResend(
            f"document {document} is an 846, whose numbers are old by now: the next push says what is there"
        )
    transactions = [each for _, _, each in envelope.parse(bytes(row.body)).transactions]
    outgoing = Outgoing(
        row.set_id,
        transactions[row.place].body,
        row.order_number,
        row.release,
        row.sequence,
        row.reference,
        row.answers,
        resends=document,
    )
    posted = mail.post(connection, partner, [outgoing], now=now)
    note = f"sent again as document {posted.documents[0]}"
    connection.execute(_REPLACE, {"id": document, "note": note})
    return posted.documents[0]


def dismiss(connection: Connection, document: int, note: str) -> str:
    """Take a document off the list of those that need somebody, who has seen to it; returns the partner.

    raises    NotToDismiss
    """
    partner = connection.execute(_DISMISS, {"id": document, "note": note}).scalar_one_or_none()
    if partner is None:
        raise NotToDismiss(
            f"document {document} needs nobody: see lockstep edi documents --trouble"
        )
    return str(partner)


def number_cartons(
    connection: Connection, partner: Partner, names: Iterable[str], shipment: str, *, now: datetime
) -> dict[str, str]:
    """An SSCC for each carton and pallet; a name that is an SSCC itself stays, if it was never given out.

    raises    NotToNotice
    """
    numbers: dict[str, str] = {}
    names = list(dict.fromkeys(names))
    own = {name for name in names if shipping.is_sscc(name)}
    for name in names:
        if shipping.is_sscc(name):
            numbers[name] = name
        elif shipping.looks_like_sscc(name):
            raise NotToNotice(f"carton {name} is no SSCC: its check digit is wrong")
        else:
            numbers[name] = _next(connection, partner, own)
    given = list(connection.execute(_GIVEN, {"numbers": list(numbers.values())}).scalars())
    if given:
        raise NotToNotice(f"SSCC {', '.join(given)} went out before; a number is used once")
    values = {"partner": partner.name, "shipment": shipment, "numbers": list(numbers.values())}
    connection.execute(_GIVE, {**values, "now": now})
    return numbers


def _next(connection: Connection, partner: Partner, own: Collection[str]) -> str:
    """The next number of the prefix that nobody has given a carton by hand; `own` are those of this notice."""
    if not partner.company_prefix:
        raise NotToNotice(
            f"{partner.name}: cartons need a number each; set the option company_prefix (GS1), or name each carton by"
            " its SSCC"
        )
    scope = f"sscc/{partner.extension}{partner.company_prefix}"
    while True:
        serial = mail.next_number(connection, scope)
        number = shipping.sscc(partner.company_prefix, partner.extension, serial)
        given = connection.execute(_GIVEN, {"numbers": [number]}).scalar_one_or_none()
        if given is None and number not in own:
            return number
