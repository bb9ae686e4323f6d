"""What a review is made of, out of the book and the records of daily work; and reviews as they were kept."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text

from console.views.plain import dumps

#: What is told apart from drift in the rate (as for the objective of drift): nothing was wrong with what was sent.
_PASSING: Final = "('in_flight', 'pending_push', 'rate_limit_lag', 'rejected_in_batch')"

_CHANNELS = text(f"""
    WITH looked AS (
        SELECT channel, count(*) AS windows, count(*) FILTER (WHERE state = 'missed') AS missed,
               count(*) FILTER (WHERE state = 'failed') AS failed_windows, count(*) FILTER (WHERE overrun) AS overrun,
               coalesce(sum(read - unknown), 0)::bigint AS read
        FROM run WHERE job = 'reconcile' AND window_at >= :since AND window_at < :until GROUP BY channel
    ), drifted AS (
        SELECT channel, count(*) AS drifts, count(*) FILTER (WHERE resolved_at IS NULL) AS open,
               sum(greatest(delta, 0))::bigint AS too_much,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM coalesce(resolved_at, :now) - seen_at)
               )::float8 AS repair_p50_s
        FROM drift WHERE seen_at >= :since AND seen_at < :until AND cause NOT IN {_PASSING} GROUP BY channel
    ), pushed AS (
        SELECT channel, count(*) AS pushes, count(*) FILTER (WHERE outcome IN ('rejected', 'refused')) AS rejected,
               count(*) FILTER (WHERE outcome = 'throttled') AS throttled,
               count(*) FILTER (WHERE outcome = 'unknown') AS unknown,
               percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM answered_at - due_since))
                   FILTER (WHERE outcome = 'confirmed' AND due_since IS NOT NULL) AS sync
        FROM push WHERE sent_at >= :since AND sent_at < :until GROUP BY channel
    ), broken AS (
        SELECT channel, count(*) AS failures, count(*) FILTER (WHERE state IN ('open', 'retrying')) AS failures_open
        FROM failure WHERE last_seen >= :since AND first_seen < :until AND channel <> '' GROUP BY channel
    )
    SELECT c.channel, c.kind, coalesce(l.windows, 0) AS windows, coalesce(l.missed, 0) AS missed,
           coalesce(l.failed_windows, 0) AS failed_windows, coalesce(l.overrun, 0) AS overrun,
           coalesce(l.read, 0) AS read, coalesce(d.drifts, 0) AS drifts, coalesce(d.open, 0) AS open,
           coalesce(d.too_much, 0) AS too_much, d.repair_p50_s,
           d.drifts::float8 / nullif(l.read, 0) AS drift_rate,
           coalesce(p.pushes, 0) AS pushes, coalesce(p.rejected, 0) AS rejected,
           coalesce(p.throttled, 0) AS throttled, coalesce(p.unknown, 0) AS unknown,
           p.sync[1]::float8 AS sync_p50_s, p.sync[2]::float8 AS sync_p95_s,
           coalesce(b.failures, 0) AS failures, coalesce(b.failures_open, 0) AS failures_open
    FROM channel AS c
    LEFT JOIN looked AS l USING (channel) LEFT JOIN drifted AS d USING (channel)
    LEFT JOIN pushed AS p USING (channel) LEFT JOIN broken AS b USING (channel)
    ORDER BY d.drifts::float8 / nullif(l.read, 0) DESC NULLS LAST, c.channel
""")  # noqa: S608 -- composed of constants

_DRIFT_WEEKS = text(f"""
    SELECT channel, date_trunc('week', seen_at)::date AS week, count(*) AS drifts
    FROM drift WHERE seen_at >= :since AND seen_at < :until AND cause NOT IN {_PASSING}
    GROUP BY 1, 2 ORDER BY 1, 2
