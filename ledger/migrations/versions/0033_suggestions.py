"""Suggestions that somebody dismissed, and since when what is proposed at Amazon has been proposed."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"

DISMISSED = """
CREATE TABLE suggestion_dismissed (
    kind          text NOT NULL CHECK (kind <> ''),
    object        text NOT NULL CHECK (object <> ''),
    dismissed_at  timestamptz NOT NULL,
    dismissed_by  text NOT NULL CHECK (dismissed_by <> ''),
    reason        text NOT NULL CHECK (reason <> ''),
    PRIMARY KEY (kind, object, dismissed_at)
);
COMMENT ON TABLE suggestion_dismissed IS
    'what was suggested and is not wanted, by whom and why; it holds until the suggestion has gone and comes anew';
GRANT SELECT, INSERT ON suggestion_dismissed TO lockstep_app;
"""

SINCE = """
ALTER TABLE fba_standing ADD COLUMN removal_since timestamptz, ADD COLUMN send_since timestamptz;
COMMENT ON COLUMN fba_standing.removal_since IS 'since when each daily look has found units to take out';
COMMENT ON COLUMN fba_standing.send_since IS 'since when each daily look has found units to send in';
"""


def upgrade() -> None:
    """Let a review tell what was suggested and left, and for how long."""
    op.execute(DISMISSED)
    op.execute(SINCE)
