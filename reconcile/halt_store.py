"""Halts in PostgreSQL: a wish (setting, lifting) that a worker carries out at the vendor, and its audit.

    setting --mark_set--> set --lift_halt--> lifting --mark_lifted--> lifted
       ^                   |                    |
       +-- halt_again -----+     set_halt ------+        lift_halt may also end a halt that is still setting

One halt a SKU and channel is open at a time. Nothing is pushed for the SKU while one is. What was changed at the
vendor is kept per location as it stood before the first stop, so that lifting undoes exactly that. A halt stands as
long as it is wanted for itself (`own`) or a scope holds it (`halt_scopes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, text

from reconcile.halts import RULE, StandingHalt
from reconcile.trail import record

#: What was changed at the vendor, per location of ours.
Undo = dict[str, dict[str, str]]


class NothingToHalt(Exception):
    """The SKU is not bound on the channel, so there is nothing to take off sale."""


class NothingToLift(Exception):
    """No halt is open for this SKU on this channel."""


@dataclass(frozen=True, slots=True)
class OpenHalt:
    """A halt that is not lifted.

    confirmed_at    read back as stopped since then; None until it is
    own             wanted for itself; False: only scopes hold it
    until_at        when whoever set it wants it lifted; None: when somebody lifts it
    """

    halt_id: int
    channel: str
    sku: str
    state: str
    reason: str
    set_by: str
    set_at: datetime
    drift_id: int | None
    undo: Undo
    confirmed_at: datetime | None
    run_at: datetime
    attempts: int
    error: str
    own: bool = True
    until_at: datetime | None = None


_FIELDS = (
    "id, channel, sku, state, reason, set_by, set_at, drift_id, undo, confirmed_at, run_at, attempts, error, own,"
    " until_at"
)

_BOUND = text("SELECT count(*) FROM binding WHERE channel = :channel AND sku = :sku")
_INSERT = text("""
INSERT INTO halt (channel, sku, reason, set_by, set_at, drift_id, run_at, until_at, call_at)
VALUES (:channel, :sku, :reason, :by, :now, :drift_id, :now, :until_at, :call_at)
ON CONFLICT (channel, sku) WHERE state <> 'lifted' DO NOTHING
RETURNING id
""")
# A halt that was just being lifted stands again. A worker may hold the row until run_at: it is not taken from him.
_STAND_AGAIN = text("""
UPDATE halt SET state = 'setting', reason = :reason, set_by = :by, set_at = :now,
    drift_id = coalesce(:drift_id, drift_id), confirmed_at = NULL, run_at = greatest(run_at, :now), error = '',
    own = true, until_at = :until_at, call_at = :call_at
WHERE channel = :channel AND sku = :sku AND state = 'lifting'
RETURNING id
""")
# What only a scope holds is wanted for itself from now on: it stays when the scope is lifted.
_OWN = text("""
UPDATE halt SET own = true, reason = :reason, set_by = :by, set_at = :now, drift_id = coalesce(:drift_id, drift_id),
    until_at = :until_at, call_at = :call_at
