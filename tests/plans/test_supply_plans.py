"""What is asked of supply and shortages every few seconds goes by indexes, with years of the book behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from allocation import supply
from channels.edi import backorders
from ledger import memory
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.servers import FIRST_NOW

ROWS = 20_000

# Of twenty thousand SKUs each was ordered once; every hundredth found nothing.
SEED = (
    "INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, :n) n",
    "INSERT INTO location (location) VALUES ('WH')",
    "INSERT INTO balance (sku, location, state, units)"
    " SELECT 'S' || n, 'WH', 'available', CASE WHEN n % 100 = 0 THEN -1 ELSE 5 END FROM generate_series(1, :n) n",
    "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id)"
    " SELECT 'order', 'shop', n::text, :now, :now, 'shop', n::text, '1' FROM generate_series(1, :n) n",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units)"
    " SELECT 'shop', n::text, '1', 'S' || n, 'WH', :now, 1 FROM generate_series(1, :n) n",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, 'S' || source_id, 1, 'WH', 'available', b.units + 1, b.units, 1, 'WH', 'committed', 0, 1, 1, :now,"
    " :now FROM event JOIN balance b ON b.sku = 'S' || source_id",
    "INSERT INTO supply_line (reference, sku, location, expected_units, received_units, due_at, revision)"
    " SELECT 'PO-' || n, 'S' || n, 'WH', 5, CASE WHEN n % 100 = 0 THEN 0 ELSE 5 END, :now, :now"
    " FROM generate_series(1, :n) n",
    "INSERT INTO pull_forward (sku, location, source, units, due_at, reason, since, revision)"
    " SELECT 'S' || n, 'WH', 'lockstep', CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END, :now, 'x', :now, :now"
    " FROM generate_series(1, :n) n",
)  # fmt: skip

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "whether anything is short": lambda c: c.execute(
        supply.ANY_SHORT, {"source": supply.SOURCE}
    ).all(),
    "what is short": lambda c: supply.shortages(c, most=500),
    "what is to come of a SKU": lambda c: supply.open_supply(c, ["S7", "S100"]),
    "what is to come": supply.open_supply,
    "what is free": lambda c: supply.available(c, ["S7", "S100"]),
    "what is asked for of a SKU": lambda c: supply.requests(c, ["S7", "S100"]),
    "what is asked for": supply.requests,
    "what partners wait for": backorders.backorders,
    "a line of supply": lambda c: memory.supply(c, [("PO-7", "S7", "WH")]),
    "a request": lambda c: memory.requests(c, [("S7", "WH", "lockstep", "", "", "")]),
}
LARGE = {"balance", "event", "order_line", "posting", "supply_line", "pull_forward"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW, "n": ROWS})

    with filled(shelf, fill) as engine:
        yield engine


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(stocked: Engine, question: str) -> None:
    with stocked.connect() as connection:
        nodes = plan_of(connection, lambda: QUESTIONS[question](connection))
        connection.rollback()

    assert nodes
    whole = [
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    ]
    assert whole == []


def test_shortages_are_found_by_their_own_index(stocked: Engine) -> None:
    with stocked.connect() as connection:
        nodes = plan_of(
            connection,
            lambda: connection.execute(supply.ANY_SHORT, {"source": supply.SOURCE}).all(),
        )
        is_short = connection.execute(supply.ANY_SHORT, {"source": supply.SOURCE}).scalar_one()

    assert "posting_short" in {node.get("Index Name") for node in nodes}
    assert not is_short
