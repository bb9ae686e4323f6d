"""Deliveries that are booked are emptied, and after longer forgotten; by functions: the application can no more."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"

# Whatever asks, what came within the last week stays. An interchange stays for good: it is the contract. What was
# refused stays while it is open, so that it can be replayed.
_PAGE = """
    WITH page AS MATERIALIZED (
        SELECT id, received_at FROM inbox WHERE id > after_id ORDER BY id LIMIT most
    ), gone AS (
        {change}
        WHERE t.id = page.id AND t.received_at < least(before, now() - interval '7 days') AND t.topic <> 'x12'
          AND (t.state = 'applied' OR t.state = 'rejected' AND NOT EXISTS (
              SELECT FROM failure AS f WHERE f.origin = 'inbox' AND f.object = t.id::text AND f.settled_at IS NULL))
          {further}
        RETURNING t.id
    )
    SELECT max(page.id) AS last, coalesce(min(page.received_at) < before, false) AS old,
           (SELECT count(*) FROM gone) AS gone
    FROM page
"""

_FUNCTION = """
CREATE FUNCTION {name}(after_id bigint, before timestamptz, most integer)
RETURNS TABLE (last bigint, old boolean, gone bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $${body}$$;
COMMENT ON FUNCTION {name} IS '{says}';
REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {name} TO lockstep_app;
"""

EMPTY = _FUNCTION.format(
    name="empty_deliveries",
    body=_PAGE.format(
        change="UPDATE inbox AS t SET body = '' FROM page", further="AND t.body <> ''"
    ),
    says="the bodies of a page of old deliveries that are over are emptied; their rows stay",
)
FORGET = _FUNCTION.format(
    name="forget_deliveries",
    body=_PAGE.format(change="DELETE FROM inbox AS t USING page", further=""),
    says="a page of old deliveries that are over is deleted",
)


def upgrade() -> None:
    """Let customers' names in webhooks go once they are of no use; who asks for it still may not change a delivery."""
    op.execute(EMPTY)
    op.execute(FORGET)
