"""How far the walk through the old rows of a table has come, so that the next one goes on there."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"

WALKS = """
CREATE TABLE retention_walk (
    walked   text PRIMARY KEY CHECK (walked <> ''),
    through  bigint NOT NULL CHECK (through >= 0)
);
COMMENT ON TABLE retention_walk IS 'per table, up to which id old rows were looked at; 0: the next walk begins anew';
GRANT SELECT, INSERT, UPDATE ON retention_walk TO lockstep_app;
"""


def upgrade() -> None:
    """Let a walk go on where the one before it ended."""
    op.execute(WALKS)
