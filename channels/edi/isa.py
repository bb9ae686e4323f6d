"""ISA, the only segment of fixed width: it declares the separators, and is written at fixed places.

    ISA*00*..........*00*..........*ZZ*SENDER.........*12*RECEIVER.......*YYMMDD*HHMM*U*00401*000000055*0*P*>~
       ^ element separator: byte 4                        repetition: ISA11, from version 00402  component ^^ segment

By the standard the component separator is byte 105 and the segment terminator byte 106. Real senders leave the
padding out, forget ISA16, or turn the terminator into a line break, so that the places are believed only when all
sixteen element separators stand where they must; otherwise the separators are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from channels.edi.segments import Separators, Unwritable

#: Width of ISA01 to ISA15; ISA16 is one character, and the segment with its terminator 106.
WIDTHS: Final = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1)
LENGTH: Final = 106

#: How many bytes from the I of ISA `detect` looks at, at most; enough for the longest dirty ISA and the GS after it.
WINDOW: Final = 1024

_LONGEST: Final = 40  # one element of an ISA that is not fixed; sender and receiver have 15
_BLANKS: Final = b" \t\r\n\x00\x1a\x0b\x0c"
_VERSION: Final = re.compile(
    rb"\d{3,6}\Z"
)  # ISA12; when it is none, an element too many or too few was counted
_WORDS: Final = re.compile(rb"[A-Za-z0-9 ]")


@dataclass(frozen=True, slots=True)
class Isa:
    """The interchange header, without padding. Times are the sender's, without a zone.

    date, time    YYMMDD and HHMM
    standard      ISA11: `U` up to version 00401; from 00402 on the repetition separator, and then empty here
    control       ISA13, nine digits, repeated in IEA02
    ack           ISA14: 1 asks for a TA1
    usage         ISA15: P production, T test
    """

    sender: str
    receiver: str
    control: str
    date: str
    time: str
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    version: str = "00401"
    usage: str = "P"
    ack: str = "0"
    standard: str = "U"
    authorisation_qualifier: str = "00"
    authorisation: str = ""
    security_qualifier: str = "00"
    security: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """An ISA as it stood.

    elements    ISA01 to ISA16, unstripped
    length      bytes up to and with the segment terminator
    is_fixed    every element stands at its place
    """

    elements: tuple[str, ...]
    separators: Separators
    length: int
    is_fixed: bool

    @property
    def isa(self) -> Isa:
        """The header's values, stripped."""
        value = [text.strip() for text in self.elements]
        return Isa(
            authorisation_qualifier=value[0],
            authorisation=value[1],
            security_qualifier=value[2],
            security=value[3],
            sender_qualifier=value[4],
            sender=value[5],
            receiver_qualifier=value[6],
            receiver=value[7],
            date=value[8],
            time=value[9],
            standard="" if self.separators.repetition else value[10],
            version=value[11],
            control=value[12],
            ack=value[13],
            usage=value[14],
        )


def detect(window: bytes) -> Heading | None:
    """Read an ISA from bytes that begin with it.

    window     at most `WINDOW` bytes are looked at
    returns    None when no sixteen elements can be told apart
    """
    window = window[:WINDOW]
    separator = window[3:4]
    if not separator or _WORDS.match(separator):
        return None
    fixed = _fixed(window, separator)
    found = fixed or _counted(window, separator)
    if found is None:
        return None
    elements, start = found
    ends = _ends(window, start, separator)
    if ends is None:
        return None
    component, terminator, length = ends
    texts = tuple(element.decode("latin-1") for element in (*elements, component))
    repetition = texts[10] if _repeats(texts) else ""
    return Heading(
        elements=texts,
        separators=Separators(
            element=separator.decode("latin-1"),
            component=component.decode("latin-1"),
            segment=terminator.decode("latin-1"),
            repetition=repetition,
        ),
        length=length,
        is_fixed=fixed is not None and bool(component),
    )


def _fixed(window: bytes, separator: bytes) -> tuple[list[bytes], int] | None:
    """ISA01 to ISA15 by their places, and where ISA16 begins; None when a separator is not at its place."""
    if len(window) < LENGTH - 1:
        return None
    elements, at = [], 3
    for width in WIDTHS:
        elements.append(window[at + 1 : at + 1 + width])
        if window[at : at + 1] != separator:
            return None
        at += 1 + width
    return (elements, at + 1) if window[at : at + 1] == separator else None


