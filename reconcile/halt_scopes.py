"""Halts of many at once, by scope: a SKU everywhere, a location, a channel, everything.

A scope is a wish; its halts are set in batches, so that one of a million SKUs is no transaction of a million rows, and
whoever sets it may die: the sweep goes on. Each halt remembers which scopes hold it. Lifting a scope lets go of what it
holds: what another scope holds, or what is wanted for itself, stays halted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from reconcile.halt_store import NothingToHalt, NothingToLift
from reconcile.trail import record

#: SKUs whose halts are set, or let go, in one transaction.
BATCH: Final = 2000
#: What was listed since a scope was set is looked for again after so long.
LOOK_AGAIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be off sale: everything that fits. None is any.

    location    SKUs that are shown there, and those whose pool draws on units there; each whole on its channel
    """

    channel: str | None = None
    location: str | None = None
    sku: str | None = None

    def __str__(self) -> str:
        what = f"SKU {self.sku}" if self.sku else ""
        where = f"location {self.location}" if self.location else ""
        on = f"channel {self.channel}" if self.channel else ""
        return ", ".join(filter(None, (what, where, on))) or "everything"


@dataclass(frozen=True, slots=True)
class OpenScope:
    """A scope that is not lifted, with its halts by state.

    filled    all its halts are set; False while batches are still to come
    """

    scope_id: int
    scope: Scope
    reason: str
    set_by: str
    set_at: datetime
    until_at: datetime | None
    filled: bool
    setting: int = 0
    set: int = 0
    lifting: int = 0


# Stock that the channel holds itself (read only) is not ours to take off sale. A bundle draws on its parts.
_FITS = """
    NOT b.read_only
    AND (CAST(:location AS text) IS NULL OR b.location = :location
         OR b.channel = ANY(CAST(:pooling AS text[]))
            AND EXISTS (SELECT FROM balance AS held
                        WHERE held.location = :location AND held.state = 'available' AND held.units > 0
                          AND (held.sku = b.sku
                               OR held.sku IN (SELECT component FROM bundle WHERE bundle.sku = b.sku))))
"""
_CHANNELS = text("""
    SELECT channel FROM channel WHERE CAST(:channel AS text) IS NULL OR channel = :channel ORDER BY channel
""")
_NAMES = text("""
    SELECT CAST(:sku AS text) IS NULL OR EXISTS (SELECT FROM sku WHERE sku = :sku) AS sku,
           CAST(:location AS text) IS NULL OR EXISTS (SELECT FROM location WHERE location = :location) AS location
""")
_WOULD = text(f"""
    SELECT b.channel, count(DISTINCT b.sku) AS skus,
           count(DISTINCT b.sku) FILTER (WHERE halt.id IS NOT NULL) AS halted
    FROM binding AS b LEFT JOIN halt ON halt.channel = b.channel AND halt.sku = b.sku AND halt.state <> 'lifted'
    WHERE b.channel = ANY(CAST(:channels AS text[])) AND (CAST(:sku AS text) IS NULL OR b.sku = :sku) AND {_FITS}
    GROUP BY b.channel ORDER BY b.channel
""")  # noqa: S608 -- composed of constants


