"""Where what is followed by a trace goes on: a row of the step before, for the step that takes the work up."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"

# After a crash a trace that was under way is worth nothing, and nothing but traces is kept here.
TRAILS = """
CREATE UNLOGGED TABLE trail (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    step         text NOT NULL CHECK (step IN ('allocate', 'push', 'read back')),
    channel      text NOT NULL DEFAULT '',
    sku          text NOT NULL,
    location     text NOT NULL DEFAULT '',
    number       bigint NOT NULL DEFAULT 0,
    traceparent  text NOT NULL,
    at           timestamptz NOT NULL
);
COMMENT ON TABLE trail IS 'spans whose work goes on in another process; written only while traces are on';
COMMENT ON COLUMN trail.step IS 'what takes it up, and takes the row away';
COMMENT ON COLUMN trail.number IS 'of the target that is to be pushed or read back';
COMMENT ON COLUMN trail.traceparent IS 'the span, as W3C Trace Context writes it';
CREATE INDEX trail_of ON trail (step, sku, channel, location);
CREATE INDEX trail_at ON trail (at);
"""

GRANTS = "GRANT SELECT, INSERT, DELETE ON trail TO lockstep_app"


def upgrade() -> None:
    """Let a trace go from process to process as work does, by rows."""
    for statements in (TRAILS, GRANTS):
        op.execute(statements)
