"""Findings turned into the answers the standard has for them: a 997 for a group, a TA1 for an interchange.

Only errors condemn; warnings are for people. Whether an erroneous set is accepted all the same is the partner's policy.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from channels.edi.acknowledgements import (
    ElementError,
    FunctionalAck,
    SegmentError,
    SetAnswer,
    TechnicalAck,
)
from channels.edi.envelope import Group, Interchange, Transaction
from channels.edi.findings import Finding, Scope
from channels.edi.segments import Unwritable

_MOST_CODES: Final = 5
_MOST_ELEMENTS: Final = 99
_LONGEST_COPY: Final = 99


def functional(
    group: Group, findings: Sequence[Finding], *, accept_errors: bool = False
) -> FunctionalAck:
    """The 997 that answers one group.

    findings         of the whole file in its order, as `validate` tells them; those of other groups are passed over
    accept_errors    faulty sets are accepted with errors (E) instead of rejected (R)
    raises           Unwritable for a group of acknowledgements: those are never acknowledged
    """
    if group.kind == "FA":
        raise Unwritable("an acknowledgement is never acknowledged")
    numbers = [segment.at.number for segment in group.segments]
    inside = _between(findings, min(numbers), max(numbers))
    errors = [finding for finding in inside if finding.is_error]
    answers = tuple(
        _set(transaction, errors, accept_errors=accept_errors) for transaction in group.transactions
    )
    codes = _codes(_of(errors, Scope.GROUP))
    accepted = sum(answer.status != "R" for answer in answers)
    stated = group.trailer.get(1) if group.trailer else ""
    return FunctionalAck(
        kind=group.kind,
        control=group.control,
        status=_status(answers, accepted, codes, accept_errors=accept_errors),
        stated=int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 7 else 0,
        received=len(answers),
        accepted=accepted if not codes or accept_errors else 0,
        sets=answers,
        codes=codes,
    )


def technical(
    interchange: Interchange, findings: Sequence[Finding], *, accept_errors: bool = False
) -> TechnicalAck:
    """The TA1 that answers one interchange: rejected with the code of its first error, if it has one.

    accept_errors    it is taken in spite of them: E instead of R
    """
    first = interchange.at.number
    last = max((segment.at.number for segment in interchange.segments), default=first)
    errors = (finding for finding in _between(findings, first, last) if finding.is_error)
    codes = _codes(_of(errors, Scope.INTERCHANGE))
    return TechnicalAck(
        control=interchange.isa.control,
        date=interchange.isa.date,
        time=interchange.isa.time,
        status="A" if not codes else "E" if accept_errors else "R",
        code=codes[0] if codes else "000",
    )


def _between(findings: Sequence[Finding], first: int, last: int) -> Sequence[Finding]:
    """Findings on segments `first` to `last`. They stand in order: a file may hold very many of them, and of sets."""
    start = bisect_left(findings, first, key=_number)
    return findings[start : bisect_right(findings, last, lo=start, key=_number)]


def _number(finding: Finding) -> int:
    return finding.at.number


def _of(findings: Iterable[Finding], scope: Scope) -> list[Finding]:
    return [finding for finding in findings if finding.kind.scope is scope]


def _codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    codes = dict.fromkeys(each.kind.acknowledged for each in findings if each.kind.acknowledged)
    return tuple(codes)[:_MOST_CODES]


def _status(
    answers: Sequence[SetAnswer], accepted: int, codes: Sequence[str], *, accept_errors: bool
) -> str:
    if codes and not accept_errors:
        return "R"
    if answers and not accepted:
        return "R"
    if accepted < len(answers):
        return "P"
    return "E" if codes or any(answer.status == "E" for answer in answers) else "A"


def _set(transaction: Transaction, errors: Sequence[Finding], *, accept_errors: bool) -> SetAnswer:
    first = transaction.header.at.number
    inside = _between(errors, first, transaction.segments[-1].at.number)
    faulty = _segments([e for e in inside if e.kind.scope in (Scope.SEGMENT, Scope.ELEMENT)], first)
    codes = _codes(_of(inside, Scope.SET))
    if faulty:
        codes = (*codes, "5")[:_MOST_CODES]
    status = "A" if not codes else "E" if accept_errors else "R"
    return SetAnswer(transaction.set_id, transaction.control, status, codes, faulty)


def _segments(errors: Sequence[Finding], first: int) -> tuple[SegmentError, ...]:
    """One AK3 for each segment and code; element errors of one segment share code 8."""
    found: list[SegmentError] = []
    by_segment: dict[int, list[Finding]] = {}
    for error in errors:
        place = error.at.number - first + 1
        if error.kind.scope is Scope.ELEMENT:
            by_segment.setdefault(place, []).append(error)
        else:
            name = error.bad if error.kind.code == "SEGMENT-MISSING" else error.at.segment
            found.append(SegmentError(name, place, error.kind.acknowledged))
    for place, inside in by_segment.items():
        elements = tuple(_element(error) for error in inside if error.at.element)[:_MOST_ELEMENTS]
        found.append(SegmentError(inside[0].at.segment, place, "8", elements=elements))
    return tuple(sorted(found, key=lambda error: error.place))


def _element(error: Finding) -> ElementError:
    """AK404 repeats the bad value only as far as it can be sent back safely."""
    bad = "".join(c for c in error.bad if c.isascii() and (c.isalnum() or c in " .-/"))
    return ElementError(
        error.at.element, error.kind.acknowledged, error.at.component, bad[:_LONGEST_COPY].strip()
    )
