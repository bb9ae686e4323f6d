"""From the inbox to the ledger: claim hundreds of deliveries, read them, write the book, settle, in one transaction.

A delivery that cannot be read or applied is parked or rejected with its reason and never holds up the others: when the
database refuses a batch, the batch is halved until the culprit stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from allocation import holding, own_sales, pace_store, sightings
from allocation.own_sales import OwnSale
from allocation.sightings import Seen
from channels import bindings
from channels.base import Unreadable
from channels.lane import Lane, Message
from channels.names import Names, Unmapped, part_mark
from ledger import context, inbox, store
from ledger.db import ahead, transaction
from ledger.digest import Digest, digest
from ledger.events import FACT, AnyFact
from ledger.inbox import FACT_TOPIC, Row
from ledger.store import Entropy
from ledger.types import FailureClass, Settlement
from workers.failures import trials

if TYPE_CHECKING:
    from workers.flows.traces import Traces

log = structlog.get_logger(__name__)

#: Imported history may be of any age; its source says so.
HISTORY = "history:"
_AHEAD = timedelta(minutes=15)
_OLDEST = timedelta(days=400)
#: Longest time a delivery waits for its cause before a person is asked.
PATIENCE = timedelta(days=7)

#: Bytes that nobody thought of: they are told, and out of the way of what comes behind them.
_STRANGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_OWN_FAULT = (IntegrityError, DataError, *_STRANGE)

#: Drains take turns: a second one would gain little (batches are set-based) and could pass the first on an order.
_TURN = text("SELECT pg_advisory_xact_lock(7305200117)")


def take_turn(connection: Connection) -> None:
    """Wait until nobody else applies deliveries; until this transaction ends."""
    connection.execute(_TURN)


@dataclass(frozen=True, slots=True)
class House:
    """What a drain needs of the process it runs in.

    lanes      by the kind of channel (`channels.registry.LANES`)
    entropy    random bytes, `os.urandom` outside of tests
    traces     None: nothing is traced
    """

    engine: Engine
    lanes: Mapping[str, Lane]
    catalogue: context.Catalogue
    entropy: Entropy
    rows: int = 1000
    traces: Traces | None = None


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did, in deliveries (and `entries` in events)."""

    claimed: int = 0
    applied: int = 0
    waiting: int = 0
    parked: int = 0
    repeats: int = 0
    entries: int = 0

    def __add__(self, other: Drained) -> Drained:
        return Drained(
            self.claimed + other.claimed,
            self.applied + other.applied,
            self.waiting + other.waiting,
            self.parked + other.parked,
            self.repeats + other.repeats,
            self.entries + other.entries,
        )


def drain(house: House, *, now: datetime, batches: int = 1000) -> Drained:
    """Apply everything that is pending, batch by batch, at most `batches` of them."""
    total = Drained()
    for _ in range(batches):
        done = _drain_batch(house, now=now)
        total += done
        if not done.claimed:
            break
    return total


def _drain_batch(house: House, *, now: datetime) -> Drained:
    ids: list[int] = []
    # A worker that dies leaves this behind; so does an error that nobody thought of, which is found in the same way.
    token = UUID(bytes=house.entropy(16))
    with transaction(house.engine) as connection:
        most = trials.begin(connection, "drain", token, rows=house.rows, now=now)
    if not most:
        return Drained()
    try:
        with transaction(house.engine) as connection:
            take_turn(connection)
            rows = inbox.claim(connection, rows=most)
            ids = [row.id for row in rows]
            trials.end(connection, token)
            return _apply(house, connection, rows, now=now)
    except _OWN_FAULT as refused:
        if not ids:
            raise
        done = _drain_halves(house, ids, refused, now=now)
        end_trial(house.engine, token)
        return done
    except SQLAlchemyError:
        # The database is what failed, not a delivery.
        with suppress(SQLAlchemyError):
            end_trial(house.engine, token)
        raise


def end_trial(engine: Engine, token: UUID) -> None:
    """What was begun has ended without its own transaction."""
    with transaction(engine) as connection:
        trials.end(connection, token)


def _why(refused: Exception) -> str:
    if isinstance(refused, IntegrityError | DataError):
        return "the ledger refused it: " + str(refused.orig).split("\n", 1)[0]
    said = str(refused).split("\n", 1)[0][:200]
    return f"it cannot be taken ({type(refused).__name__}: {said})"


