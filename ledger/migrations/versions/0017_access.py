"""Who may do what at a door, and what was asked there: tokens, deeds and their ends, failed logins."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"

TOKENS = """
CREATE TABLE token (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CHECK (name <> '' AND length(name) <= 100),
    role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'lead', 'admin')),
    hash          bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at    timestamptz NOT NULL,
    created_by    text NOT NULL CHECK (created_by <> ''),
    last_used_at  timestamptz,
    expires_at    timestamptz CHECK (expires_at > created_at),
    revoked_at    timestamptz,
    revoked_by    text NOT NULL DEFAULT '',
    CHECK ((revoked_at IS NULL) = (revoked_by = ''))
);
COMMENT ON TABLE token IS 'who may come in by API and dashboard; the token itself is known to its holder only';
COMMENT ON COLUMN token.hash IS 'SHA-256 of the token, which is 256 random bits';
COMMENT ON COLUMN token.last_used_at IS 'within a minute';
CREATE UNIQUE INDEX token_in_use ON token (name) WHERE revoked_at IS NULL;

CREATE TABLE login_failure (
    address    text NOT NULL,
    window_at  timestamptz NOT NULL,
    failures   integer NOT NULL CHECK (failures >= 1),
    PRIMARY KEY (address, window_at)
);
COMMENT ON TABLE login_failure IS 'failed logins of the last windows by address, so that guessing is slow';
CREATE INDEX login_failure_window ON login_failure (window_at);
"""

DEEDS = """
CREATE TABLE deed (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text NOT NULL CHECK (actor <> ''),
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'lead', 'admin')),
    door       text NOT NULL CHECK (door IN ('cli', 'api', 'web', 'system')),
    token_id   bigint REFERENCES token (id),
    verb       text NOT NULL CHECK (verb <> ''),
    object     text NOT NULL CHECK (object <> ''),
    arguments  jsonb NOT NULL DEFAULT '{}',
    reason     text NOT NULL DEFAULT ''
);
COMMENT ON TABLE deed IS 'what was asked of the house at any door, written before it is begun; never changed';
COMMENT ON COLUMN deed.arguments IS 'without secrets; long ones are cut';
CREATE INDEX deed_actor ON deed (actor, id);
CREATE INDEX deed_object ON deed (object, id);
CREATE INDEX deed_verb ON deed (verb, id);

CREATE TABLE deed_end (
    deed_id  bigint PRIMARY KEY REFERENCES deed (id),
    at       timestamptz NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    detail   text NOT NULL DEFAULT ''
);
COMMENT ON TABLE deed_end IS 'how a deed ended; one without an end was cut off';
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was done stays written: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER deed_is_append_only BEFORE UPDATE OR DELETE ON deed
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER deed_keeps_all BEFORE TRUNCATE ON deed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER deed_end_is_append_only BEFORE UPDATE OR DELETE ON deed_end
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER deed_end_keeps_all BEFORE TRUNCATE ON deed_end
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_keeps_all BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
"""

GRANTS = """
GRANT SELECT, INSERT ON token, deed, deed_end TO lockstep_app;
GRANT UPDATE (last_used_at, revoked_at, revoked_by) ON token TO lockstep_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_failure TO lockstep_app;
"""


def upgrade() -> None:
    """Let somebody be known by a token, and keep what was asked."""
    for statements in (TOKENS, DEEDS, APPEND_ONLY, GRANTS):
        op.execute(statements)
