"""Lists that are read page by page: each begins after the last row of the one before, however much has come since."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import orjson
from sqlalchemy import Connection, TextClause, text

#: Rows of one page at most.
MOST: Final = 1000
#: For who reads a list whole.
EVERY: Final = 10_000_000


class BadCursor(ValueError):
    """It is no place in this list."""


@dataclass(frozen=True)
class Listing:
    """A list in the database.

    columns     as SQL says them
    source      FROM ...;  where   the condition, with named parameters
    key         what orders it, and its type: together unique, and NOT NULL
    newest      the greatest key first
    open_only   what holds of rows that are not over; they alone are listed unless `all` is said, by an index of theirs
    optional    parameters of the condition that may be left unsaid, and are NULL then
    """

    columns: str
    source: str
    where: str
    key: tuple[tuple[str, str], ...]
    newest: bool = True
    open_only: str = ""
    optional: tuple[str, ...] = ()

    @cached_property
    def _statements(self) -> dict[tuple[bool, bool], TextClause]:
        pages = {False: "", True: self._after()}
        whole = {False: f"({self.open_only}) AND" if self.open_only else "", True: ""}
        return {
            (further, all_): text(self._statement(which, after))
            for further, after in pages.items()
            for all_, which in whole.items()
        }

    def statement(self, *, further: bool, all_: bool) -> TextClause:
        """The first page, or one after the key `:after_0, ...`; of all rows, or of those that are not over."""
        return self._statements[further, all_]

    def _after(self) -> str:
        keys = ", ".join(name for name, _ in self.key)
        after = ", ".join(f"CAST(:after_{n} AS {of})" for n, (_, of) in enumerate(self.key))
        return f"AND ({keys}) {'<' if self.newest else '>'} ({after})"

    def _statement(self, which: str, after: str) -> str:
        way = "DESC" if self.newest else "ASC"
        order = ", ".join(f"{name} {way}" for name, _ in self.key)
        keys = ", ".join(f"CAST({name} AS text) AS key_{n}" for n, (name, _) in enumerate(self.key))
        where = f"WHERE {which} ({self.where}) {after} ORDER BY {order} LIMIT :limit"
        return f"SELECT {self.columns}, {keys} {self.source} {where}"


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and where the next ones begin; None: there are no more."""

    rows: list[dict[str, Any]]
    after: str | None


def page(
    connection: Connection,
    listing: Listing,
    said: Mapping[str, Any],
    *,
    limit: int,
    after: str | None = None,
) -> Page:
    """One page of a list.

    said      the parameters of its condition
    after     of the page before; None: from the beginning
    raises    BadCursor
    """
    values = dict.fromkeys(listing.optional) | dict(said) | {"limit": limit + 1}
    if after is not None:
        key = read_cursor(after, [of for _, of in listing.key])
        values |= {f"after_{number}": part for number, part in enumerate(key)}
    statement = listing.statement(further=after is not None, all_=bool(said.get("all")))
    found = [dict(row) for row in connection.execute(statement, values).mappings()]
    more, found = len(found) > limit, found[:limit]
    names = [f"key_{number}" for number in range(len(listing.key))]
    keys = [[row.pop(name) for name in names] for row in found]
    return Page(found, cursor(keys[-1]) if more else None)


def cursor(key: Sequence[Any]) -> str:
    """A key, as it is handed out."""
    return base64.urlsafe_b64encode(orjson.dumps([str(part) for part in key])).decode().rstrip("=")


def read_cursor(said: str, types: Sequence[str]) -> list[str]:
    """A key that was handed out, of these types of PostgreSQL. Raises BadCursor."""
    try:
        padded = said.encode("ascii") + b"=" * (-len(said) % 4)
        key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError, orjson.JSONDecodeError):
        key = None
    fits = isinstance(key, list) and len(key) == len(types)
    if not fits or not all(_is_of(part, of) for part, of in zip(key, types, strict=True)):
        raise BadCursor(
            "`after` is no place in this list: leave it out to begin, or send what the page before said"
        )
    return list(key)


def _is_of(part: object, of: str) -> bool:
    if not isinstance(part, str) or "\0" in part or len(part) > 300:
        return False
    match of:
        case "bigint":
            return re.fullmatch(r"-?\d{1,18}", part, re.ASCII) is not None
        case "uuid":
            return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", part) is not None
        case "double precision":
            return re.fullmatch(r"\d{1,15}(\.\d{1,20})?(e[-+]\d\d)?", part, re.ASCII) is not None
        case "timestamptz":
            return _is_moment(part)
        case _:
            return True


def _is_moment(part: str) -> bool:
    try:
        return datetime.fromisoformat(part).tzinfo is not None
    except ValueError:
        return False