def _drain_halves(
    house: House, ids: Sequence[int], refused: Exception, *, now: datetime
) -> Drained:
    """These deliveries could not be taken together: find the one that cannot, apply the others."""
    if len(ids) == 1:
        error = f"{_why(refused)}; correct the cause, then replay this delivery"
        is_strange = not isinstance(refused, IntegrityError | DataError)
        kind = FailureClass.BUG if is_strange else FailureClass.VALIDATION
        settlement = Settlement(ids[0], "parked", error=error, failure=kind)
        if is_strange:
            # Nobody thought of it: whoever mends that wants to know where.
            log.error("ingest.delivery.strange", inbox_id=ids[0], exc_info=refused)
        with transaction(house.engine) as connection:
            inbox.settle(connection, [settlement], now=now)
        return Drained(claimed=1, parked=1)
    total = Drained()
    for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
        try:
            with transaction(house.engine) as connection:
                take_turn(connection)
                total += _apply(house, connection, inbox.claim_these(connection, half), now=now)
        except _OWN_FAULT as again:
            total += _drain_halves(house, half, again, now=now)
    return total


def _apply(house: House, connection: Connection, rows: Sequence[Row], *, now: datetime) -> Drained:
    """Read, digest and write these claimed deliveries."""
    if not rows:
        return Drained()
    read, unreadable, messages = _read(house, connection, rows, now)
    facts = [fact for _, of_row in read for fact in of_row]
    known = context.known(connection, facts, house.catalogue)
    before = dict(known.lines)
    result = digest(read, known)
    settlements = [*result.settlements, *unreadable]
    with ahead(connection):
        store.remember(connection, result)
        store.append(connection, result.entries, now=now, entropy=house.entropy)
        pace_store.follow(connection, result, before)
        inbox.settle(connection, settlements, now=now)
    sold, seen = _own_sales(house, connection, result), _seen(messages)
    holding.hold_told(connection, sold, seen)
    own_sales.follow(connection, sold)
    sightings.note(connection, seen, now)
    _ask_for_orders(connection, messages, now)
    inbox.wake(connection, result.arrived)
    if house.traces is not None:
        house.traces.book(connection, rows, result, settlements, now)
    return _drained(result, settlements)


def _own_sales(house: House, connection: Connection, result: Digest) -> list[OwnSale]:
    """What channels sold: they have lowered their own numbers already."""
    of_channels = [entry for entry in result.entries if entry.channel]
    selling = {entry.channel for entry in of_channels if entry.channel}
    kinds = bindings.kinds(connection, selling) if selling else {}
    when = {
        name: house.lanes[kind].sells_when if kind in house.lanes else "ordered"
        for name, kind in kinds.items()
    }
    sales = [
        OwnSale(
            entry.channel, move.sku, *own_sales.taken(when[entry.channel], move), entry.occurred_at
        )
        for entry in of_channels
        if entry.channel in when and entry.kind in own_sales.KINDS[when[entry.channel]]
        for move in entry.moves
        # Of a bundle the vendor took one of the bundle: the listings of its parts stand as they stood.
        if not (entry.line_id or entry.source_id).endswith(part_mark(move.sku))
    ]
    return [sale for sale in sales if sale.units]


def _seen(messages: Mapping[str, list[Message]]) -> list[Seen]:
    """What messages say that channels show."""
    return [
        Seen(channel, s.item_id, s.vendor_location_id, s.units, s.at)
        for channel, told in messages.items()
        for message in told
        for s in message.sightings
        if s.units is not None
    ]


def _ask_for_orders(
    connection: Connection, messages: Mapping[str, list[Message]], now: datetime
) -> None:
    """Messages that name orders without telling them: the channel's order API is to be asked."""
    for name, told in messages.items():
        waits_s = [message.asks_after_s for message in told if message.asks_orders]
        if waits_s:
            # Asked too early an order API does not know them yet, and the call was for nothing.
            at = now + timedelta(seconds=max(waits_s))
            sightings.ask_for_orders(connection, [name], at)


def _drained(result: Digest, settlements: Sequence[Settlement]) -> Drained:
    states = [s.state for s in settlements]
    return Drained(
        claimed=len(states),
        applied=states.count("applied"),
        waiting=states.count("waiting"),
        parked=states.count("parked") + states.count("rejected"),
        repeats=result.repeats,
        entries=len(result.entries),
    )


