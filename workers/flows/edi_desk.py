"""What working a partner's documents has in common: the partner, the open transaction, and the way into the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from channels import bindings
from channels.edi import mail
from channels.edi.envelope import Group, Transaction
from channels.edi.lane import KIND
from channels.edi.mail import Incoming, Outgoing
from channels.edi.partner import BadPartner, Partner, partner_of
from channels.edi.writing import Writable
from channels.names import Names
from ledger.events import AnyFact
from workers.flows import booking
from workers.flows.ingest import House

_PARTNER = text("SELECT channel, kind, options FROM channel WHERE channel = :channel")


@dataclass(frozen=True, slots=True)
class Desk:
    """One document's work: everything in one transaction.

    inbox_id    the delivery it came in, which its events name; None where nothing came in
    """

    connection: Connection
    house: House
    partner: Partner
    inbox_id: int | None
    now: datetime


def partner(connection: Connection, channel: str) -> Partner:
    """The partner that a channel is.

    raises    BadPartner when there is no such channel, it is of another kind, or its options do not describe one
    """
    row = connection.execute(_PARTNER, {"channel": channel}).one_or_none()
    if row is None or row.kind != KIND:
        raise BadPartner(
            f"no channel {channel!r} of kind {KIND}: add it to the rules (lockstep alloc apply)"
        )
    options = {name: str(value) for name, value in row.options.items() if value is not None}
    return partner_of(channel, options)


def names(desk: Desk, ids: set[str]) -> Names:
    """What the partner's item numbers mean to us."""
    return bindings.names(desk.connection, desk.partner.name, ids)


def incoming(group: Group, transaction_: Transaction) -> Incoming:
    """A set that is taken, until something else becomes of it."""
    return Incoming(
        set_id=transaction_.set_id,
        group_kind=group.kind,
        group_control=group.control,
        set_control=transaction_.control,
        content_hash=mail.hash_of(transaction_),
        state="applied",
    )


def book(desk: Desk, facts: Sequence[AnyFact]) -> int:
    """Write facts into the book; how many changed something. Raises NotBooked when one of them cannot be taken."""
    return booking.book(desk.connection, desk.house, facts, now=desk.now, inbox_id=desk.inbox_id)


def answer(
    desk: Desk,
    document: Writable,
    *,
    answers: int | None,
    number: str,
    release: str,
    sequence: int = 0,
) -> None:
    """Post an answer of ours, in this transaction; raises Unwritable."""
    set_id, body = mail.written(document, desk.partner)
    outgoing = Outgoing(set_id, body, number, release, sequence, answers=answers)
    mail.post(desk.connection, desk.partner, [outgoing], now=desk.now)