def would_halt(
    connection: Connection, scope: Scope, pooling: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Channel -> (SKUs the scope takes off sale there, those of them that are halted already).

    pooling    channels whose one number draws on the scope's location
    raises     NothingToHalt when there is no such channel, location or SKU
    """
    found = connection.execute(_WOULD, _values(connection, scope, pooling))
    return {row.channel: (row.skus, row.halted) for row in found}


def _values(connection: Connection, scope: Scope, pooling: Sequence[str]) -> dict[str, Any]:
    named = {"channel": scope.channel, "location": scope.location, "sku": scope.sku}
    channels = list(connection.execute(_CHANNELS, named).scalars())
    known = connection.execute(_NAMES, named).one()
    for name, is_known in (("channel", channels), ("location", known.location), ("SKU", known.sku)):
        if not is_known:
            raise NothingToHalt(
                f"there is no {name} {named[name.lower()]!r}: nothing can be taken off sale there"
            )
    return named | {"channels": channels, "pooling": list(pooling)}


_BEGIN = text("""
    INSERT INTO halt_scope (channel, location, sku, reason, set_by, set_at, until_at)
    VALUES (:channel, :location, :sku, :reason, :by, :now, :until_at)
    ON CONFLICT (coalesce(channel, ''), coalesce(location, ''), coalesce(sku, '')) WHERE lifted_at IS NULL DO NOTHING
    RETURNING id
""")
_OPEN_ID = text("""
    SELECT id FROM halt_scope
    WHERE coalesce(channel, '') = coalesce(:channel, '') AND coalesce(location, '') = coalesce(:location, '')
      AND coalesce(sku, '') = coalesce(:sku, '') AND lifted_at IS NULL
    FOR UPDATE
""")


def begin(
    connection: Connection,
    scope: Scope,
    reason: str,
    by: str,
    now: datetime,
    until_at: datetime | None = None,
) -> tuple[int, bool]:
    """Want everything of this scope off sale; its halts follow by `fill`.

    returns    (scope id, True when this call set it; False when it stood already)
    """
    values = {"channel": scope.channel, "location": scope.location, "sku": scope.sku}
    wish = {"reason": reason, "by": by, "now": now, "until_at": until_at}
    scope_id = connection.execute(_BEGIN, values | wish).scalar_one_or_none()
    if scope_id is None:
        standing = connection.execute(_OPEN_ID, values).scalar_one_or_none()
        if standing is None:
            return begin(connection, scope, reason, by, now, until_at)
        return standing, False
    _trail(connection, "halt.scope.set", scope_id, scope, by, now, reason)
    return scope_id, True


_HELD = text("""
    SELECT channel, location, sku, reason, set_by, filled_through FROM halt_scope
    WHERE id = :id AND lifted_at IS NULL FOR UPDATE SKIP LOCKED
""")
_SKUS = text("""
    SELECT sku FROM sku WHERE sku > :after AND (CAST(:sku AS text) IS NULL OR sku = :sku) ORDER BY sku LIMIT :at_most
""")
_SET = text(f"""
    INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, own)
    SELECT DISTINCT b.channel, b.sku, CAST(:reason AS text), CAST(:by AS text), CAST(:now AS timestamptz),
           CAST(:now AS timestamptz), false
    FROM unnest(CAST(:channels AS text[])) AS c (channel) CROSS JOIN unnest(CAST(:skus AS text[])) AS s (sku)
    JOIN binding AS b USING (channel, sku)
    WHERE {_FITS}
      AND NOT EXISTS (SELECT FROM halt WHERE halt.channel = b.channel AND halt.sku = b.sku AND halt.state <> 'lifted')
    ORDER BY b.channel, b.sku
    ON CONFLICT (channel, sku) WHERE state <> 'lifted' DO NOTHING
""")  # noqa: S608 -- composed of constants
# Locked in one order before they change: who lifts one of them locks it first too, and sees the hold then. A scalar
# subquery is looked up by key; NOT EXISTS is joined against all holds of a scope that is too new for the statistics.
_STANDING = text(f"""
    SELECT halt.id FROM halt
    WHERE halt.state <> 'lifted'
      AND halt.channel = ANY(CAST(:channels AS text[])) AND halt.sku = ANY(CAST(:skus AS text[]))
      AND EXISTS (SELECT FROM binding AS b WHERE b.channel = halt.channel AND b.sku = halt.sku AND {_FITS})
      AND (SELECT h.halt_id FROM halt_hold AS h WHERE h.halt_id = halt.id AND h.scope_id = :scope_id) IS NULL
    ORDER BY halt.channel, halt.sku FOR UPDATE OF halt
