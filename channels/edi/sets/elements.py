"""Data elements: number, type, length. `/50` is the greatest length of 5010 where it differs from 4010.

Facts of the X12 dictionary. Types: AN text, ID code, DT date, TM time, R decimal, N0 integer, N2 two implied
decimals, C composite (whose length is not judged). 116, the postal code, is an ID in the standard and AN here: real
ones have dashes and blanks.
"""

from __future__ import annotations

from typing import Final

ELEMENT_LINES: Final = """
2 N0 1-6 | 19 AN 2-30 | 22 AN 1-30 | 23 ID 1-1 | 24 ID 4-4 | 26 ID 2-3 | 28 N0 1-9 | 40 ID 2-2 | 54 ID 2-2
61 AN 1-30 | 65 R 1-8 | 66 ID 1-2 | 67 AN 2-80 | 79 AN 1-50 | 80 N0 1-7 | 81 R 1-10 | 82 R 1-8 | 87 AN 1-48
88 ID 1-2 | 91 ID 1-2 | 92 ID 2-2 | 93 AN 1-60 | 96 N0 1-10 | 97 N0 1-6 | 98 ID 2-3 | 100 ID 3-3 | 102 ID 1-2
103 AN 3-5 | 107 ID 1-1 | 108 ID 1-1 | 116 AN 3-15 | 118 R 1-9 | 123 N0 1-6 | 124 AN 2-15 | 127 AN 1-30/50
128 ID 2-3 | 133 ID 1-2 | 142 AN 2-15 | 143 ID 3-3 | 146 ID 2-2 | 152 ID 2-3 | 156 ID 2-2 | 166 AN 1-55
183 R 1-8 | 187 ID 1-2 | 189 R 1-8 | 206 AN 1-4 | 207 AN 1-10/15 | 208 ID 1-1 | 209 AN 1-4 | 212 R 1-17
225 AN 2-15 | 234 AN 1-48 | 235 ID 2-2 | 236 ID 3-3 | 248 ID 1-1 | 280 R 4-10 | 284 ID 2-2 | 289 N0 1-2
306 ID 1-2 | 309 ID 1-2 | 310 AN 1-30 | 324 AN 1-22 | 326 AN 1-45 | 327 AN 1-8 | 328 AN 1-30 | 329 AN 4-9
330 R 1-15 | 331 ID 2-2 | 332 R 1-6 | 333 ID 1-2 | 334 ID 2-2 | 335 ID 3-3 | 336 ID 2-2 | 337 TM 4-8
338 R 1-6 | 342 R 1-5 | 344 ID 2-2 | 345 ID 2-2 | 347 R 1-10 | 349 ID 1-1 | 350 AN 1-20 | 351 N0 1-3
352 AN 1-80 | 353 ID 2-2 | 354 N0 1-6 | 355 ID 2-2 | 356 N0 1-6 | 357 R 1-8 | 358 R 1-10/15 | 362 N2 1-10
364 AN 1-80/256 | 365 ID 2-2 | 366 ID 2-2 | 367 AN 1-30 | 368 ID 2-2 | 369 AN 1-45 | 370 DT 8-8 | 373 DT 8-8
374 ID 3-3 | 378 ID 1-1 | 380 R 1-15 | 382 R 1-10 | 384 R 1-9 | 385 R 1-9 | 386 N0 1-3 | 387 AN 1-35
388 DT 8-8 | 389 N2 1-10 | 391 ID 1-1 | 396 AN 2-30 | 400 ID 2-2 | 407 ID 2-2 | 443 AN 1-20 | 446 DT 8-8
447 AN 1-6 | 455 ID 1-2 | 478 ID 1-1 | 479 ID 2-2 | 480 AN 1-12 | 499 AN 1-10 | 522 ID 1-3 | 559 ID 2-2
587 ID 2-2 | 610 N2 1-15 | 618 ID 1-3 | 620 ID 1-3 | 621 ID 1-3 | 622 N0 1-5 | 623 ID 2-2 | 628 AN 1-12
639 ID 2-2 | 640 ID 2-2 | 641 ID 3-3 | 646 R 1-15 | 648 ID 3-3 | 649 R 1-10 | 662 ID 1-1 | 668 ID 2-2
669 ID 3-3 | 670 ID 2-2 | 671 R 1-9 | 673 ID 2-2 | 687 ID 2-2 | 706 ID 2-2 | 715 ID 1-1 | 716 ID 1-3
717 ID 1-1 | 718 ID 1-3 | 719 N0 1-6/10 | 720 ID 1-3 | 721 ID 2-3 | 723 ID 1-3 | 724 AN 1-99 | 725 N0 1-4
728 ID 1-2 | 731 ID 2-2 | 732 ID 2-2 | 733 R 1-4 | 734 AN 1-12 | 735 ID 1-2 | 736 ID 1-1 | 737 ID 2-2
738 ID 1-3 | 739 R 1-20 | 740 R 1-20 | 741 R 1-20 | 750 ID 2-3 | 751 AN 1-12 | 752 ID 2-2 | 753 ID 1-5
754 AN 1-7 | 755 ID 2-2 | 765 N0 1-2 | 770 AN 1-20 | 782 R 1-18 | 786 ID 2-2 | 810 N0 1-6 | 819 ID 2-3
822 AN 1-15 | 933 AN 1-264 | 934 ID 2-2 | 935 ID 2-2 | 936 ID 2-2 | 954 R 1-10 | 1005 ID 4-4 | 1019 ID 3-3
1073 ID 1-1 | 1166 ID 2-2 | 1232 ID 2-2 | 1250 ID 2-3 | 1251 AN 1-35 | 1270 ID 1-3 | 1271 AN 1-30
1300 ID 4-4 | 1301 AN 1-10 | 1373 ID 2-4 | 1470 N0 1-9 | 1551 AN 1-4096 | 1705 AN 1-35 | 1715 ID 1-3
I05 ID 2-2 | I08 DT 6-6 | I09 TM 4-4 | I12 N0 9-9 | I16 N0 1-5 | I17 ID 1-1 | I18 ID 3-3
C001 C 0-0 | C030 C 0-0 | C040 C 0-0 | C998 C 0-0 | C999 C 0-0
"""

#: Code lists that are short, or that our lanes decide by. A code beside them is a warning: lists grow with versions.
CODES: Final[dict[str, frozenset[str]]] = {
    number: frozenset(codes.split())
    for number, codes in {
        "248": "A C N P Q R S",
        "353": "00 01 02 03 04 05 06 07 08 10 11 12 13 14 15 16 17 18 19 20 21 22 24 25 26 27 28 30 31 32 33 34 35"
        " 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 77 CN CO EX GR PR RH RV SU ZZ",
        "349": "F S X",
        "455": "T X",
        "587": "AC AD AE AH AK AP AT NA RD RF RJ RO ZZ",
        "662": "A D I O S",
        "668": "AC AR BP DR IA IB IC ID IE IF IH IP IQ IR IS IW R1 R2 R3 R4 R5 R6 SP",
        "670": "AI CA CB CC CE CF CG CH CI CT DI MU NC OA OC PC PQ PR QD QI RA RB RC RE RM RQ RS RZ TI",
        "715": "A E M P R W X",
        "717": "A E M R W X",
        "736": "0 1",
        "I17": "A E R",
    }.items()
}
