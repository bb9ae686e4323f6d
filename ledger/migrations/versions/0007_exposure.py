"""What sizes a buffer (pace of sales, lag of channels), scarce SKUs, every target with its arithmetic, dated rules."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

PACE = """
CREATE TABLE pace (
    sku           text NOT NULL REFERENCES sku (sku),
    channel       text NOT NULL,
    location      text NOT NULL,
    fast_lines    double precision NOT NULL DEFAULT 0 CHECK (fast_lines >= 0),
    slow_lines    double precision NOT NULL DEFAULT 0 CHECK (slow_lines >= 0),
    slow_units    double precision NOT NULL DEFAULT 0 CHECK (slow_units >= 0),
    slow_squares  double precision NOT NULL DEFAULT 0 CHECK (slow_squares >= 0),
    at            timestamptz NOT NULL,
    since         timestamptz NOT NULL CHECK (since <= at),
    PRIMARY KEY (sku, channel, location)
) WITH (fillfactor = 80);
COMMENT ON TABLE pace IS
    'order lines by SKU, channel and location served from, each sum fading with time as of `at`: minutes and weeks';
COMMENT ON COLUMN pace.slow_squares IS 'squares of the units of a line: how uneven lines are';
COMMENT ON COLUMN pace.since IS 'the first sale';
"""

# A house that has sold for years knows its pace at once, and takes back only what it has counted. The time constants
# are those of `allocation.pace`.
PACE_SO_FAR = """
INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)
SELECT sku, channel, location,
       sum(CASE WHEN age_s > 60000 THEN 0 ELSE exp(-age_s / 600) END), sum(slow), sum(slow * units),
       sum(slow * units * units), max(at), min(at)
FROM (
    SELECT sku, channel, location, units, at, age_s,
           CASE WHEN age_s > 241920000 THEN 0 ELSE exp(-age_s / 2419200) END AS slow
    FROM (
        SELECT sku, channel, location, units::double precision, at,
               date_part('epoch', max(at) OVER (PARTITION BY sku, channel, location) - at) AS age_s
        FROM (
            SELECT l.sku, l.channel, l.location, l.ordered_units - l.cancelled_units AS units, first.occurred_at AS at
            FROM order_line AS l
            JOIN (
                SELECT DISTINCT ON (channel, order_id, line_id) channel, order_id, line_id, occurred_at
                FROM event WHERE kind = 'order' AND order_id IS NOT NULL
                ORDER BY channel, order_id, line_id, seq
            ) AS first USING (channel, order_id, line_id)
            WHERE l.ordered_units > l.cancelled_units
            UNION ALL
            SELECT p.sku, coalesce(e.payload ->> 'channel', ''), p.from_location, p.units, e.occurred_at
            FROM event AS e JOIN posting AS p ON p.event_id = e.id
            WHERE e.kind = 'ship' AND e.line_id IS NULL AND p.to_state = 'customer'
              AND NOT EXISTS (SELECT FROM event AS undone WHERE undone.reverses = e.id)
        ) AS sold
    ) AS aged
) AS faded
GROUP BY sku, channel, location;
"""

LAG = """
CREATE TABLE lag (
    channel      text PRIMARY KEY REFERENCES channel (channel),
    detect_s     double precision CHECK (detect_s >= 0),
    queue_s      double precision CHECK (queue_s >= 0),
    push_s       double precision CHECK (push_s >= 0),
    visible_s    double precision CHECK (visible_s >= 0),
    stale_s      double precision NOT NULL DEFAULT 0 CHECK (stale_s >= 0),
    samples      jsonb NOT NULL DEFAULT '{}',
    in_use_hear_s  double precision CHECK (in_use_hear_s >= 0),
    in_use_show_s  double precision CHECK (in_use_show_s >= 0),
    measured_at  timestamptz NOT NULL
);
COMMENT ON TABLE lag IS 'how far each channel is behind: 99th percentiles of our own records; NULL was never measured';
COMMENT ON COLUMN lag.stale_s IS 'how long the channel has shown nothing of what it should, beyond its usual lag';
COMMENT ON COLUMN lag.in_use_hear_s IS 'what the buffers were last computed with; changed only when it moves by much';
"""

SCARCE = """
CREATE TABLE exposure (
    sku      text PRIMARY KEY REFERENCES sku (sku),
    scarce   text[] NOT NULL DEFAULT '{}',
    held     boolean NOT NULL DEFAULT false,
    short    jsonb NOT NULL DEFAULT '{}',
    since    timestamptz NOT NULL,
    look_at  timestamptz
);
COMMENT ON TABLE exposure IS 'SKUs divided into quotas, or to be looked at again when time passes';
COMMENT ON COLUMN exposure.scarce IS 'names of the zones that are divided into disjoint quotas';
COMMENT ON COLUMN exposure.held IS 'a number may not rise before another channel has been seen to let go';
COMMENT ON COLUMN exposure.short IS 'channel -> units of its floor that are not there';
CREATE INDEX exposure_held ON exposure (sku) WHERE held;
CREATE INDEX exposure_look ON exposure (look_at) WHERE look_at IS NOT NULL;
"""

HISTORY = """
CREATE TABLE target_history (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel       text NOT NULL,
    sku           text NOT NULL,
    location      text NOT NULL,
    number        bigint NOT NULL,
    units         bigint NOT NULL CHECK (units >= 0),
    rule_version  bigint NOT NULL,
    set_at        timestamptz NOT NULL,
    terms         jsonb NOT NULL
);
COMMENT ON TABLE target_history IS 'every target ever computed that differed from the one before, with its arithmetic';
CREATE UNIQUE INDEX target_history_of ON target_history (sku, channel, location, number);
CREATE INDEX target_history_set ON target_history USING brin (set_at) WITH (pages_per_range = 16);

