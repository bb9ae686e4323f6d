"""How late it has been: a database's clock that was ahead and is put back is known by that."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"

MARK = """
CREATE TABLE clock_mark (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    newest       timestamptz NOT NULL,
    looked_at    timestamptz NOT NULL,
    put_back_at  timestamptz
);
COMMENT ON COLUMN clock_mark.newest IS 'the latest that a sweep has known it to be';
COMMENT ON COLUMN clock_mark.looked_at IS 'when every table was looked through for times of the future';
COMMENT ON COLUMN clock_mark.put_back_at IS 'when a sweep last found such';
GRANT SELECT, INSERT, UPDATE ON clock_mark TO lockstep_app;
"""

# A call that was sent by such a clock would be younger than every reading until its hour comes, and a trial too young
# to tell of whoever died in it.
TAKEN_BACK = """
GRANT UPDATE (sent_at) ON push TO lockstep_app;
GRANT UPDATE (begun_at) ON trial TO lockstep_app;
"""


def upgrade() -> None:
    """Let a sweep find a clock that was ahead, whatever it has stamped."""
    op.execute(MARK)
    op.execute(TAKEN_BACK)