def _counted(window: bytes, separator: bytes) -> tuple[list[bytes], int] | None:
    """ISA01 to ISA15 by counting separators, and where ISA16 begins; a line wrapped inside the ISA is joined."""
    parts = window.split(separator, 16)
    if len(parts) < 17:
        return None
    elements = [part.replace(b"\r", b"").replace(b"\n", b"") for part in parts[1:16]]
    if any(len(element) > _LONGEST for element in elements) or not _VERSION.match(
        elements[11].strip()
    ):
        return None
    return elements, sum(len(part) + 1 for part in parts[:16])


def _ends(window: bytes, start: int, separator: bytes) -> tuple[bytes, bytes, int] | None:
    """(component separator or empty, terminator, where the next segment may begin), from where ISA16 begins."""
    first, second = window[start : start + 1], window[start + 1 : start + 2]
    if not first or first == separator:
        return None
    if first in (b"\r", b"\n") or not second or _WORDS.match(second):
        return b"", first, start + 1  # nothing between ISA15 and the terminator
    if second == separator:
        return None
    if second in (b"\r", b"\n") and _line_ends_with(window, start + 1, first, separator):
        return b"", first, start + 1
    return first, second, start + 2


def _line_ends_with(window: bytes, start: int, character: bytes, separator: bytes) -> bool:
    """Whether the segment after ISA ends with `character` before its line break: then it terminates, even in ISA.

    `...*P*>` + line break is ISA16 and a terminator; `...*P*~` + line break, and then `GS*...~`, is a forgotten ISA16.
    """
    line = window[start:].lstrip(_BLANKS).splitlines()[:1]
    if not line or not line[0].startswith(
        (b"GS" + separator, b"TA1" + separator, b"IEA" + separator)
    ):
        return False
    return line[0].endswith(character)


def _repeats(elements: tuple[str, ...]) -> bool:
    """From version 00402 on ISA11 is the repetition separator, unless a sender still writes a letter there."""
    mark, version = elements[10], elements[11]
    return (
        version >= "00402"
        and version.isdigit()
        and len(mark) == 1
        and not mark.isalnum()
        and mark != " "
    )


def write(isa: Isa, separators: Separators) -> str:
    """The 106 characters of an ISA.

    raises    Unwritable when a value does not fit its place, or the separators cannot be told apart
    """
    check(separators)
    if separators.repetition and (isa.version < "00402" or isa.standard):
        raise Unwritable("ISA11 is either a standard (to 00401) or the repetition separator")
    if not separators.repetition and not (len(isa.standard) == 1 and isa.standard.isalnum()):
        raise Unwritable(f"ISA11 is U when nothing repeats, not {isa.standard!r}")
    values = (
        isa.authorisation_qualifier, isa.authorisation, isa.security_qualifier, isa.security,
        isa.sender_qualifier, isa.sender, isa.receiver_qualifier, isa.receiver,
        isa.date, isa.time, separators.repetition or isa.standard, isa.version, isa.control,
        isa.ack, isa.usage,
    )  # fmt: skip
    fields = ["ISA"]
    for number, (value, width) in enumerate(zip(values, WIDTHS, strict=True), 1):
        if number != 11:  # one character that was judged above
            _refuse(number, value, width, separators)
        fields.append(value.ljust(width))
    text = separators.element.join((*fields, separators.component)) + separators.segment
    assert len(text) == LENGTH
    return text


def _refuse(number: int, value: str, width: int, separators: Separators) -> None:
    name = f"ISA{number:02}"
    padded = number in (2, 4, 6, 8)
    if len(value) > width or (len(value) < width and not padded):
        raise Unwritable(f"{name} takes {width} characters, not {value!r}")
    if value != value.strip():
        raise Unwritable(f"{name} may not begin or end with a blank: {value!r}")
    if set(value) & set(separators.all) or not value.isascii() or not value.isprintable():
        raise Unwritable(f"{name} holds a separator or a character outside the set: {value!r}")
    if number == 13 and not value.isdigit():
        raise Unwritable(f"ISA13 takes nine digits, not {value!r}")


def check(separators: Separators) -> None:
    """Refuse separators that a reader could not tell apart.

    raises    Unwritable
    """
    marks = [separators.element, separators.component, separators.segment]
    marks += [separators.repetition] if separators.repetition else []
    if any(len(mark) != 1 or mark.isalnum() or mark == " " or ord(mark) > 255 for mark in marks):
        raise Unwritable(f"a separator is one character, no letter, digit or blank: {separators}")
    if any(mark.encode("latin-1") in _BLANKS for mark in marks if mark != separators.segment):
        raise Unwritable(f"only segments may end with a blank or a line break: {separators}")
    if len(set(marks)) != len(marks):
        raise Unwritable(f"separators must differ from each other: {separators}")
