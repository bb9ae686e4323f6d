"""What goes out and comes in, as rows: control numbers that are never used twice, sets, and their acknowledgements.

A document that is to be sent is posted here, in the transaction of its cause; the exchange sends what is posted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from channels.edi import compose, envelope, trouble, writing
from channels.edi.compose import Numbers
from channels.edi.envelope import Group, Transaction
from channels.edi.partner import Partner
from channels.edi.segments import Segment
from channels.edi.sets import GROUP_OF
from channels.edi.writing import Writable

LARGEST_CONTROL = 999_999_999
_FAILED = ("parked", "rejected")

_NEXT = text("""
    INSERT INTO edi_counter (scope, last) VALUES (:scope, 1)
    ON CONFLICT (scope) DO UPDATE SET last = edi_counter.last + 1
    RETURNING last
""")

_POSTED_BY_KEY = text("""
    SELECT d.id, i.id AS interchange_id, i.control
    FROM edi_interchange AS i JOIN edi_document AS d ON d.interchange_id = i.id
    WHERE i.partner = :partner AND i.push_key = :push_key
    ORDER BY d.place
""")

_REFUSED_BEFORE = text("""
    SELECT id FROM edi_interchange
    WHERE partner = :partner AND state = 'refused' AND file = :file AND content_hash = :content_hash
    LIMIT 1
""")

_BECAME = text("""
    UPDATE edi_document SET state = :state, error = :error, order_number = :order_number, release = :release,
           sequence = :sequence, due_at = :due_at
    WHERE id = :id
""")

_INTERCHANGE = text("""
    INSERT INTO edi_interchange (partner, direction, state, control, serial, inbox_id, file, body, content_hash,
                                 push_key, made_at, error)
    VALUES (:partner, :direction, :state, :control, :serial, :inbox_id, :file, :body, :content_hash,
            :push_key, :now, :error)
    RETURNING id
