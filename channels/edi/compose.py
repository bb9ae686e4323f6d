"""Envelopes to send: control numbers, counts, dates and separators around the segments of sets.

    body = writing.write(document)
    interchange = compose.enclose(route, Numbers(interchange=55, group=55), at, [("855", body)])
    data = envelope.write(interchange)

Control numbers are the caller's: they come from a sequence per partner and direction, and are never used twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from channels.edi import values
from channels.edi.envelope import Group, Interchange, Transaction
from channels.edi.isa import Isa
from channels.edi.segments import (
    Composite,
    Element,
    Repeated,
    Segment,
    Separators,
    Unwritable,
    segment,
)
from channels.edi.sets import GROUP_OF, tables_of

_LARGEST: Final = 999_999_999


@dataclass(frozen=True, slots=True)
class Route:
    """Who sends to whom, and in which dialect.

    group_sender, group_receiver    GS02 and GS03; the ISA ids when left out
    version                         GS08; ISA12 follows from it
    usage                           P production, T test
    wants_ta1                       ask the receiver for a TA1
    """

    sender: str
    receiver: str
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    group_sender: str = ""
    group_receiver: str = ""
    version: str = "004010"
    usage: str = "P"
    wants_ta1: bool = False
    separators: Separators = field(default_factory=Separators)

    def answer(self) -> Route:
        """The way back."""
        return replace(
            self,
            sender=self.receiver,
            receiver=self.sender,
            sender_qualifier=self.receiver_qualifier,
            receiver_qualifier=self.sender_qualifier,
            group_sender=self.group_receiver,
            group_receiver=self.group_sender,
            wants_ta1=False,
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Control numbers of one interchange with one group; sets count up from `first_set`."""

    interchange: int
    group: int
    first_set: int = 1


def fitting(route: Route, segments: Iterable[Segment]) -> Route:
    """The route with separators that no value holds: those it has, others where a value needs one of them.

    Every ISA declares its own, so that a partner's number `A:B` is no reason to leave its order unanswered.
    """
    used = {
        mark
        for each in segments
        for element in each.elements
        for text in _texts(element)
        for mark in text
        if not mark.isalnum()
    }
    has = route.separators
    element = _free(has.element, "*|\x1d", used)
    ends = _free(has.segment, "~\n\x1c", used | {element})
    component = _free(has.component, ":><\\", used | {element, ends})
    repetition = _free(has.repetition or "^", "^!%&;", used | {element, ends, component})
    return replace(route, separators=Separators(element, component, ends, repetition))


def enclose(
    route: Route, numbers: Numbers, at: datetime, bodies: Sequence[tuple[str, Sequence[Segment]]]
) -> Interchange:
    """One interchange with one group around sets of one functional group.

    at        printed as its own wall time says; X12 knows no zones
    bodies    (set, its segments between ST and SE), at least one, all of one GS01
    raises    Unwritable when sets of different groups are mixed, or a number does not fit
    """
    kinds = {GROUP_OF.get(set_id, "") for set_id, _ in bodies}
    if len(kinds) != 1 or "" in kinds:
        raise Unwritable(f"one group holds sets of one kind, not {[name for name, _ in bodies]}")
    transactions = [
        transaction(set_id, numbers.first_set + index, body)
        for index, (set_id, body) in enumerate(bodies)
    ]
    made = group(route, kinds.pop(), numbers.group, at, transactions)
    return interchange(route, numbers.interchange, at, [made])


def transaction(set_id: str, control: int, body: Sequence[Segment]) -> Transaction:
    """A set around its segments."""
    number = _number(control, "ST02").zfill(4)
    trailer = segment("SE", str(len(body) + 2), number)
    return Transaction(segment("ST", set_id, number), tuple(body), trailer)


def group(
    route: Route, kind: str, control: int, at: datetime, transactions: Sequence[Transaction]
) -> Group:
    """A group around sets; `kind` is GS01."""
    number = _number(control, "GS06")
    header = segment(
        "GS",
        kind,
        route.group_sender or route.sender,
        route.group_receiver or route.receiver,
        f"{at:%Y%m%d}",
        f"{at:%H%M}",
        number,
        "X",
        route.version,
    )
    for finding in values.judge(header, tables_of(route.version)):
        if finding.is_error:
            raise Unwritable(finding.message)
    return Group(header, tuple(transactions), segment("GE", str(len(transactions)), number))


def interchange(
    route: Route,
    control: int,
    at: datetime,
    groups: Sequence[Group] = (),
    technical: Sequence[Segment] = (),
) -> Interchange:
    """An interchange around groups, or around TA1 segments."""
    number = _number(control, "ISA13").zfill(9)
    version = route.version[:5]
    separators = _separators(route.separators, version)
    isa = Isa(
        sender=route.sender,
        receiver=route.receiver,
        sender_qualifier=route.sender_qualifier,
        receiver_qualifier=route.receiver_qualifier,
        control=number,
        date=f"{at:%y%m%d}",
        time=f"{at:%H%M}",
        version=version,
        usage=route.usage,
        ack="1" if route.wants_ta1 else "0",
        standard="" if separators.repetition else "U",
    )
    trailer = segment("IEA", str(len(groups)), number)
    return Interchange(isa, separators, tuple(groups), tuple(technical), trailer)


def _separators(wished: Separators, version: str) -> Separators:
    """From 00402 on a repetition separator must be declared, below it must not."""
    if version < "00402":
        return replace(wished, repetition="")
    if wished.repetition:
        return wished
    free = next(mark for mark in "^!%&;" if mark not in wished.all)
    return replace(wished, repetition=free)


def _free(wished: str, others: str, taken: Iterable[str]) -> str:
    """The mark that is wished for, or the first other one that is not taken; where all are, writing refuses it."""
    return next((mark for mark in (wished, *others) if mark not in taken), wished)


def _texts(element: Element) -> Sequence[str]:
    match element:
        case Composite(components):
            return components
        case Repeated(several):
            return [text for each in several for text in _texts(each)]
        case _:
            return (element,)


def _number(control: int, name: str) -> str:
    if not 1 <= control <= _LARGEST:
        raise Unwritable(f"{name} is a number from 1 to {_LARGEST}, not {control}")
    return str(control)
