"""What a 997, a 999 and a TA1 say, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ElementError:
    """AK4 or IK4: an element of the segment by its place and what is wrong (AK403), with a copy of it."""

    element: int
    code: str
    component: int = 0
    bad: str = ""


@dataclass(frozen=True, slots=True)
class SegmentError:
    """AK3 or IK3: a segment by its place in the set (ST is 1) and what is wrong (AK304)."""

    segment: str
    place: int
    code: str = ""
    loop: str = ""
    elements: tuple[ElementError, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """AK2 to AK5. status: A accepted, E accepted with errors, R rejected."""

    set_id: str
    control: str
    status: str
    codes: tuple[str, ...] = ()
    errors: tuple[SegmentError, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionalAck:
    """997, or a 999 read: the answer to one group.

    kind, control    GS01 and GS06 of the group
    status           AK901: A, E, P some sets accepted, R
    stated           AK902, sets by the group's own count; received and accepted follow
    """

    kind: str
    control: str
    status: str
    stated: int
    received: int
    accepted: int
    sets: tuple[SetAnswer, ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TechnicalAck:
    """TA1: the answer to one interchange. status: A, E, R; code: 000 when nothing is wrong."""

    control: str
    date: str
    time: str
    status: str
    code: str
