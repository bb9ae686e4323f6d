"""What weeks of channels were, out of the book and the history of targets; each question is one statement.

Starved is a channel, for a SKU, while its number is 0 though its pool has units and its rules let it show some: neither
excluded, nor below the cut-off, nor its quota spent. What the pool has is what the last target told that was computed
of it, of any channel on the same pool. Targets are written down when their number changes, so a number that stays 0 is
judged by the channel's own rule of today as well.

    lost   = minutes starved * pace of the SKU on the channel when it last sold (`allocation.pace`, of weeks)
    left   = units of the pool when the starving, or the week, ended
    regret = min(lost, left), and of all channels of a pool together no more than was left

It is an estimate, and a low one where the pool is sold out by the end: those units found a buyer elsewhere. Units that
stay for weeks count in each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from allocation.fit import WEEK, Week, pool_of
from allocation.pace import SLOW_S, YOUNGEST_S
from allocation.types import Rule, Rules
from ledger.ids import uuid7s

#: How far a vendor's clock may be ahead of ours: an order can be written before it was placed.
AHEAD: Final = timedelta(hours=1)

# An order line counts in the week of the first that was told of it, with what has become of it since.
_SOLD = text("""
    SELECT channel, date_bin('7 days', at, :since) AS week, sum(units)::bigint AS units
    FROM (
        SELECT e.channel, e.occurred_at AS at, greatest(0, l.ordered_units - l.cancelled_units) AS units
        FROM event AS e
        JOIN order_line AS l USING (channel, order_id, line_id)
        WHERE e.kind = 'order' AND e.channel = ANY(CAST(:channels AS text[])) AND e.recorded_at >= :heard
          AND e.occurred_at >= :since AND e.occurred_at < :until
          AND NOT EXISTS (
              SELECT FROM event AS first
              WHERE first.channel = e.channel AND first.order_id = e.order_id AND first.line_id = e.line_id
                AND first.kind = 'order' AND first.seq < e.seq)
        UNION ALL
        SELECT e.payload ->> 'channel', e.occurred_at, p.units
        FROM event AS e
        JOIN posting AS p ON p.event_id = e.id AND p.to_state = 'customer'
        WHERE e.kind = 'ship' AND e.line_id IS NULL AND e.id >= :first_id
          AND e.occurred_at >= :since AND e.occurred_at < :until
          AND e.payload ->> 'channel' = ANY(CAST(:channels AS text[]))
          AND NOT EXISTS (SELECT FROM event AS undone WHERE undone.reverses = e.id)
    ) AS sold
    GROUP BY 1, 2
""")

_ALLOWED = "h.terms ->> 'excluded' IS DISTINCT FROM 'true' AND NOT h.terms ?| ARRAY['cut', 'spent']"
_POOL = "coalesce((h.terms ->> 'pool')::bigint, 0)"

# A spell is a number while it stood. Who had a number before the history began has had it since.
_SPELLS = f"""
    given AS MATERIALIZED (
        SELECT channel, pool, least
        FROM unnest(CAST(:channels AS text[]), CAST(:pools AS text[]), CAST(:leasts AS bigint[]))
             AS given (channel, pool, least)
    ), heard AS (
        SELECT given.channel, t.sku, t.location, coalesce(given.pool, t.location) AS pool, given.least,
               h.id, coalesce(h.number, 0) AS number, coalesce(h.units, t.units) AS units,
               coalesce(h.set_at, t.set_at) AS told_at, h.has, coalesce(h.allowed, false) AS allowed
        FROM given
        JOIN target AS t ON t.channel = given.channel
        LEFT JOIN LATERAL (
            SELECT h.id, h.number, h.units, h.set_at, {_POOL} AS has, {_ALLOWED} AS allowed
            FROM target_history AS h
            WHERE h.sku = t.sku AND h.channel = t.channel AND h.location = t.location AND h.set_at < :since
            ORDER BY h.number DESC LIMIT 1
        ) AS h ON true
        WHERE h.id IS NOT NULL OR t.set_at < :since
        UNION ALL
        SELECT h.channel, h.sku, h.location, coalesce(given.pool, h.location), given.least,
               h.id, h.number, h.units, h.set_at, {_POOL}, {_ALLOWED}
        FROM target_history AS h JOIN given ON given.channel = h.channel
        WHERE h.set_at >= :since AND h.set_at < :until
    ), spell AS MATERIALIZED (
        SELECT channel, sku, location, pool, least, id, units, has, allowed, told_at,
               greatest(told_at, :since) AS starts,
               lead(told_at, 1, :until) OVER told AS ends,
               units - coalesce(lag(units) OVER told, 0) AS more
        FROM heard
        WINDOW told AS (PARTITION BY channel, sku, location ORDER BY number)
    )
"""  # noqa: S608 -- composed of constants

_SHOWN = """
    shown AS (
        SELECT channel, date_bin('7 days', starts, :since) AS week, sum(more)::bigint AS more,
               sum(more * date_part('epoch', date_bin('7 days', starts, :since) + interval '168 hours' - starts))
                   AS more_s
        FROM spell GROUP BY 1, 2
    )
