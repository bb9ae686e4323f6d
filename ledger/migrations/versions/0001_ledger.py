"""The ledger: inbox, events, postings, balances, order lines, counts, seals, and the roles that guard them."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

ROLE = """
DO $$
BEGIN
    CREATE ROLE lockstep_app NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role lockstep_app is missing and % may not create it', current_user
            USING HINT = 'run as an administrator: CREATE ROLE lockstep_app NOLOGIN';
END
$$;
DO $$
BEGIN
    -- With one login for everything the application still works with the lesser role (SET ROLE at connect).
    EXECUTE format('GRANT lockstep_app TO %I', current_user);
EXCEPTION
    WHEN insufficient_privilege OR invalid_grant_operation THEN NULL;
END
$$;
GRANT USAGE ON SCHEMA public TO lockstep_app;
"""

CATALOGUE = """
CREATE TABLE sku (
    sku         text PRIMARY KEY CHECK (sku <> '' AND length(sku) <= 128),
    title       text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE location (
    location    text PRIMARY KEY CHECK (location <> '' AND length(location) <= 128),
    title       text NOT NULL DEFAULT '',
    kind        text NOT NULL DEFAULT 'warehouse' CHECK (kind IN ('warehouse', 'store', 'mirror', 'virtual')),
    created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO location (location, title, kind) VALUES
    ('OUTSIDE', 'suppliers, customers, losses, finds, opening', 'virtual'),
    ('IN-TRANSIT', 'between two locations', 'virtual');
"""

INBOX = """
CREATE TABLE inbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL CHECK (source <> ''),
    delivery_id  text NOT NULL CHECK (delivery_id <> ''),
    topic        text NOT NULL,
    headers      jsonb NOT NULL DEFAULT '{}',
    body         bytea NOT NULL,
    received_at  timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'pending'
                 CHECK (state IN ('pending', 'waiting', 'applied', 'parked', 'rejected')),
    attempts     integer NOT NULL DEFAULT 0,
    wait_for     text,
    error        text,
    settled_at   timestamptz,
    UNIQUE (source, delivery_id),
    CHECK ((state = 'waiting') = (wait_for IS NOT NULL)),
    CHECK (state NOT IN ('parked', 'rejected') OR error IS NOT NULL)
);
COMMENT ON TABLE inbox IS 'every delivery as it came, once per (source, delivery id)';
CREATE INDEX inbox_pending ON inbox (id) WHERE state = 'pending';
CREATE INDEX inbox_waiting ON inbox (wait_for) WHERE state = 'waiting';
CREATE INDEX inbox_parked ON inbox (id) WHERE state IN ('parked', 'rejected');
"""

EVENT = """
CREATE TABLE event (
    id           uuid PRIMARY KEY DEFAULT uuidv7(),
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL CHECK (kind IN (
                     'order', 'order_cancel', 'return', 'receipt', 'transfer_ship', 'transfer_receive',
                     'adjustment', 'write_off', 'count', 'reservation', 'release', 'ship', 'opening', 'reversal')),
    source       text NOT NULL CHECK (source <> ''),
    source_id    text NOT NULL CHECK (source_id <> ''),
    occurred_at  timestamptz NOT NULL CHECK (isfinite(occurred_at)),
    recorded_at  timestamptz NOT NULL,
    actor        text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    reference    text NOT NULL DEFAULT '',
    channel      text,
    order_id     text,
    line_id      text,
    reverses     uuid UNIQUE REFERENCES event (id),
    inbox_id     bigint,
    payload      jsonb NOT NULL DEFAULT '{}',
    UNIQUE (source, source_id),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
    CHECK (kind NOT IN ('adjustment', 'write_off', 'reversal') OR reason <> '')
);
COMMENT ON COLUMN event.occurred_at IS 'when it happened in the world';
COMMENT ON COLUMN event.recorded_at IS 'when it was written in this book';
COMMENT ON COLUMN event.seq IS 'order of writing; the seals run over it';
COMMENT ON COLUMN event.inbox_id IS 'the delivery it came in; no foreign key, deliveries are thrown away before events';
CREATE INDEX event_seq ON event USING brin (seq) WITH (pages_per_range = 16);
CREATE INDEX event_order ON event (channel, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX event_inbox ON event USING brin (inbox_id) WITH (pages_per_range = 16);

CREATE TABLE posting (
    event_id       uuid NOT NULL REFERENCES event (id),
    line           integer NOT NULL CHECK (line >= 1),
    sku            text NOT NULL,
    units          bigint NOT NULL CHECK (units > 0),
    from_location  text NOT NULL,
    from_state     text NOT NULL,
    from_before    bigint NOT NULL,
    from_after     bigint NOT NULL,
    from_version   bigint NOT NULL,
    to_location    text NOT NULL,
    to_state       text NOT NULL,
    to_before      bigint NOT NULL,
    to_after       bigint NOT NULL,
    to_version     bigint NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (event_id, line),
    CHECK (from_after = from_before - units),
    CHECK (to_after = to_before + units),
    CHECK ((from_location, from_state) <> (to_location, to_state))
);
COMMENT ON TABLE posting IS
    'double entry: each row takes units from one place and puts them in another, so an event sums to zero';
CREATE INDEX posting_sku ON posting (sku, occurred_at);

CREATE TABLE balance (
    sku         text NOT NULL REFERENCES sku (sku),
    location    text NOT NULL REFERENCES location (location),
    state       text NOT NULL CHECK (state IN (
                    'available', 'unavailable', 'committed', 'reserved', 'incoming', 'in_transit',
                    'supplier', 'customer', 'loss', 'found', 'opening')),
    units       bigint NOT NULL DEFAULT 0,
    version     bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    PRIMARY KEY (sku, location, state),
    CHECK ((location = 'OUTSIDE') = (state IN ('supplier', 'customer', 'loss', 'found', 'opening')))
) WITH (fillfactor = 80);
COMMENT ON COLUMN balance.version IS
    'number of postings that touched this place; a writer that decided on an older one fails';
"""

MEMORY = """
CREATE TABLE order_line (
    channel          text NOT NULL,
    order_id         text NOT NULL,
    line_id          text NOT NULL,
    sku              text NOT NULL,
    location         text NOT NULL,
    revision         timestamptz NOT NULL,
    ordered_units    bigint NOT NULL DEFAULT 0 CHECK (ordered_units >= 0),
    cancelled_units  bigint NOT NULL DEFAULT 0,
    shipped_units    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, order_id, line_id)
);
COMMENT ON TABLE order_line IS
    'what has been posted for each order line, so that a newer snapshot posts the difference (its places: see balance)';

CREATE TABLE count_mark (
    event_id    uuid PRIMARY KEY REFERENCES event (id),
    sku         text NOT NULL,
    location    text NOT NULL,
    counted_at  timestamptz NOT NULL,
    counted     bigint NOT NULL CHECK (counted >= 0)
);
COMMENT ON TABLE count_mark IS
    'counts as of their minute; an event that arrives late restates the first count after it';
CREATE INDEX count_mark_place ON count_mark (sku, location, counted_at);

CREATE TABLE due (
    sku    text PRIMARY KEY REFERENCES sku (sku),
    since  timestamptz NOT NULL
);
COMMENT ON TABLE due IS 'SKUs whose targets must be computed again';
CREATE INDEX due_since ON due (since);

CREATE TABLE seal (
    number     bigint PRIMARY KEY CHECK (number >= 1),
    first_seq  bigint NOT NULL,
    last_seq   bigint NOT NULL CHECK (last_seq >= first_seq),
    events     integer NOT NULL CHECK (events >= 1),
    leaves     bytea NOT NULL,
    previous   bytea NOT NULL,
    root       bytea NOT NULL,
    sealed_at  timestamptz NOT NULL,
    CHECK (length(leaves) = 32 * events)
);
COMMENT ON TABLE seal IS 'hash chain over ranges of events; keep a copy of the newest root outside this database';
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'correct an event by a reversal that names it';
END
$$;
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_keeps_all BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_is_append_only BEFORE UPDATE OR DELETE ON posting
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_keeps_all BEFORE TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seal_is_append_only BEFORE UPDATE OR DELETE ON seal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seal_keeps_all BEFORE TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GRANTS = """
GRANT SELECT ON ALL TABLES IN SCHEMA public TO lockstep_app;
GRANT INSERT ON sku, location, inbox, balance, order_line, count_mark, due, seal TO lockstep_app;
GRANT UPDATE ON sku, location, balance, order_line, due TO lockstep_app;
GRANT UPDATE (state, attempts, wait_for, error, settled_at) ON inbox TO lockstep_app;
GRANT DELETE ON due TO lockstep_app;
GRANT INSERT (id, kind, source, source_id, occurred_at, recorded_at, actor, reason, reference, channel, order_id,
              line_id, reverses, inbox_id, payload) ON event TO lockstep_app;
GRANT INSERT ON posting TO lockstep_app;
"""

VIEWS = """
CREATE VIEW position AS
SELECT sku, location,
       sum(units) FILTER (WHERE state IN ('available', 'unavailable', 'committed', 'reserved')) AS on_hand,
       coalesce(sum(units) FILTER (WHERE state = 'available'), 0)   AS available,
       coalesce(sum(units) FILTER (WHERE state = 'unavailable'), 0) AS unavailable,
       coalesce(sum(units) FILTER (WHERE state = 'committed'), 0)   AS committed,
       coalesce(sum(units) FILTER (WHERE state = 'reserved'), 0)    AS reserved
FROM balance
WHERE location NOT IN ('OUTSIDE', 'IN-TRANSIT') AND state NOT IN ('incoming', 'in_transit')
GROUP BY sku, location;
COMMENT ON VIEW position IS 'what each location holds of each SKU now, by state';
GRANT SELECT ON position TO lockstep_app;
"""


def upgrade() -> None:
    """Create the ledger in an empty database."""
    for statements in (ROLE, CATALOGUE, INBOX, EVENT, MEMORY, APPEND_ONLY, VIEWS, GRANTS):
        op.execute(statements)
