"""850, 855, 860, 865: orders, changes, and the answers to both."""

from __future__ import annotations

from decimal import Decimal

from channels.edi.documents import (
    AnswerLine,
    ChangeAnswer,
    ChangeLine,
    LineAnswer,
    OrderAnswer,
    OrderChange,
    OrderLine,
    PurchaseOrder,
)
from channels.edi.loops import Loop
from channels.edi.reading import parts
from channels.edi.segments import Unreadable


def purchase_order(root: Loop) -> PurchaseOrder:
    """An 850."""
    beg = root.first("BEG")
    return PurchaseOrder(
        number=parts.required(beg, 3),
        day=parts.required_day(beg, 5),
        lines=tuple(_ordered(line) for line in root.loops("PO1")),
        purpose=beg.get(1),
        kind=beg.get(2),
        release=beg.get(4),
        currency=root.first("CUR").get(2),
        dates=parts.dates(root),
        references=parts.references(root),
        parties=parts.parties(root),
    )


def order_answer(root: Loop) -> OrderAnswer:
    """An 855."""
    bak = root.first("BAK")
    return OrderAnswer(
        number=parts.required(bak, 3),
        day=parts.required_day(bak, 4),
        kind=bak.get(2),
        lines=tuple(AnswerLine(_po1(line), _answers(line)) for line in root.loops("PO1")),
        purpose=bak.get(1),
        release=bak.get(5),
        seller_number=bak.get(8),
        answered=parts.day(bak, 9),
        dates=parts.dates(root),
        references=parts.references(root),
        parties=parts.parties(root),
    )


def order_change(root: Loop) -> OrderChange:
    """An 860."""
    bch = root.first("BCH")
    return OrderChange(
        number=parts.required(bch, 3),
        day=parts.required_day(bch, 6),
        lines=tuple(_poc(line) for line in root.loops("POC")),
        purpose=bch.get(1),
        kind=bch.get(2),
        release=bch.get(4),
        sequence=bch.get(5),
        changed=parts.day(bch, 11),
        dates=parts.dates(root),
        references=parts.references(root),
        parties=parts.parties(root),
    )


def change_answer(root: Loop) -> ChangeAnswer:
    """An 865."""
    bca = root.first("BCA")
    return ChangeAnswer(
        number=parts.required(bca, 3),
        day=parts.required_day(bca, 6),
        kind=bca.get(2),
        lines=tuple(_poc(line) for line in root.loops("POC")),
        purpose=bca.get(1),
        release=bca.get(4),
        sequence=bca.get(5),
        answered=parts.day(bca, 10),
        dates=parts.dates(root),
        references=parts.references(root),
        parties=parts.parties(root),
    )


def _ordered(loop: Loop) -> OrderLine:
    """A line of an order: its quantity is PO102, or else what its SDQ adds up to."""
    line = _po1(loop)
    if line.quantity is None:
        raise Unreadable(f"PO102 {loop.head.get(2)!r} is no number; {loop.head.at}")
    return line


def _po1(loop: Loop) -> OrderLine:
    head, stores = loop.head, parts.stores(loop)
    quantity, measure = parts.number(head, 2), head.get(3)
    if not head.get(2) and stores:
        quantity = sum((share.quantity for share in stores), Decimal(0))
        measure = measure or stores[0].measure
    return OrderLine(
        number=head.get(1),
        quantity=quantity,
        measure=measure,
        price=parts.number(head, 4),
        price_basis=head.get(5),
        products=parts.products(head, 6),
        description=parts.description(loop),
        dates=parts.dates(loop),
        references=parts.references(loop),
        stores=stores,
        schedule=parts.schedule(loop),
        parties=parts.parties(loop),
    )


def _poc(loop: Loop) -> ChangeLine:
    head = loop.head
    line = OrderLine(
        number=head.get(1),
        quantity=parts.number(head, 3),
        measure=head.component(5, 1),
        price=parts.number(head, 6),
        price_basis=head.get(7),
        products=parts.products(head, 8),
        description=parts.description(loop),
        dates=parts.dates(loop),
        references=parts.references(loop),
        stores=parts.stores(loop),
        schedule=parts.schedule(loop),
        parties=parts.parties(loop),
    )
    return ChangeLine(
        line=line,
        change=parts.required(head, 2),
        left=parts.number(head, 4),
        answers=_answers(loop),
    )


def _answers(loop: Loop) -> tuple[LineAnswer, ...]:
    return tuple(
        LineAnswer(
            status=parts.required(ack, 1),
            quantity=parts.number(ack, 2),
            measure=ack.get(3),
            date_qualifier=ack.get(4),
            day=parts.day(ack, 5),
            products=parts.products(ack, 7),
        )
        for ack in loop.all("ACK")
    )
