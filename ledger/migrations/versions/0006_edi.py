"""Wholesale documents: interchanges, sets, orders, control numbers, cartons, and what partners were told."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

MAIL = """
CREATE TABLE edi_counter (
    scope  text PRIMARY KEY CHECK (scope <> ''),
    last   bigint NOT NULL CHECK (last >= 1)
);
COMMENT ON TABLE edi_counter IS 'numbers never used twice: control numbers by partner, cartons by company prefix';

CREATE TABLE edi_mailbox (
    partner       text PRIMARY KEY REFERENCES channel (channel),
    next_at       timestamptz NOT NULL,
    leased_until  timestamptz,
    seen_at       timestamptz,
    failures      integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT ''
);
COMMENT ON TABLE edi_mailbox IS 'when each partner''s folder is looked into next, and how it went';

CREATE TABLE edi_interchange (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner       text NOT NULL REFERENCES channel (channel),
    direction     text NOT NULL CHECK (direction IN ('in', 'out')),
    state         text NOT NULL CHECK (state IN ('worked', 'refused', 'posted', 'sent')),
    control       text NOT NULL,
    serial        bigint CHECK (serial >= 1),
    inbox_id      bigint REFERENCES inbox (id) ON DELETE SET NULL,
    file          text NOT NULL DEFAULT '',
    body          bytea,
    content_hash  text NOT NULL,
    push_key      text,
    made_at       timestamptz NOT NULL,
    sent_at       timestamptz,
    error         text NOT NULL DEFAULT '',
    UNIQUE (partner, serial),
    UNIQUE (partner, push_key),
    UNIQUE (inbox_id),
    CHECK ((direction = 'out') = (state IN ('posted', 'sent'))),
    CHECK ((direction = 'out') = (serial IS NOT NULL)),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK (state <> 'refused' OR error <> ''),
    CHECK (state = 'worked' OR body IS NOT NULL)
);
COMMENT ON COLUMN edi_interchange.serial IS 'counts for ever; ISA13 and GS06 wrap at 999,999,999';
COMMENT ON COLUMN edi_interchange.body IS 'what goes out, or was refused; what came in and was taken is in the inbox';
CREATE INDEX edi_interchange_unsent ON edi_interchange (partner, serial) WHERE state = 'posted';
CREATE INDEX edi_interchange_refused ON edi_interchange (partner, made_at) WHERE state = 'refused';
CREATE INDEX edi_interchange_control ON edi_interchange (partner, control) WHERE direction = 'out';

CREATE TABLE edi_document (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interchange_id  bigint NOT NULL REFERENCES edi_interchange (id),
    partner         text NOT NULL REFERENCES channel (channel),
    direction       text NOT NULL CHECK (direction IN ('in', 'out')),
    place           integer NOT NULL CHECK (place >= 0),
    set_id          text NOT NULL,
    group_kind      text NOT NULL,
    group_control   text NOT NULL,
    set_control     text NOT NULL,
    order_number    text NOT NULL DEFAULT '',
    release         text NOT NULL DEFAULT '',
    sequence        integer NOT NULL DEFAULT 0,
    reference       text NOT NULL DEFAULT '',
    content_hash    text NOT NULL,
    state           text NOT NULL CHECK (state IN (
                        'applied', 'duplicate', 'held', 'parked', 'rejected', 'dismissed', 'posted', 'replaced')),
    ack_state       text NOT NULL DEFAULT 'none' CHECK (ack_state IN (
                        'none', 'waiting', 'accepted', 'accepted_with_errors', 'rejected', 'overdue')),
    due_at          timestamptz,
    acked_at        timestamptz,
    answers         bigint REFERENCES edi_document (id),
    resends         bigint UNIQUE REFERENCES edi_document (id),
    made_at         timestamptz NOT NULL,
    error           text NOT NULL DEFAULT '',
    UNIQUE (interchange_id, place),
    CHECK ((direction = 'out') = (state IN ('posted', 'replaced'))),
    CHECK (ack_state = 'none' OR direction = 'out'),
    CHECK (ack_state NOT IN ('waiting', 'overdue') OR due_at IS NOT NULL),
    CHECK (state NOT IN ('held', 'parked', 'rejected') OR error <> ''),
    CONSTRAINT an_acknowledgement_is_never_acknowledged CHECK (group_kind <> 'FA' OR ack_state = 'none')
);
COMMENT ON COLUMN edi_document.reference IS 'BSN02 of a ship notice, BIA03 of an availability';
COMMENT ON COLUMN edi_document.answers IS 'the document of the partner that this one answers';
COMMENT ON COLUMN edi_document.due_at IS
    'when the partner should have acknowledged what went out, or we should have answered what came in';
CREATE INDEX edi_document_order ON edi_document (partner, order_number, release, set_id);
CREATE INDEX edi_document_group ON edi_document (partner, group_control) WHERE direction = 'out';
CREATE INDEX edi_document_waiting ON edi_document (due_at) WHERE ack_state = 'waiting';
CREATE INDEX edi_document_trouble ON edi_document (partner, id)
    WHERE ack_state IN ('rejected', 'overdue') OR state IN ('held', 'parked', 'rejected');
CREATE UNIQUE INDEX edi_document_reference ON edi_document (partner, reference)
    WHERE set_id = '856' AND direction = 'out' AND resends IS NULL;
