"""A batch of deliveries, one after the other, into entries for the book: pure thinking between two pieces of SQL.

Each delivery is taken whole or not at all. What a delivery needs from the past (its order line, the event it undoes) is
in `Known`; what it leaves for the next one of the batch is added there. A fact whose cause is not known waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import expecting, postings
from ledger.events import (
    AnyFact,
    Count,
    Expected,
    Order,
    OrderCancel,
    PullForward,
    Receipt,
    Return,
    Reversal,
    Ship,
    TransferReceive,
)
from ledger.expecting import Request, RequestKey, SupplyKey, SupplyLine
from ledger.postings import OrderLine
from ledger.types import Move, Settlement

LineKey = tuple[str, str, str]
_NO_LINE = (None, None, None)
FactKey = tuple[str, str]
#: Kinds whose newest snapshot alone counts: there is nothing to undo, only something newer to say.
_SNAPSHOTS = ("expected", "pull_forward")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it will stand in the book, with its moves.

    occurred_at   in the world; the book's own time is added when it is written
    reverses      id of the event it undoes
    counted       units seen at `place` (SKU, location), for a physical count whose variance is still to be found
    """

    kind: str
    source: str
    source_id: str
    occurred_at: datetime
    moves: tuple[Move, ...]
    actor: str = ""
    reason: str = ""
    reference: str = ""
    channel: str | None = None
    order_id: str | None = None
    line_id: str | None = None
    reverses: UUID | None = None
    inbox_id: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    counted: int | None = None
    place: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """An event that is in the book already, as far as a reversal needs it (no id: nobody asked for more)."""

    event_id: UUID | None
    kind: str
    moves: tuple[Move, ...]
    line: LineKey | None
    reversed: bool
    supply: SupplyKey | None = None


@dataclass(slots=True)
class Known:
    """What the book knows of everything a batch names; grows while the batch is digested."""

    skus: set[str]
    locations: set[str]
    lines: dict[LineKey, OrderLine]
    events: dict[FactKey, Written]
    #: Facts of this batch digested so far; a second one with the same name is a repeat.
    fresh: set[FactKey] = field(default_factory=set)
    #: Events that this batch has reversed so far.
    undone: set[FactKey] = field(default_factory=set)
    supply: dict[SupplyKey, SupplyLine] = field(default_factory=dict)
    requests: dict[RequestKey, Request] = field(default_factory=dict)


@dataclass(slots=True)
class Digest:
    """What a batch comes to.

    entries        to be appended, in order
    lines          order lines as they stand afterwards
    supply         lines of supply, likewise
    requests       requests to make or buy sooner, likewise
    settlements    one a delivery
    repeats        facts that were in the book already
    """

    entries: list[Entry] = field(default_factory=list)
    lines: dict[LineKey, OrderLine] = field(default_factory=dict)
    supply: dict[SupplyKey, SupplyLine] = field(default_factory=dict)
    requests: dict[RequestKey, Request] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)
    repeats: int = 0

    def arrived(self) -> set[str]:
        """Names of everything new here that a delivery may have been waiting for."""
        names = {waits_for_line(key) for key in self.lines}
        names.update(waits_for_event((entry.source, entry.source_id)) for entry in self.entries)
        return names


class NotNow(Exception):
    """The delivery cannot be taken yet; `wait_for` names what must come first."""

    def __init__(self, wait_for: str) -> None:
        super().__init__(wait_for)
        self.wait_for = wait_for


class NotEver(Exception):
    """The delivery cannot be taken as it is; the message says why and what to do."""


def waits_for_line(key: LineKey) -> str:
    """The name under which deliveries wait for an order line."""
    return "line/" + "/".join(key)


def waits_for_event(key: FactKey) -> str:
    """The name under which deliveries wait for an event."""
    return "event/" + "/".join(key)


def digest(deliveries: Iterable[tuple[int, Sequence[AnyFact]]], known: Known) -> Digest:
    """Turn (inbox id, facts) into entries, order lines and settlements, in the order given."""
    result = Digest()
    for row_id, facts in deliveries:
        try:
            _take(row_id, facts, known, result)
        except NotNow as later:
            result.settlements.append(Settlement(row_id, "waiting", wait_for=later.wait_for))
        except NotEver as why:
            kind = "mapping" if str(why).startswith("unknown ") else "validation"
            result.settlements.append(Settlement(row_id, "parked", error=str(why), failure=kind))
    return result


