"""What the rules about one channel find; the form is that of `looks.py`."""

from __future__ import annotations

from typing import Final

# Showing too much by so much that it is halted, or any drift that was not repaired in time. While the halt stands,
# nothing can be oversold: then it can wait until somebody looks.
_DRIFT_OPEN: Final = """
    SELECT 'drift:' || channel || '/' || sku || '@' || location AS object, channel,
           CASE WHEN delta > 0 AND halted IS DISTINCT FROM 'set' THEN 'error' ELSE 'warning' END AS severity,
           (delta >= :halt_units AND percent > :halt_percent)
               OR seen_at < :now - make_interval(secs => :drift_s) AS fires,
           jsonb_build_object('sku', sku, 'location', location, 'channel', channel, 'expected', expected,
               'actual', actual, 'delta', to_char(delta, 'FMSG999999999'), 'percent', round(percent::numeric, 1),
               'cause', cause, 'action', CASE WHEN halted = 'set' THEN 'halted' ELSE action END, 'drift', id,
               'impact_units', CASE WHEN halted = 'set' THEN 0 ELSE greatest(delta, 0) END, 'rank', delta) AS detail
    FROM (
        SELECT d.id, d.channel, d.sku, d.location, d.expected, d.actual, d.delta, d.cause, d.action, d.seen_at,
               100.0 * abs(d.delta) / greatest(d.expected, 1) AS percent,
               (SELECT h.state FROM halt AS h
                WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted') AS halted
        FROM drift AS d WHERE d.resolved_at IS NULL
    ) AS open
    WHERE delta <> 0
"""

# The rule's own that outlives its time calls somebody. What only scopes hold is one line a scope and channel.
_HALT_STANDING: Final = """
    SELECT 'halt:' || channel || '/' || sku AS object, channel,
           CASE WHEN call_at <= :now THEN 'error' ELSE '' END AS severity, true AS fires,
           jsonb_build_object('sku', sku, 'channel', channel, 'reason', reason, 'by', set_by,
               'set_at', to_char(set_at, 'YYYY-MM-DD HH24:MI:SS'), 'rank', date_part('epoch', :now - set_at)) AS detail
    FROM halt WHERE state = 'set' AND own
    UNION ALL
    SELECT 'halt_scope:' || s.id || '/' || halt.channel, halt.channel, '', true,
           jsonb_build_object('sku', count(*) || ' SKUs', 'channel', halt.channel, 'reason', s.reason, 'by', s.set_by,
               'set_at', to_char(s.set_at, 'YYYY-MM-DD HH24:MI:SS'), 'rank', date_part('epoch', :now - s.set_at))
    FROM halt_scope AS s JOIN halt_hold AS h ON h.scope_id = s.id AND h.ended_at IS NULL
    JOIN halt ON halt.id = h.halt_id
    WHERE s.lifted_at IS NULL AND halt.state = 'set' AND NOT halt.own
    GROUP BY s.id, halt.channel
"""

_HALT_STUCK: Final = """
    SELECT 'halt:' || channel || '/' || sku AS object, channel,
           CASE WHEN state = 'lifting' THEN 'warning' ELSE '' END AS severity, true AS fires,
           jsonb_build_object('sku', sku, 'channel', channel, 'state', state, 'tries', attempts,
               'error', left(error, 300), 'set_at', to_char(set_at, 'YYYY-MM-DD HH24:MI:SS'),
               'rank', date_part('epoch', :now - set_at)) AS detail
    FROM halt
    WHERE state IN ('setting', 'lifting') AND (own OR attempts > 1)
      AND greatest(set_at, lifted_at) < :now - make_interval(secs => :halt_s)
"""

# Reconciliation tells of its own windows. Of each other job, the newest that is over with nothing to show for it, or
# that somebody still works on when the next should have begun.
_JOB_MISSED: Final = """
    SELECT 'run:' || job || '/' || channel AS object, channel,
           CASE WHEN bad_in_a_row > 1 AND job = 'orders' THEN 'error' ELSE '' END AS severity,
           true AS fires,
           jsonb_build_object('job', job, 'channel', channel, 'state', state, 'error', left(error, 300),
               'window_at', to_char(window_at, 'YYYY-MM-DD HH24:MI'), 'in_a_row', bad_in_a_row,
               'rank', bad_in_a_row) AS detail
    FROM (
        SELECT j.job, c.channel, newest.window_at, newest.error,
               CASE WHEN newest.state IN ('due', 'running') THEN 'over its time' ELSE newest.state END AS state,
               (SELECT count(*) FROM (
                    SELECT state, bool_and(state <> 'done') OVER (ORDER BY window_at DESC) AS so_far
                    FROM (SELECT state, window_at FROM run
                          WHERE job = j.job AND channel = c.channel AND window_at <= newest.window_at
                          ORDER BY window_at DESC LIMIT 20) AS last
                ) AS back WHERE so_far) AS bad_in_a_row
        FROM channel AS c
        CROSS JOIN (VALUES ('orders', :window_s), ('mirror', :window_s),
                           ('watch', 3600.0), ('truth', 86400.0)) AS j (job, length_s)
        CROSS JOIN LATERAL (
            SELECT state, window_at, error FROM run
            WHERE job = j.job AND channel = c.channel
              AND (state IN ('done', 'missed', 'failed') OR window_at + make_interval(secs => j.length_s) < :now)
            ORDER BY window_at DESC LIMIT 1
        ) AS newest
        WHERE newest.state <> 'done' AND NOT c.paused
    ) AS bad
"""

