"""Lists as PostgreSQL's arrays, written at once instead of item by item: statements here take hundreds of rows."""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import Any, Final

from psycopg.abc import Buffer
from psycopg.types.array import ListDumper

_NONE: Final = "NULL"


class Lists(ListDumper):
    """psycopg's own form of arrays, a few times as quick for the lists that statements take.

    source    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """

    def dump(self, obj: list[Any]) -> Buffer | None:
        """The list as text; whatever is not a flat list of one of three types is psycopg's to write, and to refuse."""
        kinds = set(map(type, obj))
        kinds.discard(NoneType)
        if kinds == {str}:
            said = _texts(obj)
        elif kinds == {int}:
            said = ",".join([_NONE if item is None else str(item) for item in obj])
        elif kinds == {datetime}:
            # Rows of one statement mostly have one moment, and writing a moment takes long.
            written = {at: _NONE if at is None else f'"{at}"' for at in set(obj)}
            said = ",".join([written[at] for at in obj])
        else:
            said = None
        return super().dump(obj) if said is None else f"{{{said}}}".encode()


def _texts(texts: list[str | None]) -> str | None:
    """Texts, quoted; None where one of them holds a NUL, which no text of PostgreSQL does."""
    known = [text for text in texts if text is not None]
    joined = "\0".join(known)
    if joined.count("\0") != len(known) - 1:
        return None
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"')
    if len(known) == len(texts):
        return '"' + quoted.replace("\0", '","') + '"'
    rest = iter(quoted.split("\0"))
    return ",".join([_NONE if text is None else f'"{next(rest)}"' for text in texts])
