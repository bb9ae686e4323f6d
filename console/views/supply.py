"""What is to come, what was asked to come sooner, and what can be promised of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from allocation import supply
from allocation.supply import Asked
from console.access.types import Refusal, Unknown
from workers.flows import promises

#: Of a request: what is printed, and what is exported beside it.
ASKED: Final = ("due_at", "sku", "location", "units", "channel", "order", "line", "reason")
EXPORTED: Final = (*ASKED, "source", "since", "overdue")


def expected(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """What has not come, the earliest first."""
    return [
        asdict(each) | {"open_units": each.open_units, "overdue": _is_overdue(each.due_at, now)}
        for each in supply.open_supply(connection)
    ]


def requests(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """What is to be made or bought sooner, the most urgent first."""
    return [_asked(each, now) for each in supply.requests(connection)]


def _asked(each: Asked, now: datetime) -> dict[str, Any]:
    row = asdict(each) | {"order": each.order_id, "line": each.line_id}
    row["overdue"] = _is_overdue(each.due_at, now)
    return {name: row[name] for name in EXPORTED}


def _is_overdue(due_at: datetime, now: datetime) -> bool:
    """Whether the day has passed; on the day itself there is still time."""
    return due_at.astimezone(UTC).date() < now.astimezone(UTC).date()


def promised(
    connection: Connection, sku: str, location: str | None, now: datetime
) -> dict[str, Any]:
    """What can still be promised of a SKU, by the day it is there.

    raises    Refusal: a bundle has no stock of its own;  Unknown: nothing is known of it
    """
    parts = supply.parts(connection, sku)
    if parts:
        raise Refusal(
            f"{sku} is a bundle and has no stock of its own; ask for its parts: {', '.join(parts)}"
        )
    outlooks = promises.atp(connection, sku, now.date())
    found = [each for each in outlooks if location in (None, each.location)]
    if not found:
        at = f" at {location}" if location else ""
        raise Unknown(f"nothing is known of SKU {sku!r}{at}: see lockstep sku show {sku}")
    return {"sku": sku, "locations": found}