# Numbers of a halted SKU wait on purpose; a paused or uncertified channel is another matter.
_PUSH_STUCK: Final = """
    SELECT 'channel:' || channel AS object, channel, CASE WHEN lower > 0 THEN 'error' ELSE '' END AS severity,
           true AS fires,
           jsonb_build_object('channel', channel, 'waiting', waiting, 'age_s', age_s::bigint, 'error', left(error, 300),
               'impact_units', lower, 'rank', age_s) AS detail
    FROM (
        SELECT c.channel, count(*) AS waiting, count(*) FILTER (WHERE d.priority <= 1) AS lower,
               date_part('epoch', :now - min(d.since)) AS age_s, max(d.error) AS error
        FROM channel AS c JOIN push_due AS d USING (channel)
        WHERE c.writes AND NOT c.paused AND NOT d.parked AND d.since < :now - make_interval(secs => :push_age_s)
          AND NOT EXISTS (SELECT FROM halt AS h
                          WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')
        GROUP BY c.channel
    ) AS stuck
"""

# A place in quarantine has an alarm of its own.
_PUSH_PARKED: Final = """
    SELECT 'push:' || d.channel || '/' || d.sku || '@' || d.location AS object, d.channel, '' AS severity,
           true AS fires,
           jsonb_build_object('sku', d.sku, 'location', d.location, 'channel', d.channel, 'should', t.units,
               'error', left(d.error, 300), 'rank', date_part('epoch', :now - d.since)) AS detail
    FROM push_due AS d JOIN target AS t USING (channel, sku, location)
    WHERE d.parked AND d.error NOT LIKE 'in quarantine%'
"""

# Who paused a channel by hand knows of it.
_CHANNEL_PAUSED: Final = """
    SELECT 'channel:' || channel AS object, channel,
           CASE WHEN paused_by IN ('push', 'orders', 'watch', 'truth', 'mirror', 'exchange') THEN ''
                ELSE 'info' END AS severity, true AS fires,
           jsonb_build_object('channel', channel, 'by', paused_by, 'why', left(paused_why, 300)) AS detail
    FROM channel WHERE paused
"""

# A document that was sent again is waited for anew.
_EDI_OVERDUE: Final = """
    SELECT 'edi:' || partner || '/' || id AS object, partner AS channel, '' AS severity, true AS fires,
           jsonb_build_object('document', id, 'partner', partner, 'set_id', set_id, 'set_control', set_control,
               'order', order_number, 'due_at', to_char(due_at, 'YYYY-MM-DD HH24:MI'), 'error', left(error, 300),
               'rank', -id) AS detail
    FROM edi_document AS d
    WHERE ack_state IN ('rejected', 'overdue') AND direction = 'out' AND state = 'posted'
      AND NOT EXISTS (SELECT FROM edi_document AS again WHERE again.resends = d.id)
"""

# A vendor drops a subscription in silence: the hourly watch subscribes again and says so, which is over with the first
# call; or the poll brings orders and no call has come at all. Looked for among the newest deliveries, because the inbox
# has no index by its time.
_SUBSCRIPTION_UNSEEN: Final = """
    WITH newest AS MATERIALIZED (
        SELECT source, headers ->> 'road' AS road, received_at
        FROM (SELECT source, headers, received_at FROM inbox ORDER BY id DESC LIMIT 10000) AS i
        WHERE received_at > :now - interval '1 hour'
    ), heard AS (
        SELECT source, count(*) FILTER (WHERE road = 'poll') AS polled,
               max(received_at) FILTER (WHERE road IS DISTINCT FROM 'poll') AS called_at
        FROM newest GROUP BY source
    )
    SELECT 'channel:' || channel AS object, channel, '' AS severity, true AS fires,
           jsonb_build_object('channel', channel, 'why', why) AS detail
    FROM (
        SELECT c.channel,
               CASE WHEN dropped.at > coalesce(heard.called_at, '-infinity') THEN left(dropped.reason, 300)
                    WHEN heard.polled >= 3 AND heard.called_at IS NULL
                    THEN heard.polled || ' orders of the last hour came by the poll, none by a call to ' || c.hook_uri
               END AS why
        FROM channel AS c
        LEFT JOIN heard ON heard.source = c.channel
        LEFT JOIN LATERAL (
            SELECT a.reason, a.at FROM audit AS a
            WHERE a.object = 'channel:' || c.channel AND a.at > :now - interval '1 hour'
              AND a.action = 'channel.subscribe' AND a.actor = 'lockstep'
            ORDER BY a.at DESC LIMIT 1
        ) AS dropped ON true
        WHERE c.hook_uri <> ''
    ) AS watched
    WHERE why IS NOT NULL
"""

LOOKS: Final = {
    "drift.open": _DRIFT_OPEN,
    "halt.standing": _HALT_STANDING,
    "halt.stuck": _HALT_STUCK,
    "job.missed": _JOB_MISSED,
    "push.stuck": _PUSH_STUCK,
    "push.parked": _PUSH_PARKED,
    "channel.paused": _CHANNEL_PAUSED,
    "edi.overdue": _EDI_OVERDUE,
    "subscription.unseen": _SUBSCRIPTION_UNSEEN,
}
