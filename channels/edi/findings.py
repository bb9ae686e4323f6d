"""What can be wrong with a document: every kind of finding, how grave it is, and its code in a 997, 999 or TA1.

A finding never stops the reading. Public X12 is dirty, so the codec reads what it can and reports what it saw;
whether a partner's document is accepted in spite of it is decided by whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """error: the standard is broken and a receiver may reject. warning: readable, but somebody should be told."""

    ERROR = "error"
    WARNING = "warning"


class Scope(StrEnum):
    """What a finding condemns, and so which acknowledgement carries its code."""

    INTERCHANGE = "interchange"  # TA105
    GROUP = "group"  # AK905
    SET = "set"  # AK502
    SEGMENT = "segment"  # AK304
    ELEMENT = "element"  # AK403


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the bytes: `offset` from the first byte of the file, `number` of the segment in the file from 1.

    element, component    from 1; 0 when the whole segment, or the whole element, is meant
    """

    offset: int = 0
    number: int = 0
    segment: str = ""
    element: int = 0
    component: int = 0

    def of(self, element: int, component: int = 0) -> Position:
        """The same segment, one element (and component) of it."""
        return Position(self.offset, self.number, self.segment, element, component)

    @property
    def name(self) -> str:
        """The standard's way to name an element: PO102, or REF04-1."""
        element = f"{self.element:02}" if self.element else ""
        return f"{self.segment}{element}" + (f"-{self.component}" if self.component else "")

    def __str__(self) -> str:
        return f"segment {self.number} ({self.name}) at byte {self.offset}"


NOWHERE: Final = Position()


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the catalogue.

    acknowledged    the standard's code at this scope; empty when only a person is told
    """

    code: str
    severity: Severity
    scope: Scope
    acknowledged: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one document.

    bad    the value complained of, as it stood; empty when a whole segment is meant
    """

    kind: Kind
    at: Position
    message: str
    bad: str = ""

    @property
    def code(self) -> str:
        """The kind's name in reports and in README.md."""
        return self.kind.code

    @property
    def is_error(self) -> bool:
        """A receiver may reject for this."""
        return self.kind.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.kind.severity} {self.code}: {self.message}; {self.at}"


KINDS: Final[dict[str, Kind]] = {}

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_ISA, _GS, _ST, _SEG, _EL = (
    Scope.INTERCHANGE,
    Scope.GROUP,
    Scope.SET,
    Scope.SEGMENT,
    Scope.ELEMENT,
)


def _kind(code: str, severity: Severity, scope: Scope, acknowledged: str, meaning: str) -> Kind:
    kind = Kind(code, severity, scope, acknowledged, meaning)
    assert code not in KINDS
    KINDS[code] = kind
    return kind


# Bytes
DIRT = _kind("DIRT", _WARNING, _ISA, "", "bytes before the first ISA that are no X12 (a BOM, text)")
STRAY = _kind("STRAY", _ERROR, _ISA, "022", "bytes between or after interchanges that are no X12")
BLANKS = _kind("BLANKS", _WARNING, _ISA, "", "blanks before segments; reported once an interchange")
UNTERMINATED = _kind("UNTERMINATED", _WARNING, _ISA, "004", "the last segment has no terminator")
MISSING_TERMINATOR = _kind(
    "MISSING-TERMINATOR", _ERROR, _SEG, "8", "a line break stands where the terminator should"
)
EMPTY_SEGMENT = _kind("EMPTY-SEGMENT", _WARNING, _ISA, "", "two terminators, nothing between")
SEGMENT_ID = _kind("SEGMENT-ID", _ERROR, _SEG, "1", "no segment is named so")
CONTROL_CHARACTER = _kind(
    "CONTROL-CHARACTER", _ERROR, _EL, "6", "a control character inside an element"
)
NOT_ASCII = _kind(
    "NOT-ASCII",
    _WARNING,
    _EL,
    "",
    "characters outside the basic and extended sets; read as Latin-1",
)

MORE = _kind(
    "MORE",
    _WARNING,
    _ISA,
    "",
    "one kind of finding more than a thousand times; the rest is not listed",
)

