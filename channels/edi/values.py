"""Elements judged by their segment's table: presence, length, type, codes, conditions between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from datetime import date
from typing import Final

from channels.edi import findings
from channels.edi.findings import Finding, Kind, Position
from channels.edi.segments import Composite, Element, Repeated, Segment
from channels.edi.sets.grammar import Condition, ElementRule, SegmentRule, Tables, Use

_DECIMAL: Final = re.compile(r"-?(\d+\.?\d*|\.\d+)\Z", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d+\Z", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9]+\Z")
_DIGITS: Final = re.compile(r"\d+\Z", re.ASCII)


def is_date(text: str, lengths: tuple[int, ...] = (8,)) -> bool:
    """CCYYMMDD or YYMMDD, and a day of the calendar."""
    if len(text) not in lengths or not _DIGITS.match(text):
        return False
    return day(text) is not None


def day(text: str) -> date | None:
    """The day of CCYYMMDD or YYMMDD (years 50 to 99 are of the last century); None when there is none."""
    if not _DIGITS.match(text) or len(text) not in (6, 8):
        return None
    if len(text) == 6:
        text = ("19" if text >= "5" else "20") + text
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def is_time(text: str) -> bool:
    """HHMM, HHMMSS, HHMMSSD or HHMMSSDD."""
    if len(text) not in (4, 6, 7, 8) or not _DIGITS.match(text):
        return False
    return text[:2] < "24" and text[2:4] < "60" and text[4:6] < "60"


def judge(segment: Segment, tables: Tables) -> Iterator[Finding]:
    """Findings on the elements of one segment; none when the tables do not know it."""
    rule = tables.segments.get(segment.id)
    if rule is None:
        return
    if len(segment.elements) > len(rule.uses):
        extra = len(rule.uses) + 1
        if any(str(element) for element in segment.elements[extra - 1 :]):
            message = (
                f"{segment.id} has {len(rule.uses)} elements, here are {len(segment.elements)}"
            )
            yield Finding(findings.TOO_MANY, segment.at.of(extra), message, segment.get(extra))
    for number, use in enumerate(rule.uses, 1):
        element = segment.elements[number - 1] if number <= len(segment.elements) else ""
        # Most places of most segments are empty, and may be.
        if element or use.is_mandatory:
            yield from _element(element, use, segment.at.of(number), tables)
    yield from _conditions(segment, rule)


def _element(element: Element, use: Use, at: Position, tables: Tables) -> Iterator[Finding]:
    if not str(element).strip():
        if use.is_mandatory:
            yield Finding(findings.ELEMENT_MISSING, at, f"{at.name} is mandatory")
        return
    if use.element.kind == "C":
        return
    if isinstance(element, Composite | Repeated):
        message = f"{at.name} is one value, {str(element)!r} holds a separator"
        yield Finding(findings.COMPOSITE, at, message, str(element))
        return
    text = element.strip()
    if text != element:
        yield Finding(findings.PADDED, at, f"{at.name} {element!r} is padded with blanks", element)
    yield from _value(text, use.element, at, tables)


def _value(text: str, rule: ElementRule, at: Position, tables: Tables) -> Iterator[Finding]:
    kind = _judge_type(text, rule, tables)
    if kind:
        yield Finding(kind, at, f"{at.name} {text!r} is no {rule.kind}", text)
        return
    size = sum(map(str.isdigit, text)) if rule.kind[0] in "RN" else len(text)
    if rule.kind != "DT" and size < rule.shortest:
        message = f"{at.name} {text!r} has less than {rule.shortest} characters"
        yield Finding(findings.TOO_SHORT, at, message, text)
    if rule.kind != "DT" and size > rule.longest:
        message = f"{at.name} {text!r} has more than {rule.longest} characters"
        yield Finding(findings.TOO_LONG, at, message, text)
    if rule.codes and text not in rule.codes:
        yield Finding(findings.BAD_CODE, at, f"{at.name} {text!r} is not in our list", text)


def _judge_type(text: str, rule: ElementRule, tables: Tables) -> Kind | None:
    match rule.kind:
        case "DT":
            lengths = tables.dates if rule.longest == 8 else (rule.longest,)
            return None if is_date(text, lengths) else findings.BAD_DATE
        case "TM":
            return None if is_time(text) else findings.BAD_TIME
        case "R":
            return None if _DECIMAL.match(text) else findings.BAD_CHARACTER
        case "ID":
            return None if _CODE.match(text) else findings.BAD_CHARACTER
        case "AN":
            return None
        case _:
            return None if _WHOLE.match(text) else findings.BAD_CHARACTER


def _conditions(segment: Segment, rule: SegmentRule) -> Iterator[Finding]:
    if not rule.conditions:
        return
    present = {n for n, element in enumerate(segment.elements, 1) if element and segment.get(n)}
    for condition in rule.conditions:
        missing = _unmet(present, condition)
        if missing:
            at = segment.at.of(missing)
            message = f"{at.name}: condition {condition.text} is not met"
            yield Finding(findings.CONDITION, at, message)


def _unmet(present: Set[int], condition: Condition) -> int:
    """The place of the element that is missing (or one too many), 0 when the condition is met.

    present    places of the segment's elements that hold something
    """
    there = [number for number in condition.elements if number in present]
    absent = [number for number in condition.elements if number not in there]
    first = condition.elements[0]
    match condition.letter:
        case "P":
            return absent[0] if there and absent else 0
        case "R":
            return 0 if there else first
        case "C":
            return absent[0] if first in there and absent else 0
        case "L":
            return absent[0] if there == [first] else 0
        case _:
            return there[1] if len(there) > 1 else 0
