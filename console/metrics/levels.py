"""How things stand now: each statement gives rows (name of the metric, up to three labels, value)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from console.metrics.names import BY_NAME
from console.metrics.types import Sample
from reconcile.completeness import GAPS
from reconcile.counting.accuracy import quarter, quarter_of
from reconcile.types import Cause

#: Priorities of a number that waits, in the order of table `push_due`.
PRIORITIES: Final = ("stock-out", "drop", "first or repair", "rise")
JOBS: Final = ("reconcile", "orders", "mirror", "watch", "truth")
#: How far back the share of unknown causes, windows, and windows that are done are looked for.
WEEK: Final = timedelta(days=7)
DAY: Final = timedelta(days=1)
#: How far back counts are: a place is counted once in weeks or months.
QUARTER: Final = timedelta(weeks=13)

_INBOX: Final = """
    SELECT 'lockstep_inbox_oldest_seconds', NULL, NULL, NULL, coalesce((
        SELECT date_part('epoch', :now - received_at) FROM inbox WHERE state = 'pending' ORDER BY id LIMIT 1), 0)
    UNION ALL
    SELECT 'lockstep_inbox_deliveries', 'pending', NULL, NULL, count(*) FROM inbox WHERE state = 'pending'
    UNION ALL
    SELECT 'lockstep_inbox_deliveries', 'waiting', NULL, NULL, count(*) FROM inbox WHERE state = 'waiting'
    UNION ALL
    SELECT 'lockstep_inbox_deliveries', s.state, NULL, NULL, count(i.state)
    FROM unnest(ARRAY['parked', 'rejected']) AS s (state)
    LEFT JOIN (SELECT state FROM inbox WHERE state IN ('parked', 'rejected')) AS i ON i.state = s.state
    GROUP BY s.state
"""

# As `lockstep channel complete` counts them.
_GAPS: Final = f"""
    WITH gap AS MATERIALIZED ({GAPS})
    SELECT 'lockstep_orders_gaps', c.channel, NULL, NULL, coalesce(gap.gaps, 0)
    FROM channel AS c LEFT JOIN gap USING (channel)
    UNION ALL
    SELECT 'lockstep_orders_gap_oldest_seconds', c.channel, NULL, NULL,
           coalesce(date_part('epoch', :now - gap.oldest_gap_at), 0)
    FROM channel AS c LEFT JOIN gap USING (channel)
    UNION ALL
    SELECT 'lockstep_orders_complete_to_timestamp_seconds', channel, NULL, NULL, date_part('epoch', orders_mark)
    FROM channel WHERE orders_mark IS NOT NULL
"""  # noqa: S608 -- composed of constants

_ALLOCATION: Final = """
    SELECT 'lockstep_allocation_due', NULL, NULL, NULL, count(*) FROM due
    UNION ALL
    SELECT 'lockstep_allocation_oldest_seconds', NULL, NULL, NULL,
           coalesce((SELECT date_part('epoch', :now - since) FROM due ORDER BY since LIMIT 1), 0)