@dataclass(slots=True)
class _Draft:
    """What one delivery would change, until all of it is known to be good."""

    entries: list[Entry] = field(default_factory=list)
    lines: dict[LineKey, OrderLine] = field(default_factory=dict)
    supply: dict[SupplyKey, SupplyLine] = field(default_factory=dict)
    requests: dict[RequestKey, Request] = field(default_factory=dict)
    names: set[FactKey] = field(default_factory=set)
    undone: set[FactKey] = field(default_factory=set)
    repeats: int = 0

    def line(self, key: LineKey | None, known: Known) -> OrderLine | None:
        return self.lines.get(key, known.lines.get(key)) if key else None


def _take(row_id: int, facts: Sequence[AnyFact], known: Known, result: Digest) -> None:
    """Digest one delivery whole; nothing of it is left behind when one of its facts cannot be taken."""
    draft = _Draft()
    for fact in facts:
        name = (fact.source, fact.id)
        if name in known.events or name in known.fresh or name in draft.names:
            draft.repeats += 1
            continue
        _require_known_places(fact, known)
        entry = _entry(row_id, fact, known, draft)
        if entry is not None:
            draft.entries.append(entry)
            draft.names.add(name)
    _accept(row_id, len(facts), draft, known, result)


def _accept(row_id: int, facts: int, draft: _Draft, known: Known, result: Digest) -> None:
    known.fresh |= draft.names
    known.lines.update(draft.lines)
    known.undone |= draft.undone
    known.supply.update(draft.supply)
    known.requests.update(draft.requests)
    result.lines.update(draft.lines)
    result.supply.update(draft.supply)
    result.requests.update(draft.requests)
    result.entries.extend(draft.entries)
    result.repeats += draft.repeats
    note = f"{draft.repeats} of {facts} facts were in the book already" if draft.repeats else None
    result.settlements.append(Settlement(row_id, "applied", error=note))


@dataclass(frozen=True, slots=True)
class _Posted:
    """What a fact moves, whose order line it is about, and which event it undoes."""

    moves: Sequence[Move]
    line: LineKey | None = None
    reverses: UUID | None = None


def _entry(row_id: int, fact: AnyFact, known: Known, draft: _Draft) -> Entry | None:
    """One fact as an entry; None when it changes nothing that is worth a line in the book."""
    posted = _posted(fact, known, draft)
    if posted is None:
        return None
    named = posted.line or _for_whom(fact)
    return Entry(
        kind=fact.kind,
        source=fact.source,
        source_id=fact.id,
        occurred_at=fact.occurred_at,
        moves=tuple(posted.moves),
        actor=fact.actor,
        reason=fact.reason,
        reference=fact.reference,
        channel=named[0],
        order_id=named[1],
        line_id=named[2],
        reverses=posted.reverses,
        inbox_id=row_id,
        payload=_payload(fact),
        counted=fact.counted if isinstance(fact, Count) else None,
        place=(fact.sku, fact.location) if isinstance(fact, Count) else None,
    )


def _for_whom(fact: AnyFact) -> tuple[str | None, str | None, str | None]:
    """The order line that a fact names without touching what is remembered of it."""
    if isinstance(fact, Return | PullForward):
        return fact.channel, fact.order, fact.line
    return _NO_LINE


def _posted(fact: AnyFact, known: Known, draft: _Draft) -> _Posted | None:
    """What a fact moves; what it leaves to be remembered goes into the draft."""
    match fact:
        case Reversal():
            return _undo(fact, known, draft)
        case PullForward():
            return _ask(fact, known, draft)
        case Expected() | Receipt() | TransferReceive():
            return _supply(fact, known, draft)
        case _:
            return _of_line(fact, known, draft)


def _of_line(
    fact: Order | OrderCancel | postings.Unlined, known: Known, draft: _Draft
) -> _Posted | None:
    """What a fact moves that belongs to an order line, or stands for itself."""
    key = postings.order_line_key(fact)
    line = draft.line(key, known)
    match fact:
        case Order():
            moves, line = postings.order(fact, line)
        case OrderCancel():
            moves, line = postings.cancel(fact, _arrived(line, key))
        case Ship() if key is not None:
            moves, line = postings.ship(fact, _arrived(line, key))
        case _:
            moves = postings.unlined(fact)
    if key and line is not None:
        draft.lines[key] = line
    if isinstance(fact, Order) and not moves:
        return None
    return _Posted(moves, key)


