"""Deeds and tokens, as lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from console.views.listing import Listing

#: actor, object, verb (or NULL); since, outcome (or NULL)
DEEDS: Final = Listing(
    "d.id, d.at, d.actor, d.role, d.door, d.verb, d.object, d.arguments, d.reason,"
    " coalesce(e.outcome, 'cut off') AS outcome, coalesce(e.detail, '') AS detail, e.at AS ended_at",
    "FROM deed AS d LEFT JOIN deed_end AS e ON e.deed_id = d.id",
    """
    (CAST(:actor AS text) IS NULL OR d.actor = :actor)
      AND (CAST(:object AS text) IS NULL OR d.object = :object OR starts_with(d.object, :object || ':'))
      AND (CAST(:verb AS text) IS NULL OR d.verb = :verb OR starts_with(d.verb, :verb || '.'))
      AND (CAST(:outcome AS text) IS NULL OR coalesce(e.outcome, 'cut off') = :outcome)
      AND (CAST(:since AS timestamptz) IS NULL OR d.at >= :since)
    """,
    (("d.id", "bigint"),),
)
#: The same of those that ended so, by the index of ends.
_ENDED: Final = replace(
    DEEDS,
    source="FROM deed_end AS e JOIN deed AS d ON d.id = e.deed_id",
    where=f"e.outcome = :outcome AND {DEEDS.where}",
    key=(("e.deed_id", "bigint"),),
)
OUTCOMES: Final = ("done", "refused", "failed")


def deeds_of(outcome: str | None) -> Listing:
    """The list of deeds that ended so; None: however they ended."""
    return _ENDED if outcome in OUTCOMES else DEEDS


#: What the house itself and its flows wrote into their trail: actor, object, verb, since (or NULL).
TRAIL: Final = Listing(
    "id, at, actor, '' AS role, 'system' AS door, action AS verb, object, detail AS arguments, reason,"
    " 'done' AS outcome, '' AS detail, at AS ended_at",
    "FROM audit",
    """
    (CAST(:actor AS text) IS NULL OR actor = :actor)
      AND (CAST(:object AS text) IS NULL OR object = :object OR starts_with(object, :object || ':'))
      AND (CAST(:verb AS text) IS NULL OR action = :verb OR starts_with(action, :verb || '.'))
      AND (CAST(:outcome AS text) IS NULL OR :outcome = 'done')
      AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
    """,
    (("id", "bigint"),),
)

#: all: those that were revoked or are over too; now; like: a pattern of ILIKE over names; role
TOKENS: Final = Listing(
    "id, name, role, created_at, created_by, last_used_at, expires_at, revoked_at, revoked_by",
    "FROM token",
    """
    (:all OR revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now))
      AND (CAST(:like AS text) IS NULL OR name ILIKE :like) AND (CAST(:role AS text) IS NULL OR role = :role)
    """,
    (("id", "bigint"),),
    optional=("like", "role"),
)
