"""Interchanges from the inbox, one at a time: read, judged, booked and answered in one transaction each.

What a partner is promised and what the book commits are one commit, with the 855 that says so and the 997 that says we
understood. A set that cannot be taken is told in the 997, or waits for a person; the others of its interchange go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError

from channels.edi import acknowledge, envelope, mail, reading, validate, verdict
from channels.edi.acknowledgements import FunctionalAck, TechnicalAck
from channels.edi.documents import Document, OrderChange, PurchaseOrder
from channels.edi.drafting import Puzzling
from channels.edi.envelope import Group, Interchange, Parsed
from channels.edi.findings import Finding
from channels.edi.mail import Incoming, Outgoing
from channels.edi.partner import BadPartner
from channels.edi.segments import NotX12, Unreadable, Unwritable
from channels.edi.writing import acks
from ledger import inbox, store
from ledger.db import transaction
from ledger.inbox import Row
from ledger.types import FailureClass, Settlement
from workers.failures import trials
from workers.flows import edi_acks, edi_orders
from workers.flows.booking import NotBooked
from workers.flows.edi_desk import Desk, incoming, partner
from workers.flows.edi_orders import Outcome
from workers.flows.ingest import House, take_turn

_TAKEN = ("850", "860")
_ACKS, _ACK_SETS = "FA", ("997", "999")
#: Bytes that we did not think of: told, and out of the way of what comes behind them.
_STRANGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
#: What makes one set wait for a person, and nothing else of its interchange.
_OWN_FAULT = (Puzzling, NotBooked, Unwritable, IntegrityError, DataError, *_STRANGE)

_HELD = text("""
    SELECT d.id, d.place, d.content_hash, i.inbox_id, inbox.body
    FROM edi_document AS d
    JOIN edi_interchange AS i ON i.id = d.interchange_id
    JOIN inbox ON inbox.id = i.inbox_id
    WHERE d.partner = :partner AND d.order_number = :number AND d.release = :release AND d.state = 'held'
      AND d.sequence <= (SELECT o.changes_seen + 1 FROM edi_order AS o
                         WHERE o.partner = :partner AND o.number = :number AND o.release = :release)
    ORDER BY d.sequence, d.id
    LIMIT 1
""")

_AGAIN = text("""
    SELECT d.id, d.partner, d.place, d.content_hash, i.inbox_id, inbox.body
    FROM edi_document AS d
    JOIN edi_interchange AS i ON i.id = d.interchange_id
    JOIN inbox ON inbox.id = i.inbox_id
    WHERE d.id = :id AND d.direction = 'in' AND d.state IN ('parked', 'held')
    FOR UPDATE OF d
""")


class NotToRetry(Exception):
    """A document that cannot be worked again; the message says why."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What one interchange came to, in sets."""

    partner: str
    control: str
    applied: int = 0
    trouble: int = 0


def work(house: House, *, now: datetime, most: int = 50) -> list[Worked]:
    """Work pending interchanges, oldest first, at most `most` of them."""
    done: list[Worked] = []
    while len(done) < most:
        worked = _next(house, now=now)
        if worked is None:
            break
        done.append(worked)
    return done


def retry(house: House, document: int, *, now: datetime) -> str:
    """Work a set again that waits for a person; returns what became of it.

    raises    NotToRetry
    """
    with transaction(house.engine) as connection:
        take_turn(connection)
        store.enter(connection)
        row = connection.execute(_AGAIN, {"id": document}).one_or_none()
        if row is None:
            raise NotToRetry(f"document {document} does not wait: see lockstep edi documents")
        desk = Desk(connection, house, partner(connection, row.partner), row.inbox_id, now)
        said = _again(desk, row.id, row.place, row.content_hash, bytes(row.body))
        _wake(desk, said)
        return f"{said.state}: {said.error}" if said.error else said.state


def _next(house: House, *, now: datetime) -> Worked | None:
    """Work the oldest interchange. It is read before its turn is taken: a long one must not keep the drain waiting."""
    while True:
        token = UUID(bytes=house.entropy(16))
        with transaction(house.engine) as connection:
            trials.begin(connection, "work_orders", token, rows=1, now=now)
            row = inbox.next_interchange(connection)
        if row is None:
            return None
        try:
            parsed = _parsed(row)
            with transaction(house.engine) as connection:
                take_turn(connection)
                store.enter(connection)
                trials.end(connection, token)
                if inbox.claim_these(connection, [row.id]):
                    return _work(house, connection, row, parsed, now=now)
        except (IntegrityError, DataError) as error:
            return _park(house, row, str(error.orig).split("\n", 1)[0], now=now, token=token)
        except Unwritable as error:
            return _park(house, row, f"it cannot be answered: {error}", now=now, token=token)
        except _STRANGE as error:
            why = f"{type(error).__name__}: {error}"
            return _park(house, row, why, now=now, token=token, failure=FailureClass.BUG)


