"""Ask everybody: each shop for its own state and log, PostgreSQL for its rows, the ledger for its proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from console.demo import goods
from console.demo.evidence import Evidence, Notes
from console.demo.house import House
from ledger.verify import verify

TABLES: Final = {
    "inbox": """
        SELECT id, source, topic, delivery_id, state, coalesce(error, '') AS error, received_at, settled_at
        FROM inbox ORDER BY id
    """,
    "committed": """
        SELECT sku, sum(units)::bigint AS units FROM balance WHERE state = 'committed' GROUP BY sku
    """,
    "available": """
        SELECT sku, sum(units)::bigint AS units FROM balance WHERE state = 'available' GROUP BY sku
    """,
    "in_house": """
        SELECT sku, sum(units)::bigint AS units FROM balance
        WHERE location <> 'OUTSIDE' AND state <> 'incoming' GROUP BY sku
    """,
    "target": """
        SELECT t.channel, t.sku, t.location, t.units, b.vendor_location_id
        FROM target AS t LEFT JOIN binding AS b USING (channel, sku, location)
        ORDER BY 1, 2, 3
    """,
    "order_line": """
        SELECT channel, order_id, line_id, sku, location, ordered_units, cancelled_units, shipped_units FROM order_line
    """,
    "held": """
        SELECT sku, location, units FROM balance WHERE state = 'available' AND location = 'FBA-US'
    """,
    "due": "SELECT sku FROM due",
    "push_due": """
        SELECT channel, sku, location, parked, coalesce(error, '') AS error, attempts FROM push_due
    """,
    "run": """
        SELECT channel, window_at, finished_at, state, attempts, expected, read, drifted, repushed, halted, error
        FROM run WHERE job = 'reconcile' ORDER BY window_at, channel
    """,
    "drift": """
        SELECT channel, sku, location, window_at, expected, actual, cause, action, seen_at, resolved_at, result
        FROM drift ORDER BY id
    """,
    "halt": """
        SELECT channel, sku, state, reason, set_by, set_at, confirmed_at, lifted_by, lift_reason, lifted_at
        FROM halt ORDER BY id
    """,
    "hidden": "SELECT channel, sku FROM hidden",
    # Every move of available units, in the order of the book; an order's own move carries when it was accepted.
    "moves": """
        SELECT e.seq, e.kind, e.channel, e.order_id, p.sku, p.units, p.from_location, p.from_state, p.from_after,
               p.to_location, p.to_state, p.to_after, i.received_at
        FROM event AS e JOIN posting AS p ON p.event_id = e.id
        LEFT JOIN inbox AS i ON i.id = e.inbox_id AND e.kind = 'order'
        WHERE p.from_state = 'available' OR p.to_state = 'available'
        ORDER BY e.seq, p.line
    """,
    "sums": """
        SELECT (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM posting) AS postings,
               (SELECT count(*) FROM inbox) AS deliveries,
               (SELECT count(*) FROM push WHERE outcome = 'confirmed') AS pushes_confirmed,
               (SELECT count(*) FROM push) AS pushes, (SELECT count(*) FROM seal) AS seals,
               (SELECT count(*) FROM run WHERE job = 'reconcile') AS windows
    """,
    "versions": """
        SELECT current_setting('server_version') AS postgresql, current_setting('fsync') AS fsync,
               current_setting('synchronous_commit') AS synchronous_commit,
               current_setting('full_page_writes') AS full_page_writes
    """,
}


def gather(house: House, notes: Notes) -> Evidence:
    """Everything, once the house is at rest."""
    proof = verify(house.wiring.engine)
    statuses = {status.name: status for status in house.stack.supervisor.status()}
    if notes.crash is not None:
        now = statuses[notes.crash.worker]
        notes.crash = replace(notes.crash, lives=now.pid, restarts=now.restarts)
    bound = house.rows("SELECT channel, vendor_location_id, location FROM channel_location")
    vendor_ids: dict[str, dict[str, str]] = {name: {} for name in goods.PLAYED}
    for row in bound:
        vendor_ids[row["channel"]][row["vendor_location_id"]] = row["location"]
    return Evidence(
        notes=notes,
        views={name: shop.view() for name, shop in house.shops.items()},
        vendor_ids=vendor_ids,
        diary=dict(house.diary),
        tables={name: house.rows(sql) for name, sql in TABLES.items()},
        lanes={
            goods.AMAZON: house.amazon.view(notes.lanes.amazon_orders),
            goods.TILL_LANE: house.till.view(notes.lanes.pickups),
            goods.GROCER: house.grocer.view(),
        },
        findings=[f"{of.check}: {of.row} {of.says}" for of in proof.findings],
        restarts={name: status.restarts for name, status in statuses.items()},
    )
