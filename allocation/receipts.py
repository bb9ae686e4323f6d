"""Calls that a vendor took in and answers later: what was in them, when to ask, and what to do when no answer comes.

While a receipt waits its rows stay leased under the key they were sent with, so nobody else sends them. When its
deadline has passed the leases end: the rows are in doubt, are read back, and go out again another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, text

from allocation.pushes import DuePush

#: The first look at a receipt, and the longest pause between two looks, in seconds.
FIRST_LOOK_S = 15.0
LONGEST_PAUSE_S = 60.0
#: A call without an answer after this long is stuck.
DEADLINE_S = 1800.0

_KEEP = text("""
    INSERT INTO receipt (channel, receipt, push_key, rows, sent_at, check_at, deadline_at)
    VALUES (:channel, :receipt, :key, CAST(:rows AS jsonb), :now, :check_at, :deadline_at)
    ON CONFLICT (channel, receipt) DO NOTHING
""")

_LEASE = text("""
    UPDATE push_due SET leased_until = :until, begun = 0
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS given (sku, location)
    WHERE push_due.channel = :channel AND push_due.sku = given.sku AND push_due.location = given.location
      AND push_due.push_key = :key
""")

_CLAIM = text("""
    UPDATE receipt SET checks = checks + 1,
        check_at = CAST(:now AS timestamptz)
                   + make_interval(secs => least(:longest_s, :first_s * 2.0 ^ least(checks, 10)))
    WHERE (channel, receipt) IN (
        SELECT channel, receipt FROM receipt
        WHERE channel = :channel AND state = 'waiting' AND (check_at <= :now OR deadline_at <= :now)
        ORDER BY check_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING receipt, push_key, rows, deadline_at
""")

_SETTLE = text("""
    UPDATE receipt SET state = :state, settled_at = :now
    WHERE channel = :channel AND receipt = :receipt AND state = 'waiting'
    RETURNING receipt
""")

_STUCK = text("""
    SELECT EXISTS (SELECT FROM receipt WHERE channel = :channel AND state = 'stuck' AND settled_at > :since)
""")

WAITING = text("""
    SELECT DISTINCT r.channel FROM receipt r JOIN channel c USING (channel)
    WHERE r.state = 'waiting' AND (r.check_at <= :now OR r.deadline_at <= :now)
      AND NOT c.paused AND (c.next_call_at IS NULL OR c.next_call_at <= :now)
    ORDER BY r.channel
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A receipt to be asked for.

    rows     what was sent, in the order of the call
    """

    receipt: str
    push_key: str
    rows: tuple[DuePush, ...]
    deadline_at: datetime


def keep(
    connection: Connection,
    channel: str,
    accepted: Sequence[tuple[DuePush, str]],
    now: datetime,
    *,
    deadline_s: float = DEADLINE_S,
) -> None:
    """Write down calls that were taken in, and hold their rows until they are answered or stuck.

    accepted    each row with the receipt of its call, in the order of the call
    """
    calls: dict[str, list[DuePush]] = {}
    for row, receipt in accepted:
        calls.setdefault(receipt, []).append(row)
    deadline_at = now + timedelta(seconds=deadline_s)
    for receipt, rows in calls.items():
        key = rows[0].push_key
        values = {"channel": channel, "receipt": receipt, "key": key, "now": now}
        connection.execute(
            _KEEP,
            values
            | {
                "rows": orjson.dumps(rows).decode(),
                "check_at": now + timedelta(seconds=FIRST_LOOK_S),
                "deadline_at": deadline_at,
            },
        )
        connection.execute(
            _LEASE,
            values
            | {
                "skus": [row.sku for row in rows],
                "locations": [row.location for row in rows],
                # Longer than the receipt waits: who settles it ends the lease, nobody else does before.
                "until": deadline_at + timedelta(seconds=LONGEST_PAUSE_S),
            },
        )


def claim(connection: Connection, channel: str, now: datetime) -> Waiting | None:
    """Take a receipt whose time has come; the next look is put off meanwhile."""
    row = connection.execute(
        _CLAIM,
        {
            "channel": channel,
            "now": now,
            "first_s": FIRST_LOOK_S,
            "longest_s": LONGEST_PAUSE_S,
        },
    ).one_or_none()
    if row is None:
        return None
    rows = tuple(DuePush(**of) for of in row.rows)
    return Waiting(row.receipt, row.push_key, rows, row.deadline_at)


def answered(
    connection: Connection,
    channel: str,
    waiting: Waiting,
    now: datetime,
    lease_s: float,
    *,
    as_stuck: bool = False,
) -> bool:
    """The receipt is settled, its rows are about to be; False when somebody else did it before.

    lease_s     until the rows are settled too: who dies before that leaves them in doubt then
    as_stuck    the vendor gave the whole call up: the other way is taken for a while, as if it had never answered
    """
    state = "stuck" if as_stuck else "answered"
    if not _settled(connection, channel, waiting.receipt, state, now):
        return False
    _lease(connection, channel, waiting, now + timedelta(seconds=lease_s))
    return True


def stuck(connection: Connection, channel: str, waiting: Waiting, now: datetime) -> bool:
    """No answer came: let go of the rows, which are in doubt now. False when it is settled already."""
    if not _settled(connection, channel, waiting.receipt, "stuck", now):
        return False
    _lease(connection, channel, waiting, now)
    return True


def _lease(connection: Connection, channel: str, waiting: Waiting, until: datetime) -> None:
    connection.execute(
        _LEASE,
        {
            "channel": channel,
            "key": waiting.push_key,
            "until": until,
            "skus": [row.sku for row in waiting.rows],
            "locations": [row.location for row in waiting.rows],
        },
    )


def _settled(connection: Connection, channel: str, receipt: str, state: str, now: datetime) -> bool:
    values = {"channel": channel, "receipt": receipt, "state": state, "now": now}
    return connection.execute(_SETTLE, values).one_or_none() is not None


def is_stuck(connection: Connection, channel: str, *, since: datetime) -> bool:
    """Whether a call of this channel went without an answer after `since`."""
    return bool(connection.execute(_STUCK, {"channel": channel, "since": since}).scalar_one())


def to_ask(connection: Connection, now: datetime) -> list[str]:
    """Channels with a receipt whose time has come; the sweep rings for them."""
    return list(connection.execute(WAITING, {"now": now}).scalars())
