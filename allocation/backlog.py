"""What waits in the push queue, for sweeps and for people: channels with work, parked rows, pauses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

# What nobody would claim (`allocation.pushes`, `allocation.verifying`) rings no bell; a rise that is held back does:
# what it waits for passes without one.
DUE_CHANNELS = text("""
    SELECT c.channel
    FROM channel c
    WHERE NOT c.paused AND (c.next_call_at IS NULL OR c.next_call_at <= :now)
      AND (EXISTS (SELECT FROM push_due d JOIN binding b USING (channel, sku, location)
                   WHERE c.writes AND d.channel = c.channel AND NOT d.parked AND d.run_at <= :now
                     AND (d.leased_until IS NULL OR d.leased_until <= :now)
                     AND NOT EXISTS (SELECT FROM halt h
                                     WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted'))
           OR EXISTS (SELECT FROM shown s JOIN binding b USING (channel, sku, location)
                      WHERE s.channel = c.channel AND s.verify_at <= :now AND s.verify_first
                        AND (SELECT d.push_key FROM push_due d WHERE d.channel = s.channel AND d.sku = s.sku
                             AND d.location = s.location) IS NULL)
           OR EXISTS (SELECT FROM shown s JOIN binding b USING (channel, sku, location)
                      WHERE s.channel = c.channel AND s.verify_at <= :now AND NOT s.verify_first
                        AND (SELECT d.push_key FROM push_due d WHERE d.channel = s.channel AND d.sku = s.sku
                             AND d.location = s.location) IS NULL)
           OR c.writes AND EXISTS (SELECT FROM hidden h
                      JOIN target t ON t.channel = h.channel AND t.sku = h.sku AND t.units > 0
                      JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
                                   AND s.number = t.number
                      WHERE h.channel = c.channel))
    ORDER BY c.channel
""")

_ON_ITS_WAY = text("""
    SELECT EXISTS (SELECT FROM push_due
                   WHERE channel = :channel AND sku = :sku AND leased_until > :now AND begun > 0)
""")

_PUSHES_WAIT = text("""
    SELECT EXISTS (
        SELECT FROM push_due d JOIN channel c USING (channel)
        WHERE d.channel = :channel AND NOT d.parked AND d.run_at <= :now AND d.priority < 3
          AND (d.leased_until IS NULL OR d.leased_until <= :now) AND c.writes AND NOT c.paused
          AND NOT EXISTS (SELECT FROM halt h
                          WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted'))
""")

_PARKED = text("""
    SELECT d.channel, d.sku, d.location, t.units, t.number, d.attempts, d.since, d.error
    FROM push_due d JOIN target t USING (channel, sku, location)
    WHERE d.parked AND (CAST(:channel AS text) IS NULL OR d.channel = :channel)
    ORDER BY d.since, d.channel, d.sku, d.location
    LIMIT :limit
""")

_UNPARK = text("""
    UPDATE push_due SET parked = false, error = NULL, attempts = 0, run_at = :now
    WHERE channel = :channel AND parked
      AND (CAST(:skus AS text[]) IS NULL OR sku = ANY(CAST(:skus AS text[])))
""")

# Locked in the order of everybody else, then let go.
_UNPARK_THESE = text("""
    WITH mine AS MATERIALIZED (
        SELECT d.channel, d.sku, d.location
        FROM push_due d JOIN unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
             AS given (channel, sku, location) USING (channel, sku, location)
        WHERE d.parked ORDER BY d.channel, d.sku, d.location FOR UPDATE OF d
    )
    UPDATE push_due AS d SET parked = false, error = NULL, attempts = 0, run_at = :now
    FROM mine WHERE d.channel = mine.channel AND d.sku = mine.sku AND d.location = mine.location
""")

_PAUSE = text("""
    UPDATE channel SET paused = true, paused_by = :by, paused_why = :why WHERE channel = :channel AND NOT paused
""")

_NOT_BEFORE = text("""
    UPDATE channel SET next_call_at = greatest(next_call_at, CAST(:at AS timestamptz)) WHERE channel = :channel
""")

_WRITES = text("UPDATE channel SET writes = :allowed WHERE channel = :channel")

_RESUME = text("""
    UPDATE channel SET paused = false, paused_by = '', paused_why = '', next_call_at = NULL
    WHERE channel = :channel AND paused
""")


@dataclass(frozen=True, slots=True)
class Parked:
    """A row that waits for a person; `error` says what happened and what to do.

    since    the oldest change that is not shown because of it
    """

    channel: str
    sku: str
    location: str
    units: int
    number: int
    attempts: int
    since: datetime
    error: str


def is_on_its_way(connection: Connection, channel: str, sku: str, now: datetime) -> bool:
    """Whether somebody holds a number of this SKU to send it, or has sent it and was not answered yet.

    One that the vendor accepted and answers later is not: it is halted again when it has landed.
    """
    values = {"channel": channel, "sku": sku, "now": now}
    return bool(connection.execute(_ON_ITS_WAY, values).scalar_one())


def pushes_wait(connection: Connection, channel: str, now: datetime) -> bool:
    """Whether a channel has decreases or repairs that could go out now: they need its limit more than a read does."""
    return bool(connection.execute(_PUSHES_WAIT, {"channel": channel, "now": now}).scalar_one())


def parked(connection: Connection, channel: str | None = None, limit: int = 100) -> list[Parked]:
    """Rows that wait for a person, those that wait longest first; None is every channel."""
    rows = connection.execute(_PARKED, {"channel": channel, "limit": limit})
    return [
        Parked(
            row.channel,
            row.sku,
            row.location,
            row.units,
            row.number,
            row.attempts,
            row.since,
            row.error,
        )
        for row in rows
    ]


def unpark(
    connection: Connection, channel: str, now: datetime, skus: Collection[str] | None = None
) -> int:
    """Let parked rows go out again, with all attempts before them; None is every SKU. Returns how many there were."""
    wanted = None if skus is None else sorted(skus)
    found = connection.execute(_UNPARK, {"channel": channel, "now": now, "skus": wanted})
    return found.rowcount


def unpark_these(
    connection: Connection, places: Collection[tuple[str, str, str]], now: datetime
) -> int:
    """Let parked rows of these (channel, SKU, location) go out again; returns how many there were."""
    columns = zip(*sorted(places), strict=True) if places else ((), (), ())
    channels, skus, locations = (list(column) for column in columns)
    values = {"channels": channels, "skus": skus, "locations": locations, "now": now}
    return connection.execute(_UNPARK_THESE, values).rowcount


def pause(connection: Connection, channel: str, by: str, why: str) -> bool:
    """Stop a channel until a person resumes it; False when it was stopped already."""
    found = connection.execute(_PAUSE, {"channel": channel, "by": by, "why": why})
    return found.rowcount > 0


def allow_writes(connection: Connection, channel: str, *, allowed: bool = True) -> None:
    """Let numbers go out to a channel, or keep them all in; what is due waits. A certificate decides that."""
    connection.execute(_WRITES, {"channel": channel, "allowed": allowed})


def resume(connection: Connection, channel: str) -> bool:
    """Let a stopped channel work again; False when it was not stopped."""
    return connection.execute(_RESUME, {"channel": channel}).rowcount > 0


def not_before(connection: Connection, channel: str, at: datetime) -> None:
    """Send nothing to a channel before `at`; a later moment that was set before stays."""
    connection.execute(_NOT_BEFORE, {"channel": channel, "at": at})
