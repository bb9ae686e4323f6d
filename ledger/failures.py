"""Failed work written down: one row an object, in the transaction that makes it so; never per row, never on the way of
what goes well.

Whatever parks, rejects or gives up calls `note`. Nobody calls anything when it goes well later: whoever sweeps reads
that from the object itself (`workers.failures.mending`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from ledger.db import fetch, send
from ledger.types import Failure, Origin, Settlement

#: Longer errors and tracebacks are cut: the end of a traceback says most.
_ERROR, _TRACEBACK = 2_000, 20_000

_NOTE = text("""
    INSERT INTO failure AS f (origin, object, class, channel, sku, location, order_id, task, task_id, payload, error,
                              traceback, attempts, count, first_seen, last_seen)
    SELECT origin, object, kind, channel, sku, location, "order", task, task_id, payload, error, traceback, attempts,
           times, :now, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        origin text, object text, kind text, channel text, sku text, location text, "order" text, task text,
        task_id text, payload jsonb, error text, traceback text, attempts integer, times bigint)
    ORDER BY origin, object
    ON CONFLICT (origin, object) DO UPDATE SET
        class = excluded.class, channel = excluded.channel, sku = excluded.sku, location = excluded.location,
        order_id = excluded.order_id, task = excluded.task, task_id = excluded.task_id, payload = excluded.payload,
        error = excluded.error, traceback = excluded.traceback, attempts = excluded.attempts,
        count = f.count + excluded.count, last_seen = excluded.last_seen, state = 'open', retried_at = NULL,
        settled_at = NULL, settled_by = '', reason = ''
""")

# What a delivery is about stands in its body; it is read only for those that failed.
_DELIVERIES = text("""
    SELECT i.id, i.source, i.topic, i.delivery_id, i.received_at, i.attempts, i.error, i.body,
           (SELECT c.channel FROM channel AS c WHERE c.channel = i.source) AS channel
    FROM inbox AS i WHERE i.id = ANY(CAST(:ids AS bigint[])) ORDER BY i.id
""")


def note(connection: Connection, failed: Iterable[Failure], now: datetime) -> None:
    """Write failures down; what failed before is opened again, its count going on.

    Called in the transaction that parks, rejects or gives up the objects.
    """
    rows: dict[tuple[str, str], Failure] = {}
    for each in failed:
        before = rows.get((each.origin, each.object))
        times = each.times + (before.times if before else 0)
        rows[each.origin, each.object] = replace(each, times=times)
    if rows:
        given = [
            asdict(each) | {"error": _clean(each.error)[:_ERROR], "traceback": _clean(each.traceback)[-_TRACEBACK:]}
            for each in rows.values()
        ]  # fmt: skip
        send(
            connection,
            _NOTE,
            {"rows": _clean(orjson.dumps(given, default=str).decode()), "now": now},
        )


def _clean(said: str) -> str:
    """PostgreSQL keeps no NUL in a text, spelled out or not."""
    return said.replace("\0", "").replace("\\u0000", "")


def note_deliveries(
    connection: Connection, settlements: Collection[Settlement], now: datetime
) -> None:
    """Write down which of these deliveries have just been parked or rejected."""
    kinds = {s.row_id: s.failure for s in settlements if s.state in ("parked", "rejected")}
    if not kinds:
        return
    rows = fetch(connection, _DELIVERIES, {"ids": sorted(kinds)})
    note(connection, [_delivery(row, kinds[row.id]) for row in rows], now)


def _delivery(row: Any, kind: str) -> Failure:
    facts = _about(row.topic, bytes(row.body))
    return Failure(
        Origin.INBOX,
        str(row.id),
        kind,
        row.error or "",
        channel=facts.get("channel") or row.channel or "",
        sku=facts.get("sku", ""),
        location=facts.get("location", ""),
        order=facts.get("order", ""),
        task="workers.tasks.work_orders" if row.topic == "x12" else "workers.tasks.drain",
        payload={
            "source": row.source,
            "topic": row.topic,
            "delivery_id": row.delivery_id,
            "received_at": row.received_at,
        },
        attempts=row.attempts,
    )


def _about(topic: str, body: bytes) -> dict[str, str]:
    """What a body says by itself: of a canonical fact everything, of a vendor's document its order."""
    document: object = None
    with suppress(orjson.JSONDecodeError):
        document = orjson.loads(body)
    if not isinstance(document, Mapping):
        return {}
    if topic == "fact":
        return {
            name: str(document[name])[:200]
            for name in ("channel", "sku", "location", "order")
            if isinstance(document.get(name), str)
        }
    order = document.get("order_id", document.get("id") if topic.startswith("orders/") else None)
    return {"order": str(order)[:200]} if isinstance(order, str | int) else {}
