"""Envelopes: interchanges hold groups, groups hold sets; each has a header, a trailer, a count and a control number.

    ISA  TA1*  ( GS  ( ST ... SE )*  GE )*  IEA

`parse` reads any number of interchanges out of bytes and says what is wrong with their envelopes; `write` is its
inverse: `parse(write(x)).interchanges == x` for all that `write` accepts. The judgement of what stands inside a
set is `validate.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from channels.edi import findings, isa
from channels.edi.findings import NOWHERE, Finding, Position, Tally
from channels.edi.isa import Isa
from channels.edi.segments import Segment, Separators, Unwritable
from channels.edi.x12 import Opening, Token, Tokenizer, encode

ENVELOPE_SEGMENTS = frozenset({"ISA", "GS", "ST", "SE", "GE", "IEA"})


@dataclass(frozen=True, slots=True)
class Transaction:
    """One set, raw: what stands between ST and SE; its loops are in `loops.py`, its business in `reading.py`."""

    header: Segment
    body: tuple[Segment, ...]
    trailer: Segment | None = None

    @property
    def set_id(self) -> str:
        """850, 855, 856, ..."""
        return self.header.get(1)

    @property
    def control(self) -> str:
        """ST02."""
        return self.header.get(2)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """ST to SE, both included."""
        return (self.header, *self.body, *([self.trailer] if self.trailer else ()))


@dataclass(frozen=True, slots=True)
class Group:
    """One functional group, GS to GE."""

    header: Segment
    transactions: tuple[Transaction, ...]
    trailer: Segment | None = None

    @property
    def kind(self) -> str:
        """GS01: PO, PR, SH, IB, PC, CA, FA, ..."""
        return self.header.get(1)

    @property
    def control(self) -> str:
        """GS06."""
        return self.header.get(6)

    @property
    def version(self) -> str:
        """GS08: 004010, 004010VICS, 005010X..."""
        return self.header.get(8)

    @property
    def segments(self) -> Iterator[Segment]:
        """GS to GE, in order."""
        yield self.header
        for transaction in self.transactions:
            yield from transaction.segments
        if self.trailer:
            yield self.trailer


@dataclass(frozen=True, slots=True)
class Interchange:
    """One interchange, ISA to IEA. `technical` holds the TA1 segments, which stand outside of groups."""

    isa: Isa
    separators: Separators
    groups: tuple[Group, ...] = ()
    technical: tuple[Segment, ...] = ()
    trailer: Segment | None = None
    at: Position = field(default=NOWHERE, compare=False, repr=False)

    @property
    def segments(self) -> Iterator[Segment]:
        """All but the ISA, in order."""
        yield from self.technical
        for group in self.groups:
            yield from group.segments
        if self.trailer:
            yield self.trailer


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was in the bytes.

    findings    of bytes and tokens, in their order; `judge.envelope` adds those of the envelopes
    loose       segments that stood outside of the group or set they belong in, or after a missing header
    """

    interchanges: tuple[Interchange, ...]
    findings: tuple[Finding, ...] = ()
    loose: tuple[Segment, ...] = ()

    @property
    def transactions(self) -> Iterator[tuple[Interchange, Group, Transaction]]:
        """Every set with what it stands in."""
        for interchange in self.interchanges:
            for group in interchange.groups:
                for transaction in group.transactions:
                    yield interchange, group, transaction


def parse(data: bytes) -> Parsed:
    """Read every interchange in some bytes, however dirty.

    raises    NotX12 when there is none
    """
    tokenizer, assembler = Tokenizer(), Assembler()
    assembler.take(tokenizer.feed(data))
    assembler.take(tokenizer.close())
    return assembler.finish(tokenizer.findings)


