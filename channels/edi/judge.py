"""The envelopes judged: values of the headers, trailers, counts, control numbers, versions, duplicates.

Pure functions from what `envelope.parse` read to findings. Counts are compared as numbers, control numbers as texts
without surrounding blanks: a sender that drops leading zeros breaks the standard, and some receivers reject it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from channels.edi import findings, values
from channels.edi.envelope import Group, Interchange, Parsed, Transaction
from channels.edi.findings import Finding, Kind, Position
from channels.edi.isa import Isa
from channels.edi.segments import Segment
from channels.edi.sets import GROUP_OF, LAYOUTS, tables_of

#: ISA05 and ISA07: who gave the id that follows.
ID_QUALIFIERS: Final = frozenset(
    (
        *(f"{number:02}" for number in range(1, 39) if number not in (5, 6)),
        "AM",
        "NR",
        "SA",
        "SN",
        "ZZ",
    )
)

_VERSION: Final = re.compile(r"00[2-8]\d{2}", re.ASCII)
_NINE: Final = re.compile(r"\d{9}", re.ASCII)

#: Groups that may hold any set: SC carries the aerospace implementations of 850 and 855 besides 832.
_ANY_SET: Final = frozenset({"SC"})


def envelopes(parsed: Parsed) -> Iterator[Finding]:
    """Findings on every interchange, group and set of a file; what stands inside the sets is not looked at."""
    seen: set[tuple[str, str, str, str]] = set()
    for interchange in parsed.interchanges:
        isa = interchange.isa
        key = (isa.sender_qualifier, isa.sender, isa.receiver, isa.control)
        if key in seen:
            message = f"ISA13 {isa.control} from {isa.sender} stands twice in this file"
            yield _isa(findings.ISA_DUPLICATE, interchange, 13, message, isa.control)
        seen.add(key)
        yield from _header(interchange)
        yield from _interchange(interchange)


def _isa(
    kind: Kind, interchange: Interchange, element: int, message: str, bad: str = ""
) -> Finding:
    return Finding(kind, interchange.at.of(element), message, bad)


def _header(interchange: Interchange) -> Iterator[Finding]:
    for element, value, is_allowed, allowed in _rules(interchange.isa):
        if not is_allowed:
            message = f"ISA{element:02} is {value!r}, not {allowed}"
            yield _isa(findings.ISA_VALUE, interchange, element, message, value)


def _rules(isa: Isa) -> Iterator[tuple[int, str, bool, str]]:
    """(element, its value, whether it is allowed, what would be)."""
    codes = {f"{number:02}" for number in range(9)}
    yield 1, isa.authorisation_qualifier, isa.authorisation_qualifier in codes, "a code of I01"
    yield 3, isa.security_qualifier, isa.security_qualifier in codes, "a code of I03"
    yield 5, isa.sender_qualifier, isa.sender_qualifier in ID_QUALIFIERS, "a code of I05"
    yield 6, isa.sender, bool(isa.sender), "an id"
    yield 7, isa.receiver_qualifier, isa.receiver_qualifier in ID_QUALIFIERS, "a code of I05"
    yield 8, isa.receiver, bool(isa.receiver), "an id"
    yield 9, isa.date, values.is_date(isa.date, (6,)), "a date YYMMDD"
    yield 10, isa.time, values.is_time(isa.time) and len(isa.time) == 4, "a time HHMM"
    yield 11, isa.standard, isa.standard in ("U", ""), "U or a repetition separator"
    yield 12, isa.version, bool(_VERSION.fullmatch(isa.version)), "a version"
    yield 13, isa.control, bool(_NINE.fullmatch(isa.control)), "nine digits"
    yield 14, isa.ack, isa.ack in ("0", "1"), "0 or 1"
    yield 15, isa.usage, isa.usage in ("P", "T", "I"), "P, T or I"


def _interchange(interchange: Interchange) -> Iterator[Finding]:
    groups, control = interchange.groups, interchange.isa.control
    if not groups and not interchange.technical:
        yield _isa(findings.NO_CONTENT, interchange, 0, "no group and no TA1 between ISA and IEA")
    if interchange.trailer is None:
        yield _isa(findings.IEA_MISSING, interchange, 0, f"interchange {control} has no IEA")
    else:
        trailer = interchange.trailer
        yield from _count(findings.IEA_COUNT, trailer, len(groups), "groups")
        yield from _control(findings.IEA_CONTROL, trailer, control, "ISA13")
        yield from values.judge(trailer, tables_of(""))
    for technical in interchange.technical:
        yield from values.judge(technical, tables_of(""))
    yield from _twice(findings.GS_DUPLICATE, (group.header for group in groups), 6)
    for group in groups:
        yield from _group(group, interchange.isa)


def _group(group: Group, isa: Isa) -> Iterator[Finding]:
    at = group.header.at
    if group.trailer is None:
        yield Finding(findings.GE_MISSING, at, f"group {group.control} has no GE")
    else:
        yield from _count(findings.GE_COUNT, group.trailer, len(group.transactions), "sets")
        yield from _control(findings.GE_CONTROL, group.trailer, group.control, "GS06")
    version = group.version
    if isa.version[:3] != version[:3]:
        message = f"GS08 is {version!r} under ISA12 {isa.version!r}"
        yield Finding(findings.GS_VERSION, at.of(8), message, version)
    tables = tables_of(version)
    if not tables.is_exact:
        message = f"no tables for version {version!r}; read by those of {tables.version}"
        yield Finding(findings.VERSION_UNKNOWN, at.of(8), message, version)
    headers = [transaction.header for transaction in group.transactions]
    for segment in (group.header, *([group.trailer] if group.trailer else [])):
        yield from values.judge(segment, tables)
    yield from _twice(findings.ST_DUPLICATE, headers, 2)
    for transaction in group.transactions:
        yield from _transaction(transaction, group)


def _transaction(transaction: Transaction, group: Group) -> Iterator[Finding]:
    header, at = transaction.header, transaction.header.at
    if transaction.trailer is None:
        yield Finding(findings.SE_MISSING, at, f"set {transaction.control} has no SE")
    else:
        yield from _count(
            findings.SE_COUNT, transaction.trailer, len(transaction.segments), "segments"
        )
        yield from _control(findings.SE_CONTROL, transaction.trailer, transaction.control, "ST02")
    set_id = transaction.set_id
    expected = GROUP_OF.get(set_id)
    if set_id not in LAYOUTS:
        yield Finding(findings.SET_UNKNOWN, at.of(1), f"no table for set {set_id!r}", set_id)
    if expected and group.kind != expected and group.kind not in _ANY_SET:
        message = f"set {set_id} belongs in a group {expected}, not {group.kind!r}"
        yield Finding(findings.GROUP_KIND, header.at.of(1), message, set_id)


def _count(kind: Kind, trailer: Segment, actual: int, what: str) -> Iterator[Finding]:
    stated = trailer.get(1)
    if not (stated.isascii() and stated.isdigit() and len(stated) < 19 and int(stated) == actual):
        message = f"{trailer.id}01 says {stated or 'nothing'} {what}, there are {actual}"
        yield Finding(kind, trailer.at.of(1), message, stated)


def _control(kind: Kind, trailer: Segment, expected: str, of: str) -> Iterator[Finding]:
    stated = trailer.get(2)
    if stated != expected:
        message = f"{trailer.id}02 is {stated!r}, {of} is {expected!r}"
        yield Finding(kind, trailer.at.of(2), message, stated)


def _twice(kind: Kind, headers: Iterable[Segment], element: int) -> Iterator[Finding]:
    seen: set[str] = set()
    for header in headers:
        control = header.get(element)
        if control in seen:
            at: Position = header.at.of(element)
            yield Finding(kind, at, f"{at.name} {control!r} stands twice", control)
        seen.add(control)
