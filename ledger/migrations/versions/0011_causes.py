"""Evidence of causes, places in quarantine, and who owns what keeps drifting."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

# Rows come in the order of their time, so that a range index of a few pages finds what came within a minute.
EVIDENCE = """
ALTER TABLE drift ADD COLUMN look_again_at timestamptz;
COMMENT ON COLUMN drift.look_again_at IS 'only time tells late_event from unledgered_sale: named for good then';
CREATE INDEX drift_look_again ON drift (look_again_at) WHERE look_again_at IS NOT NULL;
CREATE INDEX inbox_received ON inbox USING brin (received_at) WITH (pages_per_range = 16);
"""

QUARANTINE = """
CREATE TABLE quarantine (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text NOT NULL REFERENCES channel (channel),
    sku             text NOT NULL REFERENCES sku (sku),
    location        text NOT NULL REFERENCES location (location),
    cause           text NOT NULL,
    reason          text NOT NULL CHECK (reason <> ''),
    drift_id        bigint REFERENCES drift (id),
    since           timestamptz NOT NULL,
    released_at     timestamptz,
    released_by     text NOT NULL DEFAULT '',
    release_reason  text NOT NULL DEFAULT '',
    CHECK ((released_at IS NULL) = (released_by = ''))
);
COMMENT ON TABLE quarantine IS 'places that pushing again did not cure: left alone until a person has looked';
CREATE UNIQUE INDEX quarantine_open ON quarantine (channel, sku, location) WHERE released_at IS NULL;
"""

OWNERS = """
CREATE TABLE debt_owner (
    channel  text NOT NULL DEFAULT '',
    cause    text NOT NULL DEFAULT '',
    owner    text NOT NULL CHECK (owner <> ''),
    set_at   timestamptz NOT NULL,
    set_by   text NOT NULL CHECK (set_by <> ''),
    PRIMARY KEY (channel, cause)
);
COMMENT ON TABLE debt_owner IS 'who mends what keeps drifting; empty means any, and the closest row says it';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON quarantine TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON debt_owner TO lockstep_app;
"""


def upgrade() -> None:
    """Add what causes, quarantine and debt are kept in."""
    for statements in (EVIDENCE, QUARANTINE, OWNERS, GRANTS):
        op.execute(statements)
