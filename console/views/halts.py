"""Halts that are not lifted: single ones, and scopes that hold many."""

from __future__ import annotations

from typing import Any, Final

from console.views.listing import Listing
from reconcile.halt_scopes import OpenScope

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
