"""The rules: every version that was ever in force."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from allocation import store
from allocation.document import Document
from console.access.types import Unknown
from console.views.listing import Listing
from workers.flows import drafts

#: like: a pattern of ILIKE over author and reason
VERSIONS: Final = Listing(
    "version, author, reason, applied_at",
    "FROM rule_set",
    "CAST(:like AS text) IS NULL OR author ILIKE :like OR reason ILIKE :like",
    (("version", "bigint"),),
    optional=("like",),
)

_BEFORE: Final = text("SELECT max(version) FROM rule_set WHERE version < :number")


def newest(connection: Connection) -> int:
    """The version in force. Raises Unknown: there never was one."""
    found = store.history(connection, limit=1)
    if not found:
        raise Unknown(
            "no rules were ever applied: lockstep alloc apply FILE --author ... --reason ..."
        )
    return found[0].version


def version(connection: Connection, number: int | None) -> dict[str, Any]:
    """A version as it was applied; None: the one in force. Raises Unknown."""
    number = newest(connection) if number is None else number
    try:
        return {"version": number, "source": store.source_of(connection, number)}
    except store.NoSuchVersion as error:
        raise Unknown(str(error)) from None


def before(connection: Connection, number: int) -> int | None:
    """The version that was in force before this one; None: it was the first. Numbers may leave gaps."""
    found: int | None = connection.execute(_BEFORE, {"number": number}).scalar_one()
    return found


def plan(
    engine: Engine, read: Document, now: datetime, *, sku: str = "*", limit: int = 50
) -> dict[str, Any]:
    """What rules would change at the present stock; nothing is written."""
    found = drafts.plan(engine, read.rules(), now, sku=sku, limit=limit)
    return {"differs": found.differs, **asdict(found)}
