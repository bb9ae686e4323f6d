"""What others read: views of their own in the schema `feed`, for a role that sees nothing else."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"

SCHEMA = """
CREATE SCHEMA feed;
COMMENT ON SCHEMA feed IS 'for readers outside: stable names with a version, never changed but by a new version';
"""

# A house whose owner may not make roles does without; docs/feed.md says what an administrator grants then.
ROLE = """
DO $$
BEGIN
    CREATE ROLE lockstep_feed NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END
$$;
"""

EVENTS = """
CREATE VIEW feed.event_v1 AS
SELECT e.seq, e.id AS event_id, e.kind, e.source, e.source_id, e.occurred_at, e.recorded_at, e.channel, e.order_id,
       e.line_id, e.reference, e.reason, e.reverses, coalesce(p.line, 0) AS line, p.sku, p.units,
       p.from_location, p.from_state, p.to_location, p.to_state
FROM public.event AS e LEFT JOIN public.posting AS p ON p.event_id = e.id;
COMMENT ON VIEW feed.event_v1 IS
    'every move of every event in the order of the book; line 0: an event that moved nothing';
"""

# A version counts the postings of its place, so that the last of a day says how it closed. The functions run as their
# owner: a reader has no right to the tables, and a day given as an argument is found by the block ranges of posting.
_LEGS = """
    SELECT (p.recorded_at AT TIME ZONE 'UTC')::date AS day, p.sku, p.from_location AS location,
           p.from_state AS state, p.from_after AS units, p.from_version AS version
    FROM public.posting AS p {given}
    UNION ALL
    SELECT (p.recorded_at AT TIME ZONE 'UTC')::date, p.sku, p.to_location, p.to_state, p.to_after, p.to_version
    FROM public.posting AS p {given}
"""
_DAYS = """
    SELECT DISTINCT ON (day, sku, location, state) day, sku, location, state, units, version
    FROM ({legs}) AS leg
    ORDER BY day, sku, location, state, version DESC
"""
_BETWEEN = """WHERE p.recorded_at >= (first_day::timestamp AT TIME ZONE 'UTC')
      AND p.recorded_at < ((last_day + 1)::timestamp AT TIME ZONE 'UTC')"""

BALANCES = f"""
CREATE VIEW feed.balance_day_v1 AS {_DAYS.format(legs=_LEGS.format(given=""))};
COMMENT ON VIEW feed.balance_day_v1 IS
    'how each place closed each day (UTC) on which something was booked there; until its next row it stayed so';

CREATE FUNCTION feed.balance_days_v1(first_day date, last_day date)
RETURNS TABLE (day date, sku text, location text, state text, units bigint, version bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    {_DAYS.format(legs=_LEGS.format(given=_BETWEEN))};
END;
COMMENT ON FUNCTION feed.balance_days_v1 IS 'balance_day_v1 of these days, read by day';

CREATE FUNCTION feed.balances_at_v1(on_day date)
RETURNS TABLE (sku text, location text, state text, units bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT sku, location, state, sum(units)::bigint
    FROM (
        SELECT b.sku, b.location, b.state, b.units, b.version AS postings FROM public.balance AS b
        UNION ALL
        SELECT p.sku, leg.location, leg.state, leg.units, -1
        FROM public.posting AS p CROSS JOIN LATERAL (
            VALUES (p.from_location, p.from_state, p.units), (p.to_location, p.to_state, -p.units)
        ) AS leg (location, state, units)
        WHERE p.recorded_at >= ((on_day + 1)::timestamp AT TIME ZONE 'UTC')
    ) AS known
    GROUP BY sku, location, state
    HAVING sum(postings) > 0;
END;
COMMENT ON FUNCTION feed.balances_at_v1 IS 'every balance as the book stood when a day (UTC) ended';
"""  # noqa: S608 -- composed of constants

SHOWN = """
CREATE VIEW feed.shown_v1 AS
SELECT t.channel, t.sku, t.location, t.units AS target_units, t.set_at AS target_set_at, t.rule_version,
       s.units AS told_units, s.confirmed_at AS told_at, s.read_units, s.read_at,
       EXISTS (SELECT FROM public.halt AS h
               WHERE h.channel = t.channel AND h.sku = t.sku AND h.state <> 'lifted') AS halted
FROM public.target AS t
LEFT JOIN public.shown AS s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location;
COMMENT ON VIEW feed.shown_v1 IS
    'what each channel should show now, what it last confirmed (told) and what was last read back';
"""

WRONG = """
CREATE VIEW feed.drift_v1 AS
SELECT id AS drift_id, channel, sku, location, window_at, expected, actual, delta AS drift_units, cause, action, times,
       seen_at, last_at, resolved_at, result
FROM public.drift;
COMMENT ON VIEW feed.drift_v1 IS
    'where a channel showed another number than it should; resolved_at NULL: it still does';

CREATE VIEW feed.oversell_v1 AS
SELECT id AS case_id, channel, order_id, line_id, sku, location, units, accepted_at, found_at, cause, worth, state,
       response, cost, covered_at, closed_at, result, times
FROM public.oversold_case;
COMMENT ON VIEW feed.oversell_v1 IS 'order lines that were accepted and were not there, and what was done';
"""

# The arithmetic and the constants of `allocation.pace.rates`, as of now.
VELOCITY = """
CREATE VIEW feed.velocity_v1 AS
SELECT sku, channel, location,
       slow_lines / (2419200 * (1 - exp(-age_s / 2419200))) * units_per_line * 86400 AS slow_per_day,
       fast_lines / 600 * units_per_line * 86400 AS fast_per_day, first_sold_at
FROM (
    SELECT p.sku, p.channel, p.location, p.since AS first_sold_at, p.slow_lines * slow.left AS slow_lines,
           p.slow_units * slow.left AS slow_units, p.fast_lines * fast.left AS fast_lines,
           greatest(1, p.slow_units / nullif(p.slow_lines, 0)) AS units_per_line,
           greatest(86400, extract(epoch FROM now() - p.since)::float8) AS age_s
    FROM public.pace AS p
    CROSS JOIN LATERAL (SELECT greatest(0, extract(epoch FROM now() - p.at)::float8) AS s) AS gone
    CROSS JOIN LATERAL (SELECT CASE WHEN gone.s > 241920000 THEN 0 ELSE exp(-gone.s / 2419200) END AS left) AS slow
    CROSS JOIN LATERAL (SELECT CASE WHEN gone.s > 60000 THEN 0 ELSE exp(-gone.s / 600) END AS left) AS fast
) AS faded
WHERE slow_lines >= 1e-9 AND slow_units > 0;
COMMENT ON VIEW feed.velocity_v1 IS 'units a day by SKU, channel and location served from: of weeks, and of minutes';
"""

# A function is everybody's to call unless that is taken back.
GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA feed FROM PUBLIC;
DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('lockstep_app', 'lockstep_feed') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA feed TO %I', reader);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA feed TO %I', reader);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA feed TO %I', reader);
    END LOOP;
END
$$;
"""


def upgrade() -> None:
    """Let others read without knowing our tables."""
    for statements in (SCHEMA, ROLE, EVENTS, BALANCES, SHOWN, WRONG, VELOCITY, GRANTS):
        op.execute(statements)
