"""The floor to measure against: a hand-written loader that only inserts and updates, set-based, in batches.

It writes the same rows into the same tables as the ingest path (inbox, event, posting, balance), in one
transaction a batch, with the fastest plain technique we know (one JSON parameter a statement). What it leaves
out is what the product is for: reading and checking facts, duplicates, order lines, waiting, counts, due SKUs, running
balances in the postings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from psycopg import sql

_INBOX = sql.SQL("""
    INSERT INTO inbox (source, delivery_id, topic, headers, body, received_at)
    SELECT source, source_id, 'fact', '{}', convert_to(body, 'UTF8'), now()
    FROM json_to_recordset(%s::json) AS r (source text, source_id text, body text)
""")

_SETTLE = sql.SQL("""
    UPDATE inbox SET state = 'applied', attempts = 1, settled_at = now()
    FROM json_to_recordset(%s::json) AS r (source text, source_id text)
    WHERE inbox.source = r.source AND inbox.delivery_id = r.source_id
""")

_EVENT = sql.SQL("""
    INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)
    SELECT id, kind, source, source_id, occurred_at, now(), channel, order_id, line_id
    FROM json_to_recordset(%s::json)
         AS r (id uuid, kind text, source text, source_id text, occurred_at timestamptz,
               channel text, order_id text, line_id text)
""")

_BALANCE = sql.SQL("""
    WITH leg AS (
        SELECT sku, from_location AS location, from_state AS state, -units AS units
        FROM json_to_recordset(%(rows)s::json) AS r (sku text, from_location text, from_state text, units bigint)
        UNION ALL
        SELECT sku, to_location, to_state, units
        FROM json_to_recordset(%(rows)s::json) AS r (sku text, to_location text, to_state text, units bigint)
    )
    INSERT INTO balance AS b (sku, location, state, units, version)
    SELECT sku, location, state, sum(units), count(*) FROM leg GROUP BY sku, location, state ORDER BY 1, 2, 3
    ON CONFLICT (sku, location, state)
        DO UPDATE SET units = b.units + excluded.units, version = b.version + excluded.version
""")

_POSTING = sql.SQL("""
    INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,
                         to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)
    SELECT id, 1, sku, units, from_location, from_state, units, 0, 1, to_location, to_state, 0, units, 1,
           occurred_at, now()
    FROM json_to_recordset(%s::json)
         AS r (id uuid, sku text, units bigint, from_location text, from_state text, to_location text, to_state text,
               occurred_at timestamptz)
""")


def load(url: str, rows: Sequence[dict[str, Any]], *, batch: int = 1000) -> None:
    """Insert and update, nothing else.

    url     libpq URL of the owner
    rows    id, kind, source, source_id, body, occurred_at, channel, order_id, line_id, sku, units, from_*, to_*
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for begin in range(0, len(rows), batch):
            document = orjson.dumps(rows[begin : begin + batch]).decode()
            with connection.transaction():
                connection.execute(_INBOX, (document,))
            with connection.transaction():
                connection.execute(_SETTLE, (document,))
                connection.execute(_EVENT, (document,))
                connection.execute(_BALANCE, {"rows": document})
                connection.execute(_POSTING, (document,))