def _parsed(row: Row) -> tuple[Parsed, tuple[Finding, ...]] | NotX12:
    try:
        parsed = envelope.parse(row.body)
    except NotX12 as error:
        return error
    return parsed, validate.validate(parsed)


def _park(
    house: House,
    row: Row,
    why: str,
    *,
    now: datetime,
    token: UUID,
    failure: str = FailureClass.VALIDATION,
) -> Worked:
    """The interchange as a whole cannot be worked; those behind it go on."""
    error = f"{why}; correct the cause, then replay this delivery"
    with transaction(house.engine) as connection:
        trials.end(connection, token)
        settlement = Settlement(row.id, "parked", error=error, failure=failure)
        inbox.settle(connection, [settlement], now=now)
    return Worked(row.source, "", trouble=1)


def _work(
    house: House,
    connection: Connection,
    row: Row,
    read: tuple[Parsed, tuple[Finding, ...]] | NotX12,
    *,
    now: datetime,
) -> Worked:
    try:
        desk = Desk(connection, house, partner(connection, row.source), row.id, now)
        if isinstance(read, NotX12):
            raise read
    except (BadPartner, NotX12) as error:
        settlement = Settlement(row.id, "parked", error=f"{error}; then replay this delivery")
        inbox.settle(connection, [settlement], now=now)
        return Worked(row.source, "", trouble=1)
    parsed, findings = read
    interchange = parsed.interchanges[0]
    control = interchange.isa.control
    interchange_id = mail.came(connection, row.source, row.id, control, row.body, now=now)
    outcomes: list[Incoming] = []
    acked: list[FunctionalAck] = []
    for group in interchange.groups:
        if _is_of_acks(group):
            outcomes += edi_acks.acknowledgements(desk, interchange_id, group, len(outcomes))
        else:
            acked.append(_group(desk, interchange_id, group, findings, outcomes))
    edi_acks.refused_interchanges(desk, interchange)
    _acknowledge(desk, interchange, findings, acked)
    inbox.settle(connection, [_settlement(row, findings)], now=now)
    applied = sum(said.state == "applied" for said in outcomes)
    trouble = sum(said.state in ("parked", "rejected", "held") for said in outcomes)
    return Worked(row.source, control, applied, trouble)


def _is_of_acks(group: Group) -> bool:
    """Whether a group holds acknowledgements, whatever it calls itself: those are never answered."""
    sets = [each.set_id for each in group.transactions]
    return group.kind == _ACKS or (bool(sets) and all(each in _ACK_SETS for each in sets))


def _settlement(row: Row, findings: Sequence[Finding]) -> Settlement:
    errors = [str(finding) for finding in findings if finding.is_error]
    more = f" (+{len(errors) - 3} more)" if len(errors) > 3 else ""
    return Settlement(row.id, "applied", error="; ".join(errors[:3]) + more if errors else None)


def _group(
    desk: Desk,
    interchange_id: int,
    group: Group,
    findings: Sequence[Finding],
    outcomes: list[Incoming],
) -> FunctionalAck:
    """Take the sets of a group; returns its 997."""
    documents: dict[int, Document] = {}
    refused: dict[int, str] = {}
    words: dict[int, str] = {}
    for place, transaction_ in enumerate(group.transactions):
        if transaction_.set_id not in _TAKEN:
            refused[place] = verdict.NOT_SUPPORTED
            words[place] = f"we take {', '.join(_TAKEN)}, not {transaction_.set_id}"
            continue
        try:
            documents[place] = reading.read(transaction_)
        except (Unreadable, *_STRANGE) as error:
            refused[place], words[place] = verdict.SEGMENTS_IN_ERROR, str(error) or repr(error)
    ack = verdict.judged(group, findings, desk.partner.policy, refused)
    said_of_it = _sayable(desk, ack)
    for place, transaction_ in enumerate(group.transactions):
        said = incoming(group, transaction_)
        at = len(outcomes)
        if verdict.takes(said_of_it, place):
            outcomes.append(_set(desk, interchange_id, at, said, documents[place]))
            _wake(desk, outcomes[-1])
        else:
            codes = ", ".join((*ack.sets[place].codes, *ack.codes)) or "its group is refused"
            why = words.get(place) or f"refused in the 997 ({codes}); the partner must correct it"
            rejected = replace(said, state="rejected", error=why)
            mail.keep_set(
                desk.connection, desk.partner.name, interchange_id, at, rejected, now=desk.now
            )
            outcomes.append(rejected)
    return said_of_it