"""

# What is halted waits on purpose. A paused channel, or one that may not be written to, is told of beside it.
_PUSHES: Final = """
    WITH waiting AS MATERIALIZED (
        SELECT channel, priority, count(*) AS numbers, min(since) AS since
        FROM push_due AS d
        WHERE NOT parked AND NOT EXISTS (SELECT FROM halt AS h
                                         WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')
        GROUP BY channel, priority
    ), each AS (
        SELECT c.channel, p.name, coalesce(w.numbers, 0) AS numbers,
               coalesce(date_part('epoch', :now - w.since), 0) AS oldest_s
        FROM channel AS c
        CROSS JOIN unnest(CAST(:priorities AS text[])) WITH ORDINALITY AS p (name, place)
        LEFT JOIN waiting AS w ON w.channel = c.channel AND w.priority = p.place - 1
    )
    SELECT 'lockstep_push_due', channel, name, NULL, numbers FROM each
    UNION ALL
    SELECT 'lockstep_push_oldest_seconds', channel, name, NULL, oldest_s FROM each
    UNION ALL
    SELECT 'lockstep_push_parked', c.channel, NULL, NULL,
           (SELECT count(*) FROM push_due AS d WHERE d.channel = c.channel AND d.parked)
    FROM channel AS c
"""

_DRIFTS: Final = """
    SELECT 'lockstep_drifts', c.channel, cause, NULL, coalesce(open.drifts, 0)
    FROM channel AS c CROSS JOIN unnest(CAST(:causes AS text[])) AS cause
    LEFT JOIN (SELECT channel, cause, count(*) AS drifts FROM drift WHERE resolved_at IS NULL GROUP BY channel, cause)
        AS open USING (channel, cause)
    UNION ALL
    SELECT 'lockstep_drift_unknown_ratio', channel, NULL, NULL,
           count(*) FILTER (WHERE cause = 'unknown')::double precision / count(*)
    FROM drift WHERE seen_at > :week_ago GROUP BY channel
"""

_HALTS: Final = """
    SELECT 'lockstep_halts', c.channel, s.state, NULL, coalesce(h.halts, 0)
    FROM channel AS c CROSS JOIN unnest(ARRAY['setting', 'set', 'lifting']) AS s (state)
    LEFT JOIN (SELECT channel, state, count(*) AS halts FROM halt WHERE state <> 'lifted' GROUP BY channel, state) AS h
        USING (channel, state)
"""

_OVERSOLD: Final = """
    SELECT 'lockstep_oversold_cases', c.channel, NULL, NULL, count(o.id)
    FROM channel AS c LEFT JOIN oversold_case AS o ON o.channel = c.channel AND o.state <> 'closed'
    GROUP BY c.channel
"""

_FAILURES: Final = """
    WITH at_work AS MATERIALIZED (
        SELECT class, channel, state, count(*) AS failures, min(last_seen) AS last_seen
        FROM failure WHERE state IN ('open', 'retrying') GROUP BY class, channel, state
    )
    SELECT 'lockstep_failures', channel, class, state, failures FROM at_work
    UNION ALL
    SELECT 'lockstep_failure_oldest_seconds', known, NULL, NULL,
           coalesce(date_part('epoch', :now - (SELECT min(last_seen) FROM at_work WHERE class = known)), 0)
    FROM unnest(ARRAY['validation', 'mapping', 'rejected', 'throttled_out', 'unavailable', 'bug']) AS known
"""

# As `lockstep count accuracy` counts: a recount looks where something is known to be wrong.
_COUNTS: Final = """
    SELECT 'lockstep_count_accuracy_ratio', location, tier, NULL, within
    FROM location AS l CROSS JOIN LATERAL (
        SELECT tier, count(*) FILTER (WHERE within)::double precision / count(*) AS within
        FROM count_variance AS v
        WHERE v.location = l.location AND counted_at > :quarter_ago AND NOT undone AND NOT recount
        GROUP BY tier
    ) AS counted
"""

# As `lockstep count shrinkage` says it, from what the look at counts adds up.
_SHRINKAGE: Final = """
    SELECT 'lockstep_shrinkage_units', location, reason, NULL, lost - found FROM shrunk WHERE since = :quarter
    UNION ALL
    SELECT 'lockstep_shrinkage_cost', location, reason, NULL, cost FROM shrunk WHERE since = :quarter
    UNION ALL
    SELECT 'lockstep_shrinkage_ratio', o.location, NULL, NULL, sum(k.cost) / o.sales
    FROM sold AS o JOIN shrunk AS k ON k.since = o.since AND k.location = o.location
    WHERE o.since = :quarter AND o.sales > 0 GROUP BY o.location, o.sales
"""

_RUNS: Final = """
    WITH day AS MATERIALIZED (
        SELECT job, channel, state, count(*) AS runs, count(*) FILTER (WHERE overrun) AS overrun
        FROM run WHERE job = ANY(CAST(:jobs AS text[])) AND channel IN (SELECT channel FROM channel)
                       AND window_at > :day_ago
        GROUP BY job, channel, state
    )
    SELECT 'lockstep_runs', job, channel, state, runs FROM day
    UNION ALL
    SELECT 'lockstep_runs_overrun', job, channel, NULL, sum(overrun) FROM day GROUP BY job, channel
    UNION ALL
    SELECT 'lockstep_run_done_timestamp_seconds', j.job, c.channel, NULL, date_part('epoch', newest.finished_at)
    FROM channel AS c CROSS JOIN unnest(CAST(:jobs AS text[])) AS j (job)
    CROSS JOIN LATERAL (
        SELECT finished_at FROM run
        WHERE job = j.job AND channel = c.channel AND window_at > :week_ago AND state = 'done'
        ORDER BY window_at DESC LIMIT 1
    ) AS newest
    UNION ALL
    SELECT 'lockstep_readback_coverage_ratio', c.channel, NULL, NULL,
           least(1, newest.read::double precision / nullif(newest.expected, 0))
    FROM channel AS c CROSS JOIN LATERAL (
        SELECT read, expected FROM run
        WHERE job = 'reconcile' AND channel = c.channel AND window_at > :week_ago
              AND state IN ('done', 'failed', 'missed')
        ORDER BY window_at DESC LIMIT 1
    ) AS newest
    WHERE newest.expected > 0
"""

_DOORS: Final = """
    SELECT 'lockstep_channel_paused', channel, NULL, NULL, paused::int FROM channel
    UNION ALL
    SELECT 'lockstep_channel_writes', channel, NULL, NULL, writes::int FROM channel
    UNION ALL
    SELECT 'lockstep_queue_heartbeat_timestamp_seconds', queue, NULL, NULL, date_part('epoch', seen_at) FROM heartbeat
    UNION ALL
    SELECT 'lockstep_queue_paused', queue, NULL, NULL, (p.queue IS NOT NULL)::int
    FROM heartbeat AS h FULL JOIN queue_pause AS p USING (queue)
    UNION ALL
    SELECT 'lockstep_clock_ahead_seconds', NULL, NULL, NULL, coalesce((
        SELECT ahead_s FROM clock_off WHERE seen_at > :now - interval '2 minutes'
        ORDER BY abs(ahead_s) DESC LIMIT 1), 0)
    UNION ALL
    SELECT 'lockstep_incidents', rule, channel, severity, count(*)
    FROM incident WHERE resolved_at IS NULL GROUP BY rule, channel, severity
    UNION ALL
    SELECT 'lockstep_lag_seconds', channel, stage, NULL, lag_s
    FROM lag CROSS JOIN LATERAL (
        VALUES ('detect', detect_s), ('queue', queue_s), ('push', push_s), ('visible', visible_s), ('stale', stale_s)
    ) AS measured (stage, lag_s)
    WHERE lag_s IS NOT NULL
"""

_LEDGER: Final = """
    SELECT 'lockstep_ledger_unsealed_events', NULL, NULL, NULL, count(*)
    FROM event WHERE seq > coalesce((SELECT last_seq FROM seal ORDER BY number DESC LIMIT 1), 0)
    UNION ALL
    (SELECT 'lockstep_ledger_seal_timestamp_seconds', NULL, NULL, NULL, date_part('epoch', sealed_at)
     FROM seal ORDER BY number DESC LIMIT 1)
    UNION ALL
    SELECT 'lockstep_exporter_tally_timestamp_seconds', NULL, NULL, NULL, date_part('epoch', through) FROM tally_mark
"""

_STATEMENTS: Final = tuple(
    text(f"SELECT * FROM ({statement}) AS level (name, a, b, c, value)")  # noqa: S608 -- constants
    for statement in (
        *(_INBOX, _GAPS, _ALLOCATION, _PUSHES, _DRIFTS, _HALTS, _OVERSOLD),
        *(_FAILURES, _COUNTS, _SHRINKAGE, _RUNS, _DOORS, _LEDGER),
    )
)


def levels(connection: Connection, now: datetime) -> Iterator[Sample]:
    """How everything stands, as this transaction sees it."""
    values = {
        "now": now,
        "week_ago": now - WEEK,
        "quarter_ago": now - QUARTER,
        "quarter": quarter(quarter_of(now))[0],
        "day_ago": now - DAY,
        "priorities": list(PRIORITIES),
        "causes": [cause.value for cause in Cause],
        "jobs": list(JOBS),
    }
    for statement in _STATEMENTS:
        for row in connection.execute(statement, values):
            labels = (row.a, row.b, row.c)[: len(BY_NAME[row.name].labels)]
            yield Sample(row.name, labels, float(row.value))
