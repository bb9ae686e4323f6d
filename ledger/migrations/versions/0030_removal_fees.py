"""What a unit weighs, and what a removal from Amazon's network costs, kept with how each SKU stands."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"

FEES = """
ALTER TABLE sku_size ADD COLUMN pounds numeric(14, 6) CHECK (pounds > 0);
ALTER TABLE fba_size ADD COLUMN pounds numeric(14, 6) CHECK (pounds > 0);
ALTER TABLE fba_standing ADD COLUMN fee numeric(14, 2), ADD COLUMN net numeric(14, 2);
COMMENT ON COLUMN sku_size.pounds IS 'that a unit of ours weighs; NULL: nobody said';
COMMENT ON COLUMN fba_size.pounds IS 'that one of Amazon''s units weighs, as Amazon weighed it; NULL: it did not';
COMMENT ON COLUMN fba_standing.saved IS 'storage and surcharges of twelve months that the removal saves';
COMMENT ON COLUMN fba_standing.fee IS 'for taking removal_units out; NULL: the weight is not known';
COMMENT ON COLUMN fba_standing.net IS 'saved less fee';
"""


def upgrade() -> None:
    """Let a removal be held against its fee; yesterday's code leaves the new columns empty."""
    op.execute(FEES)
