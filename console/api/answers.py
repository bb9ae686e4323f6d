"""Answers in one form: the JSON that the command line prints, and pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from console.api.problems import TYPE
from console.api.words import Paging
from console.views.listing import BadCursor, Listing, Page, cursor, page, read_cursor
from console.views.plain import dumps


class PageOf(BaseModel):
    """Rows of a list; `after` begins the next page, null: there is none."""

    items: list[dict[str, Any]]
    after: str | None


class ProblemBody(BaseModel):
    """RFC 9457, with which one it is and what to do next."""

    type: str
    title: str
    status: int
    detail: str
    which: str
    next: str
    faults: list[str] = []


#: What any route may answer besides what it is for.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "content": {TYPE: {}}, "description": words}
    for status, words in (
        (401, "nobody is known"),
        (403, "the role does not reach"),
        (404, "there is no such thing"),
        (409, "refused: the detail says why"),
        (413, "the body is too large"),
        (422, "the request cannot be read"),
        (424, "it was taken, and the book did not apply it"),
        (503, "the database does not answer"),
    )
}
PAGE: dict[int | str, dict[str, Any]] = {200: {"model": PageOf}}


def told(value: Any) -> Response:
    """A value, as the command line prints it with --json."""
    return Response(dumps(value), media_type="application/json")


def paged(found: Page) -> Response:
    """A page of a list."""
    return told({"items": found.rows, "after": found.after})


def listed(
    connection: Connection, listing: Listing, paging: Paging, said: Mapping[str, Any]
) -> Response:
    """A page of a list in the database."""
    return paged(page(connection, listing, said, limit=paging.limit, after=paging.after))


def sliced(rows: Sequence[Any], paging: Paging, key: Callable[[Any], str]) -> Response:
    """A page of a list that is computed whole, in its own order.

    key       names a row; a page begins after the row of that name
    raises    BadCursor when that row has gone meanwhile
    """
    begin = 0
    if paging.after is not None:
        (name,) = read_cursor(paging.after, ["text"])
        names = [key(row) for row in rows]
        if name not in names:
            raise BadCursor("`after` names a row that is no longer in this list: begin again")
        begin = names.index(name) + 1
    found = list(rows[begin : begin + paging.limit])
    more = begin + paging.limit < len(rows)
    return told({"items": found, "after": cursor([key(found[-1])]) if more else None})
