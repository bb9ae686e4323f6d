"""Vendors that were away and answer again: since when; and rows of daily work that may be forgotten."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

RETURNS = """
ALTER TABLE channel ADD COLUMN away_since timestamptz, ADD COLUMN back_at timestamptz;
COMMENT ON COLUMN channel.away_since IS 'calls fail since then; NULL: the last one was answered';
COMMENT ON COLUMN channel.back_at IS 'it answered again after it was away, and what had waited for it became due';
"""

# Never of the book, its trail, drifts and halts: those are what reports and explanations are made of.
FORGETS = """
GRANT DELETE ON run, alarm, incident, alert_post, push, target_history, receipt TO lockstep_app;
"""


def upgrade() -> None:
    """Let it be known when a vendor is back, and let what is over be forgotten."""
    op.execute(RETURNS)
    op.execute(FORGETS)
