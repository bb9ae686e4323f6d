"""Traces by OpenTelemetry: one event followed from the relay to the read-back, over processes that share only rows.

Theory. Work is handed over by rows, so a trace travels in rows: a delivery keeps the span that took it in among its
headers, and every later step writes the span to go on from into table `trail`, in the transaction that hands the work
over. Whoever takes the work up takes the row away.

    receive      a request at the relay, or a message of one's own relay (Celery)
    book         a delivery that the ledger was asked to apply
    allocate     a SKU whose targets were computed again
    push         a number that a channel confirmed, from sending to the answer
    read back    a number that was read back within seconds

Steps fold work together: many deliveries make one SKU due, and the newest number goes out for all before it. A span is
the child of its oldest cause, so that an order that goes alone is one trace, and is linked to each of the others: so
OpenTelemetry has spans of several messages relate (opentelemetry.io/docs/specs/semconv/messaging/messaging-spans,
"Consumer spans"; seen 2026-11-28).

A span is sent when its transaction commits; one that is rolled back was never there. Nothing of a payload is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson
from opentelemetry.trace import Link, Span, SpanKind, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Connection, event, text

from allocation.looks import Look
from allocation.pushes import DuePush
from allocation.types import Target
from allocation.verifying import Verified
from ledger.digest import Digest
from ledger.inbox import Delivery, Row
from ledger.types import Settlement

#: The header of W3C Trace Context, in which a delivery keeps its span.
HEADER: Final = "traceparent"
#: OpenTelemetry's own limit is 128; the newest causes are those that still matter.
_MOST_LINKS: Final = 100

_WRITTEN: Final = TraceContextTextMapPropagator()

_KEEP: Final = text("""
    INSERT INTO trail (step, channel, sku, location, number, traceparent, at)
    SELECT step, channel, sku, location, number, traceparent, :at
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (step text, channel text, sku text, location text, number bigint, traceparent text)
""")
# What the channel lowered by itself is shown already: nothing is pushed for it.
_KEEP_PUSHES: Final = text("""
    INSERT INTO trail (step, channel, sku, location, number, traceparent, at)
    SELECT 'push', channel, sku, location, t.number, given.traceparent, :at
    FROM json_to_recordset(CAST(:rows AS json)) AS given (channel text, sku text, location text, traceparent text)
    JOIN target AS t USING (channel, sku, location)
    JOIN push_due AS d USING (channel, sku, location)
""")
_TAKE_ALLOCATE: Final = text("""
    DELETE FROM trail WHERE step = 'allocate' AND sku = ANY(CAST(:skus AS text[]))
    RETURNING id, channel, sku, location, traceparent, NULL::timestamptz AS since
""")
# An older number goes out no more once a newer one is confirmed: its causes are causes of the newer one.
_TAKE_NUMBERS: Final = text("""
    WITH taken AS (
        DELETE FROM trail AS t
        USING json_to_recordset(CAST(:rows AS json)) AS given (sku text, location text, number bigint)
        WHERE t.step = :step AND t.channel = :channel AND t.sku = given.sku AND t.location = given.location
          AND t.number <= given.number
        RETURNING t.id, t.channel, t.sku, t.location, t.traceparent
    )
    SELECT id, channel, sku, location, traceparent,
           (SELECT p.sent_at FROM push AS p
            WHERE p.channel = taken.channel AND p.sku = taken.sku AND p.location = taken.location
            ORDER BY p.id DESC LIMIT 1) AS since
    FROM taken
