"""Processes whose machine's clock differs from the database's."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"

CLOCKS = """
CREATE TABLE clock_off (
    process text PRIMARY KEY,
    ahead_s double precision NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE clock_off IS 'who is right has no row; one that is not seen any more has ended';
COMMENT ON COLUMN clock_off.ahead_s IS 'of the database; below zero: behind';
GRANT SELECT, INSERT, UPDATE, DELETE ON clock_off TO lockstep_app;
"""


def upgrade() -> None:
    """Let an alert name a machine whose clock is wrong."""
    op.execute(CLOCKS)
