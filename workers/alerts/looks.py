"""What each rule finds, as one SELECT over the present: (object, channel, severity, fires, detail).

`fires` raises an alarm; a row that does not fire only keeps one that is on (a level is left at another place than it
was entered). An alarm whose object is not found any more calms down. `rank` in a detail puts the worst first;
`impact_units` are summed up.
"""

from __future__ import annotations

from typing import Final

from allocation.pace import FAST_S, SLOW_S, SPIKE_LINES, SPIKE_TIMES, YOUNGEST_S
from workers.alerts import looks_channel

# The pace is that of allocation/pace.py, summed over channels and locations: that of the last weeks, or of the last
# minutes where it hurries. Best sellers are those that together make up four fifths of all units sold; once a forecast
# was run, those of its tier A, which nothing leaves for two weeks. Who sold less than three lines in weeks has no pace
# to speak of.
_LOW_STOCK: Final = f"""
    WITH faded AS (
        SELECT p.sku,
               CASE WHEN age_s > {100 * FAST_S} THEN 0 ELSE p.fast_lines * exp(-age_s / {FAST_S}) END AS fast_lines,
               CASE WHEN age_s > {100 * SLOW_S} THEN 0 ELSE p.slow_lines * exp(-age_s / {SLOW_S}) END AS slow_lines,
               CASE WHEN age_s > {100 * SLOW_S} THEN 0 ELSE p.slow_units * exp(-age_s / {SLOW_S}) END AS slow_units,
               {SLOW_S} * (1 - exp(-greatest({YOUNGEST_S}, date_part('epoch', :now - p.since)) / {SLOW_S})) AS reach_s
        FROM pace AS p
        CROSS JOIN LATERAL (SELECT greatest(0, date_part('epoch', :now - p.at)) AS age_s) AS aged
    ), rated AS (
        SELECT sku, sum(slow_lines) AS lines, sum(slow_units / reach_s) * 86400 AS slow_day,
               sum(fast_lines) AS fast_lines,
               sum(fast_lines) / {FAST_S} * 86400 * sum(slow_units) / nullif(sum(slow_lines), 0) AS fast_day
        FROM faded GROUP BY sku HAVING sum(slow_lines) >= 3
    ), paced AS (
        SELECT sku, CASE WHEN fast_lines >= {SPIKE_LINES} AND fast_day > {SPIKE_TIMES} * slow_day
                         THEN fast_day ELSE slow_day END AS per_day
        FROM rated
    ), tiered AS (
        SELECT sku, paced.per_day,
               coalesce(v.tier = 'A', sum(paced.per_day) OVER (ORDER BY paced.per_day DESC, sku
                   ROWS UNBOUNDED PRECEDING) - paced.per_day < 0.8 * sum(paced.per_day) OVER ()) AS best
        FROM paced LEFT JOIN velocity_tier AS v USING (sku)
    ), left_over AS (
        SELECT b.sku, sum(b.units) AS available
        FROM balance AS b JOIN location AS l USING (location)
        WHERE b.state = 'available' AND l.kind IN ('warehouse', 'store') AND b.sku IN (SELECT sku FROM tiered)
        GROUP BY b.sku
    ), cover AS (
        SELECT sku, best, per_day, available, greatest(available, 0) / per_day AS days,
               :stock_days * CASE WHEN best THEN 2 ELSE 1 END AS most
        FROM tiered JOIN left_over USING (sku)
    )
    SELECT 'sku:' || sku AS object, '' AS channel, '' AS severity, days < most AS fires,
           jsonb_build_object('sku', sku, 'available', available, 'per_day', round(per_day::numeric, 1),
               'cover_days', round(days::numeric, 1), 'tier', CASE WHEN best THEN 'best seller' ELSE 'other' END,
               'out_at', to_char(:now + make_interval(secs => least(days, 400) * 86400), 'YYYY-MM-DD HH24:MI'),
               'rank', -days) AS detail
    FROM cover WHERE days < most * 1.5
"""  # noqa: S608 -- composed of constants

