"""What real senders get wrong: a clean interchange made dirty, by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from channels.simulators.edi.x12 import Marks, Segment, write

#: Harmless to a tolerant reader: the document says the same.
READABLE: Final = ("bom", "terminator", "unpadded_isa", "gs_date6", "crlf", "blank_lines", "text")
#: Counts and numbers that do not hold; a receiver may reject the set, the group or the interchange.
WRONG: Final = ("wrong_se", "wrong_ge", "wrong_iea", "ge_control")
DIRT: Final = (*READABLE, *WRONG)

_TERMINATORS: Final = ("\n", "|", "!", "^", "\x1c", "\x85", "'")
_SEPARATORS: Final = ("|", "\x1d", "+")


def soil(segments: list[Segment], kinds: Iterable[str], dice: random.Random) -> bytes:
    """The interchange as bytes, with these kinds of dirt on it. Unknown kinds raise ValueError."""
    chosen = list(kinds)
    unknown = [kind for kind in chosen if kind not in DIRT]
    if unknown:
        raise ValueError(f"no such dirt: {', '.join(unknown)}; known: {', '.join(DIRT)}")
    for kind in chosen:
        if kind in _ON_SEGMENTS:
            segments = [_ON_SEGMENTS[kind](segment) for segment in segments]
    data = write(segments, _marks(chosen, dice))
    if "blank_lines" in chosen:
        data = data.replace(b"~\n", b"~\n\n", 5) + b"\n\n"
    if "text" in chosen:
        data = b"Subject: orders of today\r\n\r\n" + data
    return b"\xef\xbb\xbf" + data if "bom" in chosen else data


def _marks(kinds: list[str], dice: random.Random) -> Marks:
    marks = Marks(line_break="\r\n" if "crlf" in kinds else "\n")
    if "terminator" not in kinds:
        return marks
    terminator = dice.choice(_TERMINATORS)
    separator = dice.choice([one for one in _SEPARATORS if one != terminator])
    broken = "" if terminator == "\n" else dice.choice(("", "\r\n"))
    return replace(marks, element=separator, terminator=terminator, line_break=broken)


def _changed(segment: Segment, place: int, text: str) -> Segment:
    return (*segment[:place], text, *segment[place + 1 :])


def _unpadded(segment: Segment) -> Segment:
    if segment[0] != "ISA":
        return segment
    return tuple(part.strip() if place in (6, 8) else part for place, part in enumerate(segment))


def _short_date(segment: Segment) -> Segment:
    return _changed(segment, 4, segment[4][2:]) if segment[0] == "GS" else segment


def _one_more(name: str) -> Callable[[Segment], Segment]:
    """A count that is one too high."""
    return lambda one: _changed(one, 1, str(int(one[1]) + 1)) if one[0] == name else one


def _other_control(segment: Segment) -> Segment:
    return _changed(segment, 2, str(int(segment[2]) + 1)) if segment[0] == "GE" else segment


_ON_SEGMENTS: Final[dict[str, Callable[[Segment], Segment]]] = {
    "unpadded_isa": _unpadded,
    "gs_date6": _short_date,
    "wrong_se": _one_more("SE"),
    "wrong_ge": _one_more("GE"),
    "wrong_iea": _one_more("IEA"),
    "ge_control": _other_control,
}