""")  # noqa: S608 -- composed of constants

_SYNC_WEEKS = text("""
    SELECT channel, date_trunc('week', sent_at)::date AS week,
           (percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM answered_at - due_since)))::float8 AS p95_s
    FROM push
    WHERE sent_at >= :since AND sent_at < :until AND outcome = 'confirmed' AND due_since IS NOT NULL
    GROUP BY 1, 2 ORDER BY 1, 2
""")

_CAUSES = text("""
    SELECT channel, cause, count(*) AS drifts, count(DISTINCT (sku, location)) AS places,
           sum(abs(delta))::bigint AS units
    FROM drift WHERE seen_at >= :since AND seen_at < :until
    GROUP BY channel, cause ORDER BY count(*) DESC, channel, cause LIMIT 20
""")

# What was not sold while it stood: hours of the halt in the span, at the pace of today, at today's price.
_HALTS = text("""
    WITH stood AS (
        SELECT channel, sku, CASE WHEN set_by = 'rule' THEN 'rule' ELSE 'person' END AS by,
               greatest(extract(epoch FROM least(coalesce(lifted_at, :now), :until) - greatest(set_at, :since)), 0)
                   ::float8 AS stood_s,
               state <> 'lifted' AS stands
        FROM halt WHERE set_at < :until AND (lifted_at IS NULL OR lifted_at >= :since)
    ), paced AS (
        SELECT sku, channel, sum(slow_per_day) AS per_day FROM feed.velocity_v1 GROUP BY sku, channel
    )
    SELECT s.channel, s.by, count(*) AS halts, count(*) FILTER (WHERE s.stands) AS standing,
           count(DISTINCT s.sku) AS skus, sum(s.stood_s) / 3600 AS hours,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY s.stood_s) / 3600 AS median_hours,
           sum(s.stood_s / 86400 * coalesce(v.per_day, 0)) AS lost_units,
           sum(s.stood_s / 86400 * v.per_day * w.price)::float8 AS lost_money,
           count(*) FILTER (WHERE w.price IS NULL) AS unpriced
    FROM stood AS s LEFT JOIN paced AS v USING (sku, channel) LEFT JOIN sku_worth AS w USING (sku)
    GROUP BY s.channel, s.by ORDER BY hours DESC, s.channel, s.by
""")

_OVERSOLD = text("""
    SELECT channel, cause, count(*) AS lines, sum(units)::bigint AS units, sum(cost)::float8 AS cost,
           count(*) FILTER (WHERE state <> 'closed') AS open
    FROM oversold_case WHERE accepted_at >= :since AND accepted_at < :until
    GROUP BY channel, cause ORDER BY count(*) DESC, channel, cause LIMIT 20
""")

_OWED = text("""
    SELECT 'channels paused' AS what, count(*) AS how_many, NULL::timestamptz AS since,
           coalesce(string_agg(channel || ': ' || paused_why, '; ' ORDER BY channel), '') AS detail,
           'lockstep channel list' AS next
    FROM channel WHERE paused
    UNION ALL
    SELECT 'channels without a certificate', count(*), NULL, coalesce(string_agg(channel, ', ' ORDER BY channel), ''),
           'lockstep channel certify NAME' FROM channel WHERE NOT writes
    UNION ALL
    SELECT 'deliveries without a name of ours', count(*), min(first_seen), '', 'lockstep channel unmapped NAME'
    FROM failure WHERE state IN ('open', 'retrying') AND class = 'mapping'
    UNION ALL
    SELECT 'deliveries parked or rejected', count(*), min(received_at), '', 'lockstep inbox list'
    FROM inbox WHERE state IN ('parked', 'rejected')
    UNION ALL
    SELECT 'places in quarantine', count(*), min(since), '', 'lockstep recon quarantine'
    FROM quarantine WHERE released_at IS NULL
    UNION ALL
    SELECT 'recounts that nobody made', count(*), min(ordered_at), '', 'lockstep count orders' FROM count_open
    UNION ALL
    SELECT 'oversold lines that are open', count(*), min(found_at), '', 'lockstep case list'
    FROM oversold_case WHERE state <> 'closed'
    UNION ALL
    SELECT 'failed work that is open', count(*), min(first_seen), '', 'lockstep failed list'
    FROM failure WHERE state IN ('open', 'retrying')
    UNION ALL
    SELECT 'webhooks that do not answer', count(*), min(stopped_at), coalesce(string_agg(name, ', ' ORDER BY name), ''),
           'lockstep hook list' FROM hook WHERE removed_at IS NULL AND (failing > 0 OR stopped_at IS NOT NULL)
