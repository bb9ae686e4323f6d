"""A visit to a partner's folder: take what lies there into the inbox, put there what is posted.

Transaction, call, transaction: a file is kept before it is moved away, and a document is marked as sent after it lies
there. Cut short anywhere, the next visit does it again, and finds it done: the inbox keeps an interchange once, and a
file of one name and content is written once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from allocation import backlog
from channels.base import ChannelError, Refused, Unauthorised
from channels.edi import awaited, envelope, mail, visits
from channels.edi.acknowledgements import TechnicalAck
from channels.edi.envelope import Interchange
from channels.edi.mailbox import Exchange
from channels.edi.partner import Partner
from channels.edi.segments import NotX12, Unwritable
from channels.edi.writing import acks
from ledger import inbox
from ledger.db import refuse_inside_transaction, transaction
from ledger.inbox import INTERCHANGE_TOPIC, Delivery

#: Files taken, and sent, in one visit; the next one goes on.
_MOST = 500
_BLANKS = b" \t\r\n\x00\x1a"


@dataclass(slots=True)
class Visit:
    """What a visit did.

    kept        interchanges that are new in the inbox
    repeated    interchanges that were there already, byte for byte
    refused     what was not taken, with the reason; the files lie in failed/
    sent        files put into the partner's folder
    stopped     why the visit ended before its work did; "" when it did not
    """

    kept: int = 0
    repeated: int = 0
    refused: list[str] = field(default_factory=list)
    sent: int = 0
    stopped: str = ""
    person_needed: bool = False


def visit(engine: Engine, partner: Partner, box: Exchange, *, now: Callable[[], datetime]) -> Visit:
    """Take and send everything; nothing when another visit of this partner goes on."""
    done = Visit()
    with transaction(engine) as connection:
        if not visits.begin(connection, partner.name, now()):
            return done
    try:
        _send(engine, partner, box, done, now)
        _take(engine, partner, box, done, now)
    except ChannelError as error:
        done.stopped = f"{type(error).__name__.lower()}: {error}"
        done.person_needed = isinstance(error, Unauthorised)
    with transaction(engine) as connection:
        visits.end(connection, partner.name, now(), partner.poll, done.stopped)
        if done.person_needed:
            backlog.pause(connection, partner.name, "exchange", done.stopped)
    return done


def find_overdue(engine: Engine, *, now: datetime) -> list[tuple[int, str]]:
    """Mark documents whose 997 has not come in time; (document, partner) of each marked anew."""
    with transaction(engine) as connection:
        return awaited.find_overdue(connection, now=now)


def _take(
    engine: Engine, partner: Partner, box: Exchange, done: Visit, now: Callable[[], datetime]
) -> None:
    refuse_inside_transaction(f"the folder of {partner.name}")
    for name in box.inbound()[:_MOST]:
        try:
            body = box.take(name)
        except Refused as error:
            if error.code == "gone":
                continue
            _refuse(engine, partner, name, b"", [str(error)], done, now)
            box.fail(name, str(error))
            continue
        reasons = _keep(engine, partner, name, body, done, now)
        if reasons:
            box.fail(name, "\n".join(reasons))
        else:
            box.archive(name)


def _keep(
    engine: Engine,
    partner: Partner,
    name: str,
    body: bytes,
    done: Visit,
    now: Callable[[], datetime],
) -> list[str]:
    """Keep the interchanges of a file; why some of it was not kept."""
    try:
        parsed = envelope.parse(body)
    except NotX12 as error:
        reasons = [f"no X12: {error}"]
        _refuse(engine, partner, name, body, reasons, done, now)
        return reasons
    starts = [interchange.at.offset for interchange in parsed.interchanges]
    pieces = [body[start:end] for start, end in zip(starts, [*starts[1:], len(body)], strict=True)]
    reasons = []
    with transaction(engine) as connection:
        for interchange, piece in zip(parsed.interchanges, pieces, strict=True):
            why = _unnameable(interchange) or _not_for_us(interchange, partner)
            if not why and (why := _broken_off(interchange)):
                _answer_refused(connection, partner, interchange, "023", now())
            if not why:
                delivery = _delivery(partner, name, interchange, piece.strip(_BLANKS))
                kept = inbox.keep(connection, [delivery], now=now())
                done.kept += len(kept.fresh)
                done.repeated += len(kept.repeated)
                if kept.differing:
                    why = (
                        f"interchange {interchange.isa.control} came before with another content: a control number is"
                        " used once; ask the partner to send it under a new one, or set resets_counters"
                    )
                    _answer_refused(connection, partner, interchange, "025", now())
            if why:
                reasons.append(why)
                done.refused.append(f"{name}: {why}")
                control = interchange.isa.control.replace("\0", "?")
                mail.refused(connection, partner.name, name, control, piece, why, now=now())
    return reasons


def _unnameable(interchange: Interchange) -> str:
    """Why nobody could be told of an interchange, "" when one can: its ids go into tables, files and answers."""
    isa = interchange.isa
    for number, said in ((6, isa.sender), (8, isa.receiver), (13, isa.control)):
        if not said.isprintable():
            return f"ISA{number:02} is {said!r}: control characters name nobody; ask the partner to send it again"
    return ""


def _not_for_us(interchange: Interchange, partner: Partner) -> str:
    """Why an interchange is not this partner's to us, "" when it is."""
    isa = interchange.isa
    if isa.sender.strip() != partner.theirs[1] or isa.sender_qualifier != partner.theirs[0]:
        return (
            f"interchange {isa.control} is from {isa.sender_qualifier}:{isa.sender.strip()}, not from"
            f" {':'.join(partner.theirs)} whose folder this is"
        )
    if isa.receiver.strip() != partner.ours[1] or isa.receiver_qualifier != partner.ours[0]:
        return (
            f"interchange {isa.control} is for {isa.receiver_qualifier}:{isa.receiver.strip()}, not for"
            f" {':'.join(partner.ours)}"
        )
    if isa.usage != partner.usage:
        return (
            f"interchange {isa.control} has ISA15 {isa.usage} and the partner is set to {partner.usage}:"
            " tests never move stock"
        )
    return ""


