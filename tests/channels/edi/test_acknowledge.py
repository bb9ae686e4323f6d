"""Findings as the answers the standard has for them."""

from __future__ import annotations

import pytest

from channels.edi import acknowledge, compose, envelope, reading, writing
from channels.edi.acknowledgements import (
    ElementError,
    FunctionalAck,
    SegmentError,
    SetAnswer,
    TechnicalAck,
)
from channels.edi.compose import Numbers
from channels.edi.reading.acks import technical_ack
from channels.edi.segments import Unreadable, Unwritable, segment
from channels.edi.validate import validate
from channels.edi.writing import acks
from tests.channels.edi.shelf import AT, ROUTE, enclosed, parsed, text_of

GOOD = ("BEG*00*SA*PO-1**20261123", "PO1*1*3*EA", "CTT*1*3")
BAD = ("BEG*00*SA*PO-1**20261399", "PO1*1*three*EA", "XYZ*1", "CTT*1")


def answer(*body: str, accept_errors: bool = False) -> FunctionalAck:
    read = parsed(*body)
    return acknowledge.functional(
        read.interchanges[0].groups[0], validate(read), accept_errors=accept_errors
    )


def test_a_good_group_is_accepted() -> None:
    assert answer(*GOOD) == FunctionalAck(
        "PO", "55", "A", 1, 1, 1, (SetAnswer("850", "0001", "A"),)
    )


def test_a_warning_does_not_reject() -> None:
    assert answer(GOOD[0], GOOD[1], "CTT*1*4").status == "A"


def test_a_faulty_set_is_rejected_with_place_and_code_of_every_error() -> None:
    faulty = answer(*BAD)

    assert (faulty.status, faulty.stated, faulty.received, faulty.accepted) == ("R", 1, 1, 0)
    assert faulty.sets[0] == SetAnswer(
        "850", "0001", "R", ("5",),
        (
            SegmentError("BEG", 2, "8", elements=(ElementError(5, "8", bad="20261399"),)),
            SegmentError("PO1", 3, "8", elements=(ElementError(2, "6", bad="three"),)),
            SegmentError("XYZ", 4, "6"),
        ),
    )  # fmt: skip


def test_a_partner_may_have_its_errors_accepted() -> None:
    faulty = answer(*BAD, accept_errors=True)

    assert (faulty.status, faulty.accepted, faulty.sets[0].status) == ("E", 1, "E")


def test_a_missing_segment_is_named() -> None:
    assert answer("BEG*00*SA*PO-1**20261123").sets[0].errors == (SegmentError("PO1", 1, "3"),)


def test_one_faulty_set_of_two_makes_the_group_partly_accepted() -> None:
    one = text_of(*GOOD)
    first = "ST" + one.split("~ST")[1].split("GE*")[0]
    second = first.replace("0001", "0002").replace("SE*5*", "SE*4*")
    text = one.replace(first, first + second).replace("GE*1*", "GE*2*")

    read = envelope.parse(text.encode())
    ack = acknowledge.functional(read.interchanges[0].groups[0], validate(read))

    assert (ack.status, ack.stated, ack.received, ack.accepted) == ("P", 2, 2, 1)
    assert ack.sets[1] == SetAnswer("850", "0002", "R", ("4",))


def test_a_group_whose_trailer_disagrees_is_rejected_whole() -> None:
    read = envelope.parse(text_of(*GOOD).replace("GE*1*55", "GE*2*54").encode())

    ack = acknowledge.functional(read.interchanges[0].groups[0], validate(read))

    assert (ack.status, ack.accepted, ack.codes, ack.stated) == ("R", 0, ("5", "4"), 2)


def test_an_acknowledgement_is_never_acknowledged() -> None:
    read = parsed("AK1*PO*55", "AK9*A*1*1*1", set_id="997", group="FA")

    with pytest.raises(Unwritable, match="never"):
        acknowledge.functional(read.interchanges[0].groups[0], ())


@pytest.mark.parametrize(
    "body", [GOOD, BAD, ("BEG*00*SA*PO-1**20261123", "REF*DP*A>B>C*1**X", "PO1*1*1*EA")]
)
def test_the_answer_can_be_sent_and_is_read_back(body: tuple[str, ...]) -> None:
    ack = answer(*body)

    read = envelope.parse(enclosed(*writing.write(ack)))
    ((_, group, transaction),) = read.transactions

    assert validate(read) == ()
    assert (group.kind, transaction.set_id) == ("FA", "997")
    assert reading.read(transaction) == ack


def test_an_error_in_a_component_names_it() -> None:
    errors = (SegmentError("REF", 3, "8", elements=(ElementError(4, "7", component=2, bad="X"),)),)
    ack = FunctionalAck("PO", "55", "R", 1, 1, 0, (SetAnswer("850", "0001", "R", ("5",), errors),))

    ((_, _, transaction),) = envelope.parse(enclosed(*writing.write(ack))).transactions

    assert "AK4*4:2**7*X" in [str(each) for each in transaction.body]
    assert reading.read(transaction) == ack


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("BEG", "BEG", "A", "000"),
        ("IEA*1*000000055", "IEA*1*000000054", "R", "001"),
        ("IEA*1*", "IEA*2*", "R", "021"),
        ("IEA*1*000000055~", "", "R", "023"),
    ],
)
def test_an_interchange_is_answered_by_a_ta1(old: str, new: str, status: str, code: str) -> None:
    read = envelope.parse(text_of(*GOOD).replace(old, new).encode())

    ack = acknowledge.technical(read.interchanges[0], validate(read))

    assert ack == TechnicalAck("000000055", "261123", "0905", status, code)
    sent = compose.interchange(ROUTE, 9, AT, technical=[acks.technical_ack(ack)])
    back = envelope.parse(envelope.write(sent))
    assert validate(back) == ()
    assert technical_ack(back.interchanges[0].technical[0]) == ack


def test_what_is_no_ta1_is_not_read_as_one() -> None:
    with pytest.raises(Unreadable, match="no TA1"):
        technical_ack(segment("AK1", "PO", "1"))


def test_a_written_997_has_its_numbers() -> None:
    made = compose.enclose(ROUTE, Numbers(7, 8, 9), AT, [writing.write(answer(*GOOD))])

    assert made.groups[0].control == "8"
    assert made.groups[0].transactions[0].control == "0009"
