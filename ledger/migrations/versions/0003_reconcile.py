"""Runs of the clock, drift, halts, heartbeats and the audit trail."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

RUNS = """
CREATE TABLE run (
    job           text NOT NULL,
    channel       text NOT NULL,
    window_at     timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'running', 'done', 'missed', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,
    leased_until  timestamptz,
    started_at    timestamptz,
    finished_at   timestamptz,
    expected      integer NOT NULL DEFAULT 0,
    read          integer NOT NULL DEFAULT 0,
    unknown       integer NOT NULL DEFAULT 0,
    in_flight     integer NOT NULL DEFAULT 0,
    drifted       integer NOT NULL DEFAULT 0,
    repushed      integer NOT NULL DEFAULT 0,
    halted        integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    PRIMARY KEY (job, channel, window_at)
);
COMMENT ON TABLE run IS
    'one row per job, channel and window: two schedulers cannot run a window twice, a missing one is seen';
CREATE INDEX run_open ON run (job, window_at) WHERE state IN ('due', 'running');
"""

DRIFT = """
CREATE TABLE drift (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text NOT NULL,
    sku          text NOT NULL,
    location     text NOT NULL,
    window_at    timestamptz,
    expected     bigint NOT NULL,
    actual       bigint NOT NULL,
    delta        bigint GENERATED ALWAYS AS (actual - expected) STORED,
    cause        text NOT NULL,
    evidence     jsonb NOT NULL DEFAULT '{}',
    action       text NOT NULL,
    times        integer NOT NULL DEFAULT 1,
    seen_at      timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    resolved_at  timestamptz,
    result       text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX drift_open ON drift (channel, sku, location) WHERE resolved_at IS NULL;
CREATE INDEX drift_seen ON drift (seen_at);

CREATE TABLE halt (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text NOT NULL REFERENCES channel (channel),
    sku          text NOT NULL REFERENCES sku (sku),
    state        text NOT NULL DEFAULT 'setting' CHECK (state IN ('setting', 'set', 'lifting', 'lifted')),
    reason       text NOT NULL CHECK (reason <> ''),
    set_by       text NOT NULL CHECK (set_by <> ''),
    set_at       timestamptz NOT NULL,
    drift_id     bigint REFERENCES drift (id),
    undo         jsonb NOT NULL DEFAULT '{}',
    confirmed_at timestamptz,
    run_at       timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',
    lifted_by    text NOT NULL DEFAULT '',
    lift_reason  text NOT NULL DEFAULT '',
    lifted_at    timestamptz
);
COMMENT ON COLUMN halt.undo IS 'what was changed at the vendor by binding, so that lifting undoes exactly that';
CREATE UNIQUE INDEX halt_open ON halt (channel, sku) WHERE state <> 'lifted';
"""

TRAIL = """
CREATE TABLE heartbeat (
    queue    text PRIMARY KEY,
    seen_at  timestamptz NOT NULL,
    worker   text NOT NULL DEFAULT ''
);
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text NOT NULL CHECK (actor <> ''),
    action  text NOT NULL,
    object  text NOT NULL,
    reason  text NOT NULL DEFAULT '',
    detail  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_object ON audit (object, at);
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON run, drift, halt, heartbeat TO lockstep_app;
GRANT SELECT, INSERT ON audit TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of reconcile."""
    for statements in (RUNS, DRIFT, TRAIL, GRANTS):
        op.execute(statements)
