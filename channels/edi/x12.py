"""Bytes to segments and back: a protocol without I/O that knows envelopes' marks, but no business.

Theory. An interchange is a run of segments, each ended by one terminator; a segment is a name and elements. Which
characters separate is declared by the ISA that opens the interchange, so that every ISA of a file is looked at anew.

    Tokenizer.feed(bytes) -> [Opening | Segment]      any number of bytes, in order
    Tokenizer.close()     -> [Opening | Segment]      what was left; NotX12 when no interchange ever began

Dirt is tolerated and told (`Tokenizer.findings`): bytes before the first ISA, blanks around segments, empty
segments, a missing last terminator, and a line break in place of a terminator. Bytes are read as Latin-1, the
only reading in which every byte has a character and every character goes back to its byte.

Each byte is looked at a bounded number of times; `Tokenizer.steps` counts them, and a test holds it to a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from channels.edi import findings, isa
from channels.edi.findings import Finding, Kind, Position, Tally
from channels.edi.segments import (
    Composite,
    Element,
    NotX12,
    Repeated,
    Segment,
    Separators,
    Unwritable,
)

_BLANKS: Final = b" \t\r\n\x00\x1a\x0b\x0c"
_BOM: Final = b"\xef\xbb\xbf"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{1,2}\Z")
_CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
#: Beginnings of GS, ST, SE, GE and IEA: from there on findings are about something else.
_PLACES: Final = frozenset((b"GS", b"ST", b"SE", b"GE", b"IE"))
_NEVER: Final = re.compile(rb"(?!)")
_HIGH: Final = re.compile(r"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Opening:
    """An ISA: a new interchange begins, with separators of its own."""

    heading: isa.Heading
    at: Position


Token: TypeAlias = Opening | Segment


class Tokenizer:
    """Bytes in, segments with their place out; see the head of this file.

    separators    of the interchange being read; None outside of one
    steps         bytes looked at so far, each look counted
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self.separators: Separators | None = None
        self.steps = 0
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the file
        self._at = 0  # first byte of the buffer not yet read
        self._seen = 0  # bytes of the buffer searched for a terminator in vain
        self._number = 0
        self._began = False
        self._blank_told = False
        self._dirt_from: int | None = None
        self._recover = _NEVER
        self._control = re.compile("[" + re.escape(_CONTROLS) + "]")

    @property
    def findings(self) -> list[Finding]:
        """What was wrong with the bytes so far, in their order."""
        return self._tally.found

    def feed(self, data: bytes) -> list[Token]:
        """The segments that these bytes complete."""
        self._buffer += data
        tokens = self._read(final=False)
        del self._buffer[: self._at]
        self._offset += self._at
        self._seen = max(0, self._seen - self._at)
        self._at = 0
        return tokens

    def close(self) -> list[Token]:
        """What is left when no more bytes will come.

        raises    NotX12 when there was no interchange at all
        """
        tokens = self._read(final=True)
        if not self._began:
            raise NotX12("no ISA segment that could be read in these bytes: this is no X12")
        self._tell_stray(self._offset + len(self._buffer))
        return tokens

    def _read(self, *, final: bool) -> list[Token]:
        tokens: list[Token] = []
        while (found := self._next(final=final)) is not None:
            tokens += found
        return tokens

    def _next(self, *, final: bool) -> list[Token] | None:
        """The next segments, [] after a step that gave none, None when more bytes are needed."""
        if self.separators is None:
            return self._seek(final=final)
        self._skip_blanks(self.separators.segment.encode("latin-1"))
        if self._isa_here():
            return self._open(final=final)
        return self._segment(self.separators, final=final)

    # Outside of an interchange: look for ISA

    def _seek(self, *, final: bool) -> list[Token] | None:
        found = self._buffer.find(b"ISA", self._at)
        self.steps += (found if found >= 0 else len(self._buffer)) - self._at
        if found < 0:
            end = len(self._buffer) if final else max(self._at, len(self._buffer) - 2)
            self._note_dirt(end)
            self._at = end
            return None
        self._note_dirt(found)
        self._at = found
        return self._open(final=final)

    def _isa_here(self) -> bool:
        head = self._buffer[self._at : self._at + 4]
        return head[:3] == b"ISA" and not head[3:4].isalnum()

    def _open(self, *, final: bool) -> list[Token] | None:
        if not final and len(self._buffer) - self._at < isa.WINDOW:
            return None
        window = bytes(self._buffer[self._at : self._at + isa.WINDOW])
        self.steps += len(window)
        heading = isa.detect(window)
        if heading is None:
            return self._skip_isa()
        self._tell_stray(self._offset + self._at)
        self._began, self._blank_told, self._number = True, False, self._number + 1
        at = Position(self._offset + self._at, self._number, "ISA")
        self.separators = heading.separators
        self._recover = _recovery(heading.separators)
        strange = set(_CONTROLS) - set(heading.separators.all)
        self._control = re.compile("[" + re.escape("".join(sorted(strange))) + "]")
        self._at += heading.length
        self._seen = self._at
        self._judge_heading(heading, at)
        return [Opening(heading, at)]

    def _skip_isa(self) -> list[Token]:
        at = Position(self._offset + self._at, self._number + 1, "ISA")
        if self._began and len(self._buffer) - self._at > 3:
            self._say(findings.BROKEN_ISA, at, "ISA without sixteen elements; skipped")
        self.separators = None
        if self._dirt_from is None:
            self._dirt_from = self._offset + self._at
        self._at += min(3, len(self._buffer) - self._at)
        return []

    def _note_dirt(self, end: int) -> None:
        dirt = self._buffer[self._at : end].lstrip(_BLANKS)
        if self._dirt_from is None and dirt:
            self._dirt_from = self._offset + end - len(dirt)

    def _tell_stray(self, end: int) -> None:
        """One finding for all the bytes that lay outside of interchanges since the last one."""
        if self._dirt_from is None:
            return
        kind = findings.STRAY if self._began else findings.DIRT
        at = Position(self._dirt_from, self._number + 1)
        self._say(kind, at, f"{end - self._dirt_from} bytes that are no X12")
        self._dirt_from = None

    def _judge_heading(self, heading: isa.Heading, at: Position) -> None:
        marks = heading.separators
        if not marks.component:
            self._say(findings.ISA16_MISSING, at.of(16), "ISA16 is not there")
        elif not heading.is_fixed:
            self._say(findings.ISA_WIDTH, at, "ISA is not 106 characters at fixed places")
        if len(set(marks.all)) != len(marks.all) or any(mark.isalnum() for mark in marks.all):
            self._say(
                findings.SEPARATORS, at, f"separators {marks.all!r} cannot be told apart from words"
            )

    # Inside of an interchange: look for the terminator

    def _skip_blanks(self, terminator: bytes) -> None:
        """Line breaks and blanks before a segment, and a BOM that concatenating files leaves there."""
        buffer, start, end = self._buffer, self._at, len(self._buffer)
        blanks = _BLANKS.replace(terminator, b"")
        at = start
        while at < end and (buffer[at] in blanks or buffer.startswith(_BOM, at)):
            at += 3 if buffer[at] == _BOM[0] else 1
        self.steps += at - start + 1
        if not self._blank_told and buffer[start:at].strip(b"\r\n"):
            self._blank_told = True
            place = Position(self._offset + start, self._number + 1)
            self._say(findings.BLANKS, place, "blanks or other bytes before segments")
        self._at, self._seen = at, max(at, self._seen)

    def _segment(self, separators: Separators, *, final: bool) -> list[Token] | None:
        terminator = separators.segment.encode("latin-1")
        found = self._buffer.find(terminator, self._seen)
        self.steps += (found if found >= 0 else len(self._buffer)) - self._seen
        if found < 0:
            self._seen = len(self._buffer)
            if not final or self._at == len(self._buffer):
                return None
        if found == self._at:
            self._skip_empty(found, terminator)
            return []
        end = found if found >= 0 else len(self._buffer)
        raw, start = bytes(self._buffer[self._at : end]), self._offset + self._at
        self.steps += 3 * len(raw)  # the copy, the search for line breaks, the split
        self._at = self._seen = min(end + 1, len(self._buffer))
        name = raw[:3].split(separators.element.encode("latin-1"))[0].decode("latin-1")
        at = Position(start, self._number + 1, name)
        if found < 0:
            self._say(findings.UNTERMINATED, at, "the last segment has no terminator")
        if not raw.strip(_BLANKS):
            self._say(findings.EMPTY_SEGMENT, at, "nothing between two terminators")
            return []
        return self._pieces(raw, start, separators)

    def _skip_empty(self, found: int, terminator: bytes) -> None:
        """Terminators in a row, each on a line or not, at once: of fifty million a few are told, as of any dirt."""
        run = re.compile(b"[" + re.escape(terminator) + rb"\r\n]*+").match(self._buffer, found)
        end = self._buffer.rfind(terminator, found, run.end() if run else found + 1) + 1
        self.steps += end - found
        place = found
        # More than these would not be kept.
        for _ in range(findings.MOST + 1):
            at = Position(self._offset + place, self._number + 1)
            self._say(findings.EMPTY_SEGMENT, at, "nothing between two terminators")
            place = self._buffer.find(terminator, place + 1, end)
            if place < 0:
                break
        self._at = self._seen = end

    def _pieces(self, raw: bytes, start: int, separators: Separators) -> list[Token]:
        """The segment in `raw`, or the several that a line break stands between."""
        cuts = [0, *(broken.end() for broken in self._recover.finditer(raw))]
        tokens: list[Token] = []
        for begin, end in zip(cuts, [*cuts[1:], len(raw)], strict=True):
            piece = raw[begin:end].strip(_BLANKS) if len(cuts) > 1 else raw
            if begin and piece.startswith(b"ISA"):
                self._at = self._seen = start + begin - self._offset
                break  # a new interchange has separators of its own
            token = self._one(piece, start + begin, separators)
            if end < len(raw):
                self._say(findings.MISSING_TERMINATOR, token.at, "a line break ends this segment")
            tokens.append(token)
            if token.id == "IEA":
                self.separators = None
        return tokens

    def _one(self, raw: bytes, start: int, separators: Separators) -> Segment:
        self._number += 1
        if raw[:2] in _PLACES:
            self._tally.elsewhere()
        text = raw.decode("latin-1")
        name, *values = text.split(separators.element)
        at = Position(start, self._number, name.strip()[:3])
        if not _NAME.match(name):
            self._say(findings.SEGMENT_ID, at, f"no segment is named {name[:20]!r}", name[:20])
        if not text.isascii() or not text.isprintable():
            self._judge_characters(values, at)
        return Segment(name.strip(), tuple(_element(value, separators) for value in values), at)

    def _judge_characters(self, values: list[str], at: Position) -> None:
        kinds = ((self._control, findings.CONTROL_CHARACTER), (_HIGH, findings.NOT_ASCII))
        for pattern, kind in kinds:
            number = next((n for n, value in enumerate(values, 1) if pattern.search(value)), 0)
            if number:
                bad = values[number - 1][:40]
                self._say(kind, at.of(number), f"{kind.meaning}: {bad!r}", bad)
                return

    def _say(self, kind: Kind, at: Position, message: str, bad: str = "") -> None:
        self._tally.add(Finding(kind, at, message, bad))


