"""Documents as some partner's program really writes them: odd numbers, odd names, and none that stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from channels.edi import envelope, reading
from channels.edi.acknowledgements import FunctionalAck
from channels.edi.documents import OrderAnswer
from channels.edi.segments import segment
from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, change, changed, line, po


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def text_of(
    *body: str,
    set_id: str = "850",
    kind: str = "PO",
    group: str = "77",
    number: str = "0001",
    asks_for_ta1: bool = False,
    repetition: str = "U",
) -> bytes:
    """An interchange by hand, where the codec would refuse to write it."""
    isa = ("ISA", "00", " " * 10, "00", " " * 10, "12", f"{'GROCER':15}", "ZZ", f"{'LOCKSTEP':15}")
    rest = ("261127", "0905", repetition, "00401", "000000700", "01"[asks_for_ta1], "P", ">")
    segments = (
        "*".join((*isa, *rest)),
        f"GS*{kind}*GROCER*LOCKSTEP*20261127*0905*{group}*X*004010",
        f"ST*{set_id}*{number}",
        *body,
        f"SE*{len(body) + 2}*{number}",
        f"GE*1*{group}",
        "IEA*1*000000700",
    )
    return "".join(f"{each}~" for each in segments).encode("latin-1")


ORDER = ("BEG*00*SA*PO9**20261127", "PO1*1*3*EA*9**SK*11", "CTT*1")


def only(documents: Sequence[object], kind: type) -> list[object]:
    return [each for each in documents if isinstance(each, kind)]


def statuses(answer: object) -> list[list[tuple[str, Decimal | None]]]:
    assert isinstance(answer, OrderAnswer)
    return [[(each.status, each.quantity) for each in one.answers] for one in answer.lines]


@pytest.mark.parametrize("set_id", ["997", "999"])
@pytest.mark.parametrize("kind", ["PO", "fa"])
def test_an_acknowledgement_is_not_answered_whatever_its_group_is_called(
    grocer: Grocer, set_id: str, kind: str
) -> None:
    grocer.drop(text_of("AK1*PR*1", "AK9*A*1*1*1", set_id=set_id, kind=kind))

    assert grocer.run() == []
    assert [(each, state) for each, state, _ in grocer.documents()] == [(set_id, "parked")]


@pytest.mark.parametrize(
    "named", [{"kind": "po"}, {"kind": ""}, {"group": "ABC"}, {"group": "1234567890"}]
)
def test_a_group_that_no_997_can_name_waits_and_those_behind_it_go_on(
    grocer: Grocer, named: dict[str, str]
) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of(*ORDER, **named))  # type: ignore[arg-type]  # texts only
    grocer.send(po(line(1, 4)))

    assert [type(each) for each in grocer.run()] == [OrderAnswer, FunctionalAck]
    (waits, _), (goes, _) = grocer.rows(
        "SELECT state, error FROM inbox WHERE topic = 'x12' ORDER BY id"
    )
    assert (waits, goes) == ("parked", "applied")
    assert balance(grocer.engine, "MUG", "WH") == {"available": 6, "committed": 4}


@pytest.mark.parametrize(
    "named", [{"number": "0001000100010"}, {"number": ""}, {"set_id": "85000"}]
)
def test_a_set_whose_number_no_997_can_repeat_has_its_group_refused(
    grocer: Grocer, named: dict[str, str]
) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of(*ORDER, **named))  # type: ignore[arg-type]  # texts only

    (ack,) = grocer.run()

    assert isinstance(ack, FunctionalAck)
    assert (ack.control, ack.status, ack.accepted, ack.sets) == ("77", "R", 0, ())
    assert [state for _, state, _ in grocer.documents()] == ["rejected"]
    assert balance(grocer.engine, "MUG", "WH") == {"available": 10}


def test_numbers_that_nobody_means_are_answered_line_by_line(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(*(line(n, said) for n, said in enumerate(("4.", ".5", "0", "-3", "9" * 15), 1))))

    answer, _ = grocer.run()

    assert statuses(answer) == [
        [("IA", Decimal(4))],
        [("IR", Decimal("0.5"))],
        [("ID", Decimal(0))],
        [("ID", Decimal(0))],
        [("IR", Decimal("9" * 15))],
    ]
    assert balance(grocer.engine, "MUG", "WH") == {"available": 6, "committed": 4}


def test_a_number_that_no_column_holds_makes_its_order_wait_and_stops_nobody(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of(ORDER[0], f"PO1*1*{'9' * 24}*EA*9**SK*11"))
    grocer.send(po(line(1, 4)))
    grocer.run()

    assert [state for _, state, _ in grocer.documents()] == ["parked", "applied"]


def test_a_line_without_a_unit_of_measure_is_rejected_in_so_many_words(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of(ORDER[0], "PO1*1*3**9**SK*11", "PO1*2*4*EA*9**SK*11"))

    answer, _ = grocer.run()

    assert statuses(answer) == [[("IR", Decimal(3))], [("IA", Decimal(4))]]


def test_a_change_of_an_unknown_line_without_a_measure_is_answered(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.send(change(segment("POC", "9", "QI", "5", None, None, "9.5", None, "SK", "11")))
    grocer.run()

    assert grocer.documents()[-1][:2] == ("860", "applied")


def test_a_deletion_that_names_a_measure_but_no_quantity_is_answered(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.send(change(segment("POC", "1", "DI", None, None, "EA")))
    grocer.run()

    assert grocer.documents()[-1][:2] == ("860", "applied")
    assert balance(grocer.engine, "MUG", "WH") == {"available": 10}


def test_numbers_that_hold_our_separators_are_answered_with_others(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of("BEG*00*SA*PO:9**20261127", "PO1*1*3*EA*9**SK*11*VN*A:B", "CTT*1"))

    grocer.visit()
    grocer.work()
    grocer.visit()

    (answer,) = [file for file in grocer.files() if "-855-" in file.name]
    parsed = envelope.parse(answer.read_bytes())
    ((_, _, transaction),) = parsed.transactions
    said = reading.read(transaction)
    assert isinstance(said, OrderAnswer)
    assert (said.number, said.lines[0].line.products[1].value) == ("PO:9", "A:B")
    assert parsed.interchanges[0].separators.component == ">"


def test_a_ta1_does_not_refuse_an_interchange_whose_orders_are_answered(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.drop(text_of(*ORDER, asks_for_ta1=True, repetition="^"))
    grocer.visit()
    grocer.work()
    grocer.visit()

    (ta1,) = [file for file in grocer.files() if "-TA1-" in file.name]
    ((said,),) = (each.technical for each in envelope.parse(ta1.read_bytes()).interchanges)
    assert [said.get(1), said.get(4), said.get(5)] == ["000000700", "E", "022"]
    assert balance(grocer.engine, "MUG", "WH") == {"available": 7, "committed": 3}


def test_a_change_below_what_has_gone_is_answered_as_another_number_not_as_asked(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 5)))
    grocer.run()
    grocer.ship("PO1", "1", 4)
    grocer.send(change(changed(1, "QD", 1)))

    answer, _ = grocer.run()

    assert getattr(answer, "kind", "") == "AC"
    assert [each.status for each in answer.lines[0].answers] == ["IQ"]  # type: ignore[union-attr]  # an 865
