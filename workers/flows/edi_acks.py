"""What partners say of our documents: 997, 999 and TA1, booked and never answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from channels.edi import awaited, mail, reading, told, verdict
from channels.edi.acknowledgements import FunctionalAck
from channels.edi.envelope import Group, Interchange
from channels.edi.mail import Incoming
from channels.edi.reading import acks
from channels.edi.segments import Unreadable
from workers.flows.edi_desk import Desk, incoming


def acknowledgements(desk: Desk, interchange_id: int, group: Group, first: int) -> list[Incoming]:
    """Book what a group of 997 (or 999) says of our documents; it is never answered."""
    outcomes = []
    for place, transaction_ in enumerate(group.transactions, first):
        said = incoming(group, transaction_)
        try:
            document = reading.read(transaction_)
            if not isinstance(document, FunctionalAck):
                raise Unreadable(f"a group of acknowledgements holds a {transaction_.set_id}")
            said = _heard(desk, said, document)
        except Unreadable as error:
            said = replace(said, state="parked", error=str(error))
        mail.keep_set(desk.connection, desk.partner.name, interchange_id, place, said, now=desk.now)
        outcomes.append(said)
    return outcomes


def _heard(desk: Desk, said: Incoming, ack: FunctionalAck) -> Incoming:
    connection, name, now = desk.connection, desk.partner.name, desk.now
    group = (ack.kind, ack.control)
    accepted: list[int] = []
    concerned: list[int] = []
    whole = verdict.ack_state(ack.status)
    for answer in ack.sets:
        state = whole if whole == "rejected" else verdict.ack_state(answer.status)
        found = awaited.acknowledge(
            connection,
            name,
            group,
            answer.control,
            state,
            why_of(answer.status, (*answer.codes, *ack.codes)),
            now=now,
        )
        concerned += found
        accepted += found if state != "rejected" else []
    if ack.status != "P" or not ack.sets:
        found = awaited.acknowledge(
            connection, name, group, None, whole, why_of(ack.status, ack.codes), now=now
        )
        concerned += found
        accepted += found if whole != "rejected" else []
    told.learn(connection, accepted, now=now)
    if concerned:
        return said
    if awaited.ever_sent(connection, name, group):
        return replace(
            said, state="duplicate", error=f"group {ack.kind} {ack.control} was acknowledged before"
        )
    return replace(
        said,
        state="parked",
        error=f"it acknowledges group {ack.kind} {ack.control}, which we never sent",
    )


def why_of(status: str, codes: Sequence[str]) -> str:
    if status == "A":
        return ""
    told_codes = f" with {', '.join(codes)}" if codes else ""
    return f"the partner answered {status}{told_codes}"


def refused_interchanges(desk: Desk, interchange: Interchange) -> None:
    """TA1 segments: a rejected interchange takes its documents with it."""
    for segment in interchange.technical:
        try:
            said = acks.technical_ack(segment)
        except Unreadable:
            continue
        if said.status == "R":
            why = f"TA1 {said.code}: the partner refused the whole interchange"
            awaited.reject_interchange(
                desk.connection, desk.partner.name, said.control, why, now=desk.now
            )
