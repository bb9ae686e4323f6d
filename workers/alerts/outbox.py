"""What each door is to be told, as rows that are leased, paced and tried again until it is told.

A row is a wish, like a halt: the newest revision wins, and what is told is compared with what should be. A claim marks
a post as doubtful; only a known answer takes that back, so that a worker that dies leaves the doubt by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from ledger import failures
from ledger.types import Failure, FailureClass, Origin
from workers.alerts.types import (
    Answer,
    Declined,
    Failed,
    Later,
    Lost,
    Post,
    Shut,
    Told,
)

#: A worker that is silent for so long has died.
LEASE_S: Final = 60.0
#: What is told already is edited at most once in so long.
EDIT_EVERY_S: Final = 30.0
#: A door that refuses us is tried again after so long.
SHUT_S: Final = 900.0
_FIRST_WAIT_S: Final = 2.0
_LONGEST_WAIT_S: Final = 300.0


class Wish(NamedTuple):
    """A part of an incident that a door is to be told as of a revision."""

    incident: int
    door: str
    part: str
    revision: int


_WANT = text("""
    INSERT INTO alert_post AS p (incident, door, part, wanted, run_at)
    SELECT incident, door, part, revision, :now
    FROM unnest(CAST(:incidents AS bigint[]), CAST(:doors AS text[]), CAST(:parts AS text[]),
                CAST(:revisions AS bigint[])) AS w (incident, door, part, revision)
    ORDER BY incident, door, part
    ON CONFLICT (incident, door, part) DO UPDATE
        SET wanted = greatest(p.wanted, excluded.wanted),
            run_at = greatest(p.run_at, p.told_at + make_interval(secs => :edit_every_s))
        WHERE p.part = 'root' AND p.wanted < excluded.wanted
""")

# What ended before anybody was told needs no telling where that would call somebody, or where it was silenced.
_DROP = text("""
    UPDATE alert_post SET told = wanted
    WHERE incident = ANY(CAST(:incidents AS bigint[])) AND told = 0 AND doubtful_since IS NULL
      AND (door = 'pagerduty' OR incident = ANY(CAST(:silenced AS bigint[])))
""")

_END_AT_ONCE = text("""
    UPDATE alert_post SET run_at = :now WHERE incident = ANY(CAST(:incidents AS bigint[])) AND part = 'root'
""")

_KNOWN = text("""
    INSERT INTO alert_door AS d (door, next_at, lock) VALUES (:door, :now, :lock)
    ON CONFLICT (door) DO UPDATE SET lock = excluded.lock, next_at = :now, shut_since = NULL, shut_why = ''
        WHERE d.lock <> excluded.lock
""")

_OPEN = text("SELECT FROM alert_door WHERE door = :door AND next_at <= :now FOR UPDATE SKIP LOCKED")

# The first telling of what is silenced waits; what was told before goes on.
_CLAIM = text("""
    UPDATE alert_post AS p
    SET leased_until = :until, attempts = p.attempts + 1, doubtful_since = coalesce(p.doubtful_since, :now)
    FROM (
        SELECT q.incident, q.door, q.part, q.doubtful_since, r.place AS root
        FROM alert_post AS q
        JOIN incident AS i ON i.id = q.incident
        JOIN alert_post AS r ON r.incident = q.incident AND r.door = q.door AND r.part = 'root'
        WHERE q.door = :door AND q.told < q.wanted AND q.run_at <= :now
          AND (q.leased_until IS NULL OR q.leased_until <= :now)
          AND (q.part = 'root' OR r.place <> '')
          AND (q.told > 0 OR q.doubtful_since IS NOT NULL OR NOT EXISTS (
                SELECT FROM silence AS s
                WHERE s.rule = i.rule AND s.channel IN ('', i.channel) AND s.since <= :now AND s.until > :now))
        ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], i.severity), q.run_at, q.incident,
                 q.part = 'root' DESC
        LIMIT 1 FOR UPDATE OF q SKIP LOCKED
    ) AS next
    WHERE p.incident = next.incident AND p.door = next.door AND p.part = next.part
    RETURNING p.incident, p.door, p.part, p.wanted, p.told, p.attempts, p.place, next.root, next.doubtful_since,
              (SELECT i.content FROM incident AS i WHERE i.id = p.incident) AS alert
