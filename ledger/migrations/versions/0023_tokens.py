"""Tokens that ended long ago, and that no deed names, may be forgotten."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"

NAMED = "CREATE INDEX deed_token ON deed (token_id) WHERE token_id IS NOT NULL"
GRANTS = "GRANT DELETE ON token TO lockstep_app"


def upgrade() -> None:
    """Let retention find the tokens that nothing speaks of."""
    op.execute(NAMED)
    op.execute(GRANTS)
