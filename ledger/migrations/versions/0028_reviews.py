"""Reviews of a span as they were made: they take a while, and are read more often."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"

REVIEWS = """
CREATE TABLE review (
    since    date NOT NULL,
    until    date NOT NULL CHECK (until > since),
    made_at  timestamptz NOT NULL,
    made_by  text NOT NULL CHECK (made_by <> ''),
    content  jsonb NOT NULL,
    PRIMARY KEY (since, until)
);
COMMENT ON TABLE review IS 'what a span of days came to, as last looked at; until is the first day that is not in it';
CREATE INDEX review_made ON review (made_at);
GRANT SELECT, INSERT, UPDATE ON review TO lockstep_app;
"""


def upgrade() -> None:
    """Let reviews be kept."""
    op.execute(REVIEWS)
