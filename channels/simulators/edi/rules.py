"""What the standard asks of the sets a partner receives: segments, elements, codes; judged without knowing any order.

From the 004010 and 005010 directories, as far as retail partners use them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.simulators.edi.x12 import Segment, Set, element


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a 997 can say. `place` is the segment's number in its set, ST being 1; `code` is AK304."""

    segment: str
    place: int
    code: str
    text: str


_ACKS: Final = "IA,IB,IC,ID,IF,IH,IP,IQ,IR,IS,IE,AC,AR,BP,DR,SP,R1,R2"
_KINDS: Final = "AC,AD,AE,AH,AK,AP,AT,RD,RF,RJ,RO"
_LINE_CHANGES: Final = (
    "AI,CA,CB,CC,CE,CF,CG,CH,CI,CT,DI,MU,NC,OA,OC,PC,PQ,PR,QD,QI,RA,RB,RC,RM,RQ,RS,RZ,TI"
)
_MEASURES: Final = "EA,CA,DZ,PK,BX,CT,PR,ST,LB,KG,UN,PC"
# "place need type min max codes". M mandatory, O optional; AN text, ID code, DT date, TM time, R number, N0 whole.
_COMMON: Final[dict[str, tuple[str, ...]]] = {
    "CTT": ("1 M N0 1 6", "2 O R 1 10"),
    "REF": ("1 M ID 2 3", "2 O AN 1 50"),
    "DTM": ("1 M ID 3 3", "2 O DT 8 8", "3 O TM 4 8"),
    "N1": ("1 M ID 2 3", "2 O AN 1 60", "3 O ID 1 2", "4 O AN 2 80"),
    "SDQ": (f"1 M ID 2 2 {_MEASURES}", "2 O ID 1 2", "3 M AN 2 80", "4 M R 1 15"),
    "ACK": (f"1 M ID 2 2 {_ACKS}", "2 O R 1 15", f"3 O ID 2 2 {_MEASURES}", "4 O ID 3 3", "5 O DT 8 8"),
}  # fmt: skip
_OWN: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "855": {
        "BAK": ("1 M ID 2 2 00,01,04,05,06,07", f"2 M ID 2 2 {_KINDS}", "3 M AN 1 22", "4 M DT 8 8",
                "5 O AN 1 30", "8 O AN 1 50", "9 O DT 8 8"),
        "PO1": ("1 O AN 1 20", "2 O R 1 15", f"3 O ID 2 2 {_MEASURES}", "4 O R 1 17"),
    },
    "865": {
        "BCA": ("1 M ID 2 2 00,01,04,05,06,07", f"2 M ID 2 2 {_KINDS}", "3 M AN 1 22", "5 O AN 1 8",
                "6 M DT 8 8", "10 O DT 8 8"),
        "POC": ("1 O AN 1 20", f"2 M ID 2 2 {_LINE_CHANGES}", "3 O R 1 15", "4 O R 1 9",
                f"5 O ID 2 2 {_MEASURES}"),
    },
    "856": {
        "BSN": ("1 M ID 2 2 00,01,04,05,06", "2 M AN 2 30", "3 M DT 8 8", "4 M TM 4 8",
                "5 O ID 4 4 0001,0002,0003,0004"),
        "HL": ("1 M AN 1 12", "2 O AN 1 12", "3 M ID 1 2 S,O,T,P,I", "4 O ID 1 1 0,1"),
        "TD1": ("1 O AN 3 5", "2 O N0 1 7", "6 O ID 1 2", "7 O R 1 10", "8 O ID 2 2"),
        "TD5": ("1 O ID 1 2", "2 O ID 1 2", "3 O AN 2 80", "4 O ID 1 2"),
        "PRF": ("1 M AN 1 22", "2 O AN 1 30", "4 O DT 8 8"),
        "MAN": ("1 M ID 1 2", "2 M AN 1 48", "4 O ID 1 2", "5 O AN 1 48"),
        "LIN": ("1 O AN 1 20", "2 M ID 2 2", "3 M AN 1 48"),
        "SN1": ("1 O AN 1 20", "2 M R 1 10", f"3 M ID 2 2 {_MEASURES}", "5 O R 1 15"),
    },
    "846": {
        "BIA": ("1 M ID 2 2 00,01,04,05,25", "2 M ID 2 2 DD,IP,MB,MM,SI,ST,SD,PI,LI", "3 M AN 1 50",
                "4 M DT 8 8", "5 O TM 4 8"),
        "LIN": ("1 O AN 1 20", "2 M ID 2 2", "3 M AN 1 48"),
        "QTY": ("1 M ID 2 2", "2 M R 1 15", f"3 O ID 2 2 {_MEASURES}"),
        "SCH": ("1 M R 1 15", f"2 M ID 2 2 {_MEASURES}"),
    },
    "997": {
        "AK1": ("1 M ID 2 2", "2 M N0 1 9"),
        "AK2": ("1 M ID 3 3", "2 M AN 4 9"),
        "AK3": ("1 M ID 2 3", "2 M N0 1 6", "3 O AN 1 6", "4 O ID 1 3 1,2,3,4,5,6,7,8"),
        "AK5": ("1 M ID 1 1 A,E,M,R,W,X",),
        "AK9": ("1 M ID 1 1 A,E,M,P,R,W,X", "2 M N0 1 6", "3 M N0 1 6", "4 M N0 1 6"),
    },
}  # fmt: skip
_MANDATORY: Final = {
    "855": ("BAK",),
    "865": ("BCA",),
    "856": ("BSN", "HL"),
    "846": ("BIA", "LIN", "CTT"),
    "997": ("AK1", "AK9"),
}
#: Segments a set may have beside those with rules; they are not looked into.
_ALSO: Final = frozenset(
    "CUR PER FOB SAC ITD TD3 TD4 MAN N9 MSG MTX N2 N3 N4 PID PO4 QTY SLN MEA PKG CTP LDT SCH AMT TXI AK4 PWK".split()  # noqa: SIM905  # a list of 27 would fill the page
)  # fmt: skip
KNOWN: Final = frozenset(_OWN)


