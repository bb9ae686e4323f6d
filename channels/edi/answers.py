"""Our answers to orders and their changes: each line's promise as acknowledgement codes that add up to the line.

IA accepted, IB backordered (with the day it is promised for), IR rejected, ID deleted; IQ where more has gone already
than is wanted now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from channels.edi.changes import Change
from channels.edi.documents import (
    AnswerLine,
    ChangeAnswer,
    ChangeLine,
    LineAnswer,
    OrderAnswer,
    OrderChange,
    OrderLine,
    PurchaseOrder,
    StoreShare,
)
from channels.edi.standing import StandingLine

#: "Current schedule ship": when what is backordered leaves us.
_SHIPS = "068"
#: An answer counts in something, even where the partner left the unit of measure out.
_EACH = "EA"


def order_answer(
    order: PurchaseOrder,
    lines: Sequence[StandingLine],
    *,
    today: date,
    purpose: str = "00",
    deleted: bool = False,
) -> OrderAnswer:
    """The 855 to an order.

    lines      of the order, as promised
    purpose    BAK01: 00 the first answer, 05 one that replaces it, 01 to a cancellation
    deleted    the order cancels: what is not kept is deleted, not rejected
    """
    by_number = {line.number: line for line in order.lines}
    answered = [
        AnswerLine(_line(shares, by_number), _answers(shares, by_number, deleted=deleted))
        for shares in _by_line(lines)
    ]
    return OrderAnswer(
        number=order.number,
        day=order.day,
        kind=_kind([answer for line in answered for answer in line.answers]),
        lines=tuple(answered),
        purpose=purpose,
        release=order.release,
        answered=today,
    )


def change_answer(
    change: OrderChange, lines: Sequence[tuple[Change, Sequence[StandingLine]]], *, today: date
) -> ChangeAnswer:
    """The 865 to a change.

    lines    each POC line with what became of its line
    """
    answered = [_changed(asked, after) for asked, after in lines]
    return ChangeAnswer(
        number=change.number,
        day=change.day,
        kind=_kind([answer for line in answered for answer in line.answers]),
        lines=tuple(answered),
        release=change.release,
        sequence=change.sequence,
        answered=today,
    )


def cancellation_answer(
    change: OrderChange, lines: Sequence[StandingLine], *, today: date
) -> ChangeAnswer:
    """The 865 to a change that cancels the order: every line of it is deleted, but for what has gone."""
    answered = [
        ChangeLine(_line(shares, {}), "DI", answers=_answers(shares, {}, deleted=True))
        for shares in _by_line(lines)
    ]
    return ChangeAnswer(
        number=change.number,
        day=change.day,
        kind=_kind([answer for line in answered for answer in line.answers]),
        lines=tuple(answered),
        release=change.release,
        sequence=change.sequence,
        answered=today,
    )


def _by_line(lines: Sequence[StandingLine]) -> list[list[StandingLine]]:
    ordered = sorted(lines, key=lambda each: (each.place, each.line))
    return [list(of_line) for _, of_line in groupby(ordered, key=lambda each: each.line)]


def _line(shares: Sequence[StandingLine], said: dict[str, OrderLine]) -> OrderLine:
    """The line as ordered; the partner's own words where it said them."""
    first = shares[0]
    own = said.get(first.line)
    if own is not None:
        return OrderLine(
            number=first.line,
            quantity=own.quantity,
            measure=own.measure,
            price=own.price,
            price_basis=own.price_basis,
            products=own.products[:10],
        )
    return OrderLine(
        number=first.line,
        quantity=Decimal(sum(share.ordered for share in shares)),
        measure=first.measure,
        price=first.price,
        products=first.products[:10],
    )


def _answers(
    shares: Sequence[StandingLine],
    said: dict[str, OrderLine],
    *,
    deleted: bool = False,
    wanted: Decimal | None = None,
) -> tuple[LineAnswer, ...]:
    """What becomes of a line; `wanted` is what was asked for, where no line in `said` tells it."""
    first = shares[0]
    measure = first.measure or _EACH
    accepted = sum(share.accepted for share in shares)
    backordered = sum(share.backordered for share in shares)
    rejected = Decimal(sum(share.rejected for share in shares))
    own = said.get(first.line)
    if own is not None and own.quantity is not None:
        # A fraction cannot be promised; it is rejected as it was asked for.
        rejected = max(Decimal(0), own.quantity - accepted - backordered)
        wanted = own.quantity
    made = []
    if accepted:
        is_more = wanted is not None and accepted > wanted and not deleted
        made.append(LineAnswer("IQ" if is_more else "IA", Decimal(accepted), measure))
    if backordered:
        day = max(share.promised_for for share in shares if share.promised_for)
        made.append(LineAnswer("IB", Decimal(backordered), measure, _SHIPS, day))
    if rejected and not deleted:
        made.append(LineAnswer("IR", rejected, measure))
    if deleted or not made:
        made.append(LineAnswer("ID", rejected if deleted else Decimal(0), measure))
    return tuple(made)


def _changed(asked: Change, after: Sequence[StandingLine]) -> ChangeLine:
    line = asked.asked.line
    # Quantity and measure come together or not at all (P0305), whatever the partner wrote.
    measure = line.measure or (after[0].measure if after else "") or _EACH
    said = OrderLine(
        number=line.number,
        quantity=line.quantity,
        measure="" if line.quantity is None else measure,
        price=line.price,
        price_basis=line.price_basis,
        products=line.products[:10] or (after[0].products[:10] if after else ()),
        stores=tuple(
            StoreShare(each.store, each.quantity, each.measure, each.store_qualifier)
            for each in line.stores
        ),
    )
    if asked.refused or not after:
        answers: tuple[LineAnswer, ...] = (LineAnswer("IR", line.quantity, said.measure),)
    else:
        wanted = sum((draft.quantity for draft in asked.drafts), Decimal(0))
        answers = _answers(after, {}, deleted=asked.asked.change == "DI", wanted=wanted)
    return ChangeLine(said, asked.asked.change, asked.asked.left, answers)


def _kind(answers: Sequence[LineAnswer]) -> str:
    """BAK02: AD as ordered, RD nothing of it, AC with changes."""
    statuses = {answer.status for answer in answers}
    if statuses <= {"IA"}:
        return "AD"
    return "RD" if statuses == {"IR"} else "AC"
