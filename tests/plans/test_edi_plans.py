"""What is asked of partners' documents every few seconds goes by indexes, with years of documents behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from channels.edi import awaited, order_book, told, visits
from channels.edi.told import Told
from ledger import inbox
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.servers import FIRST_NOW

ROWS = 20_000

SEED = (
    "INSERT INTO sku (sku) VALUES ('MUG')",
    "INSERT INTO location (location) VALUES ('WH')",
    "INSERT INTO channel (channel, kind, base_url) VALUES ('grocer', 'edi', 'file:///x')",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state)"
    " SELECT 'shop', n::text, 'orders/create', '', :now, 'pending' FROM generate_series(1, :n) n",
    "INSERT INTO edi_interchange (partner, direction, state, control, serial, body, content_hash, made_at, sent_at)"
    " SELECT 'grocer', 'out', 'sent', lpad(n::text, 9, '0'), n, '', '', :now, :now FROM generate_series(1, :n) n",
    "INSERT INTO edi_document (interchange_id, partner, direction, place, set_id, group_kind, group_control,"
    " set_control, order_number, content_hash, state, ack_state, due_at, made_at)"
    " SELECT id, partner, 'out', 0, '855', 'PR', serial::text, '0001', 'PO' || serial, '', 'posted',"
    " CASE WHEN serial % 1000 = 0 THEN 'waiting' ELSE 'accepted' END, :now + interval '1 day', :now"
    " FROM edi_interchange",
    "INSERT INTO edi_order (partner, number, kind, day, location, document_id, content_hash, ordered_at, revision)"
    " SELECT partner, order_number, 'SA', :now, 'WH', id, '', :now, :now FROM edi_document",
    "INSERT INTO edi_line (partner, number, release, line, place, item, parts, measure, ordered, accepted, backordered,"
    " rejected, promised_for)"
    " SELECT partner, number, release, '1', 1, '11', '[{\"sku\": \"MUG\", \"units\": 1}]', 'EA', 5,"
    " CASE WHEN document_id % 1000 = 0 THEN 4 ELSE 5 END, CASE WHEN document_id % 1000 = 0 THEN 1 ELSE 0 END, 0,"
    " CASE WHEN document_id % 1000 = 0 THEN CAST(:now AS date) END FROM edi_order",
    "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision)"
    " SELECT partner, number, '1', 'MUG', 'WH', :now FROM edi_order",
    "INSERT INTO edi_availability (partner, item_id, vendor_location_id, said_units, said_in, said_at)"
    " SELECT partner, id::text, 'DC1', 5, id, :now FROM edi_document",
    "INSERT INTO edi_superseded (document, item_id, vendor_location_id, units)"
    " SELECT id, id::text, 'DC1', 4 FROM edi_document",
    "INSERT INTO balance (sku, location, state, units) VALUES ('MUG', 'WH', 'available', 5)",
)

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "what the sweep wakes": inbox.wake_missed,
    "the next interchange": inbox.next_interchange,
    "whether an interchange waits": lambda c: c.execute(inbox.ANY_INTERCHANGE).all(),
    "whose folder is due": lambda c: visits.due(c, FIRST_NOW),
    "what is to be sent": lambda c: visits.unsent(c, "grocer", most=500),
    "what is overdue": lambda c: awaited.find_overdue(c, now=FIRST_NOW),
    "what a 997 is about": lambda c: awaited.acknowledge(
        c, "grocer", ("PR", "77"), "0001", "accepted", "", now=FIRST_NOW
    ),
    "what a TA1 is about": lambda c: awaited.reject_interchange(
        c, "grocer", "000000077", "no", now=FIRST_NOW
    ),
    "an order": lambda c: order_book.standing(c, "grocer", "PO77", ""),
    "which backorders can be filled": lambda c: order_book.fillable(c, most=50),
    "what an acknowledged 846 said": lambda c: told.learn(c, [77], now=FIRST_NOW),
    "what an 846 takes the place of": lambda c: told.tell(
        c, "grocer", [Told("77", "DC1", 3, 77)], now=FIRST_NOW
    ),
    "what a partner may believe": lambda c: told.known(c, "grocer", {("77", "DC1")}),
}
LARGE = {
    "inbox",
    "edi_interchange",
    "edi_document",
    "edi_order",
    "edi_line",
    "order_line",
    "edi_availability",
    "edi_superseded",
}


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    def fill(connection: Connection) -> None:
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
