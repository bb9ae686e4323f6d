"""A vendor that was away and answers again: since when, so that what waited for it goes out before it is judged."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

RETURNS = """
ALTER TABLE channel ADD COLUMN away_since timestamptz, ADD COLUMN back_at timestamptz;
COMMENT ON COLUMN channel.away_since IS 'calls fail since then; NULL: the last one was answered';
COMMENT ON COLUMN channel.back_at IS 'it answered again after it was away, and what had waited for it became due';
"""


def upgrade() -> None:
    """Let it be known when a vendor is back."""
    op.execute(RETURNS)