""")

_DOCUMENT = text("""
    INSERT INTO edi_document (interchange_id, partner, direction, place, set_id, group_kind, group_control,
                              set_control, order_number, release, sequence, reference, content_hash, state,
                              ack_state, due_at, answers, resends, made_at, error)
    VALUES (:interchange_id, :partner, :direction, :place, :set_id, :group_kind, :group_control,
            :set_control, :order_number, :release, :sequence, :reference, :content_hash, :state,
            :ack_state, :due_at, :answers, :resends, :now, :error)
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One set to be sent, with what it is about.

    reference    BSN02 of a ship notice, BIA03 of an availability
    answers      document of the partner that it answers
    resends      document of ours that it says again
    """

    set_id: str
    body: Sequence[Segment]
    order_number: str = ""
    release: str = ""
    sequence: int = 0
    reference: str = ""
    answers: int | None = None
    resends: int | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted; `control` is ISA13, `documents` their ids in order.

    repeated    it had been posted before under this push key, and was not posted again
    """

    interchange_id: int
    control: str
    documents: tuple[int, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """One set that came in, and what became of it."""

    set_id: str
    group_kind: str
    group_control: str
    set_control: str
    content_hash: str
    state: str
    order_number: str = ""
    release: str = ""
    sequence: int = 0
    due_at: datetime | None = None
    error: str = ""


def written(document: Writable, partner: Partner) -> tuple[str, list[Segment]]:
    """(set, its segments) in the partner's version; raises Unwritable."""
    return writing.write(document, partner.version)


def post(
    connection: Connection,
    partner: Partner,
    sets: Sequence[Outgoing],
    *,
    now: datetime,
    push_key: str | None = None,
) -> Posted:
    """Number, enclose and keep sets of one functional group; the exchange sends them.

    push_key    names the call this comes from: the same key is posted once
    raises      Unwritable when a value does not fit the partner's version or separators
    """
    if push_key is not None and (known := _posted(connection, partner, push_key)):
        return known
    serial = next_number(connection, f"interchange/{partner.name}")
    control = (serial - 1) % LARGEST_CONTROL + 1
    bodies = [(each.set_id, each.body) for each in sets]
    route = compose.fitting(partner.route(), (part for each in sets for part in each.body))
    made = compose.enclose(route, Numbers(control, control), now, bodies)
    body = envelope.write(made)
    interchange_id = _interchange(
        connection, partner.name, now, "posted", made.isa.control, body, serial, push_key
    )
    kind = GROUP_OF[sets[0].set_id]
    group = made.groups[0]
    documents = [
        _out(connection, partner, interchange_id, kind, each, place, group, now)
        for place, each in enumerate(sets)
    ]
    return Posted(interchange_id, made.isa.control, tuple(documents))


def post_technical(
    connection: Connection, partner: Partner, segments: Sequence[Segment], *, now: datetime
) -> None:
    """Keep a TA1, which stands outside of groups; nobody acknowledges it."""
    serial = next_number(connection, f"interchange/{partner.name}")
    control = (serial - 1) % LARGEST_CONTROL + 1
    made = compose.interchange(partner.route(), control, now, technical=segments)
    body = envelope.write(made)
    _interchange(connection, partner.name, now, "posted", made.isa.control, body, serial, None)


def came(
    connection: Connection, partner: str, inbox_id: int, control: str, body: bytes, *, now: datetime
) -> int:
    """Keep that an interchange was worked; its bytes are in the inbox."""
    return _insert(
        connection,
        partner=partner,
        direction="in",
        state="worked",
        control=control,
        inbox_id=inbox_id,
        content_hash=hashlib.sha256(body).hexdigest(),
        now=now,
    )


def refused(
    connection: Connection,
    partner: str,
    file: str,
    control: str,
    body: bytes,
    why: str,
    *,
    now: datetime,
) -> int:
    """Keep what came and was not taken, where people see it; once, however often the file is tried."""
    content_hash = hashlib.sha256(body).hexdigest()
    key = {"partner": partner, "file": file, "content_hash": content_hash}
    before = connection.execute(_REFUSED_BEFORE, key).scalar_one_or_none()
    if before is not None:
        return int(before)
    kept = _insert(
        connection,
        partner=partner,
        direction="in",
        state="refused",
        control=control,
        file=file,
        body=body,
        content_hash=content_hash,
        error=why,
        now=now,
    )
    trouble.note_file(connection, kept, partner, file, why, now)
    return kept


def keep_set(
    connection: Connection,
    partner: str,
    interchange_id: int,
    place: int,
    said: Incoming,
    *,
    now: datetime,
) -> int:
    """Write a set that came in down; returns its id."""
    row = {
        "interchange_id": interchange_id,
        "partner": partner,
        "direction": "in",
        "place": place,
        "set_id": said.set_id,
        "group_kind": said.group_kind,
        "group_control": said.group_control,
        "set_control": said.set_control,
        "order_number": said.order_number,
        "release": said.release,
        "sequence": said.sequence,
        "reference": "",
        "content_hash": said.content_hash,
        "state": said.state,
        "ack_state": "none",
        "due_at": said.due_at,
        "answers": None,
        "resends": None,
        "now": now,
        "error": said.error,
    }
    document = int(connection.execute(_DOCUMENT, row).scalar_one())
    if said.state in _FAILED:
        trouble.note(connection, [document], now)
    return document


def became(connection: Connection, document: int, said: Incoming, *, now: datetime) -> None:
    """Write down what became of a set that came in."""
    values = {
        "id": document,
        "state": said.state,
        "error": said.error,
        "order_number": said.order_number,
        "release": said.release,
        "sequence": said.sequence,
        "due_at": said.due_at,
    }
    connection.execute(_BECAME, values)
    if said.state in _FAILED:
        trouble.note(connection, [document], now)


def next_number(connection: Connection, scope: str) -> int:
    """The next number of a scope, from 1; held until this transaction ends, so that none is used twice."""
    return int(connection.execute(_NEXT, {"scope": scope}).scalar_one())


def hash_of(transaction: Transaction) -> str:
    """What a set says, whatever its envelope: two sets with one hash say the same."""
    return hash_of_body(transaction.body)


def hash_of_body(body: Sequence[Segment]) -> str:
    """See `hash_of`."""
    return hashlib.sha256("\n".join(str(segment) for segment in body).encode()).hexdigest()


def _posted(connection: Connection, partner: Partner, push_key: str) -> Posted | None:
    rows = connection.execute(_POSTED_BY_KEY, {"partner": partner.name, "push_key": push_key}).all()
    if not rows:
        return None
    first = rows[0]
    documents = tuple(int(row.id) for row in rows)
    return Posted(first.interchange_id, first.control, documents, repeated=True)


def _interchange(
    connection: Connection,
    partner: str,
    now: datetime,
    state: str,
    control: str,
    body: bytes,
    serial: int,
    push_key: str | None,
) -> int:
    return _insert(
        connection,
        partner=partner,
        direction="out",
        state=state,
        control=control,
        serial=serial,
        body=body,
        content_hash=hashlib.sha256(body).hexdigest(),
        push_key=push_key,
        now=now,
    )


def _insert(connection: Connection, **said: object) -> int:
    usual: dict[str, object] = {
        "serial": None,
        "inbox_id": None,
        "file": "",
        "body": None,
        "push_key": None,
        "error": "",
    }
    return int(connection.execute(_INTERCHANGE, usual | said).scalar_one())


def _out(
    connection: Connection,
    partner: Partner,
    interchange_id: int,
    kind: str,
    each: Outgoing,
    place: int,
    group: Group,
    now: datetime,
) -> int:
    awaited = kind != "FA"
    row = {
        "interchange_id": interchange_id,
        "partner": partner.name,
        "direction": "out",
        "place": place,
        "set_id": each.set_id,
        "group_kind": kind,
        "group_control": group.control,
        "set_control": group.transactions[place].control,
        "order_number": each.order_number,
        "release": each.release,
        "sequence": each.sequence,
        "reference": each.reference,
        "content_hash": hash_of_body(each.body),
        "state": "posted",
        "ack_state": "waiting" if awaited else "none",
        "due_at": now + partner.ack_due if awaited else None,
        "answers": each.answers,
        "resends": each.resends,
        "now": now,
        "error": "",
    }
    return int(connection.execute(_DOCUMENT, row).scalar_one())
