"""Documents written as the segments of their set: `write(document)`, the inverse of `reading.read`.

Strict, where reading is tolerant: what the tables call an error, a wrong SSCC or a value padded with blanks is refused,
so that nothing leaves that a partner's validator must reject. `compose.enclose` puts the envelope around it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeAlias

from channels.edi import findings, meaning, values
from channels.edi.acknowledgements import FunctionalAck
from channels.edi.compose import transaction
from channels.edi.documents import (
    Availability,
    ChangeAnswer,
    OrderAnswer,
    ShipNotice,
)
from channels.edi.findings import Finding, Position
from channels.edi.loops import arrange
from channels.edi.segments import Segment, Unwritable
from channels.edi.sets import tables_of
from channels.edi.writing import acks, availability, orders, shipments

Writable: TypeAlias = OrderAnswer | ChangeAnswer | ShipNotice | Availability | FunctionalAck

#: Warnings that are errors when they are ours.
_REFUSED: Final = frozenset({findings.SSCC, findings.PADDED, findings.HL_CHAIN, findings.HL_CHILD})

__all__ = ["Unwritable", "Writable", "write"]


def write(document: Writable, version: str = "004010") -> tuple[str, list[Segment]]:
    """(set, its segments between ST and SE).

    version    GS08 of the group it will travel in; lengths and conditions are judged by its tables
    raises     Unwritable, naming segment and element, when the set would break them
    """
    set_id, body = _body(document)
    _refuse(set_id, body, version)
    return set_id, body


def _body(document: Writable) -> tuple[str, list[Segment]]:
    match document:
        case OrderAnswer():
            return "855", orders.order_answer(document)
        case ChangeAnswer():
            return "865", orders.change_answer(document)
        case ShipNotice():
            return "856", shipments.ship_notice(document)
        case Availability():
            return "846", availability.availability(document)
        case FunctionalAck():
            return "997", acks.functional_ack(document)


def _refuse(set_id: str, body: list[Segment], version: str) -> None:
    placed = [
        replace(each, at=Position(number=number, segment=each.id))
        for number, each in enumerate(body, 2)
    ]
    root, found = arrange(transaction(set_id, 1, placed))
    tables = tables_of(version)
    for each in placed:
        found += values.judge(each, tables)
    found += meaning.judge(set_id, root)
    refused = [finding for finding in found if _is_refused(finding)]
    if refused:
        first = refused[0]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise Unwritable(f"{set_id} would be faulty: {first.code}: {first.message}{more}")


def _is_refused(finding: Finding) -> bool:
    return finding.is_error or finding.kind in _REFUSED