WHERE channel = :channel AND sku = :sku AND state IN ('setting', 'set') AND NOT own
RETURNING id
""")
_OPEN_ID = text("SELECT id FROM halt WHERE channel = :channel AND sku = :sku AND state <> 'lifted'")


def set_halt(
    connection: Connection,
    channel: str,
    sku: str,
    reason: str,
    by: str,
    now: datetime,
    drift_id: int | None = None,
    *,
    until_at: datetime | None = None,
    call_at: datetime | None = None,
) -> tuple[int, bool]:
    """Want this SKU off sale on this channel; a halt that stands already is left as it is.

    reason     not empty
    by         a person, or `halts.RULE`
    until_at   when it is to be lifted by itself; None: when somebody lifts it
    call_at    when somebody is called if it still stands; None: never
    returns    (halt id, True when this call set it)
    raises     NothingToHalt when the SKU is not bound on the channel
    """
    values: dict[str, object] = {"channel": channel, "sku": sku, "reason": reason, "by": by}
    values |= {"now": now, "drift_id": drift_id, "until_at": until_at, "call_at": call_at}
    if connection.execute(_BOUND, values).scalar_one() == 0:
        raise NothingToHalt(f"{sku} is not bound on {channel}: nothing can be taken off sale there")
    halt_id: int | None = None
    for statement in (_INSERT, _STAND_AGAIN, _OWN):
        if halt_id is None:
            halt_id = connection.execute(statement, values).scalar_one_or_none()
    if halt_id is None:
        standing = connection.execute(_OPEN_ID, values).scalar_one_or_none()
        if standing is not None:
            return standing, False
        # It was lifted between the statements: there is room for a new one.
        return set_halt(
            connection, channel, sku, reason, by, now, drift_id, until_at=until_at, call_at=call_at
        )
    detail = {"halt_id": halt_id, "drift_id": drift_id}
    _trail(connection, "halt.set", (channel, sku), by, now, reason, detail)
    return halt_id, True


_AGAIN = text("""
UPDATE halt SET state = 'setting', confirmed_at = NULL, run_at = :now, attempts = 0, error = :error
WHERE id = :id AND state = 'set' RETURNING channel, sku
""")


def halt_again(connection: Connection, halt_id: int, reason: str, now: datetime) -> bool:
    """A halted SKU shows units: stop it once more, keeping what is to be undone. False when it is not set now."""
    row = connection.execute(
        _AGAIN, {"id": halt_id, "now": now, "error": reason[:1000]}
    ).one_or_none()
    if row is None:
        return False
    place = (row.channel, row.sku)
    _trail(connection, "halt.broken", place, RULE, now, reason, {"halt_id": halt_id})
    return True


_STOPPED = text("""
SELECT id, sku FROM halt WHERE channel = :channel AND state = 'set' AND sku = ANY(CAST(:skus AS text[])) ORDER BY id
""")


def stop_what_shows(
    connection: Connection, channel: str, shown: Mapping[str, int], now: datetime
) -> int:
    """Stop once more what is halted and was read as showing units: a number that was on its way arrived after the stop.

    shown      units above 0 by SKU
    returns    how many halts were broken
    """
    if not shown:
        return 0
    broken = connection.execute(_STOPPED, {"channel": channel, "skus": sorted(shown)}).all()
    for halt in broken:
        reason = f"read back as {shown[halt.sku]} while halted"
        halt_again(connection, halt.id, reason, now)
    return len(broken)


# A scope that takes hold of the halt locks it first: so after this lock its hold is seen.
_LOCK = text(
    "SELECT id FROM halt WHERE channel = :channel AND sku = :sku AND state <> 'lifted' FOR UPDATE"
)
_LIFT = text("""
UPDATE halt SET state = 'lifting', lifted_by = :by, lift_reason = :reason, run_at = greatest(run_at, :now),
    attempts = 0, error = ''
WHERE channel = :channel AND sku = :sku AND state IN ('setting', 'set')
  AND NOT EXISTS (SELECT FROM halt_hold AS h WHERE h.halt_id = halt.id AND h.ended_at IS NULL)
