"""What is asked of programs with every order and every sweep goes by indexes, with years of them behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from allocation import alarms, program_store
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.servers import FIRST_NOW, Clock

ROWS = 20_000

SEED = (
    "INSERT INTO sku (sku) VALUES ('MUG')",
    "INSERT INTO location (location) VALUES ('WH')",
    "INSERT INTO channel (channel, kind, base_url) VALUES ('grocer', 'edi', 'file:///x')",
    "INSERT INTO program (name, partner, policy, ends, since, until, state, ended_at, made_by, made_at, why, looked_at)"
    " SELECT 'P' || n, 'grocer', 'cap', 'itself', :now - interval '9 days',"
    " :now + CASE WHEN n % 1000 = 0 THEN interval '9 days' ELSE interval '-1 day' END,"
    " CASE WHEN n % 1000 = 0 THEN 'open' ELSE 'ended' END, CASE WHEN n % 1000 = 0 THEN NULL ELSE :now END,"
    " 'ann', :now, 'x', :now FROM generate_series(1, :n) n",
    "INSERT INTO program_line (program, sku, location, agreed, used) SELECT name, 'MUG', 'WH', 9, 4 FROM program",
    "INSERT INTO program_use (partner, order_id, line_id, program, sku, location, units)"
    " SELECT partner, 'O' || name, '1', name, 'MUG', 'WH', 4 FROM program",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision)"
    " SELECT partner, 'O' || name, '1', 'MUG', 'WH', :now FROM program",
    "INSERT INTO alarm (rule, object, since, last_at, resolved_at)"
    " SELECT 'program.pace', 'program:' || name, :now, :now, :now FROM program",
)

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "whether a program waits": lambda c: c.execute(
        program_store.WAITS, {"now": FIRST_NOW, "looked_before": FIRST_NOW}
    ).all(),
    "which programs are due": lambda c: program_store.due(c, FIRST_NOW),
    "which programs are to be looked at": lambda c: program_store.look(c, FIRST_NOW, FIRST_NOW),
    "what an order may draw on": lambda c: program_store.of_order(
        c, "grocer", "OP77", "WH", ["MUG"], FIRST_NOW
    ),
    "what programs gave an order": lambda c: program_store.uses(c, "grocer", "OP77"),
    "one program": lambda c: program_store.lock(c, "P77"),
    "the open programs": program_store.programs,
    "what has gone of programs": lambda c: program_store.shipped(c, ["P1000", "P2000"]),
    "what alarms are on": alarms.open_alarms,
    "an alarm": lambda c: alarms.resolve(c, "program.pace", "program:P77", FIRST_NOW),
}
LARGE = {"program", "program_line", "program_use", "order_line", "alarm"}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    def fill(connection: Connection) -> None:
        for statement in SEED:
            connection.execute(text(statement), {"now": Clock().now, "n": ROWS})

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
