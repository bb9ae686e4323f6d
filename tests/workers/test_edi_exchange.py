"""Files in a partner's folder: taken once, refused visibly, and never in each other's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Unauthorised, Unavailable
from channels.edi import compose, envelope, isa
from channels.edi.acknowledgements import FunctionalAck
from channels.edi.compose import Numbers
from channels.edi.documents import OrderAnswer
from channels.edi.exchange import FolderExchange
from channels.edi.segments import segment
from channels.edi.x12 import encode
from ledger.db import transaction
from tests.builders import balance
from tests.channels.edi.shelf import on_the_shelf
from tests.servers import Clock, Database
from tests.workers.edi_rig import ROUTE, Grocer, a_grocer, line, po
from workers.flows.edi_exchange import visit
from workers.flows.ingest import drain
from workers.flows.sweep import sweep


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=10)
    return grocer


def in_folder(grocer: Grocer, name: str) -> list[str]:
    """Files under a folder, without its days."""
    return sorted(path.name for path in (grocer.path / name).rglob("*") if path.is_file())


def test_a_file_is_archived_once_its_interchange_is_kept(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))

    done = grocer.visit()

    assert (done.kept, done.refused, in_folder(grocer, "inbound")) == (1, [], [])
    assert in_folder(grocer, "archive") == ["000001-0.x12"]
    assert grocer.rows("SELECT topic, state FROM inbox WHERE source = 'grocer'") == [
        ("x12", "pending")
    ]


def test_the_ordinary_drain_leaves_interchanges_alone(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.visit()

    assert drain(grocer.house, now=grocer.clock.now).claimed == 0
    assert sweep(grocer.engine, now=grocer.clock.now).interchanges
    assert sweep(grocer.engine, now=grocer.clock.now).inbox == 0


def test_the_same_file_again_is_a_repeat(grocer: Grocer) -> None:
    data = grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.drop(data, "again.x12")

    done = grocer.visit()

    assert (done.kept, done.repeated, done.refused) == (0, 1, [])
    assert grocer.work() == []
    assert "again.x12" in in_folder(grocer, "archive")


def test_a_visit_that_died_before_the_file_was_moved_is_done_again_harmlessly(
    grocer: Grocer,
) -> None:
    class DiesBeforeArchiving(FolderExchange):
        def archive(self, name: str) -> None:
            raise Unavailable("the share is gone")

    grocer.send(po(line(1, 4)))
    dying = DiesBeforeArchiving(grocer.path, quiet_s=0)
    stopped = visit(grocer.engine, grocer.partner, dying, now=lambda: grocer.clock.now)
    grocer.work()

    done = grocer.visit()

    assert (stopped.kept, stopped.stopped) == (1, "unavailable: the share is gone")
    assert (done.kept, done.repeated) == (0, 1)
    assert balance(grocer.engine, "MUG", "WH") == {"available": 6, "committed": 4}


def test_a_control_number_with_other_bytes_is_refused_and_seen(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)), control=7)
    grocer.run()
    grocer.send(po(line(1, 9), number="PO2"), control=7)

    done = grocer.visit()

    assert len(done.refused) == 1
    assert grocer.work() == []
    (refused,) = grocer.rows("SELECT control, error FROM edi_interchange WHERE state = 'refused'")
    assert refused[0] == "000000007"
    assert "used once" in refused[1]
    assert [name for name in in_folder(grocer, "failed") if name.endswith(".reason.txt")]
    assert balance(grocer.engine, "MUG", "WH") == {"available": 6, "committed": 4}


def test_a_partner_may_begin_its_numbers_again_where_that_is_agreed(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, resets_counters="yes")
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)), control=7)
    grocer.send(po(line(1, 5), number="PO2"), control=7)

    grocer.run()

    assert balance(grocer.engine, "MUG", "WH") == {"available": 1, "committed": 9}


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (replace(ROUTE, sender="STRANGER"), "whose folder this is"),
        (replace(ROUTE, sender_qualifier="ZZ"), "whose folder this is"),
        (replace(ROUTE, receiver="OTHER"), "not for ZZ:LOCKSTEP"),
        (replace(ROUTE, usage="T"), "tests never move stock"),
    ],
)
def test_what_is_not_between_this_partner_and_us_is_refused(
    grocer: Grocer, route: compose.Route, why: str
) -> None:
    grocer.send(po(line(1, 4)), route=route)

    done = grocer.visit()

    assert why in done.refused[0]
    assert grocer.work() == []


def test_rubbish_goes_to_failed_with_its_reason(grocer: Grocer) -> None:
    grocer.drop(b"Dear customer, our system is down", "letter.txt")
    grocer.send(po(line(1, 4)))

    found = grocer.run()

    assert [type(each).__name__ for each in found] == ["OrderAnswer", "FunctionalAck"]
    assert in_folder(grocer, "failed") == ["letter.txt", "letter.txt.reason.txt"]
    assert grocer.rows("SELECT file, state FROM edi_interchange WHERE direction = 'in'") == [
        ("letter.txt", "refused"),
        ("", "worked"),
    ]


def test_interchanges_of_one_file_are_kept_one_by_one(grocer: Grocer) -> None:
    first = envelope.write(
        compose.enclose(ROUTE, Numbers(1, 1), grocer.clock.now, [po(line(1, 2))]),
        compose.enclose(ROUTE, Numbers(2, 2), grocer.clock.now, [po(line(1, 3), number="PO2")]),
    )
    grocer.drop(b"\xef\xbb\xbf" + first + b"\r\n", "both.x12")

    grocer.run()

    assert grocer.rows("SELECT number FROM edi_order ORDER BY 1") == [("PO1",), ("PO2",)]


def test_a_bad_set_does_not_hold_up_the_others_and_is_named_in_the_997(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, policy="reject")
    grocer.stock(MUG=10)
    bad = ("850", [segment("BEG", "00", "SA", "PO2", "", "20261399"), line(1, 1)])
    grocer.send(po(line(1, 2)), bad, po(line(1, 3), number="PO3"))

    found = grocer.run()

    (ack,) = [each for each in found if isinstance(each, FunctionalAck)]
    assert (ack.status, ack.accepted, [each.status for each in ack.sets]) == (
        "P",
        2,
        ["A", "R", "A"],
    )
    assert [each.number for each in found if isinstance(each, OrderAnswer)] == ["PO1", "PO3"]
    assert [state for _, state, _ in grocer.documents()] == ["applied", "rejected", "applied"]


@pytest.mark.parametrize(
    ("policy", "status", "taken"),
    [("accept", "A", True), ("accept_with_errors", "E", True), ("reject", "R", False)],
)
def test_a_partners_policy_decides_on_dirty_sets(
    database: Database, clock: Clock, tmp_path: Path, policy: str, status: str, taken: bool
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, policy=policy)
    grocer.stock(MUG=10)
    data = grocer.send(po(line(1, 4)))
    for file in (grocer.path / "inbound").iterdir():
        file.write_bytes(data.replace(b"SE*5*", b"SE*9*"))

    found = grocer.run()

    (ack,) = [each for each in found if isinstance(each, FunctionalAck)]
    assert ack.status == status
    assert bool([each for each in found if isinstance(each, OrderAnswer)]) == taken


def test_a_set_that_we_do_not_take_is_refused_as_not_supported(grocer: Grocer) -> None:
    grocer.send(("810", [segment("BIG", "20260302", "INV1"), segment("TDS", "1000")]))

    (ack,) = grocer.run()

    assert isinstance(ack, FunctionalAck)
    assert (ack.status, ack.sets[0].status, ack.sets[0].codes) == ("R", "R", ("1",))


def test_control_numbers_begin_again_after_the_largest(grocer: Grocer) -> None:
    with transaction(grocer.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO edi_counter VALUES ('interchange/grocer', 999999998)"
        )
    grocer.send(po(line(1, 4)))
    grocer.run()

    assert grocer.rows(
        "SELECT control FROM edi_interchange WHERE direction = 'out' ORDER BY serial"
    ) == [
        ("999999999",),
        ("000000001",),
    ]


def test_visits_come_by_the_clock_sooner_for_what_is_to_be_sent_and_later_after_failures(
    grocer: Grocer,
) -> None:
    def due() -> tuple[str, ...]:
        return sweep(grocer.engine, now=grocer.clock.now).partners

    assert due() == ("grocer",)
    grocer.visit()
    assert due() == ()
    grocer.clock.advance(60)
    assert due() == ("grocer",)
    grocer.send(po(line(1, 4)))
    grocer.visit()
    grocer.work()
    assert due() == ("grocer",)
    away = FolderExchange(grocer.path / "nowhere", quiet_s=0)
    stopped = visit(grocer.engine, grocer.partner, away, now=lambda: grocer.clock.now)
    assert "is not there" in stopped.stopped
    assert due() == ()
    grocer.clock.advance(60)
    assert due() == ("grocer",)
    assert grocer.visit().sent == 2


def test_a_mailbox_that_does_not_let_us_in_stops_the_channel_until_somebody_resumes_it(
    grocer: Grocer,
) -> None:
    class Locked(FolderExchange):
        def inbound(self) -> list[str]:
            raise Unauthorised("the server does not accept our key")

    locked = Locked(grocer.path, quiet_s=0)
    done = visit(grocer.engine, grocer.partner, locked, now=lambda: grocer.clock.now)

    assert done.person_needed
    assert grocer.rows("SELECT paused FROM channel") == [(True,)]
    grocer.clock.advance(3600)
    assert sweep(grocer.engine, now=grocer.clock.now).partners == ()


def test_any_public_document_is_taken_or_told_and_nothing_waits_behind_it(grocer: Grocer) -> None:
    for place, file in enumerate(on_the_shelf()):
        parsed = envelope.parse(file.read_bytes())
        for number, interchange in enumerate(parsed.interchanges):
            marks = interchange.separators
            marks = replace(marks, component=marks.component or ">")
            ours = isa.Isa(
                sender="GROCER",
                sender_qualifier="12",
                receiver="LOCKSTEP",
                control=f"{1000 + number + 10 * len(on_the_shelf()) * place:09}",
                date="260302",
                time="0900",
                version="00501" if marks.repetition else "00401",
                standard="" if marks.repetition else "U",
            )
            data = isa.write(ours, marks).encode("latin-1") + encode(interchange.segments, marks)
            grocer.drop(data, f"{file.stem}-{number}.x12")
    grocer.send(po(line(1, 4)))

    grocer.visit()
    while grocer.work():
        pass

    assert grocer.rows("SELECT count(*) FROM inbox WHERE topic = 'x12' AND state <> 'applied'") == [
        (0,)
    ]
    (last,) = grocer.rows(
        "SELECT state FROM edi_document WHERE order_number = 'PO1' AND direction = 'in'"
    )
    assert last == ("applied",)