RETURNING id
""")
_DISOWN = text("""
UPDATE halt SET own = false, until_at = NULL, call_at = NULL
WHERE channel = :channel AND sku = :sku AND state IN ('setting', 'set') AND own
RETURNING id
""")


def lift_halt(
    connection: Connection, channel: str, sku: str, by: str, reason: str, now: datetime
) -> tuple[int, bool]:
    """Want this SKU on sale again on this channel.

    returns    (halt id, True when this call began the lifting; False when it was being lifted already, or stays
               because a scope holds it: `halt_scopes.holding` names them)
    raises     NothingToLift
    """
    values = {"channel": channel, "sku": sku, "by": by, "reason": reason, "now": now}
    connection.execute(_LOCK, values)
    halt_id = connection.execute(_LIFT, values).scalar_one_or_none()
    if halt_id is not None:
        detail = {"halt_id": halt_id}
        _trail(connection, "halt.lift", (channel, sku), by, now, reason, detail)
        return halt_id, True
    halt_id = connection.execute(_DISOWN, values).scalar_one_or_none()
    if halt_id is not None:
        detail = {"halt_id": halt_id}
        _trail(connection, "halt.left_to_scope", (channel, sku), by, now, reason, detail)
        return halt_id, False
    halt_id = connection.execute(_OPEN_ID, values).scalar_one_or_none()
    if halt_id is None:
        raise NothingToLift(f"{sku} is not halted on {channel}; `lockstep halt list` shows what is")
    return halt_id, False


_LIST = text(
    f"SELECT {_FIELDS} FROM halt WHERE state <> 'lifted'"  # noqa: S608 - a constant list of columns
    " AND (CAST(:channel AS text) IS NULL OR channel = :channel) AND (own OR NOT :own) ORDER BY set_at, id"
)


def open_halts(
    connection: Connection, channel: str | None = None, *, own: bool = False
) -> list[OpenHalt]:
    """Every halt that is not lifted, oldest first; of one channel when named; without those that only scopes hold."""
    rows = connection.execute(_LIST, {"channel": channel, "own": own})
    return [OpenHalt(*row) for row in rows]


# The claim is run_at moved into the future: a worker that dies leaves a row that is due again by itself.
_TAKE = text(
    f"""
UPDATE halt SET run_at = :until, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM halt
    WHERE channel = :channel AND own = :own AND state IN ('setting', 'lifting') AND run_at <= :now
    ORDER BY run_at, id LIMIT :at_most FOR UPDATE SKIP LOCKED)
RETURNING {_FIELDS}
"""  # noqa: S608 - a constant list of columns
)


def take_halts(
    connection: Connection,
    channel: str,
    now: datetime,
    lease_s: float,
    at_most: int = 1,
    *,
    own: bool = True,
) -> list[OpenHalt]:
    """Take halts that wait for a worker now; nobody else gets them for `lease_s` seconds.

    own    those that are wanted for themselves; else those that only a scope wants, or wanted
    """
    values = {
        "channel": channel,
        "now": now,
        "until": now + timedelta(seconds=lease_s),
        "at_most": at_most,
        "own": own,
    }
    taken = [OpenHalt(*row) for row in connection.execute(_TAKE, values)]
    return sorted(taken, key=lambda halt: halt.halt_id)


WAITING = text("""
SELECT c.channel FROM channel AS c
WHERE EXISTS (SELECT FROM halt WHERE halt.channel = c.channel AND state IN ('setting', 'lifting') AND run_at <= :now)
ORDER BY c.channel
""")


# The first undo of a location stands: a second stop finds its own work and would undo nothing.
_KEEP_UNDO = text("UPDATE halt SET undo = CAST(:undo AS jsonb) || undo WHERE id = :id")


def keep_undo(connection: Connection, halt_id: int, location: str, undo: Mapping[str, str]) -> None:
    """Keep what a stop changes at one location; what is kept already stays."""
    value = orjson.dumps({location: dict(undo)}).decode()
    connection.execute(_KEEP_UNDO, {"id": halt_id, "undo": value})


_SET = text("""
UPDATE halt SET state = 'set', confirmed_at = :confirmed_at, run_at = :confirmed_at, attempts = 0, error = ''
WHERE id = :id AND state = 'setting' RETURNING channel, sku
""")


def mark_set(
    connection: Connection, halt_id: int, confirmed_at: datetime, worker: str = RULE
) -> bool:
    """The stop was read back; False when somebody lifts it meanwhile."""
    row = connection.execute(_SET, {"id": halt_id, "confirmed_at": confirmed_at}).one_or_none()
    if row is None:
        return False
    detail = {"halt_id": halt_id}
    _trail(connection, "halt.confirmed", (row.channel, row.sku), worker, confirmed_at, "", detail)
    return True


_LIFTED = text("""
UPDATE halt SET state = 'lifted', lifted_at = :now, error = ''
WHERE id = :id AND state = 'lifting' RETURNING channel, sku, lifted_by, lift_reason
""")
_PUSH_AGAIN = text("""
INSERT INTO push_due (channel, sku, location, priority, since, run_at)
SELECT channel, sku, location, 2, :now, :now FROM target JOIN binding USING (channel, sku, location)
WHERE channel = :channel AND sku = :sku AND NOT binding.read_only ORDER BY location
ON CONFLICT (channel, sku, location) DO UPDATE SET since = :now, run_at = least(push_due.run_at, :now)
WHERE NOT push_due.parked
""")


def mark_lifted(connection: Connection, halt_id: int, now: datetime) -> bool:
    """The stop is undone: the SKU's targets are due on the channel. False when it was halted again meanwhile."""
    row = connection.execute(_LIFTED, {"id": halt_id, "now": now}).one_or_none()
    if row is None:
        return False
    connection.execute(_PUSH_AGAIN, {"channel": row.channel, "sku": row.sku, "now": now})
    place, detail = (row.channel, row.sku), {"halt_id": halt_id}
    _trail(connection, "halt.lifted", place, row.lifted_by, now, row.lift_reason, detail)
    return True


