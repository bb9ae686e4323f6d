"""What waits: deliveries, numbers to be shown, what was pushed, channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, text

from console.views.listing import Listing

CHANNELS: Final = Listing(
    """
    c.channel, c.kind, c.base_url, c.account, c.writes AS certified, c.paused, c.paused_why, c.next_call_at,
    (SELECT count(*) FROM binding AS b WHERE b.channel = c.channel) AS bindings,
    (SELECT count(*) FROM push_due AS d WHERE d.channel = c.channel AND NOT d.parked) AS due,
    (SELECT count(*) FROM push_due AS d WHERE d.channel = c.channel AND d.parked) AS parked,
    (SELECT count(*) FROM halt AS h WHERE h.channel = c.channel AND h.state <> 'lifted') AS halted
    """,
    "FROM channel AS c",
    "true",
    (("c.channel", "text"),),
    newest=False,
)

#: state: several; source (or NULL)
INBOX: Final = Listing(
    "id, source, topic, delivery_id, state, received_at, attempts, coalesce(error, wait_for, '') AS why",
    "FROM inbox",
    """
    state = ANY(CAST(:state AS text[])) AND (CAST(:source AS text) IS NULL OR source = :source)
    """,
    (("id", "bigint"),),
)
STATES: Final = ("pending", "waiting", "applied", "parked", "rejected")

_DELIVERY = text("""
    SELECT id, source, topic, delivery_id, headers, encode(body, 'escape') AS body, received_at, state, attempts,
           wait_for, error, settled_at
    FROM inbox WHERE id = :id
""")

# Looked up for the rows of a page only: in a flood, joining all that waits would take longer than anything else.
_OF_DUE: Final = (
    "FROM target AS t WHERE t.channel = d.channel AND t.sku = d.sku AND t.location = d.location"
)
#: What waits to be shown, the oldest first; parked, channel, sku (or NULL).
DUE: Final = Listing(
    f"d.channel, d.sku, d.location, (SELECT units {_OF_DUE}) AS units, (SELECT number {_OF_DUE}) AS number,"
    " d.attempts, d.since, d.run_at, d.parked, d.error",
    "FROM push_due AS d",
    """
    (CAST(:parked AS boolean) IS NULL OR d.parked = :parked)
      AND (CAST(:channel AS text) IS NULL OR d.channel = :channel) AND (CAST(:sku AS text) IS NULL OR d.sku = :sku)
    """,
    (
        ("d.since", "timestamptz"),
        ("d.channel", "text"),
        ("d.sku", "text"),
        ("d.location", "text"),
    ),
    newest=False,
)

#: What was pushed; channel, sku (or NULL).
PUSHES: Final = Listing(
    "id, channel, sku, location, units, number, sent_at, answered_at, outcome, detail",
    "FROM push",
    """
    (CAST(:channel AS text) IS NULL OR channel = :channel) AND (CAST(:sku AS text) IS NULL OR sku = :sku)
    """,
    (("id", "bigint"),),
)


#: The same of deliveries that wait for a person, by the index of these.
_STUCK: Final = replace(INBOX, where=f"state IN ('parked', 'rejected') AND {INBOX.where}")


def inbox_of(states: Sequence[str]) -> Listing:
    """The list for deliveries in these states."""
    return _STUCK if {"parked", "rejected"}.issuperset(states) else INBOX


def delivery(connection: Connection, number: int) -> dict[str, Any] | None:
    """One delivery as it came, with what a buyer may have written into it; None: there is none."""
    row = connection.execute(_DELIVERY, {"id": number}).mappings().one_or_none()
    return None if row is None else dict(row)
