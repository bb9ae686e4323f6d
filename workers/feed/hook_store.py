"""Addresses outside and what they are told, as rows: made, claimed, settled. What is told is written by its cause.

A claim raises the fence of a message (`attempts`) and leases it; whoever dies leaves a lease to run out. An address
that does not answer is left alone for a while as a whole (`next_at`): its messages do not each find that out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from ledger import failures
from ledger.types import Failure, FailureClass, Origin
from workers.feed.hook_words import GIVEN_UP_S, TEST, Message, pause_s

#: A worker that is silent for so long has died.
LEASE_S: Final = 120.0
TASK: Final = "workers.hook_tasks.send_hooks"

_ADD = text("""
    INSERT INTO hook (name, url, kinds, salt, proof, created_at, created_by, next_at)
    VALUES (:name, :url, :kinds, :salt, :proof, :now, :by, :now)
    ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING RETURNING id
""")
_REMOVE = text("""
    UPDATE hook SET removed_at = :now, removed_by = :by WHERE name = :name AND removed_at IS NULL RETURNING id
""")
_DROP = text(
    "UPDATE hook_post SET state = 'dropped' WHERE hook_id = :id AND state IN ('due', 'failed')"
)
_IN_USE = text("SELECT id FROM hook WHERE name = :name AND removed_at IS NULL")

_LIST = text("""
    SELECT h.name, h.url, h.kinds, h.created_at, h.created_by, h.told_at, h.failing, h.next_at, h.stopped_at,
           h.stopped_why, count(p.event_id) FILTER (WHERE p.state = 'due') AS due,
           count(p.event_id) FILTER (WHERE p.state = 'failed') AS failed,
           coalesce((SELECT l.error FROM hook_post AS l WHERE l.hook_id = h.id AND l.state IN ('due', 'failed')
                     AND l.error <> '' ORDER BY l.run_at DESC LIMIT 1), '') AS error
    FROM hook AS h LEFT JOIN hook_post AS p ON p.hook_id = h.id AND p.state IN ('due', 'failed')
    WHERE h.removed_at IS NULL
    GROUP BY h.id ORDER BY h.name
""")

_TEST = text("""
    WITH made AS (
        INSERT INTO hook_event (kind, object, content, at)
        VALUES (:kind, 'hook:' || CAST(:hook AS bigint) || ':' || clock_timestamp(), CAST(:content AS jsonb), :now)
        RETURNING id
    )
    INSERT INTO hook_post (hook_id, event_id, run_at) SELECT :hook, id, :now FROM made RETURNING event_id
""")

# A place that has fallen to its reorder point and sells out, with what is expected by then, before an order of today
# could be there; once for each time that it fell.
_STOCKOUTS = text("""
    SELECT hook_tell('stockout.forecast',
                     'place:' || l.sku || '@' || l.location || ':' || extract(epoch FROM l.low_since),
                     jsonb_build_object('sku', l.sku, 'location', l.location, 'available', b.units,
                         'coming', coming.units, 'per_day', round(l.per_day::numeric, 3), 'lead_days', l.lead_days,
                         'runs_out_on', CAST(:now AS timestamptz)::date
                             + floor(greatest(b.units + coming.units, 0) / l.per_day)::integer), :now)
    FROM reorder_level AS l
    JOIN balance AS b ON b.sku = l.sku AND b.location = l.location AND b.state = 'available'
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(s.expected_units - s.received_units), 0)::bigint AS units FROM supply_line AS s
        WHERE s.sku = l.sku AND s.location = l.location AND s.expected_units > s.received_units
          AND s.due_at <= CAST(:now AS timestamptz) + make_interval(secs => l.lead_days * 86400)
    ) AS coming
    WHERE l.low_since IS NOT NULL AND l.per_day > 0
      AND NOT EXISTS (SELECT FROM hook_event AS e WHERE e.kind = 'stockout.forecast'
                      AND e.object = 'place:' || l.sku || '@' || l.location || ':' || extract(epoch FROM l.low_since))
      AND b.units + coming.units < l.per_day * l.lead_days