_LATER = text("""
UPDATE halt SET run_at = :run_at, error = :error, attempts = attempts - CASE WHEN :costs THEN 0 ELSE 1 END
WHERE id = :id AND state = :state
""")
_RELEASE = text("UPDATE halt SET run_at = :now WHERE id = :id AND state <> :state")


def work_later(
    connection: Connection,
    halt: OpenHalt,
    *,
    error: str,
    now: datetime,
    run_at: datetime,
    costs_an_attempt: bool = True,
) -> None:
    """Try this halt again at `run_at`; at once when a person changed its direction while we worked."""
    values = {"id": halt.halt_id, "state": halt.state, "run_at": run_at}
    connection.execute(_LATER, values | {"error": error[:1000], "costs": costs_an_attempt})
    release(connection, halt, now)


def release(connection: Connection, halt: OpenHalt, now: datetime) -> None:
    """Let go of a halt whose direction a person changed while we worked: its new wish is due at once."""
    connection.execute(_RELEASE, {"id": halt.halt_id, "state": halt.state, "now": now})


_STANDING = text("""
SELECT halt.id, halt.sku, halt.set_by, drift.cause, halt.confirmed_at,
       (SELECT count(*) FROM halt AS before
        WHERE before.channel = halt.channel AND before.sku = halt.sku AND before.state = 'lifted'
          AND before.lifted_by = :rule AND before.lifted_at > CAST(:now AS timestamptz) - interval '1 day')
FROM halt LEFT JOIN drift ON drift.id = halt.drift_id
WHERE halt.channel = :channel AND halt.own AND halt.state = 'set' AND halt.confirmed_at IS NOT NULL
ORDER BY halt.id
""")


def standing_halts(connection: Connection, channel: str, now: datetime) -> list[StandingHalt]:
    """The halts in force on a channel, for the lift rule."""
    rows = connection.execute(_STANDING, {"channel": channel, "now": now, "rule": RULE})
    return [StandingHalt(*row) for row in rows]


OVER = text("""
SELECT channel, sku FROM halt WHERE until_at <= :now AND state IN ('setting', 'set') ORDER BY channel, sku
""")


def over(connection: Connection, now: datetime) -> list[tuple[str, str]]:
    """(channel, SKU) of halts whose time is over, as whoever set them wished."""
    return [(row.channel, row.sku) for row in connection.execute(OVER, {"now": now})]


def _trail(
    connection: Connection,
    action: str,
    place: tuple[str, str],
    actor: str,
    at: datetime,
    reason: str,
    detail: Mapping[str, object],
) -> None:
    what = "halt:" + "/".join(place)
    record(connection, actor=actor, action=action, what=what, at=at, reason=reason, detail=detail)
