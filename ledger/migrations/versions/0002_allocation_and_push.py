"""Channels and their bindings; rules, targets, what is shown, and the pushes between them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

CHANNELS = """
CREATE TABLE channel (
    channel      text PRIMARY KEY CHECK (channel ~ '^[a-z][a-z0-9_-]{0,63}$'),
    kind         text NOT NULL,
    base_url     text NOT NULL,
    account      text NOT NULL DEFAULT '',
    options      jsonb NOT NULL DEFAULT '{}',
    paused       boolean NOT NULL DEFAULT false,
    paused_by    text NOT NULL DEFAULT '',
    paused_why   text NOT NULL DEFAULT '',
    next_call_at timestamptz,
    orders_mark  timestamptz,
    CHECK (NOT paused OR paused_why <> '')
);
COMMENT ON COLUMN channel.account IS 'the vendor''s name of the account: the shop domain, the seller id';
COMMENT ON COLUMN channel.next_call_at IS 'nothing is sent before: the vendor throttled us, or is away';
COMMENT ON COLUMN channel.orders_mark IS 'orders of the channel changed before this moment are in the inbox';

CREATE TABLE channel_location (
    channel             text NOT NULL REFERENCES channel (channel),
    vendor_location_id  text NOT NULL,
    location            text NOT NULL REFERENCES location (location),
    PRIMARY KEY (channel, vendor_location_id)
);

CREATE TABLE binding (
    channel             text NOT NULL REFERENCES channel (channel),
    sku                 text NOT NULL REFERENCES sku (sku),
    location            text NOT NULL REFERENCES location (location),
    item_id             text NOT NULL,
    vendor_location_id  text NOT NULL,
    variant_id          text NOT NULL DEFAULT '',
    product_id          text NOT NULL DEFAULT '',
    level_id            text NOT NULL DEFAULT '',
    PRIMARY KEY (channel, sku, location),
    UNIQUE (channel, item_id, vendor_location_id)
);
COMMENT ON TABLE binding IS 'our SKU and location on a channel, and the vendor''s names for them';
CREATE INDEX binding_variant ON binding (channel, variant_id);
"""

RULES = """
CREATE TABLE rule_set (
    version     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text NOT NULL,
    document    jsonb NOT NULL,
    author      text NOT NULL CHECK (author <> ''),
    reason      text NOT NULL CHECK (reason <> ''),
    applied_at  timestamptz NOT NULL
);
COMMENT ON TABLE rule_set IS 'every version of the rules ever in force; the newest one is';
"""

PUSH = """
CREATE TABLE target (
    channel       text NOT NULL REFERENCES channel (channel),
    sku           text NOT NULL REFERENCES sku (sku),
    location      text NOT NULL REFERENCES location (location),
    units         bigint NOT NULL CHECK (units >= 0),
    number        bigint NOT NULL CHECK (number >= 1),
    rule_version  bigint NOT NULL REFERENCES rule_set (version),
    set_at        timestamptz NOT NULL,
    PRIMARY KEY (channel, sku, location)
) WITH (fillfactor = 80);
COMMENT ON TABLE target IS 'what each channel should show; number rises with every change';
CREATE INDEX target_sku ON target (sku);

CREATE TABLE shown (
    channel       text NOT NULL,
    sku           text NOT NULL,
    location      text NOT NULL,
    units         bigint,
    number        bigint NOT NULL DEFAULT 0,
    confirmed_at  timestamptz,
    read_units    bigint,
    read_at       timestamptz,
    verify_at     timestamptz,
    PRIMARY KEY (channel, sku, location),
    FOREIGN KEY (channel, sku, location) REFERENCES target (channel, sku, location) ON DELETE CASCADE
) WITH (fillfactor = 80);
COMMENT ON TABLE shown IS 'what each channel last confirmed (units, number) and what was last read back';
CREATE INDEX shown_verify ON shown (channel, verify_at) WHERE verify_at IS NOT NULL;

CREATE TABLE push_due (
    channel      text NOT NULL,
    sku          text NOT NULL,
    location     text NOT NULL,
    priority     smallint NOT NULL DEFAULT 1 CHECK (priority BETWEEN 0 AND 3),
    since        timestamptz NOT NULL,
    run_at       timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    leased_until timestamptz,
    push_key     text,
    parked       boolean NOT NULL DEFAULT false,
    error        text,
    PRIMARY KEY (channel, sku, location),
    FOREIGN KEY (channel, sku, location) REFERENCES target (channel, sku, location) ON DELETE CASCADE,
    CHECK (NOT parked OR error IS NOT NULL)
) WITH (fillfactor = 70);
COMMENT ON TABLE push_due IS 'targets that are not shown yet; a row lives until its number is confirmed';
COMMENT ON COLUMN push_due.priority IS '0 stock-out, 1 decrease, 2 first number or repair, 3 rise';
CREATE INDEX push_due_next ON push_due (channel, priority, run_at) WHERE NOT parked;

CREATE TABLE push (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    push_key     text NOT NULL,
    channel      text NOT NULL,
    sku          text NOT NULL,
    location     text NOT NULL,
    units        bigint NOT NULL,
    number       bigint NOT NULL,
    expected     bigint,
    sent_at      timestamptz NOT NULL,
    answered_at  timestamptz,
    outcome      text NOT NULL DEFAULT 'sent'
                 CHECK (outcome IN ('sent', 'confirmed', 'stale', 'rejected', 'throttled', 'unknown', 'refused')),
    detail       text NOT NULL DEFAULT ''
);
COMMENT ON TABLE push IS 'every number ever sent, with its answer';
CREATE INDEX push_of ON push (channel, sku, location, id);
CREATE INDEX push_key_rows ON push (push_key);

CREATE TABLE hidden (
    channel    text NOT NULL,
    sku        text NOT NULL,
    location   text NOT NULL,
    undo       jsonb NOT NULL,
    hidden_at  timestamptz NOT NULL,
    PRIMARY KEY (channel, sku)
);
COMMENT ON TABLE hidden IS 'listings taken off sale because nothing is left, and how to undo exactly that';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON channel, channel_location, binding, target, shown, push_due, hidden
    TO lockstep_app;
GRANT SELECT, INSERT ON rule_set TO lockstep_app;
GRANT SELECT, INSERT ON push TO lockstep_app;
GRANT UPDATE (answered_at, outcome, detail) ON push TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of allocation and push in a house that has a ledger."""
    for statements in (CHANNELS, RULES, PUSH, GRANTS):
        op.execute(statements)