"""

ORDERS = """
CREATE TABLE edi_order (
    partner        text NOT NULL REFERENCES channel (channel),
    number         text NOT NULL CHECK (number <> ''),
    release        text NOT NULL DEFAULT '',
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'cancelled')),
    kind           text NOT NULL,
    day            date NOT NULL,
    location       text NOT NULL REFERENCES location (location),
    document_id    bigint NOT NULL REFERENCES edi_document (id),
    content_hash   text NOT NULL,
    changes_seen   integer NOT NULL DEFAULT 0 CHECK (changes_seen >= 0),
    parties        jsonb NOT NULL DEFAULT '[]',
    ordered_at     timestamptz NOT NULL,
    revision       timestamptz NOT NULL,
    PRIMARY KEY (partner, number, release)
);
COMMENT ON COLUMN edi_order.changes_seen IS
    'BCH05 of the newest change that was applied; a later one waits for those before it';
COMMENT ON COLUMN edi_order.revision IS 'time of the newest promise; rises with each, so that the ledger takes each';

CREATE TABLE edi_line (
    partner       text NOT NULL,
    number        text NOT NULL,
    release       text NOT NULL,
    line          text NOT NULL,
    store         text NOT NULL DEFAULT '',
    place         integer NOT NULL,
    item          text NOT NULL,
    products      jsonb NOT NULL DEFAULT '[]',
    parts         jsonb NOT NULL DEFAULT '[]',
    measure       text NOT NULL,
    price         numeric,
    ordered       bigint NOT NULL CHECK (ordered >= 0),
    accepted      bigint NOT NULL CHECK (accepted >= 0),
    backordered   bigint NOT NULL CHECK (backordered >= 0),
    rejected      bigint NOT NULL CHECK (rejected >= 0),
    noticed       bigint NOT NULL DEFAULT 0 CHECK (noticed >= 0),
    promised_for  date,
    PRIMARY KEY (partner, number, release, line, store),
    FOREIGN KEY (partner, number, release) REFERENCES edi_order (partner, number, release),
    CONSTRAINT answers_add_up CHECK (accepted + backordered + rejected = ordered),
    CHECK ((backordered > 0) = (promised_for IS NOT NULL))
);
COMMENT ON TABLE edi_line IS 'each line (and store) of a purchase order, counted in its own unit of measure';
COMMENT ON COLUMN edi_line.parts IS '[[SKU, units], ...]: what one of the measure takes from our stock';
COMMENT ON COLUMN edi_line.noticed IS 'how much of it ship notices have told';
CREATE INDEX edi_line_backorder ON edi_line (partner, number, release) WHERE backordered > 0;

CREATE TABLE edi_sscc (
    sscc      text PRIMARY KEY CHECK (sscc ~ '^[0-9]{18}$'),
    partner   text NOT NULL REFERENCES channel (channel),
    shipment  text NOT NULL CHECK (shipment <> ''),
    made_at   timestamptz NOT NULL
);
COMMENT ON TABLE edi_sscc IS 'every carton and pallet number ever given out; none is given twice';

CREATE TABLE edi_availability (
    partner             text NOT NULL REFERENCES channel (channel),
    item_id             text NOT NULL,
    vendor_location_id  text NOT NULL,
    said_units          bigint NOT NULL CHECK (said_units >= 0),
    said_in             bigint NOT NULL REFERENCES edi_document (id),
    said_at             timestamptz NOT NULL,
    known_units         bigint CHECK (known_units >= 0),
    known_in            bigint REFERENCES edi_document (id),
    known_at            timestamptz,
    PRIMARY KEY (partner, item_id, vendor_location_id),
    CHECK ((known_units IS NULL) = (known_in IS NULL) AND known_in <= said_in)
);
COMMENT ON TABLE edi_availability IS
    'what the newest 846 says of each item and place, and what the newest acknowledged one said';
CREATE INDEX edi_availability_said_in ON edi_availability (said_in);

CREATE TABLE edi_superseded (
    document            bigint NOT NULL REFERENCES edi_document (id),
    item_id             text NOT NULL,
    vendor_location_id  text NOT NULL,
    units               bigint NOT NULL CHECK (units >= 0),
    PRIMARY KEY (document, item_id, vendor_location_id)
);
COMMENT ON TABLE edi_superseded IS
    'what an 846 said that a newer one replaced before its 997 came; gone with that 997';
"""

INBOX = """
-- Beside thousands of pending webhooks an interchange is found at once.
CREATE INDEX inbox_interchange ON inbox (id) WHERE state = 'pending' AND topic = 'x12';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON edi_counter, edi_mailbox, edi_order, edi_line, edi_availability TO lockstep_app;
GRANT SELECT, INSERT, DELETE ON edi_superseded TO lockstep_app;
GRANT SELECT, INSERT ON edi_interchange, edi_document, edi_sscc TO lockstep_app;
GRANT UPDATE (state, sent_at, file, error) ON edi_interchange TO lockstep_app;
GRANT UPDATE (state, ack_state, acked_at, due_at, error, order_number, release, sequence) ON edi_document
    TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of wholesale documents."""
    for statements in (MAIL, ORDERS, INBOX, GRANTS):
        op.execute(statements)
