"""Amazon's own stock as Amazon tells it: readings, movements, what explains them; MCF orders; offers, health, IPI."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

MARK = """
CREATE TABLE amazon_mark (
    channel  text NOT NULL REFERENCES channel (channel),
    name     text NOT NULL,
    at       timestamptz,
    number   bigint NOT NULL DEFAULT 0,
    place    text NOT NULL DEFAULT '',
    PRIMARY KEY (channel, name)
);
COMMENT ON TABLE amazon_mark IS 'how far each way of asking Amazon has come';

CREATE TABLE amazon_report (
    channel      text NOT NULL REFERENCES channel (channel),
    report_id    text NOT NULL,
    kind         text NOT NULL,
    asked_at     timestamptz NOT NULL,
    data_from    timestamptz,
    state        text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'done', 'failed')),
    rows         integer NOT NULL DEFAULT 0,
    fresh        integer NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',
    finished_at  timestamptz,
    PRIMARY KEY (channel, report_id),
    CHECK (state <> 'failed' OR error <> '')
);
CREATE INDEX amazon_report_asked ON amazon_report (channel, kind, asked_at);
"""

READING = """
CREATE TABLE fba_reading (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel            text NOT NULL REFERENCES channel (channel),
    seller_sku         text NOT NULL CHECK (seller_sku <> ''),
    as_of              timestamptz NOT NULL,
    read_at            timestamptz NOT NULL,
    source             text NOT NULL CHECK (source IN ('summary', 'notification')),
    fulfillable        bigint NOT NULL CHECK (fulfillable >= 0),
    pending_orders     bigint NOT NULL CHECK (pending_orders >= 0),
    transshipment      bigint NOT NULL CHECK (transshipment >= 0),
    processing         bigint NOT NULL CHECK (processing >= 0),
    inbound_working    bigint NOT NULL CHECK (inbound_working >= 0),
    inbound_shipped    bigint NOT NULL CHECK (inbound_shipped >= 0),
    inbound_receiving  bigint NOT NULL CHECK (inbound_receiving >= 0),
    researching        bigint NOT NULL CHECK (researching >= 0),
    unfulfillable      bigint NOT NULL CHECK (unfulfillable >= 0)
);
COMMENT ON TABLE fba_reading IS
    'what Amazon said it holds, in its own units; only what was news, only ever newer, nothing for what it left out';
COMMENT ON COLUMN fba_reading.as_of IS 'when it was so, by Amazon''s clock';
CREATE INDEX fba_reading_newest ON fba_reading (channel, seller_sku, as_of DESC, id DESC);

CREATE TABLE fba_mirror (
    channel      text NOT NULL REFERENCES channel (channel),
    seller_sku   text NOT NULL,
    reading_id   bigint NOT NULL REFERENCES fba_reading (id),
    opened_at    timestamptz,
    held_units   bigint NOT NULL DEFAULT 0 CHECK (held_units >= 0),
    held_number  bigint NOT NULL DEFAULT 0 CHECK (held_number >= 0),
    off_units    bigint NOT NULL DEFAULT 0,
    off_cycles   integer NOT NULL DEFAULT 0 CHECK (off_cycles >= 0),
    off_since    timestamptz,
    off_window   timestamptz,
    PRIMARY KEY (channel, seller_sku),
    CHECK ((off_units = 0) = (off_since IS NULL))
);
COMMENT ON TABLE fba_mirror IS 'each SKU in Amazon''s network: its newest reading, and how the book follows it';
COMMENT ON COLUMN fba_mirror.held_units IS 'units of ours that are there and cannot be sold, as last told to the book';
COMMENT ON COLUMN fba_mirror.off_units IS
    'units of ours that nothing explains: Amazon''s number less the book''s, at the reading''s time';
"""

MOVEMENT = """
CREATE TABLE fba_row (
    channel      text NOT NULL REFERENCES channel (channel),
    row_id       text NOT NULL,
    at           timestamptz NOT NULL,
    seller_sku   text NOT NULL,
    event        text NOT NULL,
    reference    text NOT NULL DEFAULT '',
    units        bigint NOT NULL CHECK (units <> 0),
    disposition  text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    center       text NOT NULL DEFAULT '',
    seen_at      timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'booked', 'order', 'kept', 'undone')),
    settled_at   timestamptz,
    PRIMARY KEY (channel, row_id)
);
COMMENT ON TABLE fba_row IS 'rows of Amazon''s inventory ledger, each once however often it is reported';
COMMENT ON COLUMN fba_row.state IS
    'new: waits for its order or its name; booked: a fact of its own; order: its order is in the book; kept: moves