""")  # noqa: S608 -- composed of constants
_STAND_AGAIN = text("""
    UPDATE halt SET state = 'setting', reason = :reason, set_by = :by, set_at = :now, confirmed_at = NULL,
        run_at = greatest(run_at, CAST(:now AS timestamptz)), error = '', own = false, until_at = NULL,
        call_at = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'lifting'
""")
_HOLD = text("""
    INSERT INTO halt_hold (halt_id, scope_id)
    SELECT id, :scope_id FROM halt WHERE id = ANY(CAST(:ids AS bigint[])) AND state <> 'lifted' ORDER BY id
    ON CONFLICT (halt_id, scope_id) DO NOTHING
""")
_FILLED = text("""
    UPDATE halt_scope SET filled_through = CASE WHEN :more THEN CAST(:through AS text) ELSE '' END,
        filled_at = CASE WHEN :more THEN filled_at ELSE CAST(:now AS timestamptz) END
    WHERE id = :id
""")


def fill(
    connection: Connection,
    scope_id: int,
    pooling: Mapping[str, Sequence[str]],
    now: datetime,
    at_most: int = BATCH,
) -> bool:
    """Set the halts of the next SKUs of a scope; False when all are set, it is lifted, or somebody else does it.

    pooling    location -> channels whose one number draws on it
    """
    row = connection.execute(_HELD, {"id": scope_id}).one_or_none()
    if row is None:
        return False
    scope = Scope(row.channel, row.location, row.sku)
    values = _values(connection, scope, pooling.get(row.location or "", ()))
    wish = {"after": row.filled_through, "at_most": at_most, "now": now, "scope_id": scope_id}
    values |= wish | {"reason": row.reason, "by": row.set_by}
    values["skus"] = list(connection.execute(_SKUS, values).scalars())
    if values["skus"]:
        connection.execute(_SET, values)
        values["ids"] = list(connection.execute(_STANDING, values).scalars())
        connection.execute(_STAND_AGAIN, values)
        connection.execute(_HOLD, values)
    more = len(values["skus"]) == at_most
    through = values["skus"][-1] if more else ""
    connection.execute(_FILLED, {"id": scope_id, "more": more, "through": through, "now": now})
    return more


_LIFT = text("""
    UPDATE halt_scope SET lifted_at = :now, lifted_by = :by, lift_reason = :reason
    WHERE id = :id AND lifted_at IS NULL RETURNING channel, location, sku
""")


def lift(connection: Connection, scope: Scope, by: str, reason: str, now: datetime) -> int:
    """Let go of everything that this scope holds; its halts follow by `let_go`.

    returns    the scope's id
    raises     NothingToLift
    """
    values = {"channel": scope.channel, "location": scope.location, "sku": scope.sku}
    scope_id = connection.execute(_OPEN_ID, values).scalar_one_or_none()
    if scope_id is None:
        raise NothingToLift(f"{scope} is not halted; `lockstep halt list` shows what is")
    connection.execute(_LIFT, {"id": scope_id, "now": now, "by": by, "reason": reason})
    _trail(connection, "halt.scope.lift", scope_id, scope, by, now, reason)
    return int(scope_id)


_HOLDS = text("""
    SELECT halt.id FROM halt_hold AS h JOIN halt ON halt.id = h.halt_id
    WHERE h.scope_id = :scope_id AND h.ended_at IS NULL
    ORDER BY h.halt_id LIMIT :at_most
""")
_LOCK = text("""
    SELECT id FROM halt WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY channel, sku FOR UPDATE
""")
_END = text("""
    UPDATE halt_hold SET ended_at = :now WHERE scope_id = :scope_id AND halt_id = ANY(CAST(:ids AS bigint[]))
""")
_LIFT_HALTS = text("""
    UPDATE halt SET state = 'lifting', lifted_by = s.lifted_by, lift_reason = s.lift_reason,
        run_at = greatest(run_at, CAST(:now AS timestamptz)), attempts = 0, error = ''
    FROM halt_scope AS s
    WHERE s.id = :scope_id AND halt.id = ANY(CAST(:ids AS bigint[]))
      AND halt.state IN ('setting', 'set') AND NOT halt.own
      AND (SELECT h.halt_id FROM halt_hold AS h WHERE h.halt_id = halt.id AND h.ended_at IS NULL LIMIT 1) IS NULL