""")

_PACE = text("UPDATE alert_door SET next_at = greatest(next_at, :next_at) WHERE door = :door")

_TOLD = text("""
    UPDATE alert_post SET told = :wanted, told_at = :now, place = :place, leased_until = NULL, attempts = 0, error = '',
           doubtful_since = NULL,
           run_at = CASE WHEN wanted > :wanted THEN :now + make_interval(secs => :edit_every_s) ELSE run_at END
    WHERE incident = :incident AND door = :door AND part = :part
""")

_DOOR_TOLD = text("""
    UPDATE alert_door SET told_at = :now, shut_since = NULL, shut_why = '' WHERE door = :door
""")

_NOT_TOLD = text("""
    UPDATE alert_post SET leased_until = NULL, run_at = :run_at, attempts = :attempts, error = :error, place = :place,
           doubtful_since = :doubtful_since
    WHERE incident = :incident AND door = :door AND part = :part
""")

_DECLINED = text("""
    UPDATE alert_post SET leased_until = NULL, told = :wanted, attempts = 0, error = :error, doubtful_since = NULL
    WHERE incident = :incident AND door = :door AND part = :part
""")

_AGAIN = text("""
    UPDATE alert_post AS p SET told = greatest(p.wanted - 1, 0), run_at = :now, attempts = 0, leased_until = NULL
    FROM unnest(CAST(:incidents AS bigint[]), CAST(:doors AS text[]), CAST(:parts AS text[]))
         AS given (incident, door, part)
    WHERE p.incident = given.incident AND p.door = given.door AND p.part = given.part AND p.told >= p.wanted
""")

_SHUT = text("""
    UPDATE alert_door SET shut_since = coalesce(shut_since, :now), shut_why = :why, next_at = :next_at
    WHERE door = :door RETURNING shut_since = :now AS fresh
""")

_NEXT = text("""
    SELECT min(greatest(p.run_at, coalesce(p.leased_until, p.run_at), d.next_at))
    FROM alert_post AS p JOIN alert_door AS d USING (door)
    JOIN alert_post AS r ON r.incident = p.incident AND r.door = p.door AND r.part = 'root'
    JOIN incident AS i ON i.id = p.incident
    WHERE p.told < p.wanted AND p.door = ANY(CAST(:doors AS text[])) AND (p.part = 'root' OR r.place <> '')
      AND (p.told > 0 OR p.doubtful_since IS NOT NULL OR NOT EXISTS (
            SELECT FROM silence AS s
            WHERE s.rule = i.rule AND s.channel IN ('', i.channel) AND s.since <= :now AND s.until > :now))
""")

_DOORS = text("SELECT door, told_at, shut_since, shut_why FROM alert_door ORDER BY door")

_ROOT_TOLD = text("""
    SELECT incident, door FROM alert_post
    WHERE part = 'root' AND told > 0 AND incident = ANY(CAST(:incidents AS bigint[]))
