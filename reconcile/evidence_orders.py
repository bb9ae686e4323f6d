"""Orders of a channel that are not in the book: what its deliveries tell, worked out as the drain would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import ValidationError
from sqlalchemy import Connection, Row, text

from allocation import own_sales
from channels import bindings
from channels.base import Unreadable
from channels.lane import Lane, Message
from channels.names import Unmapped, part_mark
from channels.registry import LANES
from ledger import context
from ledger.digest import Entry, digest
from ledger.events import AnyFact
from reconcile.clues import UnseenOrder
from reconcile.deliveries import tail, values

Place: TypeAlias = tuple[str, str]

#: Deliveries that are read for one look: with more waiting, the inbox is what is wrong.
_AT_MOST: Final = 2000
#: What the channel's own order API told, as against its notifications.
POLLED: Final = "poll"

#: Units that a posting `p` of a channel's own order took off the number it shows; below 0 it put them back. A cancel
#: whose units do not go back on the shelf moves nothing there (`allocation.own_sales.taken`).
OWN_UNITS: Final = """(CASE WHEN p.from_state = 'available' OR p.to_state = 'customer' THEN p.units
                           WHEN p.to_state = 'available' THEN -p.units ELSE 0 END)"""

_WAITING = text("""
    (SELECT id, topic, body, headers ->> 'road' AS road FROM inbox
     WHERE state = 'pending' AND source = :channel ORDER BY id LIMIT :at_most)
    UNION ALL
    (SELECT id, topic, body, headers ->> 'road' AS road FROM inbox
     WHERE state = 'waiting' AND source = :channel ORDER BY id LIMIT :at_most)
    ORDER BY id
""")

_PARKED = text("""
    SELECT id, body FROM inbox
    WHERE state IN ('parked', 'rejected') AND source = :channel ORDER BY id DESC LIMIT :at_most
""")

_NAMES = text("""
    SELECT sku, item_id, variant_id FROM binding
    WHERE channel = :channel AND sku = ANY(CAST(:skus AS text[])) ORDER BY sku, location
""")

_KIND_AND_MARK = text("SELECT kind, orders_mark FROM channel WHERE channel = :channel")


@dataclass(frozen=True, slots=True)
class Outside:
    """What is outside of the book.

    orders    per place, in the order of the deliveries
    kinds     of events by which this channel changes its own number
    """

    orders: Mapping[Place, tuple[UnseenOrder, ...]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()


def known_to(connection: Connection, channel: str) -> datetime | None:
    """Orders of the channel changed before this moment are in the inbox; None when they were never asked for."""
    row = connection.execute(_KIND_AND_MARK, {"channel": channel}).one_or_none()
    return None if row is None else row.orders_mark


def unseen(connection: Connection, channel: str, places: Set[Place], until: datetime) -> Outside:
    """Changes of the channel's orders that wait in the inbox, and so are not in the book.

    places    those that are asked about
    until     later changes are left out
    """
    row = connection.execute(_KIND_AND_MARK, {"channel": channel}).one_or_none()
    lane = None if row is None else LANES.get(row.kind)
    kinds = _kinds(lane)
    if lane is None:
        return Outside(kinds=kinds)
    rows = connection.execute(_WAITING, {"channel": channel, "at_most": _AT_MOST}).fetchall()
    read = _facts(connection, channel, lane, rows)
    if not read:
        return Outside(kinds=kinds)
    facts = [fact for _, of_row in read for fact in of_row]
    known = context.known(connection, facts, context.Catalogue(), hold=False)
    entries = digest(read, known).entries
    heard = {
        _order_of(fact)
        for row, (_, of_row) in zip(rows, read, strict=True)
        for fact in of_row
        if row.road != POLLED
    }
    found: dict[Place, list[UnseenOrder]] = {}
    for entry in entries:
        if entry.kind in kinds and entry.occurred_at <= until:
            for place, order in _taken(entry, lane, heard):
                if place in places:
                    found.setdefault(place, []).append(order)
    return Outside({place: tuple(orders) for place, orders in found.items()}, kinds)


def own_kinds(connection: Connection, channel: str) -> tuple[str, ...]:
    """Kinds of events by which this channel changes its own number; none where it never does."""
    row = connection.execute(_KIND_AND_MARK, {"channel": channel}).one_or_none()
    return _kinds(None if row is None else LANES.get(row.kind))


def _kinds(lane: Lane | None) -> tuple[str, ...]:
    sells_when = "ordered" if lane is None else lane.sells_when
    kinds = own_sales.KINDS[sells_when]
    # What comes back goes on the shelf of the channel by itself, too.
    return (*kinds, "return") if sells_when == "ordered" else kinds


def _facts(
    connection: Connection, channel: str, lane: Lane, rows: Sequence[Row[Any]]
) -> list[tuple[int, list[AnyFact]]]:
    """The facts of each delivery; one that cannot be read tells none here, and its reason to the drain."""
    messages: list[Message | None] = []
    for row in rows:
        try:
            messages.append(lane.read(row.topic, bytes(row.body)))
        except (ValidationError, Unreadable, *_STRANGE):
            messages.append(None)
    told = [message for message in messages if message is not None]
    names = bindings.names(connection, channel, {i for m in told for i in m.vendor_ids})
    read: list[tuple[int, list[AnyFact]]] = []
    for row, message in zip(rows, messages, strict=True):
        facts: list[AnyFact] = []
        if message is not None:
            try:
                facts = message.facts(source=channel, channel=channel, names=names)
            except (ValidationError, Unreadable, Unmapped, *_STRANGE):
                facts = []
        read.append((row.id, facts))
    return read


#: Bytes that nobody thought of: the drain parks them with their traceback.
_STRANGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _order_of(fact: AnyFact) -> str | None:
    order = getattr(fact, "order", None)
    return order if isinstance(order, str) else None


def _taken(entry: Entry, lane: Lane, heard: Set[str | None]) -> list[tuple[Place, UnseenOrder]]:
    found = []
    for move in entry.moves:
        if (entry.line_id or entry.source_id).endswith(part_mark(move.sku)):
            continue
        when = "left" if entry.kind == "return" else lane.sells_when
        location, units = own_sales.taken(when, move)
        if units:
            ids = () if entry.inbox_id is None else (entry.inbox_id,)
            order_id = entry.order_id or entry.source_id
            order = UnseenOrder(order_id, units, entry.occurred_at, ids, order_id in heard)
            found.append(((move.sku, location), order))
    return found


def parked(connection: Connection, channel: str, skus: Set[str]) -> dict[str, tuple[int, ...]]:
    """Deliveries of the channel that cannot be applied, by the SKUs of these that they name."""
    rows = connection.execute(_PARKED, {"channel": channel, "at_most": _AT_MOST}).fetchall()
    if not rows or not skus:
        return {}
    names: dict[str, str] = {}
    for sku, item, variant in connection.execute(
        _NAMES, {"channel": channel, "skus": sorted(skus)}
    ):
        names |= {tail(name): sku for name in (sku, item, variant) if name}
    found: dict[str, list[int]] = {}
    for row in rows:
        for sku in {names[value] for value in values(bytes(row.body)) if value in names}:
            found.setdefault(sku, []).append(row.id)
    return {sku: tuple(sorted(ids)) for sku, ids in found.items()}
