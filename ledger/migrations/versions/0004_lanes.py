"""What four lanes need: packs and bundles, who may write, receipts of calls that are answered later, order polls."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

# Channels that are here already write already; a new one begins without.
CHANNEL = """
ALTER TABLE channel
    ADD COLUMN writes boolean NOT NULL DEFAULT true,
    ADD COLUMN orders_asked_at timestamptz,
    ADD COLUMN orders_asked_last timestamptz,
    ADD COLUMN hook_uri text NOT NULL DEFAULT '';
ALTER TABLE channel ALTER COLUMN writes SET DEFAULT false;
COMMENT ON COLUMN channel.writes IS 'whether anything may be changed there; its certificate switches it on';
COMMENT ON COLUMN channel.orders_asked_at IS 'a notification named orders without telling them: ask the order API';
COMMENT ON COLUMN channel.orders_asked_last IS 'the newest of them is answered by a poll that begins after this';
COMMENT ON COLUMN channel.hook_uri IS 'where the vendor sends its notifications; empty before anybody asked';
"""

LISTINGS = """
ALTER TABLE binding
    ADD COLUMN pack integer NOT NULL DEFAULT 1 CHECK (pack BETWEEN 1 AND 1000000),
    ADD COLUMN read_only boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN binding.read_only IS 'the channel holds this stock itself (Amazon FBA): nothing is pushed';
COMMENT ON COLUMN binding.pack IS 'units of ours in one of the vendor''s';

CREATE TABLE bundle (
    sku        text NOT NULL REFERENCES sku (sku),
    component  text NOT NULL REFERENCES sku (sku),
    units      integer NOT NULL CHECK (units BETWEEN 1 AND 1000000),
    PRIMARY KEY (sku, component),
    CHECK (sku <> component)
);
COMMENT ON TABLE bundle IS 'a SKU without stock of its own: what one of it takes from its components';
CREATE INDEX bundle_component ON bundle (component);
"""

RECEIPT = """
CREATE TABLE receipt (
    channel      text NOT NULL REFERENCES channel (channel),
    receipt      text NOT NULL,
    push_key     text NOT NULL,
    rows         jsonb NOT NULL,
    sent_at      timestamptz NOT NULL,
    check_at     timestamptz NOT NULL,
    deadline_at  timestamptz NOT NULL,
    checks       integer NOT NULL DEFAULT 0,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'answered', 'stuck')),
    settled_at   timestamptz,
    PRIMARY KEY (channel, receipt)
);
COMMENT ON TABLE receipt IS 'calls that the vendor took in and answers later; stuck ones are read back instead';
CREATE INDEX receipt_waiting ON receipt (channel, check_at) WHERE state = 'waiting';
"""

CERTIFICATE = """
CREATE TABLE certificate (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text NOT NULL REFERENCES channel (channel),
    begun_at     timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    passed       boolean NOT NULL,
    approved_by  text NOT NULL CHECK (approved_by <> ''),
    report       jsonb NOT NULL,
    signature    text NOT NULL
);
COMMENT ON TABLE certificate IS 'every go-live test of a channel; the newest one decides whether it may write';
CREATE INDEX certificate_of ON certificate (channel, id);
"""

BULK = """
CREATE TABLE bulk_read (
    channel       text PRIMARY KEY REFERENCES channel (channel),
    operation_id  text NOT NULL,
    begun_at      timestamptz NOT NULL
);
COMMENT ON TABLE bulk_read IS 'the export of its whole catalogue that a channel is writing for us';

CREATE TABLE bulk_level (
    channel             text NOT NULL REFERENCES channel (channel),
    item_id             text NOT NULL,
    vendor_location_id  text NOT NULL,
    units               bigint,
    changed_at          timestamptz NOT NULL,
    PRIMARY KEY (channel, item_id, vendor_location_id)
);
COMMENT ON TABLE bulk_level IS 'what that export said, in the vendor''s units, until it is judged';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON bundle TO lockstep_app;
GRANT SELECT, INSERT, UPDATE ON receipt TO lockstep_app;
GRANT SELECT, INSERT ON certificate TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON bulk_read, bulk_level TO lockstep_app;
"""


def upgrade() -> None:
    """Extend the tables of channels and pushes."""
    for statements in (CHANNEL, LISTINGS, RECEIPT, CERTIFICATE, BULK, GRANTS):
        op.execute(statements)