def _delivery(partner: Partner, file: str, interchange: Interchange, piece: bytes) -> Delivery:
    isa = interchange.isa
    # A sender that drops zeros means the same number.
    key = f"{isa.sender.strip()}:{isa.receiver.strip()}:{isa.control.zfill(9)}"
    if partner.resets_counters:
        key = f"{key}:{hashlib.sha256(piece).hexdigest()[:32]}"
    return Delivery(partner.name, key, INTERCHANGE_TOPIC, piece, {"file": file})


def _broken_off(interchange: Interchange) -> str:
    """Why an interchange is not whole, "" when it is. Half of one must not use up the number of the whole."""
    if interchange.trailer is None:
        return (
            f"interchange {interchange.isa.control} has no IEA: it broke off on its way; ask the partner to send it"
            " again, whole"
        )
    return ""


def _answer_refused(
    connection: Connection, partner: Partner, interchange: Interchange, code: str, now: datetime
) -> None:
    """A TA1 that says why an interchange is refused, where the partner asks for TA1s."""
    isa = interchange.isa
    if isa.ack == "1":
        ack = TechnicalAck(isa.control, isa.date, isa.time, "R", code)
        # A header that cannot be repeated cannot be answered; the file in failed/ says it.
        with suppress(Unwritable):
            mail.post_technical(connection, partner, [acks.technical_ack(ack)], now=now)


def _refuse(
    engine: Engine,
    partner: Partner,
    name: str,
    body: bytes,
    reasons: list[str],
    done: Visit,
    now: Callable[[], datetime],
) -> None:
    with transaction(engine) as connection:
        mail.refused(connection, partner.name, name, "", body, "; ".join(reasons), now=now())
    done.refused += [f"{name}: {why}" for why in reasons]


def _send(
    engine: Engine, partner: Partner, box: Exchange, done: Visit, now: Callable[[], datetime]
) -> None:
    with transaction(engine) as connection:
        waiting = visits.unsent(connection, partner.name, most=_MOST)
    for interchange, control, set_id, body in waiting:
        name = f"{partner.ours[1].strip()}-{set_id}-{control}.x12".replace("/", "_")
        try:
            box.send(name, body)
        except Refused as error:
            # This one's own trouble; those behind it may go through.
            with transaction(engine) as connection:
                visits.not_sent(connection, interchange, str(error))
            continue
        with transaction(engine) as connection:
            visits.sent(connection, interchange, name, now())
        done.sent += 1
