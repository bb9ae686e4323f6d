"""Amazon's network as a place to keep stock well: sizes, limits of storage, what is stranded, how each SKU stands."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"

SIZES = """
CREATE TABLE sku_size (
    sku                text PRIMARY KEY REFERENCES sku (sku),
    cubic_feet         numeric(14, 6) NOT NULL CHECK (cubic_feet > 0),
    storage_type       text NOT NULL DEFAULT 'standard' CHECK (storage_type <> ''),
    carton_units       integer NOT NULL DEFAULT 1 CHECK (carton_units >= 1),
    carton_cubic_feet  numeric(14, 6) NOT NULL CHECK (carton_cubic_feet > 0),
    set_by             text NOT NULL CHECK (set_by <> ''),
    set_at             timestamptz NOT NULL
);
COMMENT ON TABLE sku_size IS 'how much room a unit of ours takes, and a carton of it, as the house says';

CREATE TABLE fba_size (
    channel       text NOT NULL REFERENCES channel (channel),
    seller_sku    text NOT NULL CHECK (seller_sku <> ''),
    cubic_feet    numeric(14, 6) NOT NULL CHECK (cubic_feet > 0),
    size_band     text NOT NULL DEFAULT '',
    read_at       timestamptz NOT NULL,
    PRIMARY KEY (channel, seller_sku)
);
COMMENT ON TABLE fba_size IS 'the room that one of Amazon''s units takes, as Amazon measured it (fee preview)';
"""

CAPACITY = """
CREATE TABLE fba_capacity (
    channel       text NOT NULL REFERENCES channel (channel),
    storage_type  text NOT NULL CHECK (storage_type <> ''),
    since         date NOT NULL,
    cubic_feet    numeric(14, 2) CHECK (cubic_feet >= 0),
    units         bigint CHECK (units >= 0),
    set_by        text NOT NULL CHECK (set_by <> ''),
    set_at        timestamptz NOT NULL,
    PRIMARY KEY (channel, storage_type, since, set_at),
    CHECK (cubic_feet IS NOT NULL OR units IS NOT NULL)
);
COMMENT ON TABLE fba_capacity IS
    'limits of storage as Seller Central shows them by month, which no API tells; the newest entry of a day counts';
"""

STRANDED = """
CREATE TABLE fba_stranded (
    channel          text NOT NULL REFERENCES channel (channel),
    seller_sku       text NOT NULL CHECK (seller_sku <> ''),
    since            timestamptz,
    reason           text NOT NULL DEFAULT '',
    action           text NOT NULL DEFAULT '',
    fulfillable      bigint NOT NULL CHECK (fulfillable >= 0),
    auto_removal_at  timestamptz,
    read_at          timestamptz NOT NULL,
    gone_at          timestamptz,
    PRIMARY KEY (channel, seller_sku)
);
COMMENT ON TABLE fba_stranded IS 'what Amazon holds and nobody can buy; gone_at: a later report left it out';
"""

STANDING = """
CREATE TABLE fba_standing (
    channel          text NOT NULL REFERENCES channel (channel),
    seller_sku       text NOT NULL,
    sku              text NOT NULL,
    location         text NOT NULL,
    on_hand          bigint NOT NULL,
    available        bigint NOT NULL,
    inbound          bigint NOT NULL,
    per_day          double precision NOT NULL CHECK (per_day >= 0),
    days_of_supply   double precision,
    excess_units     bigint NOT NULL CHECK (excess_units >= 0),
    sell_through     double precision,
    stranded_units   bigint CHECK (stranded_units >= 0),
    oldest_days      integer,
    aged_units       bigint NOT NULL CHECK (aged_units >= 0),
    surcharge        numeric(14, 2),
    removal_units    bigint NOT NULL CHECK (removal_units >= 0),
    saved            numeric(14, 2),
    why              text NOT NULL DEFAULT '',
    held_back        text NOT NULL DEFAULT '',
    stood_at         timestamptz NOT NULL,
    PRIMARY KEY (channel, seller_sku)
);
COMMENT ON TABLE fba_standing IS 'how each SKU stands in Amazon''s network, in our units, as of the last daily look';
COMMENT ON COLUMN fba_standing.oldest_days IS 'NULL beside units on hand: they came before anything is known of';
COMMENT ON COLUMN fba_standing.held_back IS 'why its numbers are not published: it is not in sync';

CREATE TABLE fba_factor (
    channel       text NOT NULL REFERENCES channel (channel),
    day           date NOT NULL,
    on_hand       bigint NOT NULL,
    excess_ratio    double precision,
    sell_through  double precision,
    stranded_ratio  double precision,
    in_stock_ratio  double precision,
    storage_weeks double precision,
    skus          integer NOT NULL,
    held_back     integer NOT NULL,
    PRIMARY KEY (channel, day)
);
COMMENT ON TABLE fba_factor IS 'what drives the IPI, computed once a day from the book and the mirror; NULL: not known';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON sku_size, fba_size, fba_stranded, fba_factor TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON fba_standing TO lockstep_app;
GRANT SELECT, INSERT ON fba_capacity TO lockstep_app;
"""


def upgrade() -> None:
    """Create what the health of Amazon's stock is computed from, and where it is kept."""
    for statements in (SIZES, CAPACITY, STRANDED, STANDING, GRANTS):
        op.execute(statements)
