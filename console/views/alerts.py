"""What somebody should look at: incidents as they are told, and alarms one by one."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

from sqlalchemy import Connection, text

from console.views.listing import Listing
from workers.alerts import outbox

_WAITING: Final = text("""
    SELECT door, count(*) AS waiting, min(run_at) AS since FROM alert_post WHERE told < wanted GROUP BY door
""")

#: all: those that are over too; rule, channel (or NULL)
INCIDENTS: Final = Listing(
    "id, rule, channel, severity, since, resolved_at, acked_by, revision, content",
    "FROM incident",
    """
    (CAST(:rule AS text) IS NULL OR rule = :rule)
      AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    """,
    (("since", "timestamptz"), ("id", "bigint")),
    open_only="resolved_at IS NULL",
)

#: incident
ALARMS_OF: Final = Listing(
    "id, rule, object, severity, since, last_at, resolved_at, detail",
    "FROM alarm",
    "incident = :incident AND (CAST(:like AS text) IS NULL OR object ILIKE :like)",
    (("id", "bigint"),),
    optional=("like",),
)

#: rule (or NULL)
ALARMS: Final = Listing(
    "id, rule, object, since, last_at, detail",
    "FROM alarm",
    "resolved_at IS NULL AND (CAST(:rule AS text) IS NULL OR rule = :rule)",
    (("since", "timestamptz"), ("id", "bigint")),
    newest=False,
)


def doors(connection: Connection, configured: Set[str]) -> list[dict[str, Any]]:
    """Where alerts are told, what waits for each door, and why one is shut.

    configured    names of the doors that this process was told of
    """
    known = {row["door"]: row for row in outbox.doors(connection)}
    waiting = {row.door: row.waiting for row in connection.execute(_WAITING)}
    return [
        {
            "door": name,
            "set_up": name in configured,
            "waiting": waiting.get(name, 0),
            "told_at": known.get(name, {}).get("told_at"),
            "shut_since": known.get(name, {}).get("shut_since"),
            "why": known.get(name, {}).get("shut_why", ""),
        }
        for name in sorted(configured | set(known))
    ]