nothing that can be sold; undone: was booked, then its order came';
CREATE INDEX fba_row_new ON fba_row (channel, at) WHERE state = 'new';
CREATE INDEX fba_row_shipped ON fba_row (channel, reference) WHERE event = 'Shipments' AND state = 'booked';
CREATE INDEX fba_row_of ON fba_row (channel, seller_sku, at);

CREATE TABLE fba_change (
    reading_id   bigint PRIMARY KEY REFERENCES fba_reading (id),
    before_id    bigint NOT NULL REFERENCES fba_reading (id),
    channel      text NOT NULL REFERENCES channel (channel),
    seller_sku   text NOT NULL,
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL,
    sale         bigint NOT NULL,
    mcf          bigint NOT NULL,
    inbound      bigint NOT NULL,
    returned     bigint NOT NULL,
    removal      bigint NOT NULL,
    adjustment   bigint NOT NULL,
    transfer     bigint NOT NULL,
    rest         bigint NOT NULL,
    fulfillable  bigint NOT NULL,
    explained_at timestamptz NOT NULL,
    CHECK (to_at >= from_at),
    CHECK (sale + mcf + inbound + returned + removal + adjustment + transfer + rest = fulfillable)
);
COMMENT ON TABLE fba_change IS
    'from one reading to the next: the change of what can be sold, by cause; explained again when later rows come in';
CREATE INDEX fba_change_of ON fba_change (channel, seller_sku, to_at DESC);
CREATE INDEX fba_change_rest ON fba_change (channel, to_at) WHERE rest <> 0;
"""

MCF = """
CREATE TABLE mcf_order (
    channel                      text NOT NULL REFERENCES channel (channel),
    seller_fulfillment_order_id  text NOT NULL CHECK (length(seller_fulfillment_order_id) BETWEEN 1 AND 40),
    displayable_order_id         text NOT NULL DEFAULT '',
    status                       text NOT NULL,
    received_at                  timestamptz,
    status_at                    timestamptz,
    role                         text NOT NULL DEFAULT 'new' CHECK (role IN ('new', 'matched', 'foreign')),
    of_channel                   text,
    of_order                     text,
    ours                         boolean NOT NULL DEFAULT false,
    problem                      text NOT NULL DEFAULT '',
    seen_at                      timestamptz NOT NULL,
    updated_at                   timestamptz NOT NULL,
    PRIMARY KEY (channel, seller_fulfillment_order_id),
    CHECK ((role = 'matched') = (of_channel IS NOT NULL AND of_order IS NOT NULL))
);
COMMENT ON TABLE mcf_order IS 'orders of other shops that Amazon ships, each once by the seller''s own id';
COMMENT ON COLUMN mcf_order.role IS
    'new: nobody knows yet whose it is; matched: an order in the book holds its units; foreign: booked by itself';
CREATE INDEX mcf_order_of ON mcf_order (of_channel, of_order) WHERE role = 'matched';
CREATE INDEX mcf_order_open ON mcf_order (channel, updated_at)
    WHERE status NOT IN ('Complete', 'CompletePartialled', 'Cancelled', 'Unfulfillable', 'Invalid');

CREATE TABLE mcf_line (
    channel                      text NOT NULL,
    seller_fulfillment_order_id  text NOT NULL,
    item_id                      text NOT NULL,
    seller_sku                   text NOT NULL,
    units                        bigint NOT NULL CHECK (units >= 0),
    cancelled_units              bigint NOT NULL DEFAULT 0 CHECK (cancelled_units >= 0),
    unfulfillable_units          bigint NOT NULL DEFAULT 0 CHECK (unfulfillable_units >= 0),
    PRIMARY KEY (channel, seller_fulfillment_order_id, item_id),
    FOREIGN KEY (channel, seller_fulfillment_order_id)
        REFERENCES mcf_order (channel, seller_fulfillment_order_id)
);
CREATE INDEX mcf_line_sku ON mcf_line (channel, seller_sku);

CREATE TABLE mcf_shipped (
    channel                      text NOT NULL,
    seller_fulfillment_order_id  text NOT NULL,
    shipment_id                  text NOT NULL,
    item_id                      text NOT NULL,
    units                        bigint NOT NULL CHECK (units >= 1),
    shipped_at                   timestamptz NOT NULL,
    PRIMARY KEY (channel, seller_fulfillment_order_id, shipment_id, item_id),
    FOREIGN KEY (channel, seller_fulfillment_order_id)
        REFERENCES mcf_order (channel, seller_fulfillment_order_id)
);

