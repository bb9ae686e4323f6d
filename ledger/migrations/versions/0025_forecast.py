"""What will be wanted and when to order: runs that go on where they were, what they came to, suppliers' terms."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"

RUNS = """
CREATE TABLE forecast_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    until_day   date NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('reading', 'forecasting', 'done')),
    after_sku   text NOT NULL DEFAULT '',
    of_skus     bigint NOT NULL,
    skus        bigint NOT NULL DEFAULT 0,
    places      bigint NOT NULL DEFAULT 0,
    learned     jsonb,
    began_at    timestamptz NOT NULL,
    moved_at    timestamptz NOT NULL,
    ended_at    timestamptz
);
COMMENT ON TABLE forecast_run IS 'a run over the whole catalogue; one that is not done goes on where it was';
COMMENT ON COLUMN forecast_run.until_day IS 'the first day (UTC) that is not counted';
COMMENT ON COLUMN forecast_run.after_sku IS 'of its stage everything up to here is done';
COMMENT ON COLUMN forecast_run.learned IS 'what all places together teach: weights of models, spread of errors';
CREATE UNIQUE INDEX forecast_run_one ON forecast_run ((true)) WHERE stage <> 'done';

CREATE TABLE demand_weeks (
    sku         text NOT NULL REFERENCES sku (sku),
    location    text NOT NULL REFERENCES location (location),
    run_id      bigint NOT NULL,
    until_day   date NOT NULL,
    weeks       float8[] NOT NULL,
    per_day     float8 NOT NULL,
    sd_per_day  float8 NOT NULL,
    left_out    text[] NOT NULL,
    PRIMARY KEY (sku, location)
);
COMMENT ON TABLE demand_weeks IS 'masked demand of each place, all channels together, as the newest run read it';
COMMENT ON COLUMN demand_weeks.weeks IS 'units, the newest last, ending before until_day; NULL: nothing can be said';

CREATE TABLE forecast (
    run_id        bigint NOT NULL REFERENCES forecast_run (id) ON DELETE CASCADE,
    sku           text NOT NULL REFERENCES sku (sku),
    location      text NOT NULL REFERENCES location (location),
    until_day     date NOT NULL,
    kind          text,
    model         text NOT NULL,
    weights       jsonb NOT NULL,
    scores        jsonb NOT NULL,
    folds         integer NOT NULL,
    horizon_days  float8 NOT NULL,
    per_day       float8 NOT NULL,
    sd_per_day    float8 NOT NULL,
    sd_per_week   float8 NOT NULL,
    units         float8 NOT NULL,
    quantiles     jsonb NOT NULL,
    PRIMARY KEY (run_id, sku, location)
);
CREATE INDEX forecast_of ON forecast (sku, location, run_id);
COMMENT ON TABLE forecast IS 'what a run says will be wanted of each place; the newest run that is done holds';
COMMENT ON COLUMN forecast.units IS 'mean units wanted in horizon_days (lead time and review)';
COMMENT ON COLUMN forecast.sd_per_week IS 'of what weeks missed their forecast by';
COMMENT ON COLUMN forecast.quantiles IS 'chance -> units that are enough in horizon_days';
COMMENT ON COLUMN forecast.scores IS 'model -> rmsse, bias, sum_error, each tried at moments of its own past';
"""

TERMS = """
CREATE TABLE buy_terms (
    scope         text NOT NULL CHECK (scope IN ('house', 'supplier', 'sku')),
    name          text NOT NULL,
    supplier      text,
    pack          bigint CHECK (pack >= 1),
    minimum       bigint CHECK (minimum >= 0),
    lead_days     float8 CHECK (lead_days >= 0),
    lead_sd_days  float8 CHECK (lead_sd_days >= 0),
    review_days   float8 CHECK (review_days > 0),
    service       float8 CHECK (service > 0 AND service < 1),
    order_cost    numeric(16, 4) CHECK (order_cost >= 0),
    holding       float8 CHECK (holding > 0),
    set_by        text NOT NULL CHECK (set_by <> ''),
    set_at        timestamptz NOT NULL,
    PRIMARY KEY (scope, name),
    CHECK ((scope = 'house') = (name = '')),
    CHECK (supplier IS NULL OR (scope = 'sku' AND supplier <> ''))
);
CREATE INDEX buy_terms_supplier ON buy_terms (supplier) WHERE supplier IS NOT NULL;
COMMENT ON TABLE buy_terms IS
    'what is ordered by: the SKU''s own, then its supplier''s, then the house''s; NULL: the next';
COMMENT ON COLUMN buy_terms.service IS 'part of replenishment cycles (0 to 1) that must not run out';
COMMENT ON COLUMN buy_terms.holding IS 'what keeping a unit for a year costs, as part of what the unit costs';
"""

LEVELS = """
CREATE TABLE reorder_level (
    sku            text NOT NULL REFERENCES sku (sku),
    location       text NOT NULL REFERENCES location (location),
    run_id         bigint NOT NULL,
    supplier       text,
    pack           bigint NOT NULL,
    minimum        bigint NOT NULL,
    service        float8 NOT NULL,
    review_days    float8 NOT NULL,
    lead_days      float8 NOT NULL,
    lead_sd_days   float8 NOT NULL,
    lead_receipts  integer NOT NULL,
    per_day        float8 NOT NULL,
    wanted_units   float8 NOT NULL,
    wanted_sd      float8 NOT NULL,
    shape          text NOT NULL,
    kind           text,
    model          text NOT NULL,
    folds          integer NOT NULL,
    reorder_point  bigint NOT NULL,
    order_up_to    bigint NOT NULL,
    lot_units      bigint NOT NULL,
    lost_per_hour  float8,
    tier           text NOT NULL CHECK (tier IN ('A', 'B', 'C')),
    look_at        timestamptz NOT NULL,
    low_since      timestamptz,
    PRIMARY KEY (sku, location)
);
CREATE INDEX reorder_level_look ON reorder_level (look_at);
CREATE INDEX reorder_level_low ON reorder_level (low_since) WHERE low_since IS NOT NULL;
COMMENT ON TABLE reorder_level IS
    'when to order of each place and up to how much, by the newest run and the terms of now';
COMMENT ON COLUMN reorder_level.wanted_units IS 'mean units wanted until an order of today is there';
COMMENT ON COLUMN reorder_level.lost_per_hour IS 'money an hour without it costs; NULL: its price is not known';
COMMENT ON COLUMN reorder_level.tier IS 'by lost_per_hour: A is looked at most often';
COMMENT ON COLUMN reorder_level.low_since IS 'at the reorder point or below since then, as last looked at';

CREATE TABLE velocity_tier (
    sku          text PRIMARY KEY REFERENCES sku (sku),
    tier         text NOT NULL CHECK (tier IN ('A', 'B', 'C')),
    since        timestamptz NOT NULL,
    lower_since  timestamptz,
    per_day      float8 NOT NULL
);
COMMENT ON TABLE velocity_tier IS 'A the few SKUs that make most of the units; up at once, down after two weeks';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON forecast_run, demand_weeks, forecast, buy_terms, reorder_level, velocity_tier
    TO lockstep_app;
"""


def upgrade() -> None:
    """Keep what is forecast, what it was learned from, and what is ordered by."""
    for statements in (RUNS, TERMS, LEVELS, GRANTS):
        op.execute(statements)
