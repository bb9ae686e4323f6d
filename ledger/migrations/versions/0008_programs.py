"""Partner programs: units reserved for a partner in a window; and alarms, whatever raises them."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

PROGRAMS = """
CREATE TABLE program (
    name       text PRIMARY KEY CHECK (name <> ''),
    partner    text NOT NULL REFERENCES channel (channel),
    policy     text NOT NULL CHECK (policy IN ('cap', 'overflow')),
    ends       text NOT NULL CHECK (ends IN ('itself', 'hand')),
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL CHECK (since < until),
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ended')),
    moves      bigint NOT NULL DEFAULT 0 CHECK (moves >= 0),
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL,
    why        text NOT NULL CHECK (why <> ''),
    ended_at   timestamptz,
    looked_at  timestamptz,
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
COMMENT ON COLUMN program.ends IS 'itself: what is left is free when the window is over; hand: when somebody says so';
COMMENT ON COLUMN program.moves IS 'counts the events of the program, each of which is named by its number';
COMMENT ON COLUMN program.looked_at IS 'when its pace was last looked at';
CREATE INDEX program_serves ON program (partner, until) WHERE state = 'open';

CREATE TABLE program_line (
    program   text NOT NULL REFERENCES program (name),
    sku       text NOT NULL REFERENCES sku (sku),
    location  text NOT NULL REFERENCES location (location),
    agreed    bigint NOT NULL CHECK (agreed > 0),
    used      bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    released  bigint NOT NULL DEFAULT 0 CHECK (released >= 0),
    note      text NOT NULL DEFAULT '',
    PRIMARY KEY (program, sku, location),
    CONSTRAINT no_more_than_agreed CHECK (used + released <= agreed)
);
COMMENT ON TABLE program_line IS 'agreed = in orders + given up + still reserved, always';
COMMENT ON COLUMN program_line.used IS 'units in orders of the partner, shipped or not';
COMMENT ON COLUMN program_line.released IS 'units that are free again: given up by date, by hand, at the end';
COMMENT ON COLUMN program_line.note IS 'the percent, and of what, that the units were computed from once';

CREATE TABLE program_step (
    program   text NOT NULL,
    sku       text NOT NULL,
    location  text NOT NULL,
    at        timestamptz NOT NULL,
    most      bigint NOT NULL CHECK (most >= 0),
    PRIMARY KEY (program, sku, location, at),
    FOREIGN KEY (program, sku, location) REFERENCES program_line (program, sku, location)
);
COMMENT ON TABLE program_step IS 'from `at` on no more than `most` units stay reserved';

CREATE TABLE program_use (
    partner   text NOT NULL,
    order_id  text NOT NULL,
    line_id   text NOT NULL,
    program   text NOT NULL,
    sku       text NOT NULL,
    location  text NOT NULL,
    units     bigint NOT NULL CHECK (units >= 0),
    PRIMARY KEY (partner, order_id, line_id, program),
    FOREIGN KEY (program, sku, location) REFERENCES program_line (program, sku, location)
);
COMMENT ON TABLE program_use IS 'how many units of an order line (of the ledger) came from which program';
CREATE INDEX program_use_of ON program_use (program, sku, location);
"""

ALARMS = """
CREATE TABLE alarm (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL CHECK (rule <> ''),
    object       text NOT NULL CHECK (object <> ''),
    since        timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    resolved_at  timestamptz,
    detail       jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE alarm IS 'what somebody should look at, by rule and object; resolved when it is over by itself';
CREATE UNIQUE INDEX alarm_open ON alarm (rule, object) WHERE resolved_at IS NULL;
CREATE INDEX alarm_since ON alarm (since);
"""

GRANTS = """
GRANT SELECT, INSERT ON program, program_line, program_step TO lockstep_app;
GRANT UPDATE (state, moves, ended_at, looked_at) ON program TO lockstep_app;
GRANT UPDATE (used, released) ON program_line TO lockstep_app;
GRANT SELECT, INSERT, UPDATE ON program_use, alarm TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of programs and of alarms."""
    for statements in (PROGRAMS, ALARMS, GRANTS):
        op.execute(statements)