class Assembler:
    """Segments to envelopes, as they come; feed it from a `Tokenizer` when a file is too large to hold."""

    def __init__(self) -> None:
        self._interchanges: list[Interchange] = []
        self._loose: list[Segment] = []
        self._tally = Tally()
        self._open: Opening | None = None
        self._technical: list[Segment] = []
        self._groups: list[Group] = []
        self._group: Segment | None = None
        self._transactions: list[Transaction] = []
        self._set: Segment | None = None
        self._body: list[Segment] = []

    def take(self, tokens: Sequence[Token]) -> None:
        """Add what a tokenizer gave."""
        for token in tokens:
            if isinstance(token, Opening):
                self._end_interchange(None)
                self._tally.elsewhere()
                self._open = token
            else:
                self._segment(token)

    def finish(self, others: Sequence[Finding] = ()) -> Parsed:
        """What was taken, with findings of the tokenizer before those found here."""
        self._end_interchange(None)
        found = sorted((*others, *self._tally.found), key=lambda finding: finding.at.number)
        return Parsed(tuple(self._interchanges), tuple(found), tuple(self._loose))

    def _segment(self, segment: Segment) -> None:
        match segment.id:
            case "GS":
                self._end_group(None)
                self._group = segment
            case "ST" if self._group:
                self._end_set(None)
                self._set = segment
            case "SE" if self._set:
                self._end_set(segment)
            case "GE" if self._group:
                self._end_group(segment)
            case "IEA":
                self._end_interchange(segment)
            case "TA1" if not self._group:
                self._technical.append(segment)
            case _ if self._set and segment.id not in ENVELOPE_SEGMENTS:
                self._body.append(segment)
            case _:
                self._loose.append(segment)
                message = f"{segment.id} stands outside of what it belongs in"
                self._tally.add(Finding(findings.LOOSE_SEGMENT, segment.at, message))

    def _end_set(self, trailer: Segment | None) -> None:
        if self._set:
            self._transactions.append(Transaction(self._set, tuple(self._body), trailer))
        self._set, self._body = None, []

    def _end_group(self, trailer: Segment | None) -> None:
        self._end_set(None)
        if self._group:
            self._groups.append(Group(self._group, tuple(self._transactions), trailer))
        self._group, self._transactions = None, []

    def _end_interchange(self, trailer: Segment | None) -> None:
        self._end_group(None)
        if self._open:
            heading, at = self._open.heading, self._open.at
            made = Interchange(
                isa=heading.isa,
                separators=heading.separators,
                groups=tuple(self._groups),
                technical=tuple(self._technical),
                trailer=trailer,
                at=at,
            )
            self._interchanges.append(made)
        self._open, self._groups, self._technical = None, [], []


def write(*interchanges: Interchange, line_breaks: bool = False) -> bytes:
    """Interchanges as bytes, each with its own separators.

    line_breaks    a line break after every terminator, for people; readers skip it
    raises         Unwritable when a value holds a separator, an ISA value does not fit, or an envelope is not whole
    """
    return b"".join(_one(interchange, line_breaks=line_breaks) for interchange in interchanges)


def _one(interchange: Interchange, *, line_breaks: bool) -> bytes:
    _refuse_broken(interchange)
    separators = interchange.separators
    heading = isa.write(interchange.isa, separators).encode("latin-1")
    if not line_breaks or separators.segment in "\r\n":
        return heading + encode(interchange.segments, separators)
    lines = [encode([segment], separators) for segment in interchange.segments]
    return b"\n".join((heading, *lines)) + b"\n"


def _refuse_broken(interchange: Interchange) -> None:
    """An envelope that could not be read back as it is."""
    _is("IEA", interchange.trailer)
    for segment in interchange.technical:
        _is("TA1", segment)
    for group in interchange.groups:
        _is("GS", group.header)
        _is("GE", group.trailer)
        for transaction in group.transactions:
            _is("ST", transaction.header)
            _is("SE", transaction.trailer)
            strange = ENVELOPE_SEGMENTS.intersection(each.id for each in transaction.body)
            if strange:
                raise Unwritable(f"{min(strange)} cannot stand inside a set")


def _is(name: str, segment: Segment | None) -> None:
    if segment is None or segment.id != name:
        raise Unwritable(f"the envelope needs {name} where {segment} stands")
    if not all(isinstance(element, str) for element in segment.elements):
        raise Unwritable(f"{name} has simple elements only: {segment}")
