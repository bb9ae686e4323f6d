"""Alerts: look at every rule, group what it finds into incidents, and tell the doors.

Looking writes rows and wishes; telling carries them out: transaction, call, transaction. A look that fails leaves the
others; a door that does not answer keeps its posts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ledger.db import transaction
from reconcile.trail import record
from workers.alerts import keeping, outbox
from workers.alerts.doors import Door, digest, names, wants
from workers.alerts.message import alert_of, told_anew
from workers.alerts.outbox import Wish
from workers.alerts.rules import RULES
from workers.alerts.types import (
    Alert,
    Answer,
    Declined,
    Delivered,
    Failed,
    Limits,
    Post,
    Shut,
    Standing,
    Told,
)

log = structlog.get_logger(__name__)

Clock: TypeAlias = Callable[[], datetime]

#: Calls of one round to one door; more are left to the next round, so that it ends in time.
ROUND: Final = 20
#: News is told in the thread at most once in so long; what comes before is part of the beginning.
_MORE_EVERY_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look came to: incidents that began and ended, how many alarms are new, rules that failed."""

    begun: tuple[Alert, ...] = ()
    ended: tuple[Alert, ...] = ()
    raised: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


def watch(
    engine: Engine,
    *,
    now: datetime,
    limits: Limits,
    doors: Sequence[str],
    env: str = "local",
    pages: str = "",
) -> Watched:
    """Look at every rule that is due, and write down what is to be told.

    doors    names of those that are set up
    env, pages    see `message.alert_of`
    """
    raised = 0
    failed: dict[str, str] = {}
    for rule in RULES.values():
        try:
            with transaction(engine) as connection:
                if not keeping.take_turn(connection):
                    return Watched()
                raised += keeping.look(connection, rule, limits, now)
        except SQLAlchemyError as error:
            failed[rule.name] = str(getattr(error, "orig", error)).strip().split("\n", 1)[0]
            log.error("alerts.look.failed", rule=rule.name, why=failed[rule.name])
    with transaction(engine) as connection:
        if not keeping.take_turn(connection):
            return Watched()
        begun, ended = _write(connection, keeping.gather(connection), now, doors, env, pages)
    for alert in begun:
        log.warning(
            "alert.incident.begun",
            incident=alert["id"],
            rule=alert["rule"],
            severity=alert["severity"],
            channel=alert["channel"],
            first=alert["lines"][:1],
        )
    for alert in ended:
        log.info("alert.incident.ended", incident=alert["id"], rule=alert["rule"])
    return Watched(tuple(begun), tuple(ended), raised, failed)


def _write(
    connection: Connection,
    standing: Iterable[Standing],
    now: datetime,
    doors: Sequence[str],
    env: str,
    pages: str,
) -> tuple[list[Alert], list[Alert]]:
    """Keep what each incident says now, and wish that the doors say it too."""
    begun, ended, wishes, passing, over = [], [], [], [], []
    found = [(each, alert_of(each, env, now, pages=pages)) for each in standing]
    told = outbox.roots_told(connection, [each.incident for each, _ in found])
    for each, alert in found:
        revision = each.revision
        if told_anew(each.content, alert):
            revision = keeping.write(connection, each.incident, alert, None if each.open else now)
        else:
            passing.append((each.incident, alert))
        wishes += _wishes(each, alert, revision, now, doors, told)
        if not each.revision:
            begun.append(alert)
        if not each.open:
            ended.append(alert)
            over.append(each.incident)
    keeping.touch(connection, passing)
    silenced = keeping.silenced(connection, now, over)
    outbox.want(connection, wishes, now)
    outbox.ended(connection, over, silenced, now)
    return begun, ended


