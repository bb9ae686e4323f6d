"""Weeks are measured without reading the years before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from allocation import fit_store
from allocation.document import read
from allocation.fit import WEEK
from ledger.db import connect
from tests.databases import Shelf
from tests.plans.test_push_plans import plan_of
from tests.workers.fit_rig import FIRST, MONDAY, rule_text
from tests.workers.shelf import apply
from workers.flows import fit

ROWS = 30_000

# A thousandth of everything is of the last days; the rest is two years old.
SEED = (
    "CREATE TEMP TABLE old AS SELECT n, CAST(:now AS timestamptz) - CASE WHEN n % 1000 = 0 THEN interval '2 days'"
    " ELSE interval '900 days' END AS at"
    " FROM generate_series(1, :n) AS n",
    "INSERT INTO sku (sku) SELECT 'S' || n FROM old",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)"
    " SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || lpad(n::text, 15, '0'))"
    "::uuid, 'order', 'web', 'order:' || n, at, at, 'web', 'O' || n, '1' FROM old ORDER BY at",
    "INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, payload)"
    " SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70009' || lpad(n::text, 15, '0'))"
    "::uuid, 'ship', 'web', 'ship:' || n, at, at, '{\"channel\": \"web\"}' FROM old ORDER BY at",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units)"
    " SELECT 'web', 'O' || n, '1', 'S' || n, 'WH', at, 1 FROM old",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, 'S1', 1, 'WH', 'available', 1, 0, 1, 'OUTSIDE', 'customer', 0, 1, 1, occurred_at, recorded_at"
    " FROM event",
    "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
    " SELECT 'S' || n, 'web', 'WH', 1, 1, 1, at, at FROM old",
    "INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)"
    " SELECT c.channel, 'S' || n, 'WH', v, v % 3, 1, at - (5 - v) * interval '1 minute', '{\"pool\": 1}'"
    " FROM old CROSS JOIN channel AS c CROSS JOIN generate_series(1, 5) AS v WHERE n % 5 = 0 ORDER BY at",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT channel, sku, location, units, number, rule_version, set_at FROM target_history WHERE number = 5",
)
LARGE = {"event", "order_line", "posting", "target_history", "pace"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    database = shelf.lend()
    now = MONDAY + WEEK
    with database.superuser.begin() as connection:
        apply(connection, rule_text(FIRST), now)
        for statement in SEED:
            connection.execute(text(statement), {"now": now, "n": ROWS})
    with database.superuser.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    engine = connect(database.app_url)
    yield engine
    engine.dispose()
    shelf.take_back(database)


def test_a_week_is_measured_without_reading_the_years_before_it(stocked: Engine) -> None:
    rules = read(rule_text(FIRST)).rules()
    with stocked.connect() as connection:
        nodes = plan_of(
            connection, lambda: fit_store.weeks(connection, rules, MONDAY, MONDAY + WEEK)
        )
        found = fit_store.weeks(connection, rules, MONDAY, MONDAY + WEEK)

    whole = {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    }
    assert whole == set()
    assert found[0].sold == 2 * ROWS // 1000
    assert found[0].shown == pytest.approx(ROWS / 5 * 2, rel=0.01)


def test_whether_anybody_is_to_look_is_asked_of_two_small_tables(stocked: Engine) -> None:
    with stocked.connect() as connection:
        nodes = plan_of(connection, lambda: fit.waits(connection, MONDAY))

    assert {node["Relation Name"] for node in nodes if "Relation Name" in node} == {
        "rule_set",
        "fit_look",
    }