""")
_ENDED = text("UPDATE halt_scope SET ended_at = :now WHERE id = :scope_id")


def let_go(connection: Connection, scope_id: int, now: datetime, at_most: int = BATCH) -> bool:
    """Let go of the next halts of a lifted scope; False when none is left."""
    values = {"scope_id": scope_id, "now": now, "at_most": at_most}
    ids = list(connection.execute(_HOLDS, values).scalars())
    if ids:
        connection.execute(_LOCK, {"ids": ids})
        connection.execute(_END, values | {"ids": ids})
        connection.execute(_LIFT_HALTS, values | {"ids": ids})
    if len(ids) == at_most:
        return True
    connection.execute(_ENDED, values)
    return False


TO_DO = text("""
    SELECT id, lifted_at IS NOT NULL AS lifted FROM halt_scope
    WHERE lifted_at IS NOT NULL AND ended_at IS NULL
       OR lifted_at IS NULL AND (filled_at IS NULL OR filled_through <> '' OR filled_at <= :filled_before)
    ORDER BY id
""")
OVER = text("""
    SELECT channel, location, sku FROM halt_scope WHERE lifted_at IS NULL AND until_at <= :now ORDER BY id
""")


def to_do(connection: Connection, now: datetime) -> tuple[list[int], list[int]]:
    """Ids of scopes to fill, and of those to let go of; what was listed meanwhile is looked for now and then."""
    rows = connection.execute(TO_DO, {"filled_before": now - LOOK_AGAIN}).all()
    return [row.id for row in rows if not row.lifted], [row.id for row in rows if row.lifted]


def over(connection: Connection, now: datetime) -> list[Scope]:
    """Scopes whose time is over, as whoever set them wished."""
    return [Scope(*row) for row in connection.execute(OVER, {"now": now})]


_OPEN = text("""
    SELECT s.id, s.channel, s.location, s.sku, s.reason, s.set_by, s.set_at, s.until_at,
           s.filled_at IS NOT NULL AS filled, n.setting, n.set, n.lifting
    FROM halt_scope AS s CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE halt.state = 'setting') AS setting,
               count(*) FILTER (WHERE halt.state = 'set') AS set,
               count(*) FILTER (WHERE halt.state = 'lifting') AS lifting
        FROM halt_hold AS h JOIN halt ON halt.id = h.halt_id
        WHERE h.scope_id = s.id AND h.ended_at IS NULL) AS n
    WHERE s.lifted_at IS NULL AND (CAST(:channel AS text) IS NULL OR s.channel IS NULL OR s.channel = :channel)
    ORDER BY s.set_at, s.id
""")
_HOLDING = text("""
    SELECT s.channel, s.location, s.sku FROM halt_hold AS h JOIN halt_scope AS s ON s.id = h.scope_id
    WHERE h.halt_id = :halt_id AND h.ended_at IS NULL ORDER BY s.id
""")


def open_scopes(connection: Connection, channel: str | None = None) -> list[OpenScope]:
    """Every scope that is not lifted, oldest first; those that may concern one channel when named."""
    return [
        OpenScope(row.id, Scope(row.channel, row.location, row.sku), *row[4:])
        for row in connection.execute(_OPEN, {"channel": channel})
    ]


def holding(connection: Connection, halt_id: int) -> list[Scope]:
    """The scopes that hold a halt."""
    return [Scope(*row) for row in connection.execute(_HOLDING, {"halt_id": halt_id})]


def _trail(
    connection: Connection,
    action: str,
    scope_id: int,
    scope: Scope,
    by: str,
    now: datetime,
    reason: str,
) -> None:
    detail = {"scope_id": scope_id, "scope": str(scope)}
    what = f"halt_scope:{scope_id}"
    record(connection, actor=by, action=action, what=what, at=now, reason=reason, detail=detail)