ALTER TABLE shown
    ADD COLUMN missing bigint NOT NULL DEFAULT 0 CHECK (missing >= 0),
    ADD COLUMN missing_at timestamptz;
COMMENT ON COLUMN shown.missing IS
    'units a reading found gone and no order has told of yet; nobody''s until their orders are heard';
CREATE INDEX shown_missing ON shown (channel) WHERE missing > 0;

ALTER TABLE push ADD COLUMN due_since timestamptz, ADD COLUMN seen_at timestamptz;
COMMENT ON COLUMN push.due_since IS 'the oldest change that this number tells';
COMMENT ON COLUMN push.seen_at IS 'when a read-back first found the number that was confirmed';
-- What lags are measured from. These columns stay as written (since: hardly moves), so that updates stay on their page.
CREATE INDEX push_sent ON push (channel, sent_at);
CREATE INDEX push_due_oldest ON push_due (channel, since) WHERE NOT parked;
CREATE INDEX event_heard ON event (channel, recorded_at) WHERE kind = 'order';

CREATE TABLE rule_turn (
    at       timestamptz PRIMARY KEY,
    version  bigint NOT NULL REFERENCES rule_set (version)
);
COMMENT ON TABLE rule_turn IS 'moments at which the rules in force change by themselves: seasons begin and end';
"""

FIT = """
CREATE TABLE fit_look (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    looked_at  timestamptz NOT NULL
);
COMMENT ON TABLE fit_look IS 'one row: when somebody last looked whether the weights fit the demand';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON pace, exposure, rule_turn TO lockstep_app;
GRANT SELECT, INSERT, UPDATE ON lag, fit_look TO lockstep_app;
GRANT SELECT, INSERT ON target_history TO lockstep_app;
GRANT UPDATE (seen_at) ON push TO lockstep_app;
"""


def upgrade() -> None:
    """Add what exposure needs to know and remember."""
    for statements in (PACE, PACE_SO_FAR, LAG, SCARCE, HISTORY, FIT, GRANTS):
        op.execute(statements)
