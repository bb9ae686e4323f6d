"""Text of files with separated values, as spreadsheets of many countries and ages write it."""

from __future__ import annotations

import codecs
from typing import Final

#: What cells are separated by, the usual one first.
_SEPARATORS: Final = (",", ";", "\t")


class NotText(ValueError):
    """In no encoding that can be told; the message says what to do."""


def decoded(content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where it begins with its mark, as "Unicode text" of spreadsheets does.

    raises    NotText: it is neither. Older encodings cannot be told from each other, and are not guessed.
    """
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise NotText(
            f"line {line} is not UTF-8: save it again as CSV UTF-8 (in Excel: Save as, CSV UTF-8)"
        ) from None


def separator(first_line: str) -> str:
    """What the cells of a file are separated by: what its first line has most of; a comma where it has none."""
    return max(_SEPARATORS, key=first_line.count)
