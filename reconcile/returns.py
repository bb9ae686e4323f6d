"""A vendor that was away and answers again: what waited for it comes due at once, in the order of risk.

Rows of the push queue that a vendor did not answer back off one by one, up to a quarter of an hour; a job does it for
minutes. That spares a vendor that is down, and is far too long for one that is back: until then it shows what was true
before. So the first answer after an outage, of whatever call, ends the waiting. What is read in the next moments is
judged by what these rows come to, not as drift (`Limits.push_limit`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

#: Failures that end sooner are those of a row or a moment, not of a vendor.
AWAY_FOR: Final = timedelta(seconds=30)

_NEVER: Final = datetime.min.replace(tzinfo=UTC)

_AWAY = text("UPDATE channel SET away_since = :now WHERE channel = :channel AND away_since IS NULL")
_STANDS = text("SELECT away_since, back_at FROM channel WHERE channel = :channel")
_BACK = text("""
    UPDATE channel SET away_since = NULL,
        back_at = CASE WHEN CAST(:back AS boolean) THEN CAST(:now AS timestamptz) ELSE back_at END
    WHERE channel = :channel
""")

# A row that was there when the vendor came back before, and failed again, says that it is not back for what we write:
# then each row keeps its own pace, and nothing is excused any longer. Fast sellers go first among their like, which a
# millisecond each says well enough.
_COME_DUE = text("""
    WITH waits AS MATERIALIZED (
        SELECT d.channel, d.sku, d.location, d.since, d.run_at, d.attempts FROM push_due AS d
        WHERE d.channel = :channel AND NOT d.parked AND d.attempts > 0 AND d.error LIKE 'unavailable:%'
        ORDER BY d.channel, d.sku, d.location
        FOR UPDATE
    ), ranked AS (
        SELECT w.channel, w.sku, w.location,
               row_number() OVER (ORDER BY e.runs_out_s DESC NULLS FIRST, w.sku DESC, w.location DESC) AS place
        FROM waits AS w LEFT JOIN early_read AS e USING (channel, sku)
        WHERE NOT EXISTS (SELECT FROM waits WHERE since <= CAST(:before AS timestamptz))
    )
    UPDATE push_due AS d SET run_at = CAST(:now AS timestamptz) - make_interval(secs => ranked.place / 1000.0)
    FROM ranked
    WHERE d.channel = ranked.channel AND d.sku = ranked.sku AND d.location = ranked.location
""")
_JOBS = text("""
    UPDATE run SET leased_until = :now WHERE channel = :channel AND state = 'due' AND leased_until > :now
""")
_EARLY = text("""
    UPDATE early_plan SET not_before = NULL, failures = 0 WHERE channel = :channel AND not_before > :now
""")


def away(connection: Connection, channel: str, now: datetime) -> None:
    """A call was not answered."""
    connection.execute(_AWAY, {"channel": channel, "now": now})


def answered(connection: Connection, channel: str, now: datetime) -> int:
    """A call was answered; returns how many numbers are due because of it.

    The transaction must hold no other locks: rows of the queue come before that of the channel.
    """
    stands = connection.execute(_STANDS, {"channel": channel}).one_or_none()
    if stands is None or stands.away_since is None:
        return 0
    due = 0
    if now - stands.away_since >= AWAY_FOR:
        values = {"channel": channel, "now": now, "before": stands.back_at or _NEVER}
        due = connection.execute(_COME_DUE, values).rowcount
        connection.execute(_JOBS, values)
        connection.execute(_EARLY, values)
    connection.execute(_BACK, {"channel": channel, "now": now, "back": due > 0})
    return due
