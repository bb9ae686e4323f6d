"""997 and TA1: our answers to a group and to an interchange."""

from __future__ import annotations

from collections.abc import Iterator

from channels.edi.acknowledgements import FunctionalAck, SetAnswer, TechnicalAck
from channels.edi.segments import Composite, Segment, segment


def functional_ack(ack: FunctionalAck) -> list[Segment]:
    """A 997 without ST and SE."""
    body = [segment("AK1", ack.kind, ack.control)]
    for answer in ack.sets:
        body += _set(answer)
    counts = (str(count) for count in (ack.stated, ack.received, ack.accepted))
    return [*body, segment("AK9", ack.status, *counts, *ack.codes)]


def technical_ack(ack: TechnicalAck) -> Segment:
    """A TA1, which stands in an interchange of its own or before its groups."""
    return segment("TA1", ack.control, ack.date, ack.time, ack.status, ack.code)


def _set(answer: SetAnswer) -> Iterator[Segment]:
    yield segment("AK2", answer.set_id, answer.control)
    for error in answer.errors:
        yield segment("AK3", error.segment, str(error.place), error.loop, error.code)
        for element in error.elements:
            place = str(element.element)
            where = Composite((place, str(element.component))) if element.component else place
            yield segment("AK4", where, None, element.code, element.bad)
    yield segment("AK5", answer.status, *answer.codes)
