"""Listings that moved at the vendor: what a channel shows of one says nothing of another."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

_KEYS = """unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
           AS moved (channel, sku, location)"""

# A new number: the answer to a call that is on its way to the old listing must not end the row of the new one.
_RENUMBER = text(f"""
    WITH held AS MATERIALIZED (
        SELECT t.channel, t.sku, t.location FROM target t JOIN {_KEYS} USING (channel, sku, location)
        ORDER BY t.channel, t.sku, t.location FOR NO KEY UPDATE OF t
    )
    UPDATE target t SET number = t.number + 1 FROM held
    WHERE t.channel = held.channel AND t.sku = held.sku AND t.location = held.location
""")  # noqa: S608 -- composed of constants

# A lease and its key stay, as with a target that changed.
_QUEUE = text(f"""
    INSERT INTO push_due AS d (channel, sku, location, priority, since, run_at)
    SELECT t.channel, t.sku, t.location, 2, :now, :now
    FROM target t JOIN {_KEYS} USING (channel, sku, location) JOIN binding b USING (channel, sku, location)
    WHERE NOT b.read_only
    ORDER BY 1, 2, 3
    ON CONFLICT (channel, sku, location) DO UPDATE SET
        run_at = least(d.run_at, excluded.run_at), attempts = 0, parked = false, error = NULL
""")  # noqa: S608 -- composed of constants

_FORGET = text(f"""
    WITH held AS MATERIALIZED (
        SELECT s.channel, s.sku, s.location FROM shown s JOIN {_KEYS} USING (channel, sku, location)
        ORDER BY s.channel, s.sku, s.location FOR UPDATE OF s
    )
    DELETE FROM shown s USING held
    WHERE s.channel = held.channel AND s.sku = held.sku AND s.location = held.location
""")  # noqa: S608 -- composed of constants


def show_anew(
    connection: Connection, moved: Collection[tuple[str, str, str]], now: datetime
) -> None:
    """Forget what is shown at these places, and send them their numbers though those have not changed.

    moved    (channel, SKU, location), bound to their new listings in this transaction
    """
    if moved:
        # Targets, the queue, what is shown: the order in which everybody takes these locks.
        send_anew(connection, moved, now)
        connection.execute(_FORGET, _columns(moved))


def send_anew(
    connection: Connection, places: Collection[tuple[str, str, str]], now: datetime
) -> None:
    """Send these (channel, SKU, location) their numbers though those have not changed."""
    if places:
        keys = _columns(places)
        connection.execute(_RENUMBER, keys)
        connection.execute(_QUEUE, keys | {"now": now})


def _columns(places: Collection[tuple[str, str, str]]) -> dict[str, object]:
    ordered = sorted(places)
    return {
        "channels": [channel for channel, _, _ in ordered],
        "skus": [sku for _, sku, _ in ordered],
        "locations": [location for _, _, location in ordered],
    }
