"""997, 999 and TA1: what a partner thinks of what we sent."""

from __future__ import annotations

from channels.edi.acknowledgements import (
    ElementError,
    FunctionalAck,
    SegmentError,
    SetAnswer,
    TechnicalAck,
)
from channels.edi.loops import Loop
from channels.edi.reading import parts
from channels.edi.segments import Segment, Unreadable


def functional_ack(root: Loop) -> FunctionalAck:
    """A 997 or a 999; the 999's context (CTX) is left out."""
    ak1, ak9 = root.first("AK1"), root.first("AK9")
    return FunctionalAck(
        kind=parts.required(ak1, 1),
        control=parts.required(ak1, 2),
        status=parts.required(ak9, 1),
        stated=_whole(ak9, 2),
        received=_whole(ak9, 3),
        accepted=_whole(ak9, 4),
        sets=tuple(_set(loop) for loop in root.loops("AK2")),
        codes=_codes(ak9, 5),
    )


def technical_ack(segment: Segment) -> TechnicalAck:
    """A TA1 segment.

    raises    Unreadable when it is none, or says neither what it answers nor how
    """
    if segment.id != "TA1":
        raise Unreadable(f"{segment.id} is no TA1; {segment.at}")
    return TechnicalAck(
        control=parts.required(segment, 1),
        date=segment.get(2),
        time=segment.get(3),
        status=parts.required(segment, 4),
        code=segment.get(5),
    )


def _set(loop: Loop) -> SetAnswer:
    result = loop.first("AK5") if loop.all("AK5") else loop.first("IK5")
    return SetAnswer(
        set_id=loop.head.get(1),
        control=loop.head.get(2),
        status=parts.required(result, 1),
        codes=_codes(result, 2),
        errors=tuple(_segment(inner) for name in ("AK3", "IK3") for inner in loop.loops(name)),
    )


def _segment(loop: Loop) -> SegmentError:
    return SegmentError(
        segment=loop.head.get(1),
        place=_whole(loop.head, 2),
        code=loop.head.get(4),
        loop=loop.head.get(3),
        elements=tuple(_element(each) for each in loop.all("AK4", "IK4")),
    )


def _element(segment: Segment) -> ElementError:
    component = segment.component(1, 2)
    return ElementError(
        element=_natural(segment, segment.component(1, 1)),
        code=segment.get(3),
        component=_natural(segment, component) if component else 0,
        bad=segment.get(4),
    )


def _codes(segment: Segment, start: int) -> tuple[str, ...]:
    codes = (segment.get(place) for place in range(start, len(segment.elements) + 1))
    return tuple(code for code in codes if code)


def _whole(segment: Segment, element: int) -> int:
    return _natural(segment, parts.required(segment, element))


def _natural(segment: Segment, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Unreadable(f"{segment.id} counts with {text!r}; {segment.at}")
    return int(text)
