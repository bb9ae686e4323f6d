"""What pages are read by: halts, pushes and deeds by what people ask for; sales and losses of a quarter."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"

# All halts of a SKU, lifted ones too; all pushes of a SKU on every channel; windows of every channel; how deeds ended.
ASKED = """
CREATE INDEX halt_of ON halt (sku, set_at);
CREATE INDEX push_told ON push (sku, sent_at);
CREATE INDEX run_windows ON run (window_at, channel) WHERE job = 'reconcile';
CREATE INDEX binding_held ON binding (channel, read_only);
CREATE INDEX deed_end_of ON deed_end (outcome, deed_id);
"""

# What was known at a moment is what is known now less what was booked since; block ranges cost ingest next to nothing.
BOOKED = """
CREATE INDEX posting_recorded ON posting USING brin (recorded_at) WITH (pages_per_range = 16, autosummarize = on);
"""

SOLD = """
CREATE TABLE sold (
    since        timestamptz NOT NULL,
    location     text NOT NULL REFERENCES location (location),
    units        bigint NOT NULL,
    sales        numeric NOT NULL,
    unpriced     bigint NOT NULL,
    added_up_at  timestamptz NOT NULL,
    PRIMARY KEY (since, location)
);
COMMENT ON TABLE sold IS 'net sales of a location in the quarter that began at since, as last added up';
COMMENT ON COLUMN sold.sales IS 'money of units whose price is known';
COMMENT ON COLUMN sold.unpriced IS 'units whose price is not known';
CREATE TABLE shrunk (
    since        timestamptz NOT NULL,
    location     text NOT NULL REFERENCES location (location),
    reason       text NOT NULL,
    lost         bigint NOT NULL,
    found        bigint NOT NULL,
    cost         numeric NOT NULL,
    uncosted     bigint NOT NULL,
    added_up_at  timestamptz NOT NULL,
    PRIMARY KEY (since, location, reason)
);
COMMENT ON TABLE shrunk IS 'what was lost and found in the quarter that began at since, as last added up';
COMMENT ON COLUMN shrunk.cost IS 'money of lost less found, of units whose cost is known';
COMMENT ON COLUMN shrunk.uncosted IS 'units of lost less found whose cost is not known';
"""

GRANTS = "GRANT SELECT, INSERT, DELETE ON sold, shrunk TO lockstep_app"


def upgrade() -> None:
    """Let pages of a large house answer at once."""
    for statements in (ASKED, BOOKED, SOLD, GRANTS):
        op.execute(statements)
