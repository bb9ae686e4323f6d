"""One call as an endpoint sees it, and what endpoints share: times, pages, cursors."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from channels.simulators.faults import Fault, Faults
from channels.simulators.square.errors import refusal
from channels.simulators.square.merchant import Act, Merchant

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request.

    body, path, query   decoded; `path` holds the variables of the route
    act                 what a write belongs to; None for reads
    """

    merchant: Merchant
    faults: Faults
    operation: str
    version: str
    body: Mapping[str, Any]
    path: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    act: Act | None = None
    after: list[Callable[[Act], None]] = field(default_factory=list)

    def writing(self) -> Act:
        assert self.act is not None, f"{self.operation} is declared a read"
        return self.act

    def draw(self, kind: str, sku: str) -> Fault | None:
        return self.faults.draw(kind, self.now, skus=[sku], operation=self.operation)


def moment(text: object, field: str) -> datetime:
    """An RFC 3339 time, aware, UTC. Raises ApiError INVALID_TIME."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise refusal("INVALID_TIME", f"{text!r} is not an RFC 3339 timestamp.", field)
    return at.astimezone(UTC)


def optional_moment(body: Mapping[str, Any], name: str) -> datetime | None:
    return moment(body[name], name) if body.get(name) else None


def page(
    rows: Sequence[Row],
    key: Callable[[Row], Sequence[Any]],
    size: int,
    cursor: str | None,
    question: Mapping[str, Any],
) -> tuple[list[Row], str | None]:
    """One page of sorted rows and the cursor to the next.

    key        a row's sort key, of JSON values; a cursor stands behind the last row given, so rows that move
               meanwhile are missed or come twice, as at the vendor
    question   what was asked; a cursor belongs to it. Raises ApiError INVALID_CURSOR
    """
    mark = _mark(question)
    start = 0
    if cursor:
        after = _opened(cursor, mark)
        while start < len(rows) and list(key(rows[start])) <= after:
            start += 1
    some = list(rows[start : start + size])
    more = start + size < len(rows)
    return some, _sealed(list(key(some[-1])), mark) if more and some else None


def _mark(question: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in question.items() if name not in ("cursor", "limit")}
    raw = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(raw).hexdigest()[:16]


def _sealed(key: list[Any], mark: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([mark, key])).decode()


def _opened(cursor: str, mark: str) -> list[Any]:
    try:
        given, key = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError, TypeError):
        raise refusal("INVALID_CURSOR", "The cursor is not valid.", "cursor") from None
    if given != mark or not isinstance(key, list):
        raise refusal("INVALID_CURSOR", "The cursor belongs to another query.", "cursor")
    return key


def microseconds(at: datetime) -> int:
    """For sort keys of either direction."""
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def listed(query: Mapping[str, str], name: str) -> list[str]:
    """A comma-separated query parameter."""
    return [one for one in query.get(name, "").split(",") if one]


def whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number of the query string, at least 1. Raises ApiError."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise refusal("INVALID_VALUE", f"{name} must be between 1 and {most}.", name)
    return int(text)
