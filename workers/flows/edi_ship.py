"""Ship notices and repeats: documents that a person asks for, posted in one transaction with what they tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from channels.edi import mail, order_book, outbox, shipping
from channels.edi.mail import Outgoing
from channels.edi.shipping import Consignment, LineKey, NotToNotice, Packed
from ledger.db import transaction
from reconcile import trail
from workers.flows.edi_desk import partner


@dataclass(frozen=True, slots=True)
class Noticed:
    """A ship notice that was posted.

    shipment    BSN02
    control     ISA13
    told        (line, store, quantity)
    cartons     SSCC by the packing list's name
    """

    document: int
    shipment: str
    control: str
    told: tuple[tuple[str, str, int], ...]
    cartons: Mapping[str, str]


def ship(
    engine: Engine,
    channel: str,
    number: str,
    *,
    release: str = "",
    lines: Mapping[LineKey, int] | None = None,
    packed: Sequence[Packed] = (),
    consignment: Consignment | None = None,
    now: datetime,
) -> Noticed:
    """Tell a partner what the ledger shipped of an order and no notice has told.

    lines, packed    what somebody believes has gone; the notice is refused when the ledger says otherwise
    raises           NotToNotice; BadPartner; Unwritable when a value does not fit the partner's version
    """
    with transaction(engine) as connection:
        who = partner(connection, channel)
        order = order_book.standing(connection, channel, number, release)
        if order is None:
            raise NotToNotice(
                f"{channel} has no order {number}{f' release {release}' if release else ''}"
            )
        told = shipping.to_tell(order, lines, packed)
        shipment = (
            f"{channel[:18].upper()}-{mail.next_number(connection, f'shipment/{channel}'):08}"
        )
        names = [name for row in packed for name in (row.pallet, row.carton) if name]
        cartons = outbox.number_cartons(connection, who, names, shipment, now=now) if names else {}
        notice = shipping.ship_notice(
            order,
            told,
            packed,
            cartons,
            shipment=shipment,
            at=now,
            consignment=consignment or Consignment(),
        )
        set_id, body = mail.written(notice, who)
        outgoing = Outgoing(set_id, body, number, release, reference=shipment)
        posted = mail.post(connection, who, [outgoing], now=now)
        counted = tuple((line.line, line.store, count) for line, count in told)
        order_book.notice(connection, channel, order, counted)
    return Noticed(posted.documents[0], shipment, posted.control, counted, cartons)


def dismiss(engine: Engine, document: int, *, by: str, reason: str, now: datetime) -> None:
    """Somebody has seen to a document that needed it, outside of this house; kept in the trail.

    raises    outbox.NotToDismiss
    """
    with transaction(engine) as connection:
        who = outbox.dismiss(connection, document, f"dismissed by {by}: {reason}")
        what = f"edi_document:{who}/{document}"
        trail.record(connection, actor=by, action="edi.dismiss", what=what, at=now, reason=reason)


def resend(engine: Engine, document: int, *, now: datetime) -> int:
    """Send a document of ours again, under new control numbers; returns the new one.

    raises    outbox.NotToResend; BadPartner
    """
    with transaction(engine) as connection:
        who = partner(connection, outbox.partner_of_document(connection, document))
        return outbox.resend(connection, who, document, now=now)
