"""What large readings are compared in, places that are looked at twice, and reads that do not wait for the window."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

RUNS = """
ALTER TABLE run
    ADD COLUMN fixed integer NOT NULL DEFAULT 0,
    ADD COLUMN overrun boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN run.fixed IS 'drifts that this run found to be over';
COMMENT ON COLUMN run.overrun IS 'it was still at work when its window had ended';
"""

# A crash of the server empties it: then whoever needs it reads again.
SNAPSHOT = """
DROP TABLE bulk_level;
CREATE UNLOGGED TABLE snapshot (
    channel      text NOT NULL,
    job          text NOT NULL,
    sku          text NOT NULL,
    location     text NOT NULL,
    units        bigint,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (channel, job, sku, location)
);
COMMENT ON TABLE snapshot IS
    'what a channel told of many places at once, in units of ours, until the job that asked has compared it';
"""

SECOND_LOOK = """
CREATE TABLE second_look (
    channel      text NOT NULL REFERENCES channel (channel),
    sku          text NOT NULL REFERENCES sku (sku),
    location     text NOT NULL REFERENCES location (location),
    window_at    timestamptz,
    units        bigint NOT NULL,
    updated_at   timestamptz,
    observed_at  timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    until_at     timestamptz NOT NULL,
    PRIMARY KEY (channel, sku, location)
);
COMMENT ON TABLE second_look IS
    'readings that differ and may only be ahead of the orders we know: judged when the orders up to them are heard';
COMMENT ON COLUMN second_look.until_at IS 'what may still be on its way excuses it until then, and no longer';
CREATE INDEX second_look_due ON second_look (channel, due_at);
"""

EARLY = """
CREATE TABLE early_read (
    channel       text NOT NULL REFERENCES channel (channel),
    sku           text NOT NULL REFERENCES sku (sku),
    runs_out_s    double precision NOT NULL CHECK (runs_out_s >= 0),
    every_s       double precision NOT NULL CHECK (every_s > 0),
    spike         boolean NOT NULL DEFAULT false,
    calm          integer NOT NULL DEFAULT 0 CHECK (calm >= 0),
    read_at       timestamptz,
    due_at        timestamptz NOT NULL,
    leased_until  timestamptz,
    reads         bigint NOT NULL DEFAULT 0,
    drifts        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, sku)
) WITH (fillfactor = 70);
COMMENT ON TABLE early_read IS 'SKUs that could sell out before the next window reads them: read again when due';
COMMENT ON COLUMN early_read.runs_out_s IS 'but for a small risk, what is shown lasts for so many seconds';
COMMENT ON COLUMN early_read.calm IS 'windows in which it needed no early read; after the second it goes';
CREATE INDEX early_read_due ON early_read (channel, due_at);

CREATE TABLE early_plan (
    channel     text PRIMARY KEY REFERENCES channel (channel),
    planned_at  timestamptz NOT NULL,
    not_before  timestamptz,
    failures    integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE early_plan IS 'when each channel was last looked through for SKUs that sell out soon';
COMMENT ON COLUMN early_plan.not_before IS 'the channel did not answer, or its limit is used up: no early read before';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON snapshot, second_look, early_read TO lockstep_app;
GRANT SELECT, INSERT, UPDATE ON early_plan TO lockstep_app;
"""


def upgrade() -> None:
    """Add what reading back often and at large needs."""
    for statements in (RUNS, SNAPSHOT, SECOND_LOOK, EARLY, GRANTS):
        op.execute(statements)
