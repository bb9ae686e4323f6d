"""What pages ask again and again is read by indexes, however much has happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from allocation import explain_long
from console.views import book, found, now, timeline, trade
from ledger import queries
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of, scanned_whole

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
FILL = (
    "SET LOCAL session_replication_role = replica",
    "INSERT INTO channel (channel, kind, base_url) VALUES ('shop', 'shopify', 'x'), ('second', 'shopify', 'x')",
    "INSERT INTO sku (sku) SELECT 's' || n FROM generate_series(1, 20000) AS n",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
    " SELECT 'shop', sku, 'WH', 'i' || sku, 'v' FROM sku",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', sku, 'WH', 1, 1, 1, now() FROM sku",
    "INSERT INTO shown (channel, sku, location, units, read_units, read_at)"
    " SELECT 'shop', sku, 'WH', 1, 1, now() FROM sku",
    "INSERT INTO target_history (channel, sku, location, units, number, rule_version, set_at, terms)"
    " SELECT 'shop', sku, 'WH', 1, 1, 1, now(), '{}' FROM sku",
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, due_since, outcome)"
    " SELECT n::text, 'shop', 's' || n, 'WH', 1, 1, now() - make_interval(mins => n), now(), now(), 'confirmed'"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)"
    " SELECT 'shop', 's' || n, 'WH', 1, 2, 'unknown', '', now() - make_interval(mins => n), now(), now()"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO halt (channel, sku, state, reason, set_by, set_at, run_at)"
    " SELECT 'shop', 's' || n, 'lifted', 'r', 'rule', now() - make_interval(mins => n), now()"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO run (job, channel, window_at, state)"
    " SELECT 'reconcile', 'shop', now() - make_interval(mins => 15 * n), 'done' FROM generate_series(1, 20000) AS n",
    "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)"
    " SELECT 'order', 'shop', n::text, now(), now(), 'shop', 'o' || n, '1' FROM generate_series(1, 20000) AS n",
    "INSERT INTO posting SELECT id, 1, 's' || source_id, 1, 'WH', 'available', 1, 0, 1, 'WH', 'committed', 0, 1, 1,"
    " occurred_at, recorded_at FROM event",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units, cancelled_units,"
    " shipped_units) SELECT 'shop', 'o' || n, '1', 's' || n, 'WH', now(), 1, 0, 0 FROM generate_series(1, 20000) AS n",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at)"
    " SELECT 'shop', n::text, 'fact', '', now(), 'applied', now() FROM generate_series(1, 20000) AS n",
    "INSERT INTO deed (at, actor, role, door, verb, object)"
    " SELECT now(), 'ann', 'lead', 'cli', 'halt.set', 'halt:' || n FROM generate_series(1, 20000) AS n",
    "INSERT INTO deed_end (deed_id, at, outcome) SELECT id, at, 'done' FROM deed",
)
#: Tables that grow with every order, push or window: none of them may be read whole.
GROW = {
    "push", "drift", "run", "event", "posting", "inbox", "order_line", "target", "target_history", "shown", "binding",
    "deed", "deed_end", "halt",
}  # fmt: skip


def fill(connection: Connection) -> None:
    for statement in FILL:
        connection.execute(text(statement))


@pytest.fixture(scope="module")
def full(shelf: Shelf) -> Iterator[Connection]:
    with filled(shelf, fill) as engine, engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda c: now.now_of(c, NOW), "push_sent"),
        (lambda c: timeline.happened(c, "s7", since=NOW - DAY, until=NOW + DAY), "posting_sku"),
        (lambda c: timeline.happened(c, "s7", since=NOW - DAY, until=NOW + DAY), "push_told"),
        (lambda c: timeline.happened(c, "s7", since=NOW - DAY, until=NOW + DAY), "halt_of"),
        (lambda c: queries.position_at(c, "s7", at=NOW - DAY, known_at=NOW - DAY), "posting_sku"),
        (
            lambda c: explain_long.accounts(c, {("s7", "WH"): (1, 1)}, rows=5, until=None),
            "posting_sku",
        ),
        (lambda c: timeline.at_moment(c, "s7", NOW, NOW), "target_history_of"),
        (lambda c: timeline.charted(c, "s7", "shop", "WH", since=NOW - DAY, until=NOW), "push_of"),
        (lambda c: book.order(c, "o7", None), "event_order"),
        (lambda c: book.by_cause(c), "drift_open"),
        (lambda c: found.find(c, "o7"), "order_line_pkey"),
        (lambda c: trade.units_off_sale(c, [("shop", "s7")]), "target_sku"),
    ],
)
def test_a_page_is_read_by_indexes(
    full: Connection, ask: Callable[[Connection], Any], index: str
) -> None:
    nodes = plan_of(full, lambda: ask(full))

    assert index in indexes(nodes)
    assert not GROW & set(scanned_whole(nodes))