"""

_STARVED = f"""
    dry AS MATERIALIZED (
        SELECT channel, sku, location, pool, least, starts, ends FROM spell WHERE units = 0 AND allowed
    ), stretch AS MATERIALIZED (
        SELECT sku, pool, has, told_at, id, starts,
               lead(starts, 1, :until) OVER (PARTITION BY sku, pool ORDER BY told_at, id) AS ends
        FROM spell JOIN (SELECT DISTINCT sku, pool FROM dry) AS concerned USING (sku, pool)
        WHERE id IS NOT NULL
    ), starving AS (
        SELECT dry.channel, dry.sku, dry.pool, w.week,
               coalesce(sum(date_part('epoch', least(dry.ends, s.ends, w.week + interval '168 hours')
                                               - greatest(dry.starts, s.starts, w.week)))
                        FILTER (WHERE s.has >= dry.least), 0) AS starved_s,
               (array_agg(s.has ORDER BY s.told_at DESC, s.id DESC))[1] AS remains
        FROM dry
        JOIN stretch AS s ON s.sku = dry.sku AND s.pool = dry.pool AND s.starts < dry.ends AND s.ends > dry.starts
                             AND s.ends > s.starts
        CROSS JOIN LATERAL generate_series(date_bin('7 days', greatest(dry.starts, s.starts), :since),
                                           least(dry.ends, s.ends) - interval '1 microsecond',
                                           interval '168 hours') AS w (week)
        GROUP BY dry.channel, dry.sku, dry.location, dry.pool, dry.starts, w.week
    ), selling AS MATERIALIZED (
        SELECT p.sku, p.channel,
               sum(p.slow_units / ({SLOW_S} * (1 - exp(-greatest({YOUNGEST_S}, date_part('epoch', p.at - p.since))
                                                       / {SLOW_S})))) AS units_per_s
        FROM (SELECT DISTINCT sku FROM dry) AS concerned JOIN pace AS p USING (sku)
        GROUP BY p.sku, p.channel
    ), lost AS (
        SELECT channel, sku, pool, week, starved_s, remains,
               least(starved_s * coalesce(units_per_s, 0), remains) AS units
        FROM starving LEFT JOIN selling USING (sku, channel)
        WHERE starved_s > 0
    ), starved AS (
        SELECT channel, week, sum(starved_s) AS starved_s,
               sum(units * least(1, remain / nullif(together, 0))) AS regret
        FROM (
            SELECT channel, week, starved_s, units, max(remains) OVER of_pool AS remain,
                   sum(units) OVER of_pool AS together
            FROM lost WINDOW of_pool AS (PARTITION BY week, sku, pool)
        ) AS capped
        GROUP BY channel, week
    )
"""  # noqa: S608 -- composed of constants

_STOOD = text(f"""
    WITH {_SPELLS}, {_SHOWN}, {_STARVED}
    SELECT channel, week, coalesce(more, 0) AS more, coalesce(more_s, 0) AS more_s,
           coalesce(starved_s, 0) AS starved_s, coalesce(regret, 0) AS regret
    FROM shown FULL JOIN starved USING (channel, week)
""")  # noqa: S608 -- composed of constants

# Three million changes of a hundred thousand SKUs take a minute: more than what is granted to what somebody waits for.
_PATIENCE = text("SELECT set_config('statement_timeout', '10min', true)")


def weeks(connection: Connection, rules: Rules, since: datetime, until: datetime) -> list[Week]:
    """Every channel of the rules in every full week, by channel and week.

    since, until    Mondays, 0:00 UTC
    """
    connection.execute(_PATIENCE)
    names = [channel.name for channel in rules.channels]
    sold = _sold(connection, names, since, until)
    told = {
        "channels": names,
        "pools": [pool_of(channel) for channel in rules.channels],
        "leasts": [_least(channel.rule) for channel in rules.channels],
        "since": since,
        "until": until,
    }
    stood = {(row.channel, row.week): row for row in connection.execute(_STOOD, told)}
    week_s = WEEK.total_seconds()
    found = []
    for name in names:
        units = 0
        for week in (since + n * WEEK for n in range((until - since) // WEEK)):
            row = stood.get((name, week))
            more, more_s = (row.more, row.more_s) if row else (0, 0.0)
            starved_s, regret = (row.starved_s, row.regret) if row else (0.0, 0.0)
            shown = units + more_s / week_s
            of_it = sold.get((name, week), 0)
            found.append(Week(name, week, of_it, shown, starved_s / 60, regret))
            units += more
    return found


def _least(rule: Rule) -> int | None:
    """Units a pool needs before the channel's own rule lets it show any; None: never."""
    return None if rule.excluded else max(1, rule.cut_off)


def _sold(
    connection: Connection, channels: list[str], since: datetime, until: datetime
) -> dict[tuple[str, datetime], int]:
    heard = since - AHEAD
    # Events are named in the order of writing: the first that could have been written then.
    first_id = uuid7s(int(heard.timestamp() * 1000), bytes(8))[0]
    values = {"channels": channels, "since": since, "until": until}
    rows = connection.execute(_SOLD, values | {"heard": heard, "first_id": first_id})
    return {(row.channel, row.week): row.units for row in rows}