CREATE TABLE mcf_fact (
    channel                      text NOT NULL,
    seller_fulfillment_order_id  text NOT NULL,
    fact_id                      text NOT NULL,
    kind                         text NOT NULL CHECK (kind IN ('order', 'order_cancel', 'ship')),
    for_channel                  text NOT NULL,
    for_order                    text NOT NULL,
    for_line                     text NOT NULL,
    units                        bigint NOT NULL CHECK (units >= 0),
    undone                       boolean NOT NULL DEFAULT false,
    made_at                      timestamptz NOT NULL,
    PRIMARY KEY (channel, fact_id),
    FOREIGN KEY (channel, seller_fulfillment_order_id)
        REFERENCES mcf_order (channel, seller_fulfillment_order_id)
);
COMMENT ON TABLE mcf_fact IS 'what the book was told of an MCF order, so that exactly that can be taken back';
CREATE INDEX mcf_fact_of ON mcf_fact (channel, seller_fulfillment_order_id);
"""

HEALTH = """
CREATE TABLE offer_share (
    channel         text NOT NULL REFERENCES channel (channel),
    asin            text NOT NULL,
    item_condition  text NOT NULL,
    at              timestamptz NOT NULL,
    ours_featured   boolean NOT NULL,
    featured        boolean NOT NULL,
    featured_price  numeric(14, 2),
    our_price       numeric(14, 2),
    currency        text NOT NULL DEFAULT '',
    offers          integer NOT NULL DEFAULT 0 CHECK (offers >= 0),
    seen_at         timestamptz NOT NULL,
    PRIMARY KEY (channel, asin, item_condition, at)
);
COMMENT ON TABLE offer_share IS 'who had the featured offer of an ASIN from a moment on, as ANY_OFFER_CHANGED tells it';
COMMENT ON COLUMN offer_share.featured_price IS 'with shipping';

CREATE TABLE fba_health (
    channel                    text NOT NULL REFERENCES channel (channel),
    seller_sku                 text NOT NULL,
    snapshot_on                date NOT NULL,
    asin                       text NOT NULL DEFAULT '',
    available                  bigint,
    days_of_supply             numeric(12, 2),
    sell_through               numeric(12, 4),
    units_shipped_30           bigint,
    units_shipped_90           bigint,
    excess_units               bigint,
    aged_181_units             bigint,
    unfulfillable              bigint,
    inbound                    bigint,
    recommended_removal_units  bigint,
    recommended_action         text NOT NULL DEFAULT '',
    alert                      text NOT NULL DEFAULT '',
    storage_cost_next_month    numeric(14, 2),
    currency                   text NOT NULL DEFAULT '',
    read_at                    timestamptz NOT NULL,
    PRIMARY KEY (channel, seller_sku, snapshot_on)
);
COMMENT ON TABLE fba_health IS 'what drives the IPI, from the planning report; a column the report lacks is unknown';

CREATE TABLE ipi_score (
    channel   text NOT NULL REFERENCES channel (channel),
    scored_on date NOT NULL,
    score     integer NOT NULL CHECK (score BETWEEN 0 AND 1000),
    threshold integer CHECK (threshold BETWEEN 0 AND 1000),
    set_by    text NOT NULL CHECK (set_by <> ''),
    set_at    timestamptz NOT NULL,
    PRIMARY KEY (channel, scored_on, set_at)
);
COMMENT ON TABLE ipi_score IS 'the Inventory Performance Index as a person read it in Seller Central; no API tells it';
"""

RUN = """
ALTER TABLE run ADD COLUMN read_through text NOT NULL DEFAULT '';
COMMENT ON COLUMN run.read_through IS
    'SKUs up to this one are read and judged: a vendor that gives a hundred SKUs at a time is read in many attempts';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON amazon_mark, amazon_report, fba_mirror, fba_change, mcf_order, mcf_line, mcf_fact,
    fba_health TO lockstep_app;
GRANT SELECT, INSERT ON fba_reading, mcf_shipped, offer_share, ipi_score TO lockstep_app;
GRANT SELECT, INSERT ON fba_row TO lockstep_app;
GRANT UPDATE (state, settled_at) ON fba_row TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of Amazon's network."""
    for statements in (MARK, READING, MOVEMENT, MCF, HEALTH, RUN, GRANTS):
        op.execute(statements)
