"""Lines of supply and requests to make or buy sooner, as rows: read and locked, written back."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import Connection, text

from ledger.db import send
from ledger.expecting import Request, RequestKey, SupplyKey, SupplyLine

_SUPPLY = text("""
    SELECT s.reference, s.sku, s.location, s.expected_units, s.received_units, s.due_at, s.revision
    FROM supply_line AS s
    JOIN json_to_recordset(CAST(:keys AS json)) AS given (reference text, sku text, location text)
      ON given.reference = s.reference AND given.sku = s.sku AND given.location = s.location
    ORDER BY s.reference, s.sku, s.location
    FOR UPDATE OF s
""")

_WRITE_SUPPLY = text("""
    INSERT INTO supply_line (reference, sku, location, expected_units, received_units, due_at, revision)
    SELECT reference, sku, location, expected, received, due_at, revision
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (reference text, sku text, location text, expected bigint, received bigint, due_at timestamptz,
                   revision timestamptz)
    ORDER BY reference, sku, location
    ON CONFLICT (reference, sku, location) DO UPDATE SET
        expected_units = excluded.expected_units, received_units = excluded.received_units,
        due_at = excluded.due_at, revision = excluded.revision
""")

_REQUESTS = text("""
    SELECT p.sku, p.location, p.source, p.channel, p.order_id, p.line_id, p.units, p.due_at, p.reason, p.since,
           p.revision
    FROM pull_forward AS p
    JOIN json_to_recordset(CAST(:keys AS json))
         AS given (sku text, location text, source text, channel text, order_id text, line_id text)
      ON given.sku = p.sku AND given.location = p.location AND given.source = p.source
     AND given.channel = p.channel AND given.order_id = p.order_id AND given.line_id = p.line_id
    ORDER BY p.sku, p.location, p.source, p.channel, p.order_id, p.line_id
    FOR UPDATE OF p
""")

_WRITE_REQUESTS = text("""
    INSERT INTO pull_forward (sku, location, source, channel, order_id, line_id, units, due_at, reason, since,
                              revision)
    SELECT sku, location, source, channel, order_id, line_id, units, due_at, reason, since, revision
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (sku text, location text, source text, channel text, order_id text, line_id text, units bigint,
                   due_at timestamptz, reason text, since timestamptz, revision timestamptz)
    ORDER BY sku, location, source, channel, order_id, line_id
    ON CONFLICT (sku, location, source, channel, order_id, line_id) DO UPDATE SET
        units = excluded.units, due_at = excluded.due_at, reason = excluded.reason, since = excluded.since,
        revision = excluded.revision
""")


def supply(connection: Connection, keys: Collection[SupplyKey]) -> dict[SupplyKey, SupplyLine]:
    """What has been posted for these lines of supply, locked; those nobody named before are missing."""
    if not keys:
        return {}
    given = [dict(zip(("reference", "sku", "location"), key, strict=True)) for key in sorted(keys)]
    rows = connection.execute(_SUPPLY, {"keys": orjson.dumps(given).decode()})
    return {
        (row.reference, row.sku, row.location): SupplyLine(
            row.expected_units, row.received_units, row.due_at, row.revision
        )
        for row in rows
    }


def write_supply(connection: Connection, lines: Mapping[SupplyKey, SupplyLine]) -> None:
    """Remember what has been posted for each line of supply."""
    if not lines:
        return
    rows = [
        {
            "reference": reference,
            "sku": sku,
            "location": location,
            "expected": line.expected_units,
            "received": line.received_units,
            "due_at": line.due_at,
            "revision": line.revision,
        }
        for (reference, sku, location), line in lines.items()
    ]
    send(connection, _WRITE_SUPPLY, {"rows": orjson.dumps(rows).decode()})


def requests(connection: Connection, keys: Collection[RequestKey]) -> dict[RequestKey, Request]:
    """These requests as they stand, locked; those never made are missing."""
    if not keys:
        return {}
    names = ("sku", "location", "source", "channel", "order_id", "line_id")
    given = [dict(zip(names, key, strict=True)) for key in sorted(keys)]
    rows = connection.execute(_REQUESTS, {"keys": orjson.dumps(given).decode()})
    return {
        (row.sku, row.location, row.source, row.channel, row.order_id, row.line_id): Request(
            row.units, row.due_at, row.reason, row.since, row.revision
        )
        for row in rows
    }


def write_requests(connection: Connection, asked: Mapping[RequestKey, Request]) -> None:
    """Remember each request as it stands."""
    if not asked:
        return
    rows = [
        {
            "sku": sku,
            "location": location,
            "source": source,
            "channel": channel,
            "order_id": order,
            "line_id": line,
            "units": request.units,
            "due_at": request.due_at,
            "reason": request.reason,
            "since": request.since,
            "revision": request.revision,
        }
        for (sku, location, source, channel, order, line), request in asked.items()
    ]
    send(connection, _WRITE_REQUESTS, {"rows": orjson.dumps(rows).decode()})