def _wishes(
    each: Standing,
    alert: Alert,
    revision: int,
    now: datetime,
    doors: Sequence[str],
    told: set[tuple[int, str]],
) -> list[Wish]:
    """What the doors are to be told of an incident; who was told of it is told of everything that follows."""
    wishes = []
    for door in doors:
        knows = (each.incident, door) in told
        if not (wants(door, alert) or knows):
            continue
        wishes.append(Wish(each.incident, door, "root", revision))
        if door != "slack" or not knows:
            continue
        if not each.open:
            wishes.append(Wish(each.incident, door, "resolved", revision))
        elif each.ever > each.content.get("count", each.ever):
            spell = int((now - each.since).total_seconds() // _MORE_EVERY_S)
            if spell:
                wishes.append(Wish(each.incident, door, f"more-{spell}", revision))
    return wishes


def deliver(engine: Engine, doors: Sequence[Door], *, now: Clock, most: int = ROUND) -> Delivered:
    """Tell each door what waits for it, at its pace.

    returns    what came of it; `again_s` says when to come back
    """
    told = failed = 0
    shut: dict[str, str] = {}
    for door in doors:
        with transaction(engine) as connection:
            outbox.know(connection, door.name, digest(door), now())
        for _ in range(most):
            with transaction(engine) as connection:
                post = outbox.claim(connection, door.name, door.pace_s, now())
            if post is None:
                break
            answer = door.tell(post, now())
            with transaction(engine) as connection:
                fresh = outbox.settle(connection, post, answer, now())
            told += isinstance(answer, Told)
            failed += not isinstance(answer, Told)
            if isinstance(answer, Shut):
                shut[door.name] = answer.why
            _log(post, answer, fresh)
    return Delivered(told, failed, _again_s(engine, doors, now()), shut)


def _again_s(engine: Engine, doors: Sequence[Door], now: datetime) -> float | None:
    if not doors:
        return None
    with transaction(engine) as connection:
        at = outbox.again_at(connection, names(doors), now)
    return None if at is None else max(0.0, (at - now).total_seconds())


def _log(post: Post, answer: Answer, fresh: bool) -> None:
    """What went wrong; of a door that is shut once, when it shuts."""
    facts = {"door": post.door, "incident": post.alert["id"], "part": post.part}
    match answer:
        case Shut(why=why) if fresh:
            log.error("alert.door.shut", why=why, next="mend it; posts wait", **facts)
        case Declined(why=why):
            log.error("alert.post.declined", why=why, **facts)
        case Failed(why=why):
            log.warning("alert.post.failed", why=why, attempts=post.attempts, **facts)


def test_doors(
    engine: Engine, doors: Sequence[Door], *, env: str, now: Clock
) -> dict[str, list[Answer]]:
    """Tell each door something harmless and that it is over; returns what came back, by door.

    A door that takes it is open again for what waits.
    """
    came: dict[str, list[Answer]] = {}
    for door in doors:
        firing = _trial(door.name, env, now())
        first = door.tell(firing, now())
        came[door.name] = [first]
        if not isinstance(first, Told):
            continue
        over = {**firing.alert, "status": "resolved", "resolved_at": firing.alert["last_seen"]}
        second = Post(0, door.name, "root", 2, 1, 1, first.place, first.place, None, over)
        came[door.name].append(door.tell(second, now()))
        with transaction(engine) as connection:
            outbox.know(connection, door.name, digest(door), now())
            outbox.opened(connection, door.name, now() + timedelta(seconds=door.pace_s))
    return came


def _trial(door: str, env: str, now: datetime) -> Post:
    at = now.isoformat(timespec="seconds")
    alert: Alert = {
        "id": f"test-{int(now.timestamp())}",
        "rule": "test",
        "title": "This is a test: nothing is wrong",
        "kind": "note",
        "severity": "info",
        "status": "firing",
        "env": env,
        "channel": "",
        "location": "",
        "skus": [],
        "more": 0,
        "lines": ["sent by `lockstep alert test`"],
        "expected": None,
        "actual": None,
        "delta": None,
        "delta_pct": None,
        "impact": "none",
        "impact_units": 0,
        "cause": None,
        "actions_taken": [],
        "next_commands": ["lockstep alert list"],
        "runbook": "docs/runbooks/README.md",
        "links": {"sku": None, "dashboard": None},
        "first_seen": at,
        "last_seen": at,
        "resolved_at": None,
        "acknowledged_by": "",
        "count": 1,
        "dedup_key": f"lockstep:{env}:test:*:*",
    }
    return Post(0, door, "root", 1, 0, 1, "", "", None, alert)


def acknowledge(engine: Engine, incident: int, *, by: str, now: datetime) -> bool:
    """Say that somebody works on an incident; told with the next look. False when it is not open, or taken."""
    with transaction(engine) as connection:
        done = keeping.acknowledge(connection, incident, by, now)
        if done:
            record(
                connection, actor=by, action="alert.ack", what=f"incident:inc-{incident}", at=now
            )
    return done


def silence(
    engine: Engine,
    rule: str,
    channel: str,
    *,
    for_s: float,
    by: str,
    reason: str,
    now: datetime,
) -> datetime:
    """Tell nothing new of a rule for a while; returns until when."""
    until = now + timedelta(seconds=for_s)
    with transaction(engine) as connection:
        keeping.silence(connection, rule, channel, now=now, until=until, by=by, reason=reason)
        _trail(connection, "alert.silence", rule, channel, by, reason, now)
    return until


def end_silence(
    engine: Engine, rule: str, channel: str, *, by: str, reason: str, now: datetime
) -> int:
    """Let a rule speak again; returns how many silences that ended."""
    with transaction(engine) as connection:
        count = keeping.end_silence(connection, rule, channel, now)
        if count:
            _trail(connection, "alert.speak", rule, channel, by, reason, now)
    return count


def _trail(
    connection: Connection,
    action: str,
    rule: str,
    channel: str,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    what = f"alert:{rule}" + (f"/{channel}" if channel else "")
    record(connection, actor=by, action=action, what=what, at=now, reason=reason)