def judge(the_set: Set) -> list[Fault]:
    """What is wrong with a set's segments and elements, in order. Sets without rules are not judged."""
    if the_set.id not in KNOWN:
        return []
    rules = {**_COMMON, **_OWN[the_set.id]}
    found = list(_beginning_and_end(the_set))
    for place, segment in enumerate(the_set.segments, 2):
        name = segment[0]
        if name not in rules and name not in _ALSO:
            found.append(
                Fault(name[:3], place, "6", f"{name} does not belong into an {the_set.id}")
            )
        for rule in rules.get(name, ()):
            if text := _broken(segment, rule):
                found.append(Fault(name, place, "8", text))
        if segment[-1] == "" or any(part != part.strip() for part in segment):
            found.append(Fault(name, place, "8", f"{name} has blanks around a value or ends empty"))
    return found


def _beginning_and_end(the_set: Set) -> Iterator[Fault]:
    names = [segment[0] for segment in the_set.segments]
    end = len(names) + 2
    for name in _MANDATORY[the_set.id]:
        if name not in names:
            yield Fault(name, end, "3", f"{name} is missing")
    first = _MANDATORY[the_set.id][0]
    if names and first in names and names[0] != first:
        yield Fault(names[0], 2, "2", f"an {the_set.id} begins with {first}, not {names[0]}")
    if "CTT" in names and names[-1] not in ("CTT", "AMT"):
        yield Fault(names[-1], end - 1, "2", f"{names[-1]} stands behind CTT")


def _broken(segment: Segment, rule: str) -> str:
    """What a segment does against a rule, "" when nothing."""
    number, need, kind, least, most, *codes = rule.split()
    text = element(segment, int(number))
    name = f"{segment[0]}{int(number):02d}"
    if not text:
        return f"{name} is missing" if need == "M" else ""
    length = len(text.lstrip("-").replace(".", "")) if kind in ("R", "N0") else len(text)
    if not int(least) <= length <= int(most):
        return f"{name} {text!r} has {length} characters, {least} to {most} are allowed"
    if not _typed(kind, text):
        return f"{name} {text!r} is no {_TYPES[kind]}"
    if codes and text not in codes[0].split(","):
        return f"{name} {text!r} is none of {codes[0]}"
    return ""


_TYPES: Final = {
    "AN": "text",
    "ID": "code",
    "DT": "date CCYYMMDD",
    "TM": "time HHMM",
    "R": "number",
    "N0": "whole number",
}


def _typed(kind: str, text: str) -> bool:
    match kind:
        case "DT":
            return _date(text)
        case "TM":
            return bool(re.fullmatch(r"([01]\d|2[0-3])[0-5]\d([0-5]\d(\d\d?)?)?", text))
        case "R":
            return bool(re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", text))
        case "N0":
            return text.isdigit()
        case "ID":
            return bool(re.fullmatch(r"[0-9A-Z]+", text))
        case _:
            return text.isprintable() and text.isascii()


def _date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007  # only whether the calendar has it
    except ValueError:
        return False
    return len(text) == 8
