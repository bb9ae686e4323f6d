"""A house in which something of everything has happened: what pages have to show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from tests.builders import a_fact, book
from tests.servers import Clock, Database

#: Each is run once with the moment it is now.
_HAPPENED: Final = (
    "UPDATE channel SET writes = true",
    """
    INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
    SELECT channel, sku, 'WH', channel || ':' || sku, 'gid' FROM channel, unnest(ARRAY['MUG-RED', 'MUG-BLUE']) AS sku
    """,
    """
    INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)
    SELECT channel, sku, location, 30, 2, 1, :now - interval '50 minutes' FROM binding
    """,
    """
    INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)
    SELECT channel, sku, location, n, 15 * n, 1, :now - interval '80 minutes' + n * interval '15 minutes', '{}'
    FROM binding, generate_series(1, 2) AS n
    """,
    """
    INSERT INTO push (push_key, channel, sku, location, units, number, expected, sent_at, answered_at, outcome,
                      due_since, seen_at)
    SELECT 'k', channel, sku, location, 30, 2, 15, :now - interval '45 minutes', :now - interval '44 minutes',
           'confirmed', :now - interval '50 minutes', :now - interval '40 minutes' FROM binding
    """,
    """
    INSERT INTO shown (channel, sku, location, units, number, confirmed_at, read_units, read_at)
    SELECT channel, sku, location, 30, 2, :now - interval '44 minutes',
           CASE WHEN sku = 'MUG-RED' THEN 50 ELSE 30 END, :now - interval '5 minutes' FROM binding
    """,
    """
    INSERT INTO push_due (channel, sku, location, priority, since, run_at, parked, error, attempts)
    VALUES ('shop', 'MUG-RED', 'WH', 1, :now - interval '9 seconds', :now, false, NULL, 1),
           ('second', 'MUG-BLUE', 'WH', 1, :now - interval '1 hour', :now, true, 'the item is not known <there>', 3)
    """,
    """
    INSERT INTO run (job, channel, window_at, state, started_at, finished_at, expected, read, unknown, drifted, fixed,
                     halted, error)
    SELECT 'reconcile', channel, date_trunc('hour', CAST(:now AS timestamptz)) - n * interval '15 minutes',
           CASE WHEN n = 7 THEN 'missed' ELSE 'done' END, :now - n * interval '15 minutes',
           :now - n * interval '15 minutes', 200, 200, 1, n % 3, 0, n % 2,
           CASE WHEN n = 7 THEN 'nobody was there' ELSE '' END
    FROM channel, generate_series(1, 60) AS n
    """,
    """
    INSERT INTO drift (channel, sku, location, expected, actual, cause, evidence, action, seen_at, last_at, times)
    VALUES ('shop', 'MUG-RED', 'WH', 30, 50, 'swallowed_update', '{"pushes": [1]}', 'halt and re-push',
            :now - interval '20 minutes', :now - interval '5 minutes', 2)
    """,
    """
    INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at, result)
    SELECT 'second', 'MUG-BLUE', 'WH', 30, 30 + n, 'external_edit', 're-push', :now - n * interval '1 hour',
           :now - n * interval '1 hour', :now - n * interval '50 minutes', 'repaired'
    FROM generate_series(1, 60) AS n
    """,
    """
    INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at, drift_id, confirmed_at)
    VALUES ('shop', 'MUG-RED', 'set', 'shows 50 for 30', 'rule', :now - interval '20 minutes', :now, 1, :now)
    """,
    """
    INSERT INTO incident (rule, channel, severity, since, content)
    VALUES ('drift.open', 'shop', 'error', :now - interval '20 minutes',
            '{"title": "Another number than it should", "lines": ["MUG-RED should 30, shows 50"], "count": 1}')
    """,
    """
    INSERT INTO alarm (rule, object, channel, severity, since, last_at, detail, incident)
    VALUES ('drift.open', 'drift:shop/MUG-RED@WH', 'shop', 'error', :now, :now,
            '{"sku": "MUG-RED", "delta": "+20"}', 1)
    """,
    """
    INSERT INTO heartbeat (queue, seen_at, worker)
    VALUES ('ingest', :now, 'w1'), ('allocate', :now - interval '1 hour', 'w1')
    """,
    "UPDATE channel SET paused = true, paused_by = 'ann', paused_why = 'the vendor moves' WHERE channel = 'second'",
    """
    INSERT INTO failure (origin, object, class, channel, sku, error, first_seen, last_seen)
    SELECT 'push', 'second/MUG-BLUE@' || n, 'rejected', 'second', 'MUG-BLUE', 'not known', :now, :now
    FROM generate_series(1, 70) AS n
    """,
    """
    INSERT INTO inbox (source, delivery_id, topic, headers, body, received_at, state, attempts, error)
    VALUES ('shop', 'bad-1', 'orders/updated', '{}', 'not json', :now - interval '1 minute', 'parked', 3, 'not json')
    """,
)  # fmt: skip


def a_busy_house(database: Database, clock: Clock) -> datetime:
    """Fill it, four hours after it began; returns the moment."""
    now = clock.advance(4 * 3600)
    at = now - timedelta(minutes=40)
    book(
        database.engine,
        a_fact("receipt", id="r-1", units=60, location="WH", occurred_at=now - timedelta(hours=2)),
        a_fact(
            "order", id="o-1", units=4, channel="shop", order="1001", location="WH", occurred_at=at
        ),
        a_fact(
            "order", id="o-2", units=1, channel="shop", order="1002", location="WH", occurred_at=at
        ),
        now=now - timedelta(minutes=30),
    )
    with database.owner.begin() as connection:
        for statement in _HAPPENED:
            connection.execute(
                text(statement.replace(":now", "CAST(:now AS timestamptz)")), {"now": now}
            )
    return now
