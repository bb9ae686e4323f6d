"""Failed work: a row an object, bulk work on it, what is paused, and who was at work when a worker died."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

OPERATIONS = """
CREATE TABLE operation (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    verb          text NOT NULL CHECK (verb IN ('retry', 'discard', 'assign')),
    filter        jsonb NOT NULL,
    assignee      text NOT NULL DEFAULT '',
    actor         text NOT NULL CHECK (actor <> ''),
    reason        text NOT NULL CHECK (reason <> ''),
    total         bigint NOT NULL CHECK (total >= 0),
    done          bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    refused       bigint NOT NULL DEFAULT 0,
    why           jsonb NOT NULL DEFAULT '{}',
    state         text NOT NULL DEFAULT 'planned'
                  CHECK (state IN ('planned', 'running', 'cancelling', 'cancelled', 'done')),
    through       bigint NOT NULL DEFAULT 0,
    upto          bigint NOT NULL,
    attempts      integer NOT NULL DEFAULT 0,
    leased_until  timestamptz,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    CHECK ((ended_at IS NULL) = (state IN ('planned', 'running', 'cancelling')))
);
COMMENT ON TABLE operation IS 'work on many failures at once: who asked, how far it is, how it ended';
COMMENT ON COLUMN operation.total IS 'failures that the filter named when it was asked for';
COMMENT ON COLUMN operation.why IS 'reason -> how many were refused or failed for it';
COMMENT ON COLUMN operation.through IS 'the failure up to which it is done, by id';
COMMENT ON COLUMN operation.upto IS 'the newest failure it is about: what fails later is not part of it';
COMMENT ON COLUMN operation.attempts IS 'fence: only rises';
CREATE INDEX operation_open ON operation (created_at) WHERE state IN ('planned', 'running', 'cancelling');
"""

FAILURES = """
CREATE TABLE failure (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin       text NOT NULL CHECK (origin IN ('inbox', 'push', 'job', 'task', 'edi', 'case', 'alert')),
    object       text NOT NULL CHECK (object <> ''),
    class        text NOT NULL CHECK (class IN (
                     'validation', 'mapping', 'rejected', 'throttled_out', 'unavailable', 'bug')),
    channel      text NOT NULL DEFAULT '',
    sku          text NOT NULL DEFAULT '',
    location     text NOT NULL DEFAULT '',
    order_id     text NOT NULL DEFAULT '',
    task         text NOT NULL DEFAULT '',
    task_id      text NOT NULL DEFAULT '',
    payload      jsonb NOT NULL DEFAULT '{}',
    error        text NOT NULL,
    traceback    text NOT NULL DEFAULT '',
    attempts     integer NOT NULL DEFAULT 0,
    count        bigint NOT NULL DEFAULT 1 CHECK (count >= 1),
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'retrying', 'resolved', 'discarded')),
    assigned_to  text NOT NULL DEFAULT '',
    operation    uuid REFERENCES operation (id),
    retried_at   timestamptz,
    settled_at   timestamptz,
    settled_by   text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    UNIQUE (origin, object),
    CHECK ((settled_at IS NULL) = (state IN ('open', 'retrying'))),
    CHECK (state <> 'discarded' OR reason <> '')
);
COMMENT ON TABLE failure IS 'work that failed for good: one row an object, written with the state that says so';
COMMENT ON COLUMN failure.object IS 'its key where it is kept: a delivery, channel/sku/location, job/channel, ...';
COMMENT ON COLUMN failure.payload IS 'what was at work, whole; of a delivery its names: the body is in the inbox';
COMMENT ON COLUMN failure.count IS 'how often it failed, over all its times of being open';
COMMENT ON COLUMN failure.operation IS 'the bulk work that took hold of it last';
CREATE INDEX failure_seen ON failure (last_seen, id);
CREATE INDEX failure_at_work ON failure (class, channel, state, origin, last_seen, id)
    WHERE state IN ('open', 'retrying');
CREATE INDEX failure_retrying ON failure (origin, id) WHERE state = 'retrying';
CREATE INDEX failure_sku ON failure (sku, id) WHERE sku <> '';
CREATE INDEX failure_order ON failure (order_id, id) WHERE order_id <> '';
CREATE INDEX failure_operation ON failure (operation, state) WHERE operation IS NOT NULL;
"""

PAUSES = """
CREATE TABLE queue_pause (
    queue      text PRIMARY KEY CHECK (queue <> ''),
    paused_at  timestamptz NOT NULL,
    paused_by  text NOT NULL CHECK (paused_by <> ''),
    reason     text NOT NULL CHECK (reason <> '')
);
COMMENT ON TABLE queue_pause IS 'queues whose tasks do nothing until somebody resumes them';
"""

TRIALS = """
CREATE TABLE trial (
    token     uuid PRIMARY KEY,
    queue     text NOT NULL CHECK (queue <> ''),
    first_id  bigint NOT NULL,
    last_id   bigint NOT NULL,
    begun_at  timestamptz NOT NULL,
    CHECK (first_id <= last_id)
);
COMMENT ON TABLE trial IS 'rows that a worker is at work on; a row that stays was left by a worker that died';

ALTER TABLE push_due ADD COLUMN begun integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN push_due.begun IS 'claims since an answer was booked last: more than one means that workers died';
"""

# What was given up before there were failures.
GIVEN_UP = """
INSERT INTO failure (origin, object, class, channel, task, error, attempts, first_seen, last_seen)
SELECT 'inbox', i.id::text, 'validation', coalesce(c.channel, ''), 'workers.tasks.drain', i.error, i.attempts,
       i.received_at, coalesce(i.settled_at, i.received_at)
FROM inbox AS i LEFT JOIN channel AS c ON c.channel = i.source
WHERE i.state IN ('parked', 'rejected')
ORDER BY i.id;

INSERT INTO failure (origin, object, class, channel, sku, location, task, error, attempts, first_seen, last_seen)
SELECT 'push', channel || '/' || sku || '/' || location, 'rejected', channel, sku, location, 'workers.tasks.push',
       error, attempts, since, since
FROM push_due WHERE parked ORDER BY channel, sku, location;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE ON failure, operation TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON queue_pause TO lockstep_app;
GRANT SELECT, INSERT, DELETE ON trial TO lockstep_app;
"""


def upgrade() -> None:
    """Let failed work be seen, retried, and paused."""
    for statements in (OPERATIONS, FAILURES, PAUSES, TRIALS, GIVEN_UP, GRANTS):
        op.execute(statements)