""")
_WANTED = text(
    "SELECT EXISTS (SELECT FROM hook WHERE removed_at IS NULL AND 'stockout.forecast' = ANY(kinds))"
)

_CLAIM = text("""
    UPDATE hook_post AS p SET leased_until = :until, attempts = p.attempts + 1
    FROM (
        SELECT due.hook_id, due.event_id
        FROM hook AS h
        CROSS JOIN LATERAL (
            SELECT q.hook_id, q.event_id FROM hook_post AS q
            WHERE q.hook_id = h.id AND q.state = 'due' AND q.run_at <= :now
              AND (q.leased_until IS NULL OR q.leased_until <= :now)
              AND (CAST(:event AS uuid) IS NULL OR q.event_id = :event)
            ORDER BY q.run_at, q.event_id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE h.removed_at IS NULL
          AND (h.id = CAST(:hook AS bigint)
               OR CAST(:hook AS bigint) IS NULL AND h.stopped_at IS NULL AND h.next_at <= :now)
        ORDER BY h.next_at, h.id LIMIT 1
    ) AS next
    JOIN hook AS h ON h.id = next.hook_id
    JOIN hook_event AS e ON e.id = next.event_id
    WHERE p.hook_id = next.hook_id AND p.event_id = next.event_id
    RETURNING p.hook_id, h.name, h.url, h.salt, h.proof, h.failing, p.attempts, p.tries, e.id, e.kind, e.at, e.content
""")

_TOLD = text("""
    UPDATE hook_post SET state = 'told', told_at = :now, leased_until = NULL, error = ''
    WHERE hook_id = :hook AND event_id = :event AND attempts = :attempts
""")
_ANSWERED = text("""
    UPDATE hook SET told_at = :now, next_at = :now, failing = 0, stopped_at = NULL, stopped_why = '' WHERE id = :hook
""")
_AGAIN = text("""
    UPDATE hook_post SET leased_until = NULL, run_at = :run_at, tries = :tries, error = :error, state = :state
    WHERE hook_id = :hook AND event_id = :event AND attempts = :attempts
""")
_LEFT_ALONE = text("""
    UPDATE hook SET next_at = greatest(next_at, CAST(:next_at AS timestamptz)), failing = failing + :step
    WHERE id = :hook
""")
_STOP = text("""
    UPDATE hook SET stopped_at = coalesce(stopped_at, :now), stopped_why = :why WHERE id = :hook
""")
_TOO_OLD = text("""
    UPDATE hook_post AS p SET state = 'failed', leased_until = NULL, error = :error
    FROM hook_event AS e
    WHERE e.id = p.event_id AND p.hook_id = :hook AND p.state = 'due' AND e.at < :before
    RETURNING p.event_id, e.kind, p.tries
""")
_RETRY = text("""
    UPDATE hook_post AS p SET state = 'due', tries = 0, run_at = :now
    FROM unnest(CAST(:hooks AS bigint[]), CAST(:events AS uuid[])) AS given (hook_id, event_id)
    WHERE p.hook_id = given.hook_id AND p.event_id = given.event_id AND p.state = 'failed'
""")


class NameTaken(Exception):
    """Another address has this name."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A message to an address, for whoever tells it.

    failing     calls in a row before this that the address did not answer
    attempts    the fence;  tries  attempts without success
    """

    hook: int
    name: str
    url: str
    salt: bytes
    proof: bytes
    failing: int
    attempts: int
    tries: int
    message: Message


def add(
    connection: Connection,
    name: str,
    url: str,
    kinds: Sequence[str],
    *,
    salt: bytes,
    proof: bytes,
    by: str,
    now: datetime,
) -> int:
    """Keep an address; from now on it is told. Raises NameTaken."""
    values = {"name": name, "url": url, "kinds": sorted(set(kinds)), "salt": salt, "proof": proof}
    made: int | None = connection.execute(
        _ADD, values | {"by": by, "now": now}
    ).scalar_one_or_none()
    if made is None:
        raise NameTaken(f"a hook named {name} is in use: remove it, or take another name")
    return made


def remove(connection: Connection, name: str, *, by: str, now: datetime) -> bool:
    """Tell an address nothing more; False when none has this name."""
    found = connection.execute(_REMOVE, {"name": name, "by": by, "now": now}).scalar_one_or_none()
    if found is not None:
        connection.execute(_DROP, {"id": found})
    return found is not None


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Addresses in use with how they stand, by name; never a secret."""
    return [dict(row) for row in connection.execute(_LIST).mappings()]


def number_of(connection: Connection, name: str) -> int | None:
    """The address of this name; None where there is none."""
    found: int | None = connection.execute(_IN_USE, {"name": name}).scalar_one_or_none()
    return found


def make_test(connection: Connection, hook: int, by: str, now: datetime) -> UUID:
    """Write down something harmless to be told to one address."""
    content = orjson.dumps({"by": by, "says": "nothing is wrong"}).decode()
    values = {"kind": TEST, "hook": hook, "content": content, "now": now}
    made: UUID = connection.execute(_TEST, values).scalar_one()
    return made


def note_stockouts(connection: Connection, now: datetime) -> None:
    """Write down which places will run out too soon, where somebody wants to know it."""
    if connection.execute(_WANTED).scalar_one():
        connection.execute(_STOCKOUTS, {"now": now})


def claim(
    connection: Connection, now: datetime, *, hook: int | None = None, event: UUID | None = None
) -> Claim | None:
    """Take what is to be told next; with `hook` whatever state that address is in. None: nothing is."""
    values = {
        "now": now,
        "until": now + timedelta(seconds=LEASE_S),
        "hook": hook,
        "event": event,
    }
    row = connection.execute(_CLAIM, values).one_or_none()
    if row is None:
        return None
    return Claim(
        row.hook_id,
        row.name,
        row.url,
        bytes(row.salt),
        bytes(row.proof),
        row.failing,
        row.attempts,
        row.tries,
        Message(row.id, row.kind, row.at, row.content),
    )


def told(connection: Connection, of: Claim, now: datetime) -> None:
    """It was taken."""
    values = {"hook": of.hook, "event": of.message.id, "attempts": of.attempts, "now": now}
    if connection.execute(_TOLD, values).rowcount:
        connection.execute(_ANSWERED, values)


def put_off(connection: Connection, of: Claim, error: str, run_at: datetime, *, tries: int) -> None:
    """It is tried again then."""
    _settle(connection, of, error, run_at, tries, "due")


def leave_alone(connection: Connection, of: Claim, until: datetime, *, away: bool) -> None:
    """Nothing is sent to the address before then; away: it did not answer."""
    connection.execute(_LEFT_ALONE, {"hook": of.hook, "next_at": until, "step": int(away)})


def pause_until(of: Claim, now: datetime) -> datetime:
    """Until when an address that did not answer is left alone."""
    return now + timedelta(seconds=pause_s(of.failing + 1))


def stop(connection: Connection, of: Claim, why: str, now: datetime) -> None:
    """The address says that it is gone: nothing more is sent until a test succeeds."""
    connection.execute(_STOP, {"hook": of.hook, "why": why[:1000], "now": now})


def give_up(
    connection: Connection, of: Claim, error: str, *, refused: bool, now: datetime
) -> list[UUID]:
    """It failed for good, and with it what is too old; every one of them is written down as failed work."""
    before = now - timedelta(seconds=GIVEN_UP_S)
    if not _settle(connection, of, error, now, of.tries + 1, "failed"):
        return []
    old = connection.execute(
        _TOO_OLD, {"hook": of.hook, "before": before, "error": error[:1000]}
    ).all()
    given = [(of.message.id, of.message.kind, of.tries + 1)]
    given += [(row.event_id, row.kind, row.tries) for row in old]
    kind = FailureClass.REJECTED if refused else FailureClass.UNAVAILABLE
    failures.note(
        connection,
        [
            Failure(
                Origin.HOOK,
                f"{of.hook}/{event}",
                kind,
                error,
                task=TASK,
                payload={"hook": of.name, "kind": what, "message": f"msg_{event.hex}"},
                attempts=tries,
            )
            for event, what, tries in given
        ],
        now,
    )
    return [event for event, _, _ in given]


def drop(connection: Connection, of: Claim, error: str) -> None:
    """It is not tried again, and nobody needs to see to it."""
    _settle(connection, of, error, of.message.at, of.tries + 1, "dropped")


def again(connection: Connection, given: Sequence[tuple[int, str]], now: datetime) -> int:
    """Try these (address, message) once more from the beginning; returns how many had failed."""
    values = {"hooks": [hook for hook, _ in given], "events": [event for _, event in given]}
    return connection.execute(_RETRY, values | {"now": now}).rowcount


def _settle(
    connection: Connection, of: Claim, error: str, run_at: datetime, tries: int, state: str
) -> bool:
    values = {
        "hook": of.hook,
        "event": of.message.id,
        "attempts": of.attempts,
        "run_at": run_at,
        "tries": tries,
        "error": error[:1000],
        "state": state,
    }
    return bool(connection.execute(_AGAIN, values).rowcount)
