"""A scrape goes by indexes with 100,000 SKUs, a million events and a million deliveries that are done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from console.metrics.levels import levels
from console.metrics.tallies import add_up
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of
from tests.servers import FIRST_NOW
from tests.workers.shelf import RULES, apply

#: Fewer than the million of the title are enough for the planner to choose alike, and quick to write.
ROWS = 20_000
NOW = FIRST_NOW + timedelta(seconds=ROWS)
#: Rows are a second apart, so that a look back covers few of them.
SEED = (
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, due_since, answered_at, outcome)"
    " SELECT 'k' || n, 'shop', 'S1', 'WH', 5, n, at, at, at, 'confirmed' FROM {seconds}",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id, inbox_id)"
    " SELECT CAST(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'"
    " || lpad(n::text, 12, '0') AS uuid),"
    " CASE n % 3 WHEN 0 THEN 'order' WHEN 1 THEN 'count' ELSE 'receipt' END, 'shop', n::text, at, at,"
    " 'shop', n::text, '1', n FROM {seconds}",
    "INSERT INTO count_mark (event_id, sku, location, counted_at, counted)"
    " SELECT id, 'S1', 'WH', occurred_at, 1 FROM event WHERE kind = 'count'",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units)"
    " SELECT 'shop', order_id, '1', 'S1', 'WH', occurred_at, 1 FROM event WHERE kind = 'order'",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at)"
    " SELECT 'shop', n::text, 'fact', '', at, 'applied', at FROM {seconds}",
    "INSERT INTO drift (channel, sku, location, window_at, expected, actual, cause, evidence, action, seen_at, last_at,"
    " resolved_at) SELECT 'shop', 'S1', 'WH', at, 5, 8, 'unknown', '{{}}', 're-push',"
    " at - interval '400 days', at, at - interval '400 days' FROM {seconds}",
    "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, state, lifted_at)"
    " SELECT 'shop', 'S1', 'r', 'ann', at, at, 'lifted', at FROM {seconds}",
    "INSERT INTO run (job, channel, window_at, state, started_at, finished_at)"
    " SELECT 'reconcile', 'shop', at - interval '400 days', 'done', at - interval '400 days', at - interval '400 days'"
    " FROM {seconds}",
    "INSERT INTO failure (origin, object, class, error, first_seen, last_seen, state, settled_at)"
    " SELECT 'inbox', n::text, 'bug', 'e', at, at, 'resolved', at FROM {seconds}",
    "INSERT INTO incident (rule, channel, severity, since, resolved_at, content)"
    " SELECT 'push.stuck', 'shop', 'error', at, at, '{{}}' FROM {seconds}",
    "INSERT INTO seal (number, first_seq, last_seq, events, leaves, previous, root, sealed_at)"
    " SELECT n, n, n, 1, decode(repeat('00', 32), 'hex'), ''::bytea, ''::bytea, at FROM {seconds}",
    "INSERT INTO count_variance (event_id, sku, location, counted_at, counted, position, moves, sigma, tier, within,"
    " reason, recount, undone) SELECT uuidv7(), 'S1', 'WH', at - interval '400 days', 1, 1, 0, 1, 'A', true, '', false,"
    " false FROM {seconds}",
    "INSERT INTO tally_mark (through) SELECT CAST(:now AS timestamptz) - interval '60 seconds'",
)
#: Read whole: as small as the house is, or as what waits is.
SMALL = {
    "channel",
    "lag",
    "heartbeat",
    "clock_off",
    "queue_pause",
    "location",
    "oversold_case",
    "shrunk",
    "sold",
    "tally",
    "tally_mark",
}
WAITING = {"push_due", "due"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """The application's engine in a house with a past."""
    seconds = (
        "(SELECT n, CAST(:first AS timestamptz) + make_interval(secs => n) AS at"
        " FROM generate_series(1, CAST(:rows AS integer)) n) AS s"
    )

    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("INSERT INTO sku (sku) VALUES ('S1')"))
        apply(connection, RULES, FIRST_NOW)
        for statement in SEED:
            values = {"now": NOW, "first": FIRST_NOW, "rows": ROWS}
            connection.execute(text(statement.format(seconds=seconds)), values)

    with filled(shelf, fill) as engine:
        yield engine


def scanned_whole(nodes: list[dict[str, object]]) -> set[object]:
    return {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"} - SMALL - WAITING


def test_how_things_stand_is_read_by_what_is_open(full: Connection) -> None:
    nodes = plan_of(full, lambda: list(levels(full, NOW)))

    assert scanned_whole(nodes) == set()
    assert {"inbox_pending", "drift_open", "halt_open", "run_pkey", "failure_at_work"} <= indexes(
        nodes
    )


def test_what_happened_since_the_last_look_is_read_by_its_time(full: Connection) -> None:
    nodes = plan_of(full, lambda: add_up(full, NOW))

    assert scanned_whole(nodes) == set()
    assert {"push_answered", "event_heard", "drift_resolved", "halt_lifted"} <= indexes(nodes)
