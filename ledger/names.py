"""How names are written: what is one SKU and what is two, and how text of others stands in a spreadsheet's cell.

A SKU is the characters it is written with: `MUG` and `mug` are two, and so are `MUG` and its look-alike in Greek
letters. What differs in what nobody sees is not two: a name that becomes known is in normal form C and holds nothing
invisible, so that of two writings of `café` one is refused, with what is wrong with it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from ledger.events import is_name

#: Categories of what is not seen: format characters (zero width, direction), separators, private, surrogates.
_UNSEEN: Final = frozenset({"Cf", "Zl", "Zp", "Co", "Cs", "Cc", "Cn"})
#: What a spreadsheet takes for a formula, behind any apostrophes.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d+)*")


def fault_of(name: str) -> str:
    """What is wrong with a name that is to become known, and what to do; "" when nothing is."""
    if not is_name(name):
        return f"{name!a} is no name: 1 to 128 characters, no control characters, no blanks at its ends"
    unseen = next((c for c in name if unicodedata.category(c) in _UNSEEN), "")
    if unseen:
        return f"{name!a} holds {_called(unseen)}, which nobody sees: leave it out"
    if not unicodedata.is_normalized("NFC", name):
        return f"{name!a} is not in Unicode's normal form C: write {unicodedata.normalize('NFC', name)!a}"
    odd = next((c for c in name if c.isspace() and c != " "), "")
    return f"{name!a} holds {_called(odd)}: write a plain blank" if odd else ""


def as_text(cell: Any) -> Any:
    """A cell that a spreadsheet shows and does not run; what is no text stays as it is."""
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def as_written(cell: str) -> str:
    """The text of a cell that `as_text` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _called(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
