"""Who outside is told of what: subscriptions, what there is to tell, what was told; forecasts in the feed."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"

HOOKS = """
CREATE TABLE hook (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL CHECK (name <> '' AND length(name) <= 100),
    url          text NOT NULL CHECK (url ~ '^https?://'),
    kinds        text[] NOT NULL CHECK (cardinality(kinds) >= 1 AND kinds <@ ARRAY[
                     'halt.set', 'halt.lifted', 'reorder.needed', 'stockout.forecast', 'test']),
    salt         bytea NOT NULL CHECK (length(salt) = 32),
    proof        bytea NOT NULL CHECK (length(proof) = 32),
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL CHECK (created_by <> ''),
    next_at      timestamptz NOT NULL,
    failing      integer NOT NULL DEFAULT 0 CHECK (failing >= 0),
    told_at      timestamptz,
    stopped_at   timestamptz,
    stopped_why  text NOT NULL DEFAULT '',
    removed_at   timestamptz,
    removed_by   text NOT NULL DEFAULT '',
    CHECK ((stopped_at IS NULL) = (stopped_why = '') AND (removed_at IS NULL) = (removed_by = ''))
);
COMMENT ON TABLE hook IS 'addresses outside that are told of what happens here';
COMMENT ON COLUMN hook.salt IS 'the secret is derived from this and the key of the house, and kept nowhere';
COMMENT ON COLUMN hook.proof IS 'SHA-256 of the secret: a process with another key signs nothing';
COMMENT ON COLUMN hook.next_at IS 'nothing is sent before: it did not answer, or asked to be left alone';
COMMENT ON COLUMN hook.failing IS 'calls in a row that nobody answered';
COMMENT ON COLUMN hook.stopped_why IS
    'it says that it is gone, and a person must see to it; what there is to tell waits';
CREATE UNIQUE INDEX hook_in_use ON hook (name) WHERE removed_at IS NULL;

CREATE TABLE hook_event (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    kind     text NOT NULL,
    object   text NOT NULL CHECK (object <> ''),
    content  jsonb NOT NULL,
    at       timestamptz NOT NULL,
    UNIQUE (kind, object)
);
COMMENT ON TABLE hook_event IS
    'what there is to tell, once, written with what caused it; its id is that of the message';
CREATE INDEX hook_event_at ON hook_event (at);

CREATE TABLE hook_post (
    hook_id       bigint NOT NULL REFERENCES hook (id),
    event_id      uuid NOT NULL REFERENCES hook_event (id),
    state         text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'told', 'failed', 'dropped')),
    run_at        timestamptz NOT NULL,
    leased_until  timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    tries         integer NOT NULL DEFAULT 0,
    told_at       timestamptz,
    error         text NOT NULL DEFAULT '',
    PRIMARY KEY (hook_id, event_id),
    CHECK ((state = 'told') = (told_at IS NOT NULL))
);
COMMENT ON TABLE hook_post IS 'a message to an address: tried until it is told, or given up after days';
COMMENT ON COLUMN hook_post.attempts IS 'fence: only rises';
COMMENT ON COLUMN hook_post.tries IS 'attempts without success';
CREATE INDEX hook_post_due ON hook_post (hook_id, run_at) WHERE state = 'due';
CREATE INDEX hook_post_event ON hook_post (event_id);
"""

# Where nobody asked, nothing is written. The name says what it is about and since when, so that it is told once.
TELLING = """
CREATE FUNCTION hook_tell(told text, about text, said jsonb, moment timestamptz) RETURNS void LANGUAGE sql AS $$
    WITH wanted AS (
        SELECT id FROM hook WHERE removed_at IS NULL AND told = ANY(kinds)
    ), made AS (
        INSERT INTO hook_event (kind, object, content, at)
        SELECT told, about, said, moment WHERE EXISTS (SELECT FROM wanted)
        ON CONFLICT (kind, object) DO NOTHING RETURNING id
    )
    INSERT INTO hook_post (hook_id, event_id, run_at) SELECT wanted.id, made.id, moment FROM wanted CROSS JOIN made
$$;

CREATE FUNCTION hook_halt_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hook_tell('halt.set', 'halt:' || NEW.id || ':' || extract(epoch FROM NEW.set_at), jsonb_build_object(
        'halt', NEW.id, 'channel', NEW.channel, 'sku', NEW.sku, 'reason', NEW.reason, 'by', NEW.set_by,
        'since', NEW.set_at), NEW.set_at);
    RETURN NULL;
END
$$;
CREATE FUNCTION hook_halt_lifted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hook_tell('halt.lifted', 'halt:' || NEW.id || ':' || extract(epoch FROM NEW.set_at), jsonb_build_object(
        'halt', NEW.id, 'channel', NEW.channel, 'sku', NEW.sku, 'reason', NEW.lift_reason, 'by', NEW.lifted_by,
        'since', NEW.set_at, 'until', NEW.lifted_at), NEW.lifted_at);
    RETURN NULL;
END
$$;
CREATE FUNCTION hook_scope_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hook_tell('halt.set', 'halt_scope:' || NEW.id, jsonb_build_object(
        'halt_scope', NEW.id, 'channel', NEW.channel, 'location', NEW.location, 'sku', NEW.sku,
        'reason', NEW.reason, 'by', NEW.set_by, 'since', NEW.set_at), NEW.set_at);
    RETURN NULL;
