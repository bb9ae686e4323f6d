"""Expected receipts, and requests to make or buy sooner."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# NOT VALID: the rows that are there obeyed a narrower list, so that nobody waits while they are read again.
KINDS = """
ALTER TABLE event DROP CONSTRAINT event_kind_check;
ALTER TABLE event ADD CONSTRAINT event_kind_check CHECK (kind IN (
    'order', 'order_cancel', 'return', 'receipt', 'transfer_ship', 'transfer_receive',
    'adjustment', 'write_off', 'count', 'reservation', 'release', 'ship', 'opening', 'reversal',
    'expected', 'pull_forward')) NOT VALID;
"""

SUPPLY = """
CREATE TABLE supply_line (
    reference       text NOT NULL CHECK (reference <> '' AND length(reference) <= 255),
    sku             text NOT NULL,
    location        text NOT NULL,
    expected_units  bigint NOT NULL DEFAULT 0 CHECK (expected_units >= 0),
    received_units  bigint NOT NULL DEFAULT 0 CHECK (received_units >= 0),
    due_at          timestamptz,
    revision        timestamptz,
    PRIMARY KEY (reference, sku, location),
    CHECK ((due_at IS NULL) = (revision IS NULL)),
    CHECK (revision IS NOT NULL OR expected_units = 0)
);
COMMENT ON TABLE supply_line IS
    'what has been posted for each line of supply: incoming is what is expected less what came (places: see balance)';
COMMENT ON COLUMN supply_line.received_units IS 'all that came and named it, whether it was expected or not';
CREATE INDEX supply_line_open ON supply_line (sku, location) WHERE expected_units > received_units;

-- What came before anybody told what to expect names its purchase order all the same.
INSERT INTO supply_line (reference, sku, location, received_units)
SELECT e.reference, p.sku, p.to_location, sum(p.units)
FROM event AS e JOIN posting AS p ON p.event_id = e.id
WHERE e.kind IN ('receipt', 'transfer_receive') AND e.reference <> '' AND length(e.reference) <= 255
  AND p.to_state = 'available' AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = e.id)
GROUP BY e.reference, p.sku, p.to_location;
"""

REQUESTS = """
CREATE TABLE pull_forward (
    sku       text NOT NULL REFERENCES sku (sku),
    location  text NOT NULL REFERENCES location (location),
    source    text NOT NULL CHECK (source <> ''),
    channel   text NOT NULL DEFAULT '',
    order_id  text NOT NULL DEFAULT '',
    line_id   text NOT NULL DEFAULT '',
    units     bigint NOT NULL CHECK (units >= 0),
    due_at    timestamptz NOT NULL,
    reason    text NOT NULL CHECK (reason <> ''),
    since     timestamptz NOT NULL,
    revision  timestamptz NOT NULL,
    PRIMARY KEY (sku, location, source, channel, order_id, line_id),
    CHECK ((channel = '') = (order_id = '') AND (channel = '') = (line_id = ''))
);
COMMENT ON TABLE pull_forward IS 'units asked to be made or bought sooner, as they stand; 0 units are needed no longer';
COMMENT ON COLUMN pull_forward.source IS 'who asks; each takes back what it asked for itself';
COMMENT ON COLUMN pull_forward.channel IS 'with order and line: for whom; empty where the location itself is short';
CREATE INDEX pull_forward_open ON pull_forward (due_at, sku) WHERE units > 0;

-- Places that were ever sold below zero. An index of `balance` by units would cost each of its updates a new index row.
CREATE INDEX posting_short ON posting (sku, from_location) WHERE from_state = 'available' AND from_after < 0;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON supply_line, pull_forward TO lockstep_app;
"""


def upgrade() -> None:
    """Let the book take what is expected, and remember it."""
    for statements in (KINDS, SUPPLY, REQUESTS, GRANTS):
        op.execute(statements)
