"""The segments: which elements they have, in which order, which are mandatory, which call for each other.

Facts of the X12 segment directory, version 004010, with what 005010 adds. A segment that a layout names but that
has no line here (rare ones: FA1, LH1, SPI, ...) is placed and counted, and its elements are not judged.
"""

from __future__ import annotations

from typing import Final

from channels.edi.sets.elements import CODES, ELEMENT_LINES
from channels.edi.sets.grammar import ElementRule, Tables, read_segment

_SEGMENT_LINES: Final = """
ACK 668! 380 355 374 373 326 (235 234)*10 559 822 1271 | P0203 P0405
AK1 479! 28!
AK2 143! 329!
AK3 721! 719! 447 720
AK4 C030! 725 723! 724
AK5 717! 718 718 718 718 718
AK9 715! 97! 123! 2! 716 716 716 716 716
AMT 522! 782! 478
BAK 353! 587! 324! 373! 328 326 367 127 373 640
BCA 353! 587 324! 328 327 373! 326 367 127 373 373 373 1166 786 640
BCH 353! 92! 324! 328 327 373! 326 367 127 373 373 1166 786 587 640 1232
BEG 353! 92! 324! 328 373! 367 587 1019 1166 1232 786 640
BIA 353! 755! 127! 373! 337 306
BSN 353! 396! 373! 337! 1005 640 641
CLD 622! 382! 103 357 355
CTP 687 236 212 380 C001 648 649 782 639 499 289
CTT 354! 347 81 355 183 355 352 | P0304 P0506
CUR 98! 100! 280 98 100 669 (374 373 337)*5
DTM 374! 373 337 623 1250 1251 | R020305 C0403 P0506
FOB 146! 309 352 334 335 309 352 54 352
GE 97! 28!
GS 479! 142! 124! 373! 337! 28! 455! 480!
HL 628! 734 735! 736
IEA I16! I12!
ITD 336 333 338 370 351 446 386 362 388 389 342 352 765 107 954
LDT 345! 380! 344! 373
LE 447!
LIN 350 235! 234! (235 234)*14
LM 559! 822
LQ 1270 1271
LS 447!
MAN 88! 87! 87 88 87 87 | P0405 C0605
MEA 737 738 739 C001 740 741 935 936 752 1373 | R03050608
MSG 933! 934 1470
MTX 1551 1551 934 1470
N1 98! 93 66 67 706 98 | R0203 P0304
N2 93! 93
N3 166! 166
N4 19 156 116 26 309 310
N9 128! 127 369 373 337 623 C040 | R0203
PER 366! 93 365 364 365 364 365 364 443 | P0304 P0506 P0708
PID 349! 750 559 751 352 752 822 1073 819 | R0405 C0403
PKG 349 753 559 754 352 400
PO1 350 330 355 212 639 (235 234)*10 | C0302 C0504
PO4 356 357 355 103 187 384 355 385 355 82 189 65 355 810 752 350 350 1470
POC 350 670! 380 671 C001 212 639 (235 234)*10 | P0305 C0706
PRF 324! 328 327 373 350 367 92
QTY 673! 380 C001 61 | R0204 E0204
REF 128! 127 352 C040 | R0203
SAC 248! 1300 559 1301 610 378 332 118 355 380 380 331 127 770 352 819 | R0203 P0304
SCH 380! 355! 98 93 374! 373! 337 374 373 337 326 350 | P0304
SDQ 355! 66 67! 380! (67 380)*9 310
SE 96! 329!
SLN 350! 350 662! 380 C001 212 639 662 (235 234)*10 | P0405 C0706
SN1 350 382! 355! 646 330 355 728 668 | P0506
ST 143! 329!
TA1 I12! I08! I09! I17! I18!
TD1 103 80 23 22 79 187 81 355 183 355 | C0102 C0304 P0708 P0910
TD3 40 206 207 102 81 355 108 407 225 24 | P0506
TD4 152 208 209 352 1073
TD5 133 66 67 91 387 368 309 310 731 732 733 284 284 284 26
UIT C001! 212 639
"""

#: Segments that 5010 has, or has more elements in; the 999 exists in 5010 only, and is read by both.
_LINES_OF_5010: Final = """
AK1 479! 28! 480
AK2 143! 329! 1705
ST 143! 329! 1705
N4 19 156 116 26 309 310 1715
"""
_LINES_OF_BOTH: Final = """
CTX C998! 721 719 447 C030 C999
IK3 721! 719! 447 620
IK4 C030! 725 621! 724
IK5 717! 618 618 618 618 618
"""


def tables(version: str) -> Tables:
    """The segments of 004010 or 005010."""
    is_5010 = version == "005010"
    elements = _elements(is_5010=is_5010)
    lines = (_SEGMENT_LINES + _LINES_OF_BOTH + (_LINES_OF_5010 if is_5010 else "")).splitlines()
    rules = [read_segment(line, elements) for line in lines if line]
    return Tables(version, {rule.id: rule for rule in rules})


def _elements(*, is_5010: bool) -> dict[str, ElementRule]:
    rules = {}
    for entry in ELEMENT_LINES.replace("\n", "|").split("|"):
        if entry.strip():
            number, kind, lengths = entry.split()
            shortest, longest = lengths.split("-")
            older, _, newer = longest.partition("/")
            greatest = int(newer) if newer and is_5010 else int(older)
            rules[number] = ElementRule(
                number, kind, int(shortest), greatest, CODES.get(number, frozenset())
            )
    return rules