def _read(
    house: House, connection: Connection, rows: Sequence[Row], now: datetime
) -> tuple[list[tuple[int, list[AnyFact]]], list[Settlement], dict[str, list[Message]]]:
    """Every delivery as facts, a settlement for each that cannot be read, and the messages of each channel."""
    foreign = {row.source for row in rows if row.topic != FACT_TOPIC}
    kinds = bindings.kinds(connection, foreign) if foreign else {}
    said = [(row, _said(house, row, kinds)) for row in rows]
    messages: dict[str, list[Message]] = {}
    for row, value in said:
        if isinstance(value, Message):
            messages.setdefault(row.source, []).append(value)
    names = _names(connection, messages)
    read: list[tuple[int, list[AnyFact]]] = []
    unreadable: list[Settlement] = []
    for row, value in said:
        facts = _facts(row, value, names, now)
        if isinstance(facts, Settlement):
            unreadable.append(facts)
        else:
            read.append((row.id, facts))
    return read, unreadable, messages


#: A delivery as read: a canonical fact, a lane's message, or the settlement that says why it is neither.
_Said: TypeAlias = AnyFact | Message | Settlement


def _said(house: House, row: Row, kinds: Mapping[str, str]) -> _Said:
    try:
        if row.topic == FACT_TOPIC:
            return FACT.validate_json(row.body)
        lane = house.lanes.get(kinds.get(row.source, ""))
        if lane is None:
            return Settlement(
                row.id,
                "parked",
                error=f"no channel {row.source!r} is set up: add it to the rules (lockstep alloc apply),"
                " then replay this delivery",
                failure=FailureClass.MAPPING,
            )
        return lane.read(row.topic, row.body)
    except (ValidationError, Unreadable) as error:
        return Settlement(row.id, "rejected", error=_in_a_line(error))


def _names(connection: Connection, messages: Mapping[str, Sequence[Message]]) -> dict[str, Names]:
    """What the vendors' ids in this batch mean, per channel, in one look-up each."""
    return {
        channel: bindings.names(connection, channel, {i for m in told for i in m.vendor_ids})
        for channel, told in messages.items()
    }


def _facts(
    row: Row, said: _Said, names: Mapping[str, Names], now: datetime
) -> list[AnyFact] | Settlement:
    if isinstance(said, Settlement):
        return said
    if not isinstance(said, Message):
        return _in_time([said], row, now)
    try:
        facts = said.facts(source=row.source, channel=row.source, names=names[row.source])
    except (ValidationError, Unreadable) as error:
        return Settlement(row.id, "rejected", error=_in_a_line(error))
    except Unmapped as error:
        why = f"{error}; then replay this delivery"
        return Settlement(row.id, "parked", error=why, failure=FailureClass.MAPPING)
    return _in_time(facts, row, now)


def _in_time(facts: list[AnyFact], row: Row, now: datetime) -> list[AnyFact] | Settlement:
    wrong = next((why for fact in facts if (why := _wrong_time(fact, row, now))), None)
    return Settlement(row.id, "parked", error=wrong) if wrong else facts


def _wrong_time(fact: AnyFact, row: Row, now: datetime) -> str | None:
    """Why the time of a fact cannot be right, None when it can."""
    # Our own clock may have been behind when it came: replayed later, it is no longer in the future.
    if fact.occurred_at > max(row.received_at, now) + _AHEAD:
        return (
            f"{fact.kind} {fact.id!r} says it happens at {fact.occurred_at.isoformat()}, in the future when it came"
            f" ({row.received_at.isoformat()}): check the sender's clock and time zone, then send it under a new id;"
            " if it was our clock that was behind, put that right and replay this delivery"
        )
    if fact.occurred_at < row.received_at - _OLDEST and not row.source.startswith(HISTORY):
        return (
            f"{fact.kind} {fact.id!r} says it happened at {fact.occurred_at.isoformat()}, more than"
            f" {_OLDEST.days} days before it came: bring history in with `lockstep history import`"
        )
    return None


def _in_a_line(error: ValidationError | Unreadable) -> str:
    """What is wrong, field by field, without the body."""
    if isinstance(error, Unreadable):
        return str(error)
    found = error.errors(include_url=False, include_input=False, include_context=False)
    said = "; ".join(
        f"{'.'.join(str(part) for part in e['loc']) or 'body'}: {e['msg']}" for e in found[:5]
    )
    return (
        f"not a stock event: {said}; the sender must correct it and send it under a new delivery id"
    )


def sweep_inbox(engine: Engine, *, now: datetime) -> int:
    """Wake what waits for something that is there, park what has waited too long; returns how many are pending."""
    with transaction(engine) as connection:
        inbox.wake_missed(connection)
        inbox.park_forgotten(connection, now=now, before=now - PATIENCE)
        return inbox.pending(connection)