# Interchange
BROKEN_ISA = _kind(
    "BROKEN-ISA", _ERROR, _ISA, "022", "an ISA whose sixteen elements cannot be told apart; skipped"
)
ISA_WIDTH = _kind("ISA-WIDTH", _ERROR, _ISA, "022", "ISA is not 106 characters at fixed places")
ISA16_MISSING = _kind("ISA16-MISSING", _ERROR, _ISA, "027", "no component separator is declared")
SEPARATORS = _kind(
    "SEPARATORS", _ERROR, _ISA, "026", "separators that are equal to each other or occur in words"
)
ISA_VALUE = _kind("ISA-VALUE", _ERROR, _ISA, "022", "an ISA element has no allowed value")
IEA_MISSING = _kind("IEA-MISSING", _ERROR, _ISA, "023", "the interchange has no trailer")
IEA_CONTROL = _kind("IEA-CONTROL", _ERROR, _ISA, "001", "IEA02 differs from ISA13")
IEA_COUNT = _kind("IEA-COUNT", _ERROR, _ISA, "021", "IEA01 is not the number of groups")
ISA_DUPLICATE = _kind(
    "ISA-DUPLICATE", _ERROR, _ISA, "025", "the same ISA13 from this sender twice in one file"
)
NO_CONTENT = _kind("NO-CONTENT", _WARNING, _ISA, "024", "neither a group nor a TA1 inside")
LOOSE_SEGMENT = _kind(
    "LOOSE-SEGMENT", _ERROR, _ISA, "024", "a segment outside of its group or set; kept apart"
)

# Group
GE_MISSING = _kind("GE-MISSING", _ERROR, _GS, "3", "the group has no trailer")
GE_CONTROL = _kind("GE-CONTROL", _ERROR, _GS, "4", "GE02 differs from GS06")
GE_COUNT = _kind("GE-COUNT", _ERROR, _GS, "5", "GE01 is not the number of sets")
GS_DUPLICATE = _kind("GS-DUPLICATE", _ERROR, _GS, "6", "the same GS06 twice in one interchange")
GS_VERSION = _kind(
    "GS-VERSION", _WARNING, _GS, "", "GS08 and ISA12 name different versions of the standard"
)
VERSION_UNKNOWN = _kind(
    "VERSION-UNKNOWN", _WARNING, _GS, "2", "no tables for GS08; read by the nearest version"
)
GROUP_KIND = _kind(
    "GROUP-KIND", _WARNING, _GS, "", "a set in a group of another functional identifier"
)

# Set
SE_MISSING = _kind("SE-MISSING", _ERROR, _ST, "2", "the set has no trailer")
SE_CONTROL = _kind("SE-CONTROL", _ERROR, _ST, "3", "SE02 differs from ST02")
SE_COUNT = _kind("SE-COUNT", _ERROR, _ST, "4", "SE01 is not the number of segments, ST to SE")
ST_DUPLICATE = _kind("ST-DUPLICATE", _ERROR, _ST, "7", "the same ST02 twice in one group")
SET_UNKNOWN = _kind(
    "SET-UNKNOWN", _WARNING, _ST, "1", "no table for this set; only its envelope is checked"
)

# Segments
NOT_IN_SET = _kind("NOT-IN-SET", _ERROR, _SEG, "6", "the set does not use this segment")
OUT_OF_ORDER = _kind("OUT-OF-ORDER", _ERROR, _SEG, "7", "the segment stands after its place")
UNEXPECTED = _kind(
    "UNEXPECTED", _ERROR, _SEG, "2", "the segment has no place in the loop it stands in"
)
SEGMENT_MISSING = _kind("SEGMENT-MISSING", _ERROR, _SEG, "3", "a mandatory segment is not there")
SEGMENT_REPEATED = _kind("SEGMENT-REPEATED", _ERROR, _SEG, "5", "the segment occurs too often")
LOOP_REPEATED = _kind("LOOP-REPEATED", _ERROR, _SEG, "4", "the loop occurs too often")