# Counted by its index: beyond ten thousand nobody needs to know how many more.
_INBOX_STUCK: Final = """
    SELECT 'inbox:pending' AS object, '' AS channel, '' AS severity, true AS fires,
           jsonb_build_object('age_s', date_part('epoch', :now - oldest.received_at)::bigint,
               'waiting', (SELECT count(*) FROM (SELECT FROM inbox WHERE state = 'pending' LIMIT 10000) AS s)) AS detail
    FROM (SELECT received_at FROM inbox WHERE state = 'pending' ORDER BY id LIMIT 1) AS oldest
    WHERE oldest.received_at < :now - make_interval(secs => :inbox_age_s)
"""

# What was rejected can only be sent anew, so it is news for a day; what is parked waits for somebody.
_INBOX_PARKED: Final = """
    SELECT 'inbox:' || source AS object,
           coalesce((SELECT c.channel FROM channel AS c WHERE c.channel = i.source), '') AS channel,
           '' AS severity, true AS fires,
           jsonb_build_object('source', source, 'parked', count(*), 'rank', count(*),
               'error', left((array_agg(error ORDER BY id DESC))[1], 300), 'newest', max(id)) AS detail
    FROM inbox AS i
    WHERE state IN ('parked', 'rejected') AND (state = 'parked' OR received_at > :now - interval '1 day')
    GROUP BY source
"""

# A single one stands in its list, and where it matters in an alert of its own; many of one kind have one cause.
_WORK_FAILED: Final = """
    SELECT 'failed:' || class || '/' || channel AS object, channel, '' AS severity, count(*) >= 20 AS fires,
           jsonb_build_object('class', class, 'channel', channel, 'failed', count(*), 'rank', count(*),
               'since', to_char(min(first_seen) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
               'error', left((array_agg(error ORDER BY id DESC))[1], 200)) AS detail
    FROM failure WHERE state IN ('open', 'retrying')
    GROUP BY class, channel HAVING count(*) >= 10
"""

# A queue that nobody has seen for a day was taken away.
_QUEUE_SILENT: Final = """
    SELECT 'queue:' || queue AS object, coalesce(substring(queue FROM '^push\\.(.*)$'), '') AS channel,
           '' AS severity, true AS fires,
           jsonb_build_object('queue', queue, 'worker', worker, 'rank', date_part('epoch', :now - seen_at),
               'age_s', date_part('epoch', :now - seen_at)::bigint) AS detail
    FROM heartbeat
    WHERE seen_at < :now - make_interval(secs => :silent_s) AND seen_at > :now - interval '1 day'
"""

# A sale that was found days later by an import of history says nothing about today's ears.
_CAPTURE_LATE: Final = """
    SELECT 'channel:' || channel AS object, channel, '' AS severity, late >= 3 AND late > 0.01 * orders AS fires,
           jsonb_build_object('channel', channel, 'late', late, 'orders', orders, 'worst_s', worst_s::bigint,
               'limit_s', :capture_s, 'rank', worst_s) AS detail
    FROM (
        SELECT c.channel, count(*) AS orders, count(*) FILTER (WHERE e.late_s > :capture_s) AS late,
               max(e.late_s) AS worst_s
        FROM channel AS c
        CROSS JOIN LATERAL (
            SELECT date_part('epoch', recorded_at - occurred_at) AS late_s FROM event
            WHERE kind = 'order' AND channel = c.channel AND recorded_at > :now - interval '15 minutes'
              AND recorded_at <= :now AND recorded_at - occurred_at < interval '2 days'
        ) AS e
        GROUP BY c.channel
    ) AS heard
    WHERE late > 0
"""

# A process that ended says nothing more; one that differs says so twice a minute.
_CLOCK_DIFFERS: Final = """
    SELECT 'clock:' || process AS object, '' AS channel, '' AS severity, true AS fires,
           jsonb_build_object('process', process, 'ahead_s', ahead_s::bigint, 'rank', abs(ahead_s)) AS detail
    FROM clock_off WHERE seen_at > :now - interval '2 minutes'
"""

#: rule -> its SELECT; what it may name: `:now` and the fields of `Limits`.
LOOKS: Final = {
    "stock.low": _LOW_STOCK,
    "inbox.stuck": _INBOX_STUCK,
    "inbox.parked": _INBOX_PARKED,
    "work.failed": _WORK_FAILED,
    "queue.silent": _QUEUE_SILENT,
    "capture.late": _CAPTURE_LATE,
    "clock.differs": _CLOCK_DIFFERS,
    **looks_channel.LOOKS,
}