def _sayable(desk: Desk, ack: FunctionalAck) -> FunctionalAck:
    """The 997 with as much of its detail as X12 can carry: a set whose number cannot be repeated refuses its group.

    raises    Unwritable when not even the group can be named
    """
    for said in (ack, verdict.without_details(ack)):
        try:
            mail.written(said, desk.partner)
        except Unwritable:
            continue
        return said
    refused = verdict.refused_whole(ack)
    mail.written(refused, desk.partner)
    return refused


def _set(
    desk: Desk, interchange_id: int, place: int, said: Incoming, document: Document
) -> Incoming:
    """Take one set: its row, its promise, its answer; all of it or only the row."""
    connection, name = desk.connection, desk.partner.name
    said = _about(desk, said, document)
    try:
        with connection.begin_nested():
            kept = mail.keep_set(connection, name, interchange_id, place, said, now=desk.now)
            return _done(desk, kept, said, document)
    except _OWN_FAULT as error:
        parked = _parked(said, error)
        mail.keep_set(connection, name, interchange_id, place, parked, now=desk.now)
        return parked


def _about(desk: Desk, said: Incoming, document: Document) -> Incoming:
    """The set with its business key, and when its answer is due."""
    if not isinstance(document, PurchaseOrder | OrderChange):
        return said
    return replace(
        said,
        order_number=document.number,
        release=document.release,
        due_at=desk.now + desk.partner.answer_due,
    )


def _done(desk: Desk, kept: int, said: Incoming, document: Document) -> Incoming:
    match document:
        case PurchaseOrder():
            outcome = edi_orders.order(desk, kept, said.content_hash, document)
        case OrderChange():
            outcome = edi_orders.change(desk, kept, said.content_hash, document)
        case _:
            outcome = Outcome("duplicate", note="it says nothing to us")
    became = replace(said, state=outcome.state, sequence=outcome.sequence, error=outcome.note)
    mail.became(desk.connection, kept, became, now=desk.now)
    return became


def _parked(said: Incoming, error: Exception) -> Incoming:
    if isinstance(error, IntegrityError | DataError):
        why = f"the ledger refused it: {str(error.orig).splitlines()[0]}"
    else:
        why = str(error).split("\n", 1)[0] or type(error).__name__
    return replace(said, state="parked", error=why)


def _wake(desk: Desk, said: Incoming) -> None:
    """Take the changes that waited for what has just been taken."""
    if said.state != "applied" or not said.order_number:
        return
    key = {"partner": desk.partner.name, "number": said.order_number, "release": said.release}
    while (row := desk.connection.execute(_HELD, key).one_or_none()) is not None:
        there = replace(desk, inbox_id=row.inbox_id)
        if _again(there, row.id, row.place, row.content_hash, bytes(row.body)).state == "held":
            return


def _again(desk: Desk, kept: int, place: int, content_hash: str, body: bytes) -> Incoming:
    """Take a set that is kept already, from the interchange it came in."""
    found = list(envelope.parse(body).transactions)
    _, group, transaction_ = found[place]
    said = replace(incoming(group, transaction_), content_hash=content_hash)
    document = reading.read(transaction_)
    said = _about(desk, said, document)
    try:
        with desk.connection.begin_nested():
            return _done(desk, kept, said, document)
    except _OWN_FAULT as error:
        parked = _parked(said, error)
        mail.became(desk.connection, kept, parked, now=desk.now)
        return parked


def _acknowledge(
    desk: Desk,
    interchange: Interchange,
    findings: Sequence[Finding],
    acked: Sequence[FunctionalAck],
) -> None:
    """Post the 997 of every group, and the TA1 that was asked for."""
    if acked:
        sets = [Outgoing(*mail.written(ack, desk.partner)) for ack in acked]
        mail.post(desk.connection, desk.partner, sets, now=desk.now)
    only_acks = not acked and interchange.groups
    if interchange.isa.ack == "1" and not only_acks:
        # Its groups were taken and are answered one by one: R would have the partner send them again.
        said = acknowledge.technical(interchange, findings, accept_errors=True)
        technical(desk.connection, desk, said)


def technical(connection: Connection, desk: Desk, ack: TechnicalAck) -> None:
    """Post a TA1."""
    segments = [acks.technical_ack(ack)]
    mail.post_technical(connection, desk.partner, segments, now=desk.now)
