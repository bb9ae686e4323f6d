"""What somebody should look at: incidents as they are told, and alarms one by one."""

from __future__ import annotations

from typing import Final

from console.views.listing import Listing

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

#: rule (or NULL)
ALARMS: Final = Listing(
    "id, rule, object, since, last_at, detail",
    "FROM alarm",
    "resolved_at IS NULL AND (CAST(:rule AS text) IS NULL OR rule = :rule)",
    (("since", "timestamptz"), ("id", "bigint")),
    newest=False,
)