""")

#: A number is of any age when a place is read back.
_ANY_NUMBER: Final = 2**62


@dataclass(frozen=True, slots=True)
class _Caused:
    """What was taken up at one place, and what led to it, oldest first."""

    channel: str
    sku: str
    location: str
    causes: tuple[str, ...]
    since: datetime | None


class Traces:
    """What a process tells OpenTelemetry.

    tracer    of the SDK
    flush     sends what is still held; called when the process ends
    """

    def __init__(self, tracer: Tracer, flush: Callable[[], object] = lambda: None) -> None:
        self._tracer = tracer
        self.flush = flush

    @contextmanager
    def receiving(
        self, deliveries: Sequence[Delivery], *, told: str = ""
    ) -> Iterator[list[Delivery]]:
        """A span over the block; in it, the deliveries with the span among their headers.

        told    `traceparent` of whoever sent them, "" when it said none
        """
        about: dict[str, Any] = {
            "lockstep.source": deliveries[0].source if deliveries else "",
            "lockstep.deliveries": len(deliveries),
        }
        context = _WRITTEN.extract({HEADER: told}) if told else None
        with self._tracer.start_as_current_span(
            "receive", context, kind=SpanKind.SERVER, attributes=about
        ):
            mark = _mark(get_current_span())
            yield [replace(d, headers={**d.headers, **mark}) for d in deliveries]

    def book(
        self,
        connection: Connection,
        rows: Sequence[Row],
        result: Digest,
        settlements: Sequence[Settlement],
        now: datetime,
    ) -> None:
        """The deliveries among these that are followed were booked, in this transaction."""
        followed = [row for row in rows if row.traceparent]
        if not followed:
            return
        skus = _skus(result)
        states = {settled.row_id: settled.state for settled in settlements}
        spans, kept = [], []
        for row in followed:
            moved = sorted(skus.get(row.id, ()))
            about = {
                "lockstep.inbox_id": row.id,
                "lockstep.source": row.source,
                "lockstep.topic": row.topic,
                "lockstep.state": states[row.id],
                "lockstep.skus": moved,
            }
            span = self._span("book", (row.traceparent or "",), SpanKind.CONSUMER, about)
            spans.append(span)
            kept += [
                {"step": "allocate", "channel": "", "sku": sku, "location": "", "number": 0} | mark
                for sku in moved
                if (mark := _mark(span))
            ]
        _write(connection, _KEEP, kept, now)
        _end_with(connection, spans)

    def allocate(
        self,
        connection: Connection,
        skus: Collection[str],
        changed: Sequence[Target],
        now: datetime,
    ) -> None:
        """These SKUs were computed, and these targets changed, in this transaction."""
        taken = connection.execute(_TAKE_ALLOCATE, {"skus": list(skus)}).all()
        spans, kept = [], []
        for caused in _by_place(taken):
            theirs = [target for target in changed if target.sku == caused.sku]
            about = {
                "lockstep.sku": caused.sku,
                "lockstep.causes": len(caused.causes),
                "lockstep.targets": [f"{t.channel}@{t.location}={t.units}" for t in theirs],
            }
            span = self._span("allocate", caused.causes, SpanKind.INTERNAL, about)
            spans.append(span)
            kept += [
                {"channel": target.channel, "sku": target.sku, "location": target.location} | mark
                for target in theirs
                if (mark := _mark(span))
            ]
        _write(connection, _KEEP_PUSHES, kept, now)
        _end_with(connection, spans)

    def push(
        self,
        connection: Connection,
        confirmed: Sequence[DuePush],
        looks: Mapping[tuple[str, str], Look],
        now: datetime,
    ) -> None:
        """The channel confirmed these numbers, as this transaction writes down."""
        if not confirmed:
            return
        units = {(push.sku, push.location): push for push in confirmed}
        numbers = {place: push.number for place, push in units.items()}
        spans, kept = [], []
        for caused in _taken(connection, "push", confirmed[0].channel, numbers):
            push = units[caused.sku, caused.location]
            look = looks.get((push.sku, push.location), Look.FIRST)
            about = _about(caused) | {
                "lockstep.units": push.units,
                "lockstep.number": push.number,
                "lockstep.read_back": look.value,
            }
            span = self._span("push", caused.causes, SpanKind.CLIENT, about, since=caused.since)
            spans.append(span)
            if look is not Look.WINDOW and (mark := _mark(span)):
                kept.append(
                    {
                        "step": "read back", "channel": push.channel, "sku": push.sku,
                        "location": push.location, "number": push.number,
                    } | mark
                )  # fmt: skip
        _write(connection, _KEEP, kept, now)
        _end_with(connection, spans)

    def read_back(self, connection: Connection, channel: str, found: Sequence[Verified]) -> None:
        """These numbers were read back, as this transaction writes down."""
        told = {(one.sku, one.location): one for one in found if one.read is not None}
        numbers = dict.fromkeys(told, _ANY_NUMBER)
        spans = []
        for caused in _taken(connection, "read back", channel, numbers):
            one = told[caused.sku, caused.location]
            about = _about(caused) | {
                "lockstep.confirmed": one.confirmed if one.confirmed is not None else -1,
                "lockstep.read": one.read if one.read is not None else -1,
                "lockstep.as_confirmed": one.read == one.confirmed,
            }
            spans.append(self._span("read back", caused.causes, SpanKind.CLIENT, about))
        _end_with(connection, spans)

    def _span(
        self,
        name: str,
        causes: Sequence[str],
        kind: SpanKind,
        about: Mapping[str, Any],
        *,
        since: datetime | None = None,
    ) -> Span:
        contexts = [_WRITTEN.extract({HEADER: cause}) for cause in causes]
        others = [get_current_span(context).get_span_context() for context in contexts[1:]]
        return self._tracer.start_span(
            name,
            contexts[0],
            kind=kind,
            attributes=about,
            links=[Link(other) for other in others[-_MOST_LINKS:]],
            start_time=None if since is None else int(since.timestamp() * 1_000_000_000),
        )


def _skus(result: Digest) -> dict[int, set[str]]:
    """The SKUs that each delivery moved, by its row."""
    found: dict[int, set[str]] = {}
    for entry in result.entries:
        if entry.inbox_id is not None:
            moved = {move.sku for move in entry.moves}
            found.setdefault(entry.inbox_id, set()).update(moved)
            if entry.place is not None:
                found[entry.inbox_id].add(entry.place[0])
    return found


def _about(caused: _Caused) -> dict[str, Any]:
    return {
        "lockstep.channel": caused.channel,
        "lockstep.sku": caused.sku,
        "lockstep.location": caused.location,
        "lockstep.causes": len(caused.causes),
    }


def _mark(span: Span) -> dict[str, str]:
    """The span as it is written down; nothing when nobody keeps it."""
    if not span.get_span_context().trace_flags.sampled:
        return {}
    return {HEADER: _header(span)}


def _header(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _taken(
    connection: Connection, step: str, channel: str, numbers: Mapping[tuple[str, str], int]
) -> list[_Caused]:
    if not numbers:
        return []
    rows = [{"sku": sku, "location": at, "number": number} for (sku, at), number in numbers.items()]
    values = {"step": step, "channel": channel, "rows": orjson.dumps(rows).decode()}
    return _by_place(connection.execute(_TAKE_NUMBERS, values).all())


def _by_place(taken: Sequence[Any]) -> list[_Caused]:
    places: dict[tuple[str, str, str], list[Any]] = {}
    for row in sorted(taken, key=lambda row: row.id):
        places.setdefault((row.channel, row.sku, row.location), []).append(row)
    return [
        _Caused(*place, tuple(row.traceparent for row in rows), rows[0].since)
        for place, rows in places.items()
    ]


def _write(
    connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    if rows:
        connection.execute(statement, {"rows": orjson.dumps(rows).decode(), "at": now})


def _end_with(connection: Connection, spans: Sequence[Span]) -> None:
    """The spans end when the transaction commits; rolled back they are never told."""
    if spans:

        def end(_: Connection) -> None:
            for span in spans:
                span.end()

        event.listen(connection, "commit", end, once=True)