""")


def want(connection: Connection, wishes: Sequence[Wish], now: datetime) -> None:
    """These parts are to be told as of these revisions; replies are told once, as they are when they are sent."""
    if wishes:
        connection.execute(
            _WANT,
            {
                "incidents": [wish.incident for wish in wishes],
                "doors": [wish.door for wish in wishes],
                "parts": [wish.part for wish in wishes],
                "revisions": [wish.revision for wish in wishes],
                "now": now,
                "edit_every_s": EDIT_EVERY_S,
            },
        )


def ended(
    connection: Connection, incidents: Iterable[int], silenced: Iterable[int], now: datetime
) -> None:
    """These incidents are over: their end is told without waiting, and nothing where nobody was told of them."""
    values = {"incidents": sorted(incidents), "silenced": sorted(silenced), "now": now}
    if values["incidents"]:
        connection.execute(_DROP, values)
        connection.execute(_END_AT_ONCE, values)


def roots_told(connection: Connection, incidents: Iterable[int]) -> set[tuple[int, str]]:
    """(incident, door) of those that a door has been told of."""
    rows = connection.execute(_ROOT_TOLD, {"incidents": sorted(incidents)})
    return {(row.incident, row.door) for row in rows}


def know(connection: Connection, door: str, lock: str, now: datetime) -> None:
    """A door exists; one whose settings have changed is tried again at once."""
    connection.execute(_KNOWN, {"door": door, "lock": lock, "now": now})


def tell_again(connection: Connection, parts: Sequence[tuple[int, str, str]], now: datetime) -> int:
    """Tell these (incident, door, part) as they are now though they were declined; returns how many there were."""
    values = {
        "incidents": [incident for incident, _, _ in parts],
        "doors": [door for _, door, _ in parts],
        "parts": [part for _, _, part in parts],
        "now": now,
    }
    return connection.execute(_AGAIN, values).rowcount


def claim(connection: Connection, door: str, pace_s: float, now: datetime) -> Post | None:
    """Take what is to be told first; nobody else gets it for `LEASE_S`, and nothing else for `pace_s`."""
    if connection.execute(_OPEN, {"door": door, "now": now}).one_or_none() is None:
        return None
    values = {"door": door, "now": now, "until": now + timedelta(seconds=LEASE_S)}
    row = connection.execute(_CLAIM, values).mappings().one_or_none()
    if row is None:
        return None
    connection.execute(_PACE, {"door": door, "next_at": now + timedelta(seconds=pace_s)})
    return Post(**row)


def settle(connection: Connection, post: Post, answer: Answer, now: datetime) -> bool:
    """Book what a door answered; returns whether that has shut it just now."""
    key: dict[str, Any] = {"incident": post.incident, "door": post.door, "part": post.part}
    match answer:
        case Told(place=place):
            values = {"wanted": post.wanted, "now": now, "place": place}
            connection.execute(_TOLD, key | values | {"edit_every_s": EDIT_EVERY_S})
            connection.execute(_DOOR_TOLD, {"door": post.door, "now": now})
        case Declined(why=why):
            connection.execute(_DECLINED, key | {"wanted": post.wanted, "error": why[:1000]})
            failures.note(connection, [_declined(post, why)], now)
        case Later(after_s=after_s):
            at = now + timedelta(seconds=after_s)
            connection.execute(_PACE, {"door": post.door, "next_at": at})
            _not_told(connection, post, run_at=at, error="the door asked to be left alone")
        case Lost():
            _not_told(connection, post, run_at=now, error="it was deleted there", place="")
        case Failed(why=why, doubtful=doubtful):
            wait_s = min(_FIRST_WAIT_S * 2 ** min(post.attempts - 1, 10), _LONGEST_WAIT_S)
            since = (post.doubtful_since or now) if doubtful else post.doubtful_since
            at = now + timedelta(seconds=wait_s)
            _not_told(
                connection, post, run_at=at, error=why, doubtful=since, attempts=post.attempts
            )
        case Shut(why=why):
            at = now + timedelta(seconds=SHUT_S)
            _not_told(connection, post, run_at=now, error=why)
            values = {"door": post.door, "now": now, "why": why[:1000], "next_at": at}
            return bool(connection.execute(_SHUT, values).scalar_one())
    return False


def _declined(post: Post, why: str) -> Failure:
    return Failure(
        Origin.ALERT,
        f"{post.incident}/{post.door}/{post.part}",
        FailureClass.REJECTED,
        why,
        channel=str(post.alert.get("channel") or ""),
        task="workers.alert_tasks.send_alerts",
        payload={
            "incident": post.incident,
            "door": post.door,
            "part": post.part,
            "alert": post.alert,
        },
        attempts=post.attempts,
    )


def _not_told(
    connection: Connection,
    post: Post,
    *,
    run_at: datetime,
    error: str,
    doubtful: datetime | None = None,
    attempts: int | None = None,
    place: str | None = None,
) -> None:
    known_before = post.doubtful_since if doubtful is None and place is None else doubtful
    values = {
        "incident": post.incident,
        "door": post.door,
        "part": post.part,
        "run_at": run_at,
        "attempts": post.attempts - 1 if attempts is None else attempts,
        "error": error[:1000],
        "place": post.place if place is None else place,
        "doubtful_since": known_before,
    }
    connection.execute(_NOT_TOLD, values)


def opened(connection: Connection, door: str, now: datetime) -> None:
    """A door that was shut has let somebody in: what waits is told at once."""
    connection.execute(_DOOR_TOLD, {"door": door, "now": now})
    connection.execute(
        text("UPDATE alert_door SET next_at = :now WHERE door = :door"), {"door": door, "now": now}
    )


def again_at(connection: Connection, doors: Sequence[str], now: datetime) -> datetime | None:
    """When something is to be told next; None when nothing waits."""
    moment: datetime | None = connection.execute(
        _NEXT, {"doors": list(doors), "now": now}
    ).scalar_one()
    return moment


def doors(connection: Connection) -> list[dict[str, Any]]:
    """What is known of each door that was ever used."""
    return [dict(row) for row in connection.execute(_DOORS).mappings()]
