"""Suggestions of the house that somebody does not want."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from console.access.types import Unknown
from console.review import suggestions
from ledger.db import transaction
from reconcile.trail import record


def dismiss(
    engine: Engine, kind: str, name: str, *, reason: str, by: str, now: datetime
) -> dict[str, Any]:
    """Say that what is suggested is not wanted; it holds until it has gone and comes anew. Raises Unknown."""
    with transaction(engine) as connection:
        if not suggestions.stands(connection, kind, name):
            raise Unknown(
                f"no {kind} of {name!r} is suggested: see lockstep review suggestions --kind {kind}"
            )
        suggestions.dismiss(connection, kind, name, reason=reason, by=by, now=now)
        record(
            connection, actor=by, action="review.dismiss", what=f"{kind}:{name}", at=now,
            reason=reason,
        )  # fmt: skip
    return {"kind": kind, "object": name, "dismissed": True}