def _supply(
    fact: Expected | Receipt | TransferReceive, known: Known, draft: _Draft
) -> _Posted | None:
    """What comes in, or is to come; None for an expectation that says nothing new."""
    key = expecting.supply_key(fact)
    if key is None:
        return _Posted([] if isinstance(fact, Expected) else postings.unlined(fact))
    was = draft.supply.get(key, known.supply.get(key))
    moves, line = expecting.supply(fact, was)
    draft.supply[key] = line
    if isinstance(fact, Expected) and was is not None and _says_the_same(line, was):
        return None
    return _Posted(moves)


def _says_the_same(line: SupplyLine, was: SupplyLine) -> bool:
    return (line.expected_units, line.due_at) == (was.expected_units, was.due_at)


def _ask(fact: PullForward, known: Known, draft: _Draft) -> _Posted | None:
    """A request as it stands now; None when a newer snapshot was seen."""
    key = expecting.request_key(fact)
    if key is None:
        return None
    asked = expecting.request(fact, draft.requests.get(key, known.requests.get(key)))
    if asked is None:
        return None
    draft.requests[key] = asked
    return _Posted(())


def _arrived(line: OrderLine | None, key: LineKey | None) -> OrderLine:
    if line is None:
        raise NotNow(waits_for_line(key or ("", "", "")))
    return line


def _require_known_places(fact: AnyFact, known: Known) -> None:
    sku, location = postings.named_places(fact)
    if sku is not None and sku not in known.skus:
        raise NotEver(
            f"unknown SKU {sku!r} in {fact.kind} {fact.id!r}: add it to the catalogue"
            f" (lockstep catalogue add-sku), then replay this delivery"
        )
    if location is not None and location not in known.locations:
        raise NotEver(
            f"unknown location {location!r} in {fact.kind} {fact.id!r}: add it to the catalogue"
            f" (lockstep catalogue add-location), then replay this delivery"
        )


def _undo(fact: Reversal, known: Known, draft: _Draft) -> _Posted | None:
    """The moves of a reversal; waits while the event it names is not in the book, unless it says not to."""
    name = (fact.reverses_source, fact.reverses_id)
    written = known.events.get(name)
    if written is None:
        if fact.if_known and name not in known.fresh and name not in draft.names:
            return None
        raise NotNow(waits_for_event(name))
    if written.reversed or name in known.undone or name in draft.undone:
        if fact.if_known:
            return None
        raise NotEver(f"event {name[0]}/{name[1]} is reversed already; an event is reversed once")
    _refuse_to_undo(name, written.kind)
    draft.undone.add(name)
    key = written.supply
    supply = draft.supply.get(key, known.supply.get(key)) if key else None
    if key and supply is not None:
        moves, draft.supply[key] = expecting.unsupply(written.kind, written.moves, supply, key)
        return _Posted(moves, None, written.event_id)
    moves, line = postings.reversal(written.kind, written.moves, draft.line(written.line, known))
    if written.line and line is not None:
        draft.lines[written.line] = line
    return _Posted(moves, written.line, written.event_id)


def _refuse_to_undo(name: FactKey, kind: str) -> None:
    if kind == "reversal":
        raise NotEver(
            f"event {name[0]}/{name[1]} is itself a reversal; send the fact again under a new id instead"
        )
    if kind in _SNAPSHOTS:
        raise NotEver(
            f"event {name[0]}/{name[1]} says how things stood; send a newer one that says how they stand"
            " (units 0 calls it off)"
        )


def _payload(fact: AnyFact) -> dict[str, Any]:
    """What the columns of `event` do not say already."""
    match fact:
        case Order():
            return {"units": fact.units, "revision": fact.as_of.isoformat()}
        case Count():
            said = {"counted": fact.counted, "reason_code": fact.reason_code, "tier": fact.tier}
            return {name: value for name, value in said.items() if value is not None}
        case Expected():
            return {
                "units": fact.units,
                "due_at": fact.due.isoformat(),
                "revision": fact.as_of.isoformat(),
            }
        case PullForward():
            # It has no postings to say what it is about.
            return {
                "sku": fact.sku,
                "location": fact.location,
                "units": fact.units,
                "due_at": fact.due.isoformat(),
                "revision": fact.as_of.isoformat(),
            }
        case OrderCancel() | Return():
            return {"disposition": fact.disposition}
        case Ship(order=None, channel=str(channel)):
            # The column names an order's channel; a till sale has no order.
            return {"channel": channel}
        case _:
            return {}
