"""What the house suggests and nobody has done: since when it stands, and what somebody dismissed and why.

A suggestion that is followed goes by itself: what was ordered is expected, what was taken out is there no more. So what
stands was not followed. One that was dismissed stays dismissed until it has gone; when it comes anew it counts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

#: Kind -> what it says, and where to begin.
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "reorder": ("order what has fallen to its reorder point", "lockstep reorder list"),
    "weight": ("give a channel the weight that its demand asks for", "lockstep alloc fit"),
    "take-out": ("take out of Amazon's network what will be charged", "lockstep amazon removals"),
    "send-in": ("send to Amazon what will be wanted there", "lockstep amazon send-in"),
    "unpark": ("put right what a channel refuses, then try again", "lockstep push parked"),
}

# Kind, object, since when, and what is suggested; what is not in sync at Amazon is held back, and so not suggested.
_STANDING = """
    SELECT 'reorder' AS kind, l.sku || '@' || l.location AS object, l.low_since AS since,
           'reorder point ' || l.reorder_point || ', order up to ' || l.order_up_to AS detail
    FROM reorder_level AS l WHERE l.low_since IS NOT NULL
    UNION ALL
    SELECT 'weight', substr(object, strpos(object, ':') + 1), since, ''
    FROM alarm WHERE rule = 'alloc.fit' AND resolved_at IS NULL
    UNION ALL
    SELECT 'take-out', seller_sku || '@' || channel, removal_since,
           removal_units || ' units' || coalesce(', ' || coalesce(net, saved) || ' dollars', '')
    FROM fba_standing WHERE removal_since IS NOT NULL AND held_back = ''
    UNION ALL
    SELECT 'send-in', seller_sku || '@' || channel, send_since, send_units || ' units'
    FROM fba_standing WHERE send_since IS NOT NULL AND held_back = ''
    UNION ALL
    SELECT 'unpark', sku || '@' || location || ' on ' || channel, since, coalesce(error, '')
    FROM push_due WHERE parked
"""
_SAID = f"""
    SELECT s.kind, s.object, s.since, s.detail, d.dismissed_at, d.dismissed_by, d.reason
    FROM ({_STANDING}) AS s LEFT JOIN LATERAL (
        SELECT dismissed_at, dismissed_by, reason FROM suggestion_dismissed AS d
        WHERE d.kind = s.kind AND d.object = s.object AND d.dismissed_at >= s.since
        ORDER BY dismissed_at DESC LIMIT 1
    ) AS d ON true
"""  # noqa: S608 -- composed of constants
_LIST = text(f"""
    SELECT * FROM ({_SAID}) AS said
    WHERE (CAST(:kind AS text) IS NULL OR kind = :kind) AND (:every OR dismissed_at IS NULL)
      AND since < CAST(:before AS timestamptz)
    ORDER BY since, kind, object LIMIT :most
""")  # noqa: S608 -- composed of constants
_COUNT = text(f"""
    SELECT kind, count(*) FILTER (WHERE dismissed_at IS NULL) AS ignored,
           count(*) FILTER (WHERE dismissed_at IS NULL AND since < :since) AS from_before,
           count(*) FILTER (WHERE dismissed_at IS NOT NULL) AS dismissed,
           min(since) FILTER (WHERE dismissed_at IS NULL) AS oldest_at
    FROM ({_SAID}) AS said WHERE since < :until GROUP BY kind
""")  # noqa: S608 -- composed of constants
# Weights alone leave a record when they are over; whether somebody applied rules meanwhile tells the two ends apart.
_WEIGHTS_OVER = text("""
    SELECT count(*) AS over,
           count(*) FILTER (WHERE EXISTS (
               SELECT FROM rule_set AS r WHERE r.applied_at > a.since AND r.applied_at <= a.resolved_at)) AS followed
    FROM alarm AS a WHERE a.rule = 'alloc.fit' AND a.resolved_at >= :since AND a.since < :until
""")
_EXISTS = text(f"SELECT since FROM ({_STANDING}) AS s WHERE kind = :kind AND object = :object")  # noqa: S608
_DISMISS = text("""
    INSERT INTO suggestion_dismissed (kind, object, dismissed_at, dismissed_by, reason)
    VALUES (:kind, :object, :now, :by, :reason)
    ON CONFLICT (kind, object, dismissed_at) DO NOTHING
""")


def standing(
    connection: Connection,
    now: datetime,
    *,
    kind: str | None = None,
    every: bool = False,
    before: datetime | None = None,
    most: int = 1_000,
) -> list[dict[str, Any]]:
    """What stands, oldest first, each with its age in days and where to begin.

    every     what was dismissed, too
    before    only what began to be suggested before then
    """
    values = {"kind": kind, "every": every, "before": before or now, "most": most}
    return [
        {
            **row,
            "age_days": round((now - row["since"]).total_seconds() / 86_400, 1),
            "next": KINDS[row["kind"]][1],
        }
        for row in connection.execute(_LIST, values).mappings()
    ]


def counted(connection: Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """A row a kind of what began before `until` and stands now, whether there is any or not.

    from_before       of those ignored, what began before `since`
    over, followed    of weights that ended in the span: all, and those where rules were applied meanwhile; None: there
                      is no record of such
    """
    values = {"since": since, "until": until}
    found = {row["kind"]: row for row in connection.execute(_COUNT, values).mappings()}
    weights = connection.execute(_WEIGHTS_OVER, values).mappings().one()
    return [
        {
            "kind": kind,
            "what": what,
            "next": next_,
            **{name: found[kind][name] if kind in found else 0 for name in ("ignored", "from_before", "dismissed")},
            "oldest_at": found[kind]["oldest_at"] if kind in found else None,
            "over": weights["over"] if kind == "weight" else None,
            "followed": weights["followed"] if kind == "weight" else None,
        }
        for kind, (what, next_) in KINDS.items()
    ]  # fmt: skip


def stands(connection: Connection, kind: str, name: str) -> bool:
    """Whether it is suggested now."""
    return connection.execute(_EXISTS, {"kind": kind, "object": name}).first() is not None


def dismiss(
    connection: Connection, kind: str, name: str, *, reason: str, by: str, now: datetime
) -> None:
    """Say that a suggestion is not wanted, and why."""
    values = {"kind": kind, "object": name, "reason": reason, "by": by, "now": now}
    connection.execute(_DISMISS, values)
