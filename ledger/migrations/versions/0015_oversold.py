"""Order lines that were accepted and are not there: a case each, the steps of its response, how far was looked."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

CASES = """
CREATE TABLE oversold_case (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text NOT NULL,
    order_id     text NOT NULL,
    line_id      text NOT NULL,
    sku          text NOT NULL REFERENCES sku (sku),
    location     text NOT NULL REFERENCES location (location),
    units        bigint NOT NULL CHECK (units > 0),
    accepted_at  timestamptz NOT NULL,
    found_at     timestamptz NOT NULL,
    found_by     text NOT NULL CHECK (found_by <> ''),
    dip          bigint NOT NULL,
    cause        text NOT NULL DEFAULT 'unknown',
    evidence     jsonb NOT NULL DEFAULT '{}',
    looked_at    timestamptz NOT NULL,
    worth        numeric(16, 4) CHECK (worth >= 0),
    state        text NOT NULL DEFAULT 'waiting'
                 CHECK (state IN ('waiting', 'acting', 'acted', 'closing', 'closed')),
    response     text NOT NULL DEFAULT ''
                 CHECK (response IN ('', 'hold', 'substitute', 'split', 'expedite', 'refund', 'notify')),
    chosen_at    timestamptz,
    chosen_by    text NOT NULL DEFAULT '',
    chosen_why   text NOT NULL DEFAULT '',
    cost         numeric(16, 4) CHECK (cost >= 0),
    covered_at   timestamptz,
    closed_at    timestamptz,
    closed_by    text NOT NULL DEFAULT '',
    result       text NOT NULL DEFAULT '',
    times        integer NOT NULL DEFAULT 1 CHECK (times >= 1),
    UNIQUE (channel, order_id, line_id),
    CHECK ((chosen_at IS NULL) = (response = '') AND (chosen_at IS NULL) = (chosen_by = '')),
    CHECK (response <> '' OR state IN ('waiting', 'closed')),
    CHECK ((closed_at IS NULL) = (state <> 'closed'))
);
COMMENT ON TABLE oversold_case IS 'order lines that were accepted and are not there: one row a line, for ever';
COMMENT ON COLUMN oversold_case.units IS 'units of the line that were not there, at most';
COMMENT ON COLUMN oversold_case.accepted_at IS 'when the channel took it; of a line that was raised, the last time';
COMMENT ON COLUMN oversold_case.found_at IS 'when it was opened, the last time';
COMMENT ON COLUMN oversold_case.found_by IS 'kind of the event that took the place below zero for this line';
COMMENT ON COLUMN oversold_case.dip IS 'version of the place when it was last taken below zero before that';
COMMENT ON COLUMN oversold_case.worth IS 'what the line was sold for, in the money of the house; NULL: not known';
COMMENT ON COLUMN oversold_case.cost IS 'what making it good costs; NULL before anything was chosen';
COMMENT ON COLUMN oversold_case.covered_at IS 'the units are there since then';
COMMENT ON COLUMN oversold_case.times IS 'how often it was opened: stock may come, and be gone again';
CREATE INDEX oversold_case_open ON oversold_case (sku, location) WHERE state <> 'closed';
CREATE INDEX oversold_case_place ON oversold_case (sku, location, dip);
CREATE INDEX oversold_case_accepted ON oversold_case (accepted_at);

CREATE TABLE case_look (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    looked_at  timestamptz NOT NULL
);
COMMENT ON TABLE case_look IS 'up to when the book was looked through for places below zero';
CREATE INDEX posting_dip ON posting (event_id) WHERE from_state = 'available' AND from_after < 0;
"""

STEPS = """
CREATE TABLE case_step (
    case_id       bigint NOT NULL REFERENCES oversold_case (id),
    position      integer NOT NULL CHECK (position >= 1),
    kind          text NOT NULL CHECK (kind IN ('hold', 'release', 'slack', 'email', 'webhook', 'hand')),
    response      text NOT NULL,
    key           text NOT NULL UNIQUE CHECK (key <> ''),
    state         text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'by_hand', 'failed', 'dropped')),
    run_at        timestamptz NOT NULL,
    leased_until  timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    tries         integer NOT NULL DEFAULT 0,
    begun_at      timestamptz,
    done_at       timestamptz,
    result        text NOT NULL DEFAULT '',
    content       text NOT NULL DEFAULT '',
    error         text NOT NULL DEFAULT '',
    todo          text NOT NULL DEFAULT '',
    PRIMARY KEY (case_id, position),
    CHECK ((state = 'done') = (done_at IS NOT NULL)),
    CHECK (state NOT IN ('by_hand', 'failed') OR todo <> '')
);
COMMENT ON TABLE case_step IS 'what is done about a case: each step once, whoever is killed meanwhile';
COMMENT ON COLUMN case_step.key IS 'names the step to whoever carries it out, so that a second try is harmless there';
COMMENT ON COLUMN case_step.attempts IS 'fence: only rises';
COMMENT ON COLUMN case_step.tries IS 'attempts without success; what was put off by the other end is none';
COMMENT ON COLUMN case_step.content IS 'of an email: the draft, as RFC 5322 has it';
COMMENT ON COLUMN case_step.todo IS 'what a person does now';
CREATE INDEX case_step_due ON case_step (run_at) WHERE state = 'due';
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON oversold_case, case_look, case_step TO lockstep_app;
"""


def upgrade() -> None:
    """Let oversold lines be found, and be answered."""
    for statements in (CASES, STEPS, GRANTS):
        op.execute(statements)