def _recovery(separators: Separators) -> re.Pattern[bytes]:
    """A line break before what looks like a segment; at most one look per line."""
    if separators.segment in "\r\n":
        return _NEVER
    mark = re.escape(separators.element.encode("latin-1"))
    return re.compile(rb"[\r\n](?=[A-Z][A-Z0-9]{1,2}" + mark + rb")")


def _element(text: str, separators: Separators) -> Element:
    if separators.repetition and separators.repetition in text:
        parts = text.split(separators.repetition)
        return Repeated(tuple(_simple(part, separators) for part in parts), separators.repetition)
    return _simple(text, separators)


def _simple(text: str, separators: Separators) -> str | Composite:
    if separators.component and separators.component in text:
        return Composite(tuple(text.split(separators.component)), separators.component)
    return text


def encode(segments: Iterable[Segment], separators: Separators) -> bytes:
    """Segments as bytes, each with its terminator; the ISA is written by `envelope.write`.

    raises    Unwritable when a value holds a separator or a character that Latin-1 does not have
    """
    forbidden = re.compile("[" + re.escape(separators.all) + "\\x00-\\x1f\\x7f-\\x9f]")
    lines = [_line(segment, separators, forbidden) for segment in segments]
    return "".join(lines).encode("latin-1")


def _line(segment: Segment, separators: Separators, forbidden: re.Pattern[str]) -> str:
    if not _NAME.match(segment.id):
        raise Unwritable(f"no segment is named {segment.id!r}")
    values = []
    for number, element in enumerate(segment.elements, 1):
        name = f"{segment.id}{number:02}"
        values.append(_value(element, name, separators, forbidden))
    return separators.element.join((segment.id, *values)) + separators.segment


def _value(element: Element, name: str, separators: Separators, forbidden: re.Pattern[str]) -> str:
    match element:
        case Repeated(values):
            if not separators.repetition:
                raise Unwritable(f"{name} repeats, but this version has no repetition separator")
            return separators.repetition.join(
                _value(value, name, separators, forbidden) for value in values
            )
        case Composite(components):
            parts = enumerate(components, 1)
            return separators.component.join(
                _plain(part, f"{name}-{number}", forbidden) for number, part in parts
            )
        case _:
            return _plain(element, name, forbidden)


def _plain(text: str, name: str, forbidden: re.Pattern[str]) -> str:
    found = forbidden.search(text)
    if found:
        raise Unwritable(
            f"{name} holds {found.group()!r}, a separator or control character of this interchange: {text!r};"
            " X12 has no escape, so replace it or choose other separators"
        )
    if any(ord(character) > 255 for character in text):
        raise Unwritable(f"{name} holds a character that Latin-1 does not have: {text!r}")
    return text
