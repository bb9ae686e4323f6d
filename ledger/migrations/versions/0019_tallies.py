"""What metrics count: sums that only rise, and how far the tables have been counted; indexes to count by time."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"

TALLIES = """
CREATE TABLE tally (
    name     text NOT NULL CHECK (name <> ''),
    channel  text NOT NULL,
    part     text NOT NULL DEFAULT '',
    le       double precision NOT NULL,
    count    bigint NOT NULL,
    total    double precision NOT NULL,
    PRIMARY KEY (name, channel, part, le)
);
COMMENT ON TABLE tally IS 'sums of metrics since they were first asked for; they only rise';
COMMENT ON COLUMN tally.part IS 'the second label: a cause, a location, a direction';
COMMENT ON COLUMN tally.le IS 'upper bound of the bucket, Infinity for the last and for what has no buckets';
COMMENT ON COLUMN tally.count IS 'of this bucket alone';

CREATE TABLE tally_mark (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    through  timestamptz NOT NULL
);
COMMENT ON TABLE tally_mark IS 'what happened up to here is in the tallies, each row once';
"""

# Block ranges cost a writer next to nothing, and leave updates of a page inside it.
BY_TIME = """
CREATE INDEX push_answered ON push USING brin (answered_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX drift_resolved ON drift USING brin (resolved_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX halt_lifted ON halt USING brin (lifted_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX run_finished ON run USING brin (finished_at) WITH (pages_per_range = 16, autosummarize = on);
"""

GRANTS = "GRANT SELECT, INSERT, UPDATE ON tally, tally_mark TO lockstep_app"


def upgrade() -> None:
    """Let metrics be counted once, whoever asks for them."""
    for statements in (TALLIES, BY_TIME, GRANTS):
        op.execute(statements)
