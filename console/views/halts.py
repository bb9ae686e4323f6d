"""Halts that are not lifted: single ones, and scopes that hold many."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from console.views.listing import Listing, Page, page
from reconcile.halt_scopes import OpenScope, Scope

#: channel, sku (or NULL); each: those that only scopes hold too
HALTS: Final = Listing(
    "'' AS scope, id AS halt_id, channel, sku, state, reason, set_by, set_at, drift_id, undo, confirmed_at, run_at,"
    " attempts, error, own, until_at",
    "FROM halt",
    """
    state <> 'lifted' AND (own OR :each) AND (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:sku AS text) IS NULL OR sku = :sku)
    """,
    (("set_at", "timestamptz"), ("id", "bigint")),
    newest=False,
)


#: Scopes that are not lifted, the oldest first; channel (those that may concern it), location, sku (or NULL).
_SCOPES: Final = Listing(
    "s.id, s.channel, s.location, s.sku, s.reason, s.set_by, s.set_at, s.until_at, s.filled_at IS NOT NULL AS filled,"
    " n.setting, n.set, n.lifting",
    """
    FROM halt_scope AS s CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE halt.state = 'setting') AS setting,
               count(*) FILTER (WHERE halt.state = 'set') AS set,
               count(*) FILTER (WHERE halt.state = 'lifting') AS lifting
        FROM halt_hold AS h JOIN halt ON halt.id = h.halt_id
        WHERE h.scope_id = s.id AND h.ended_at IS NULL) AS n
    """,
    """
    s.lifted_at IS NULL AND (CAST(:channel AS text) IS NULL OR s.channel IS NULL OR s.channel = :channel)
      AND (CAST(:location AS text) IS NULL OR s.location = :location) AND (CAST(:sku AS text) IS NULL OR s.sku = :sku)
    """,
    (("s.set_at", "timestamptz"), ("s.id", "bigint")),
    newest=False,
    optional=("location", "sku"),
)


def scopes(connection: Connection, said: dict[str, Any], *, limit: int, after: str | None) -> Page:
    """Scopes as lines, page by page."""
    found = page(connection, _SCOPES, said, limit=limit, after=after)
    return Page([of_scope(_scope(row)) for row in found.rows], found.after)


def _scope(row: dict[str, Any]) -> OpenScope:
    number = row.pop("id")
    held = Scope(row.pop("channel"), row.pop("location"), row.pop("sku"))
    return OpenScope(number, held, **row)


def of_scope(found: OpenScope) -> dict[str, Any]:
    """A scope as one line, with its halts by state."""
    state = f"{found.set} of {found.setting + found.set + found.lifting} set"
    return {
        "scope": str(found.scope),
        "scope_id": found.scope_id,
        "channel": found.scope.channel,
        "location": found.scope.location,
        "sku": found.scope.sku,
        "state": state if found.filled else f"{state}, more to come",
        "setting": found.setting,
        "set": found.set,
        "lifting": found.lifting,
        "set_at": found.set_at,
        "set_by": found.set_by,
        "reason": found.reason,
        "until_at": found.until_at,
        "error": "",
    }
