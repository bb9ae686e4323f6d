"""Halts of many SKUs at once, until when a halt stands, and which read-backs go first."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

HALTS = """
ALTER TABLE halt
    ADD COLUMN own boolean NOT NULL DEFAULT true,
    ADD COLUMN until_at timestamptz,
    ADD COLUMN call_at timestamptz;
COMMENT ON COLUMN halt.own IS 'wanted for itself, by the rule or a person; false: only scopes hold it';
COMMENT ON COLUMN halt.until_at IS 'whoever set it wants it lifted then; NULL: until it is lifted';
COMMENT ON COLUMN halt.call_at IS 'if it still stands then, somebody is called';
CREATE INDEX halt_work ON halt (channel, own DESC, run_at) WHERE state IN ('setting', 'lifting');
CREATE INDEX halt_until ON halt (until_at) WHERE until_at IS NOT NULL AND state <> 'lifted';
CREATE INDEX halt_own ON halt (set_at) WHERE own AND state <> 'lifted';
"""

SCOPES = """
CREATE TABLE halt_scope (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text REFERENCES channel (channel),
    location        text REFERENCES location (location),
    sku             text REFERENCES sku (sku),
    reason          text NOT NULL CHECK (reason <> ''),
    set_by          text NOT NULL CHECK (set_by <> ''),
    set_at          timestamptz NOT NULL,
    until_at        timestamptz,
    filled_through  text NOT NULL DEFAULT '',
    filled_at       timestamptz,
    lifted_by       text NOT NULL DEFAULT '',
    lift_reason     text NOT NULL DEFAULT '',
    lifted_at       timestamptz,
    ended_at        timestamptz CHECK (ended_at IS NULL OR lifted_at IS NOT NULL)
);
COMMENT ON TABLE halt_scope IS 'a halt of many: NULL in channel, location or sku is any; all three NULL is everything';
COMMENT ON COLUMN halt_scope.filled_through IS 'the SKU up to which its halts are set';
COMMENT ON COLUMN halt_scope.filled_at IS 'when all of them were set; what is listed later is looked for again';
COMMENT ON COLUMN halt_scope.ended_at IS 'when the last of its halts was let go';
CREATE UNIQUE INDEX halt_scope_open ON halt_scope (coalesce(channel, ''), coalesce(location, ''), coalesce(sku, ''))
    WHERE lifted_at IS NULL;
CREATE INDEX halt_scope_ending ON halt_scope (id) WHERE lifted_at IS NOT NULL AND ended_at IS NULL;

CREATE TABLE halt_hold (
    halt_id   bigint NOT NULL REFERENCES halt (id),
    scope_id  bigint NOT NULL REFERENCES halt_scope (id),
    ended_at  timestamptz,
    PRIMARY KEY (halt_id, scope_id)
);
COMMENT ON TABLE halt_hold IS 'which scope holds which halt; one that none holds and nobody wants for itself is lifted';
CREATE INDEX halt_hold_open ON halt_hold (scope_id, halt_id) WHERE ended_at IS NULL;
"""

# Each row stands in one of the two: what must be read back, and the sample of the rest.
READ_BACKS = """
ALTER TABLE shown ADD COLUMN verify_first boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN shown.verify_first IS 'false: of the sample, which waits for pushes and may be left to the window';
DROP INDEX shown_verify;
CREATE INDEX shown_verify ON shown (channel, verify_at) WHERE verify_at IS NOT NULL AND verify_first;
CREATE INDEX shown_sample ON shown (channel, verify_at) WHERE verify_at IS NOT NULL AND NOT verify_first;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON halt_scope TO lockstep_app;
GRANT SELECT, INSERT ON halt_hold TO lockstep_app;
GRANT UPDATE (ended_at) ON halt_hold TO lockstep_app;
"""


def upgrade() -> None:
    """Let halts be set by scope, and read-backs be ordered."""
    for statements in (HALTS, SCOPES, READ_BACKS, GRANTS):
        op.execute(statements)
