"""What the shop shows without being asked item by item: the whole catalogue in one export, and what changed since.

The vendor takes minutes to write the file, so nobody waits: `begin` gives a name to come back with. The file has one
object a line; what moves us are the levels, and each names its own item, so that no line has to be remembered.
Source: https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from channels import downloads
from channels.base import Place, Refused, Sighting, Throttled, Unauthorised, Unavailable, Unreadable
from channels.http import Json
from channels.shopify import answers, documents
from channels.shopify.graphql import GraphQL

#: Five exports of an app may run in a shop at a time; the oldest ends in minutes.
BUSY_RETRY_S: Final = 60.0
_PAGE: Final = 250
_BUSY: Final = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_RUNNING: Final = frozenset({"CREATED", "RUNNING", "CANCELING"})


def begin(graphql: GraphQL) -> str:
    """Start an export of every level; returns the operation's id.

    raises   Throttled while five others run, Refused when the vendor does not take the query
    """
    payload = graphql.ask(documents.BEGIN_READ_ALL, {}, answers.BeginAnswer).payload
    for error in payload.errors:
        what = f"Shopify: {error.code or 'error'}: {error.message}"
        if error.code in _BUSY:
            raise Throttled(what, retry_after_s=BUSY_RETRY_S)
        raise Refused(what, code=error.code or "USER_ERROR")
    if payload.operation is None:
        raise Unreadable("Shopify: neither an export nor an error came of beginning one")
    return payload.operation.id


def read(graphql: GraphQL, operation_id: str) -> Iterator[Sighting] | None:
    """What the export says, as it is downloaded; None while it is not written yet.

    raises   Refused when nothing more will come of it (begin another), Unauthorised when the app may not read it. Of an
             export that failed half-way the part that was written is told first, then `Refused` is raised
    """
    found = graphql.ask(documents.READ_BULK, {"id": operation_id}, answers.BulkAnswer).operation
    if found is None:
        raise Refused(f"Shopify does not know the export {operation_id} any more", code="GONE")
    if found.status in _RUNNING:
        return None
    if found.status == "COMPLETED":
        # No address: there was nothing to write.
        return iter(()) if found.url is None else _whole(found.url, found.objects)
    if found.error_code == "ACCESS_DENIED":
        raise Unauthorised(
            f"Shopify: the export {operation_id} was denied; grant the app read_inventory and read_products"
        )
    return _partial(found)


def _whole(url: str, objects: int) -> Iterator[Sighting]:
    seen = 0

    def counted() -> Iterator[bytes]:
        nonlocal seen
        for line in downloads.lines(url):
            seen += 1
            yield line

    yield from sightings(counted())
    if seen < objects:
        raise Unavailable(
            f"Shopify: {seen} of {objects} objects of an export arrived; read it again"
        )


def _partial(found: answers.BulkOperation) -> Iterator[Sighting]:
    if found.partial_url is not None:
        yield from sightings(downloads.lines(found.partial_url))
    code = found.error_code or found.status
    raise Refused(f"Shopify: the export {found.id} ended as {found.status} ({code})", code=code)


def sightings(lines: Iterable[bytes]) -> Iterator[Sighting]:
    """The levels among the lines of a file; items, which are only their parents, are passed over.

    raises   Unreadable for a line that is not what was asked for
    """
    for line in lines:
        try:
            level = orjson.loads(line)
            if "quantities" in level:
                yield _sighting(level)
        except (ValueError, KeyError, TypeError) as error:
            shown = line[:200].decode("utf-8", "replace")
            raise Unreadable(
                f"Shopify: a line of an export cannot be read ({error}): {shown!r}"
            ) from None


def _sighting(level: dict[str, Any]) -> Sighting:
    units: int | None = None
    at = level["updatedAt"]
    for quantity in level["quantities"]:
        if quantity["name"] == "available":
            units = quantity["quantity"]
            at = quantity["updatedAt"] or at
    # Where nobody counts, or nothing is stocked any more, a number means nothing.
    if not (level["isActive"] and level["item"]["tracked"]):
        units = None
    return Sighting(level["item"]["id"], level["location"]["id"], units, datetime.fromisoformat(at))


def changed(graphql: GraphQL, mark: datetime, locations: Sequence[str]) -> Iterator[Sighting]:
    """Levels at these locations that changed at or after `mark`, whoever changed them; 250 a call."""
    since = mark.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for location in locations:
        cursor: str | None = None
        while True:
            variables: dict[str, Json] = {
                "location": location,
                "search": f"updated_at:>='{since}'",
                "first": _PAGE,
                "after": cursor,
            }
            found = graphql.ask(documents.READ_CHANGED, variables, answers.ChangedAnswer).location
            if found is None:
                break
            for level in found.levels.nodes:
                units = level.units("available")
                yield Sighting(level.item.id, level.location.id, units, level.changed_at)
            if not found.levels.page.more:
                break
            cursor = found.levels.page.cursor


def places(graphql: GraphQL) -> list[Place]:
    """The shop's locations, those that were closed among them."""
    found: list[Place] = []
    cursor: str | None = None
    while True:
        page = graphql.ask(
            documents.READ_LOCATIONS, {"after": cursor}, answers.LocationsAnswer
        ).locations
        found += [
            Place(node.id, node.name, node.is_active, node.pickup is not None)
            for node in page.nodes
        ]
        if not page.page.more:
            return found
        cursor = page.page.cursor
