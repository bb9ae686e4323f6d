"""What to send into Amazon's network, kept with how each SKU stands."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"

SEND_IN = """
ALTER TABLE fba_standing
    ADD COLUMN send_units bigint NOT NULL DEFAULT 0,
    ADD COLUMN send_cartons bigint NOT NULL DEFAULT 0,
    ADD COLUMN send_from jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN short_units bigint NOT NULL DEFAULT 0,
    ADD COLUMN short_why text NOT NULL DEFAULT '';
COMMENT ON COLUMN fba_standing.send_from IS 'location -> units of ours, each a line of the shipment that leaves there';
COMMENT ON COLUMN fba_standing.short_units IS 'wanted beyond that; short_why: what stands in the way';
"""


def upgrade() -> None:
    """Let a page show the last proposal without making one."""
    op.execute(SEND_IN)