END
$$;
CREATE FUNCTION hook_scope_lifted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hook_tell('halt.lifted', 'halt_scope:' || NEW.id, jsonb_build_object(
        'halt_scope', NEW.id, 'channel', NEW.channel, 'location', NEW.location, 'sku', NEW.sku,
        'reason', NEW.lift_reason, 'by', NEW.lifted_by, 'since', NEW.set_at, 'until', NEW.lifted_at), NEW.lifted_at);
    RETURN NULL;
END
$$;
CREATE FUNCTION hook_low() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hook_tell('reorder.needed', 'place:' || NEW.sku || '@' || NEW.location || ':'
            || extract(epoch FROM NEW.low_since), jsonb_build_object(
        'sku', NEW.sku, 'location', NEW.location, 'supplier', NEW.supplier, 'reorder_point', NEW.reorder_point,
        'order_up_to', NEW.order_up_to, 'per_day', round(NEW.per_day::numeric, 3), 'lead_days', NEW.lead_days,
        'since', NEW.low_since), NEW.low_since);
    RETURN NULL;
END
$$;

-- A halt of many is told as one: what only a scope holds is not told by SKU.
CREATE TRIGGER hook_of_new_halt AFTER INSERT ON halt FOR EACH ROW WHEN (NEW.own) EXECUTE FUNCTION hook_halt_set();
CREATE TRIGGER hook_of_halt_again AFTER UPDATE ON halt FOR EACH ROW
    WHEN (NEW.own AND NEW.state IN ('setting', 'set') AND (NOT OLD.own OR OLD.state = 'lifting'))
    EXECUTE FUNCTION hook_halt_set();
CREATE TRIGGER hook_of_lifted_halt AFTER UPDATE ON halt FOR EACH ROW
    WHEN (NEW.own AND NEW.state = 'lifted' AND OLD.state <> 'lifted') EXECUTE FUNCTION hook_halt_lifted();
CREATE TRIGGER hook_of_scope AFTER INSERT ON halt_scope FOR EACH ROW EXECUTE FUNCTION hook_scope_set();
CREATE TRIGGER hook_of_lifted_scope AFTER UPDATE ON halt_scope FOR EACH ROW
    WHEN (NEW.lifted_at IS NOT NULL AND OLD.lifted_at IS NULL) EXECUTE FUNCTION hook_scope_lifted();
CREATE TRIGGER hook_of_low AFTER INSERT ON reorder_level FOR EACH ROW
    WHEN (NEW.low_since IS NOT NULL) EXECUTE FUNCTION hook_low();
CREATE TRIGGER hook_of_now_low AFTER UPDATE ON reorder_level FOR EACH ROW
    WHEN (NEW.low_since IS NOT NULL AND OLD.low_since IS NULL) EXECUTE FUNCTION hook_low();
"""

# NOT VALID: the rows that are there obeyed a narrower list, so that nobody waits while they are read again.
FAILURES = """
ALTER TABLE failure DROP CONSTRAINT failure_origin_check;
ALTER TABLE failure ADD CONSTRAINT failure_origin_check
    CHECK (origin IN ('inbox', 'push', 'job', 'task', 'edi', 'case', 'alert', 'hook')) NOT VALID;
"""

FEED = """
CREATE VIEW feed.forecast_v1 AS
SELECT f.run_id, f.until_day, f.sku, f.location, f.kind, f.model, f.folds, f.horizon_days, f.per_day, f.sd_per_day,
       f.units, f.quantiles
FROM public.forecast AS f
WHERE f.run_id = (SELECT max(r.id) FROM public.forecast_run AS r WHERE r.stage = 'done');
COMMENT ON VIEW feed.forecast_v1 IS
    'what the newest run that is done says will be wanted of each place in horizon_days; quantiles: chance to units';

CREATE VIEW feed.reorder_v1 AS
SELECT l.run_id, l.sku, l.location, l.supplier, coalesce(b.units, 0) AS available, l.reorder_point, l.order_up_to,
       l.pack, l.minimum, l.service, l.review_days, l.lead_days, l.lead_sd_days, l.per_day, l.lost_per_hour, l.tier,
       l.low_since
FROM public.reorder_level AS l
LEFT JOIN public.balance AS b ON b.sku = l.sku AND b.location = l.location AND b.state = 'available';
COMMENT ON VIEW feed.reorder_v1 IS 'when to order of each place and up to how much; low_since: at that point or below';

DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('lockstep_app', 'lockstep_feed') LOOP
        EXECUTE format('GRANT SELECT ON feed.forecast_v1, feed.reorder_v1 TO %I', reader);
    END LOOP;
END
$$;
"""

GRANTS = """
GRANT SELECT, INSERT ON hook TO lockstep_app;
GRANT UPDATE (next_at, failing, told_at, stopped_at, stopped_why, removed_at, removed_by) ON hook TO lockstep_app;
GRANT SELECT, INSERT, DELETE ON hook_event TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hook_post TO lockstep_app;
"""


def upgrade() -> None:
    """Let others be told, and read what is forecast."""
    for statements in (HOOKS, TELLING, FAILURES, FEED, GRANTS):
        op.execute(statements)
