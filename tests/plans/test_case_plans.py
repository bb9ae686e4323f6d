"""Oversold lines are looked for every few seconds, by indexes, with years of the book behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.oversold import finding, rates, steps, store, timeline
from reconcile.oversold.types import Dip, Kind, Line, Place
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.plans.test_supply_plans import SEED
from tests.servers import FIRST_NOW
from workers.flows.cases import RULE

ROWS = 20_000

# Lines were accepted for years; each hundredth was oversold, and twenty of those cases are open.
MORE = (
    "INSERT INTO oversold_case (channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by, dip,"
    " looked_at, state, closed_at)"
    " SELECT 'shop', n::text, '1', 'S' || n, 'WH', 1, :now, :now, 'order', 1, :now,"
    " CASE WHEN n <= 2000 THEN 'waiting' ELSE 'closed' END, CASE WHEN n > 2000 THEN :now END"
    " FROM generate_series(100, :n, 100) n",
    "INSERT INTO oversold_case (channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by, dip,"
    " looked_at, state, closed_at)"
    " SELECT 'old', n::text, '1', 'S' || n, 'WH', 1, CAST(:now AS timestamptz) - n * interval '1 hour', :now, 'order',"
    " 1, :now, 'closed', :now FROM generate_series(1, :n) n",
    "INSERT INTO case_step (case_id, position, kind, response, key, state, run_at, done_at)"
    " SELECT id, 1, 'slack', 'hold', 'k' || id, CASE WHEN state = 'closed' THEN 'done' ELSE 'due' END, :now,"
    " CASE WHEN state = 'closed' THEN :now END FROM oversold_case",
    "INSERT INTO case_look (looked_at) VALUES (:now)",
)  # fmt: skip

PLACE = Place("S100", "WH", 1, 1, [Line(("shop", "100", "1"), 1, FIRST_NOW)],
              [Dip("order", ("shop", "100", "1"), 1, FIRST_NOW)])  # fmt: skip
LATER = FIRST_NOW + timedelta(days=1)


def _timeline(connection: Connection) -> object:
    (case,) = store.read(connection, [1])
    return timeline.timeline(connection, case, RULE)


QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "places": lambda c: finding.places(c, LATER),
    "known cases": lambda c: finding.known(c, [PLACE]),
    "clues": lambda c: finding.clues(c, [1, 2]),
    "unnamed": lambda c: store.unnamed(c, ["shrink"], LATER, FIRST_NOW - timedelta(days=1)),
    "waiting": store.waiting,
    "a case": lambda c: store.lock(c, 1),
    "open cases": store.cases,
    "a step": lambda c: steps.claim(c, list(Kind), LATER),
    "what is due": lambda c: steps.due(c, LATER),
    "steps": lambda c: steps.of(c, [1, 2]),
    "a timeline": _timeline,
    "the rate of a week": lambda c: rates.rates(c, since=FIRST_NOW + timedelta(days=800)),
}
LARGE = {"event", "order_line", "posting", "oversold_case", "case_step", "balance"}


@pytest.fixture(scope="module")
def sold(shelf: Shelf) -> Iterator[Engine]:
    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in (*SEED, *MORE):
            connection.execute(text(statement), {"now": FIRST_NOW, "n": ROWS})

    with filled(shelf, fill) as engine:
        yield engine


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(sold: Engine, question: str) -> None:
    with sold.connect() as connection:
        nodes = plan_of(connection, lambda: QUESTIONS[question](connection))
        connection.rollback()

    assert nodes
    whole = [
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    ]
    assert whole == []
