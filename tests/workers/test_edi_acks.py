"""Acknowledgements: booked on what we sent, given for what came, and never a 997 for a 997."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from channels.edi import compose, envelope
from channels.edi.documents import OrderAnswer
from channels.edi.segments import segment
from tests.servers import Clock, Database
from tests.workers.edi_rig import ROUTE, Grocer, a_grocer, acknowledgement, line, po
from workers.flows import edi_exchange
from workers.flows.edi_ship import resend
from workers.flows.sweep import sweep


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=10)
    return grocer


def test_a_997_is_booked_and_never_answered(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.seen.clear()
    grocer.acknowledge()

    assert grocer.run() == []
    assert ("855", "posted", "accepted") in grocer.documents("out")
    assert ("997", "posted", "none") in grocer.documents("out")
    assert grocer.rows("SELECT count(*) FROM edi_document WHERE group_kind = 'FA'") == [(2,)]


def test_an_acceptance_with_errors_is_told_apart_and_one_that_comes_twice_changes_nothing(
    grocer: Grocer,
) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.seen.clear()
    grocer.acknowledge(status="E")
    grocer.run()
    grocer.send(("997", acknowledgement("PR", "1", "R")))

    grocer.run()

    assert ("855", "posted", "accepted_with_errors") in grocer.documents("out")
    assert [state for set_id, state, _ in grocer.documents() if set_id == "997"] == [
        "applied",
        "duplicate",
    ]


def test_a_997_that_names_what_was_never_sent_waits_for_a_person(grocer: Grocer) -> None:
    grocer.send(("997", acknowledgement("PR", "55")))

    assert grocer.run() == []
    assert grocer.documents() == [("997", "parked", "none")]


def test_a_rejected_document_is_seen_and_sent_again_under_a_new_number(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.seen.clear()
    grocer.acknowledge(status="R")
    grocer.run()
    (row,) = grocer.rows("SELECT id, ack_state FROM edi_document WHERE set_id = '855'")

    again = resend(grocer.engine, row[0], now=grocer.clock.now)

    assert row[1] == "rejected"
    grocer.visit()
    (answer,) = grocer.found()
    assert isinstance(answer, OrderAnswer)
    assert grocer.rows(
        "SELECT d.state, d.ack_state, dense_rank() OVER (ORDER BY i.serial) FROM edi_document AS d"
        " JOIN edi_interchange AS i ON i.id = d.interchange_id WHERE set_id = '855' ORDER BY d.id"
    ) == [("replaced", "none", 1), ("posted", "waiting", 2)]
    assert grocer.rows("SELECT resends FROM edi_document WHERE id = :id", id=again) == [(row[0],)]


def test_what_is_not_acknowledged_in_time_is_overdue_until_it_is(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.clock.advance(timedelta(hours=23).total_seconds())
    assert edi_exchange.find_overdue(grocer.engine, now=grocer.clock.now) == []
    grocer.clock.advance(timedelta(hours=1).total_seconds())

    overdue = sweep(grocer.engine, now=grocer.clock.now).overdue

    assert [partner for _, partner in overdue] == ["grocer"]
    assert sweep(grocer.engine, now=grocer.clock.now).overdue == ()
    grocer.seen.clear()
    grocer.acknowledge()
    grocer.run()
    assert ("855", "posted", "accepted") in grocer.documents("out")


def test_a_ta1_is_given_where_it_is_asked_for(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)), route=replace(ROUTE, wants_ta1=True), control=5)
    grocer.run()
    grocer.send(po(line(1, 9)), route=replace(ROUTE, wants_ta1=True), control=5)
    grocer.visit()
    grocer.visit()

    told = [
        segment.elements
        for file in grocer.files()
        for interchange in envelope.parse(file.read_bytes()).interchanges
        for segment in interchange.technical
    ]
    assert [(each[0], each[3], each[4]) for each in told] == [
        ("000000005", "A", "000"),
        ("000000005", "R", "025"),
    ]


def test_an_interchange_that_a_ta1_rejects_takes_its_documents_with_it(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    refusal = segment("TA1", "000000001", "260302", "0900", "R", "024")
    made = compose.interchange(ROUTE, 90, grocer.clock.now, technical=[refusal])
    grocer.drop(envelope.write(made))

    grocer.run()

    assert grocer.rows("SELECT ack_state, error FROM edi_document WHERE set_id = '855'") == [
        ("rejected", "TA1 024: the partner refused the whole interchange")
    ]
