"""Counting: what counts came to, tiers, recount orders, what a unit is worth."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

VARIANCES = """
CREATE TABLE count_variance (
    event_id    uuid PRIMARY KEY REFERENCES event (id),
    sku         text NOT NULL,
    location    text NOT NULL,
    counted_at  timestamptz NOT NULL,
    counted     bigint NOT NULL CHECK (counted >= 0),
    position    bigint NOT NULL,
    moves       bigint NOT NULL CHECK (moves >= 0),
    sigma       float8 NOT NULL CHECK (sigma >= 1),
    tier        text NOT NULL CHECK (tier IN ('A', 'B', 'C')),
    within      boolean NOT NULL,
    reason      text NOT NULL DEFAULT '',
    recount     boolean NOT NULL,
    undone      boolean NOT NULL
);
COMMENT ON TABLE count_variance IS 'each count as the book knows it by now; derived from the book';
COMMENT ON COLUMN count_variance.position IS 'units the book said at its minute, with what was told of that time since';
COMMENT ON COLUMN count_variance.sigma IS 'units such a count is usually off by, as history said when it was seen';
COMMENT ON COLUMN count_variance.tier IS 'of the place when it was counted';
COMMENT ON COLUMN count_variance.recount IS 'it answered an order, or was a pick that failed: no sample of the house';
COMMENT ON COLUMN count_variance.undone IS 'it was reversed';
CREATE INDEX count_variance_place ON count_variance (sku, location, counted_at);
CREATE INDEX count_variance_location ON count_variance (location, counted_at);
CREATE INDEX count_variance_reason ON count_variance (reason, counted_at);

-- What the look at counts follows in the book: as few rows as there are counts and corrections.
CREATE INDEX event_counts ON event (id) WHERE kind IN ('count', 'reversal');
CREATE INDEX posting_shrinkage ON posting (occurred_at)
    WHERE from_state IN ('loss', 'found') OR to_state IN ('loss', 'found');

CREATE TABLE count_look (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen       uuid NOT NULL,
    looked_at  timestamptz NOT NULL,
    tiers_at   timestamptz
);
COMMENT ON TABLE count_look IS 'how far counts were followed in the book, and when tiers were found';
"""

ORDERS = """
CREATE TABLE count_tier (
    location     text NOT NULL REFERENCES location (location),
    sku          text NOT NULL REFERENCES sku (sku),
    tier         text NOT NULL CHECK (tier IN ('A', 'B', 'C')),
    since        timestamptz NOT NULL,
    lower_since  timestamptz,
    PRIMARY KEY (location, sku)
);
COMMENT ON COLUMN count_tier.lower_since IS 'it would belong to a lower tier since then';

CREATE TABLE count_order (
    rule          text NOT NULL CHECK (rule <> ''),
    object        text NOT NULL CHECK (object <> ''),
    sku           text NOT NULL REFERENCES sku (sku),
    location      text NOT NULL REFERENCES location (location),
    since         timestamptz NOT NULL,
    sound_at      timestamptz,
    missing       bigint NOT NULL DEFAULT 0 CHECK (missing >= 0),
    ordered_at    timestamptz NOT NULL,
    ordered_by    text NOT NULL CHECK (ordered_by <> ''),
    reason        text NOT NULL DEFAULT '',
    withdrawn_at  timestamptz,
    PRIMARY KEY (sku, location, rule, object, since)
);
COMMENT ON TABLE count_order IS 'places to be counted again: the next count after `since` answers';
COMMENT ON COLUMN count_order.rule IS 'of the alarm it belongs to, or failed_pick, or person';
COMMENT ON COLUMN count_order.sound_at IS 'the last count before it that nobody doubts; NULL: there is none';
COMMENT ON COLUMN count_order.missing IS 'units found missing since then';
COMMENT ON COLUMN count_order.withdrawn_at IS 'its cause is gone: a count was reversed, or corrected by what came late';
CREATE INDEX count_order_object ON count_order (rule, object) WHERE withdrawn_at IS NULL;

CREATE VIEW count_open AS
SELECT o.rule, o.object, o.sku, o.location, o.since, o.sound_at, o.missing, o.ordered_at, o.ordered_by, o.reason
FROM count_order AS o
WHERE o.withdrawn_at IS NULL AND NOT EXISTS (
    SELECT FROM count_mark AS m
    WHERE m.sku = o.sku AND m.location = o.location AND m.counted_at > o.since
      AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = m.event_id)
);
COMMENT ON VIEW count_open IS 'recount orders that no count has answered yet';
"""

WORTH = """
CREATE TABLE sku_worth (
    sku     text PRIMARY KEY REFERENCES sku (sku),
    cost    numeric(16, 4) CHECK (cost >= 0),
    price   numeric(16, 4) CHECK (price >= 0),
    set_at  timestamptz NOT NULL,
    set_by  text NOT NULL CHECK (set_by <> '')
);
COMMENT ON TABLE sku_worth IS 'what a unit costs and is sold for, in the money of the house; NULL: not known';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON count_variance, count_look, count_tier, sku_worth TO lockstep_app;
GRANT SELECT, INSERT ON count_order TO lockstep_app;
GRANT UPDATE (sound_at, missing, withdrawn_at) ON count_order TO lockstep_app;
GRANT SELECT ON count_open TO lockstep_app;
"""


def upgrade() -> None:
    """Let counts be judged, ordered and valued."""
    for statements in (VARIANCES, ORDERS, WORTH, GRANTS):
        op.execute(statements)