""")

# Of the mix that is in use; of a run that knew none, of the model that weighs most.
_FORECAST = text("""
    SELECT coalesce(kind, 'none') AS kind, count(*) AS places, avg((score ->> 'rmsse')::float8) AS rmsse,
           avg((score ->> 'bias')::float8) AS bias, avg((score ->> 'sum_error')::float8) AS sum_error
    FROM (
        SELECT kind, coalesce(scores -> 'mix', scores -> model) AS score FROM forecast
        WHERE run_id = (SELECT max(id) FROM forecast_run WHERE stage = 'done')
    ) AS newest
    GROUP BY 1 ORDER BY count(*) DESC, 1
""")

_KEEP = text("""
    INSERT INTO review AS r (since, until, made_at, made_by, content)
    VALUES (:since, :until, :now, :by, CAST(:content AS jsonb))
    ON CONFLICT (since, until) DO UPDATE SET made_at = excluded.made_at, made_by = excluded.made_by,
        content = excluded.content
""")
_KEPT = text("SELECT since, until, made_at, made_by FROM review ORDER BY made_at DESC LIMIT 50")
_NEWEST = text("SELECT content FROM review ORDER BY made_at DESC LIMIT 1")
_ONE = text("SELECT content FROM review WHERE since = :since AND until = :until")

#: Name -> what is asked of a span.
QUESTIONS: Final[dict[str, TextClause]] = {
    "channels": _CHANNELS,
    "drift_weeks": _DRIFT_WEEKS,
    "sync_weeks": _SYNC_WEEKS,
    "causes": _CAUSES,
    "halts": _HALTS,
    "oversold": _OVERSOLD,
}


def asked(
    connection: Connection, name: str, since: datetime, until: datetime, now: datetime
) -> list[dict[str, Any]]:
    """The rows of a question, of [since, until)."""
    values = {"since": since, "until": until, "now": now}
    return [dict(row) for row in connection.execute(QUESTIONS[name], values).mappings()]


def owed(connection: Connection) -> list[dict[str, Any]]:
    """What is left undone now, a row a kind, whether there is any or not."""
    return [dict(row) for row in connection.execute(_OWED).mappings()]


def forecast_error(connection: Connection) -> list[dict[str, Any]]:
    """How far the newest run's models were off in its own tests, by kind of demand; none where none was run."""
    return [dict(row) for row in connection.execute(_FORECAST).mappings()]


def keep(
    connection: Connection,
    since: date,
    until: date,
    content: dict[str, Any],
    *,
    by: str,
    now: datetime,
) -> None:
    """Keep a review; one of the same days is replaced."""
    values = {"since": since, "until": until, "now": now, "by": by, "content": dumps(content)}
    connection.execute(_KEEP, values)


def kept(connection: Connection) -> list[dict[str, Any]]:
    """Reviews that were kept, the newest first."""
    return [dict(row) for row in connection.execute(_KEPT).mappings()]


def one(
    connection: Connection, since: date | None = None, until: date | None = None
) -> dict[str, Any] | None:
    """A review that was kept, the newest without days; None where there is none."""
    statement = _NEWEST if since is None else _ONE
    values = {} if since is None else {"since": since, "until": until}
    found = connection.execute(statement, values).scalar_one_or_none()
    return None if found is None else dict(found)
