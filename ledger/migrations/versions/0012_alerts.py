"""Alerts: alarms that calm down, incidents that group them, what each door has been told, silences."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

ALARMS = """
ALTER TABLE alarm
    ADD COLUMN channel text NOT NULL DEFAULT '',
    ADD COLUMN severity text NOT NULL DEFAULT '',
    ADD COLUMN calm_since timestamptz,
    ADD COLUMN incident bigint;
COMMENT ON COLUMN alarm.channel IS 'the channel it is about; empty: none, or `detail` says it';
COMMENT ON COLUMN alarm.severity IS 'where it differs from that of its rule';
COMMENT ON COLUMN alarm.calm_since IS 'the rule has been kept since then; resolved when that lasts';
COMMENT ON COLUMN alarm.incident IS 'the incident it was put into; NULL: not looked at yet';
CREATE INDEX alarm_of ON alarm (incident);
CREATE INDEX alarm_new ON alarm (rule) WHERE incident IS NULL AND resolved_at IS NULL;

-- What is looked for every few seconds among hundreds of thousands that are well.
CREATE INDEX push_due_parked ON push_due (channel, since) WHERE parked;

CREATE TABLE alert_look (
    rule       text PRIMARY KEY,
    looked_at  timestamptz NOT NULL
);
COMMENT ON TABLE alert_look IS 'when each rule was last looked at';
"""

INCIDENTS = """
CREATE TABLE incident (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL CHECK (rule <> ''),
    channel      text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('critical', 'error', 'warning', 'info')),
    since        timestamptz NOT NULL,
    resolved_at  timestamptz,
    revision     bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    content      jsonb NOT NULL DEFAULT '{}',
    acked_at     timestamptz,
    acked_by     text NOT NULL DEFAULT '',
    CHECK ((acked_at IS NULL) = (acked_by = ''))
);
COMMENT ON TABLE incident IS 'alarms of one rule and channel, told as one; one is open at a time';
COMMENT ON COLUMN incident.revision IS 'rises with everything that is worth telling';
COMMENT ON COLUMN incident.content IS 'what is told, as it stands: docs/alert.schema.json';
CREATE UNIQUE INDEX incident_open ON incident (rule, channel) WHERE resolved_at IS NULL;
CREATE INDEX incident_since ON incident (since);

CREATE TABLE silence (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule      text NOT NULL CHECK (rule <> ''),
    channel   text NOT NULL DEFAULT '',
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL CHECK (until >= since),
    made_by   text NOT NULL CHECK (made_by <> ''),
    reason    text NOT NULL CHECK (reason <> '')
);
COMMENT ON TABLE silence IS 'incidents of this rule (and channel; empty: all) are not told anew before `until`';
CREATE INDEX silence_until ON silence (until);
"""

OUTBOX = """
CREATE TABLE alert_door (
    door        text PRIMARY KEY,
    next_at     timestamptz NOT NULL,
    lock        text NOT NULL,
    told_at     timestamptz,
    shut_since  timestamptz,
    shut_why    text NOT NULL DEFAULT '',
    CHECK ((shut_since IS NULL) = (shut_why = ''))
);
COMMENT ON TABLE alert_door IS 'where incidents are told: slack, pagerduty, webhook';
COMMENT ON COLUMN alert_door.next_at IS 'nothing is sent before: its pace, or it asked to be left alone';
COMMENT ON COLUMN alert_door.lock IS 'digest of its settings; others open a door that was shut';
COMMENT ON COLUMN alert_door.shut_why IS 'it refuses us, and a person must help; posts wait';

CREATE TABLE alert_post (
    incident       bigint NOT NULL REFERENCES incident (id),
    door           text NOT NULL,
    part           text NOT NULL,
    wanted         bigint NOT NULL CHECK (wanted >= 0),
    told           bigint NOT NULL DEFAULT 0 CHECK (told <= wanted),
    run_at         timestamptz NOT NULL,
    leased_until   timestamptz,
    attempts       integer NOT NULL DEFAULT 0,
    doubtful_since timestamptz,
    place          text NOT NULL DEFAULT '',
    told_at        timestamptz,
    error          text NOT NULL DEFAULT '',
    PRIMARY KEY (incident, door, part)
);
COMMENT ON TABLE alert_post IS 'what each door is to be told of an incident and has been told; latest wins';
COMMENT ON COLUMN alert_post.part IS 'root: the incident as it stands; in its thread: more (by number), resolved';
COMMENT ON COLUMN alert_post.wanted IS 'revision of the incident that it should say, told: that it says';
COMMENT ON COLUMN alert_post.place IS 'how the door names it, so that it is edited and not told again';
COMMENT ON COLUMN alert_post.doubtful_since IS 'it was sent and nobody knows whether it arrived';
CREATE INDEX alert_post_due ON alert_post (door, run_at) WHERE told < wanted;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON alert_look, incident, silence, alert_door, alert_post TO lockstep_app;
"""


def upgrade() -> None:
    """Create the tables of alerts."""
    for statements in (ALARMS, INCIDENTS, OUTBOX, GRANTS):
        op.execute(statements)