# Elements
ELEMENT_MISSING = _kind("ELEMENT-MISSING", _ERROR, _EL, "1", "a mandatory element is empty")
CONDITION = _kind("CONDITION", _ERROR, _EL, "2", "an element that another one calls for is empty")
TOO_MANY = _kind("TOO-MANY", _ERROR, _EL, "3", "more elements or components than the segment has")
TOO_SHORT = _kind("TOO-SHORT", _ERROR, _EL, "4", "the value is shorter than allowed")
TOO_LONG = _kind("TOO-LONG", _ERROR, _EL, "5", "the value is longer than allowed")
BAD_CHARACTER = _kind("BAD-CHARACTER", _ERROR, _EL, "6", "a character that the type does not have")
BAD_CODE = _kind("BAD-CODE", _WARNING, _EL, "7", "a code that our list does not have")
BAD_DATE = _kind("BAD-DATE", _ERROR, _EL, "8", "no date of the calendar")
BAD_TIME = _kind("BAD-TIME", _ERROR, _EL, "9", "no time of the day")
PADDED = _kind("PADDED", _WARNING, _EL, "", "blanks before or after the value")
COMPOSITE = _kind(
    "COMPOSITE", _WARNING, _EL, "3", "a component or repetition separator inside a simple element"
)

# Meaning
LINE_COUNT = _kind("LINE-COUNT", _ERROR, _EL, "7", "CTT01 is not the number of lines")
HASH_TOTAL = _kind(
    "HASH-TOTAL", _WARNING, _EL, "7", "CTT02 is not the sum of the lines' quantities"
)
LINE_DUPLICATE = _kind("LINE-DUPLICATE", _WARNING, _EL, "7", "two lines carry the same number")
STORES_SUM = _kind("STORES-SUM", _WARNING, _SEG, "8", "SDQ does not add up to the line's quantity")
ANSWERS_SUM = _kind(
    "ANSWERS-SUM", _WARNING, _SEG, "8", "ACK does not add up to the line's quantity"
)
GTIN = _kind(
    "GTIN", _WARNING, _EL, "7", "length or check digit of a UPC, EAN, GTIN or GLN is wrong"
)
SSCC = _kind("SSCC", _WARNING, _EL, "7", "length or check digit of an SSCC-18 is wrong")
HL_SEQUENCE = _kind(
    "HL-SEQUENCE", _ERROR, _EL, "7", "HL01 does not count up from 1, or occurs twice"
)
HL_PARENT = _kind("HL-PARENT", _ERROR, _EL, "7", "HL02 names no level that stands before")
HL_PARENT_MISSING = _kind(
    "HL-PARENT-MISSING",
    _WARNING,
    _EL,
    "2",
    "HL02 is empty below the shipment; the parent is inferred",
)
HL_CHAIN = _kind("HL-CHAIN", _WARNING, _EL, "7", "a level under one that it cannot be part of")
HL_CHILD = _kind("HL-CHILD", _WARNING, _EL, "7", "HL04 says otherwise about levels below")
HL_NO_SHIPMENT = _kind("HL-NO-SHIPMENT", _ERROR, _SEG, "3", "the first level is no shipment")

#: How many findings of one kind are kept in one place, which is a set, or an interchange outside of its sets.
MOST: Final = 1_000


class Tally:
    """Findings in their order, at most a thousand of each kind in one place: dirt is smaller than what is said of it.

    found    those that are kept; MORE stands where the first was left out
    """

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, finding: Finding) -> None:
        """Keep one, unless there are too many of its kind."""
        code = finding.kind.code
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= MOST:
            self.found.append(finding)
        elif count == MOST + 1:
            message = f"{code} stands here more than {MOST} times; the rest is not listed"
            self.found.append(Finding(MORE, finding.at, message))

    def take(self, found: Iterable[Finding]) -> None:
        """Keep several."""
        for finding in found:
            self.add(finding)

    def elsewhere(self) -> None:
        """A new place begins: count anew, so that no set is spared for the faults of another."""
        self._counts.clear()
