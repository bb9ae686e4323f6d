"""Looking at the rules costs little in a house of many SKUs, orders and deliveries where all is well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES as DOCUMENT
from tests.workers.shelf import apply
from workers.alerts import keeping, outbox
from workers.alerts.rules import RULES
from workers.alerts.types import Limits

NOW = FIRST_NOW + timedelta(seconds=20)
#: Tables that are small, or that its rule has to know whole: what sells, and the stock of that.
SMALL = {
    "channel",
    "halt",
    "heartbeat",
    "clock_off",
    "location",
    "exposure",
    "alarm",
    "incident",
    "alert_door",
    "silence",
}
WHOLE = {
    "stock.low": {"pace", "balance", "velocity_tier"},
    "halt.standing": {"halt_scope", "halt_hold"},
}
ROWS = 20_000
SEED = (
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', sku, 'WH', 5, 2, 1, :now FROM sku",
    "INSERT INTO push_due (channel, sku, location, since, run_at) SELECT 'shop', sku, 'WH', :now, :now FROM sku",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id, inbox_id)"
    " SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'order' ELSE 'receipt' END, 'shop', n::text, at, at,"
    " 'shop', n::text, '1', n"
    " FROM (SELECT n, CAST(:now AS timestamptz) - make_interval(secs => 10 * n) AS at"
    "       FROM generate_series(1, 20000) n) AS s",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at)"
    " SELECT 'shop', n::text, 'fact', '', :now, 'applied', :now FROM generate_series(1, 20000) n",
    "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT sku, 'shop', 'WH', 1, 1, 1, 1, :now, :now FROM sku",
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)"
    " SELECT 'shop', sku, 'WH', 1, 2, 'unknown', '', :now, :now, :now FROM sku",
    "INSERT INTO run (job, channel, window_at, state)"
    " SELECT 'reconcile', 'shop', CAST(:now AS timestamptz) - make_interval(secs => 900 * n), 'done'"
    " FROM generate_series(0, 10000) n",
    "INSERT INTO audit (at, actor, action, object)"
    " SELECT :now, 'ann', 'stock.adjust', 'sku:' || n FROM generate_series(1, 20000) n",
    "INSERT INTO alarm (rule, object, since, last_at, resolved_at, incident)"
    " SELECT 'drift.open', 'o' || n, :now, :now, :now, n % 5000 + 1 FROM generate_series(1, 20000) n",
    "INSERT INTO incident (rule, channel, severity, since, resolved_at)"
    " SELECT 'drift.open', 'shop', 'error', :now, :now FROM generate_series(1, 5000) n",
    "INSERT INTO alert_post (incident, door, part, wanted, told, run_at, place)"
    " SELECT id, 'slack', 'root', 2, 2, :now, 'C:1' FROM incident",
    "INSERT INTO edi_document (interchange_id, partner, direction, place, set_id, group_kind, group_control,"
    " set_control, content_hash, state, ack_state, made_at)"
    " SELECT n, 'shop', 'out', 0, '855', 'PR', '1', '1', '', 'posted', 'accepted', :now"
    " FROM generate_series(1, 20000) n",
    "INSERT INTO failure (origin, object, class, error, first_seen, last_seen, state, settled_at)"
    " SELECT 'push', n::text, 'rejected', 'no', :now, :now, 'resolved', :now FROM generate_series(1, 20000) n",
    "INSERT INTO balance (sku, location, state, units, version)"
    " SELECT sku, 'WH', state, 5, 1 FROM sku CROSS JOIN (VALUES ('available'), ('committed'), ('reserved')) s (state)",
)


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house that has long been busy; nothing waits in it."""

    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(
            text("INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, :n) n"), {"n": ROWS}
        )
        apply(connection, DOCUMENT, FIRST_NOW)
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW})

    with filled(shelf, fill) as engine:
        yield engine


def read_whole(nodes: list[dict[str, object]]) -> set[object]:
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} - SMALL


@pytest.mark.parametrize("rule", RULES)
def test_a_look_reads_no_large_table_whole(full: Connection, rule: str) -> None:
    nodes = plan_of(full, lambda: keeping.look(full, RULES[rule], Limits(), NOW))

    assert read_whole(nodes) <= WHOLE.get(rule, set())


def test_the_outbox_is_read_by_what_is_due(full: Connection) -> None:
    outbox.know(full, "slack", "lock", FIRST_NOW)

    nodes = plan_of(full, lambda: outbox.claim(full, "slack", 1.0, NOW))

    assert "alert_post_due" in indexes(nodes)


def test_incidents_are_put_together_from_their_own_alarms(full: Connection) -> None:
    nodes = plan_of(full, lambda: keeping.gather(full))

    assert "alarm" not in {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"}
