"""855 and 865: our answers to an order and to its changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from channels.edi.documents import (
    AnswerLine,
    ChangeAnswer,
    ChangeLine,
    LineAnswer,
    OrderAnswer,
    OrderLine,
)
from channels.edi.segments import Segment, segment
from channels.edi.writing import parts


def order_answer(answer: OrderAnswer) -> list[Segment]:
    """An 855 without ST and SE."""
    head = segment(
        "BAK",
        answer.purpose,
        answer.kind,
        answer.number,
        parts.day(answer.day),
        answer.release,
        None,
        None,
        answer.seller_number,
        parts.day(answer.answered),
    )
    body = [head, *_header(answer)]
    for line in answer.lines:
        body += _answered(line)
    if answer.lines:
        body.append(parts.total(len(answer.lines), (each.line.quantity for each in answer.lines)))
    return body


def change_answer(answer: ChangeAnswer) -> list[Segment]:
    """An 865 without ST and SE."""
    head = segment(
        "BCA",
        answer.purpose,
        answer.kind,
        answer.number,
        answer.release,
        answer.sequence,
        parts.day(answer.day),
        None,
        None,
        None,
        parts.day(answer.answered),
    )
    body = [head, *_header(answer)]
    for line in answer.lines:
        body += _changed(line)
    if answer.lines:
        body.append(parts.total(len(answer.lines), (each.line.quantity for each in answer.lines)))
    return body


def _header(answer: OrderAnswer | ChangeAnswer) -> Iterator[Segment]:
    yield from parts.references(answer.references)
    yield from parts.dates(answer.dates)
    yield from parts.parties(answer.parties)


def _answered(answered: AnswerLine) -> Iterator[Segment]:
    line = answered.line
    yield segment(
        "PO1",
        line.number,
        parts.number(line.quantity),
        line.measure,
        parts.number(line.price),
        line.price_basis,
        *parts.products(line.products, 10, "PO1"),
    )
    yield from _inside(line, answered.answers)


def _changed(change: ChangeLine) -> Iterator[Segment]:
    line = change.line
    yield segment(
        "POC",
        line.number,
        change.change,
        parts.number(line.quantity),
        parts.number(change.left),
        line.measure,
        parts.number(line.price),
        line.price_basis,
        *parts.products(line.products, 10, "POC"),
    )
    yield from _inside(line, change.answers)


def _inside(line: OrderLine, answers: Iterable[LineAnswer]) -> Iterator[Segment]:
    """In the order that both layouts have: PID REF SDQ DTM ACK SCH N1."""
    yield from parts.description(line.description)
    yield from parts.references(line.references)
    yield from parts.stores(line.stores)
    yield from parts.dates(line.dates)
    for answer in answers:
        yield segment(
            "ACK",
            answer.status,
            parts.number(answer.quantity),
            answer.measure,
            answer.date_qualifier,
            parts.day(answer.day),
            None,
            *parts.products(answer.products, 10, "ACK"),
        )
    yield from parts.schedule(line.schedule)
    yield from parts.parties(line.parties)
