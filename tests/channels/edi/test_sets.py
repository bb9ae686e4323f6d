"""Sets: order, presence, elements, meaning."""

from __future__ import annotations

import pytest

from channels.edi.checkdigits import check_digit, is_valid, sscc
from channels.edi.loops import arrange
from channels.edi.sets import GROUP_OF, LAYOUTS, tables_of
from tests.channels.edi.shelf import found, parsed

BEG, LINE, CTT = "BEG*00*SA*PO-1**20261123", "PO1*1*3*EA*9.25**UP*036000291452", "CTT*1*3"
BSN, S, O, I = "BSN*00*SH-1*20261123*0905*0004", "HL*1**S*1", "HL*2*1*O*1", "HL*3*2*I*0"  # noqa: E741 (levels)
ITEM = ("LIN*1*UP*036000291452", "SN1**3*EA")
NOTICE = (BSN, S, O, "PRF*PO-1", I, *ITEM, "CTT*3*3")
ANSWER = ("BAK*00*AC*PO-1*20261123", "PO1*1*3*EA")


def said(*body: str, set_id: str = "850", group: str = "", version: str = "004010") -> list[str]:
    findings = found(*body, set_id=set_id, group=group or GROUP_OF[set_id], version=version)
    return [f"{finding.code} {finding.at.name}" for finding in findings]


@pytest.mark.parametrize(
    ("set_id", "body"),
    [
        ("850", (BEG, "CUR*BY*USD", "REF*DP*1", "DTM*002*20261201", "N1*ST*SHOP*92*0042", "N3*1 MAIN ST",
                 "N4*OSLO**0150*NO", LINE, "PID*F****CUP", "SDQ*EA*92*0042*1*0043*2", "N9*L1*X",
                 "MSG*GIFT", CTT, "AMT*TT*27.75")),
        ("855", (*ANSWER, "ACK*IA*2*EA*068*20261201", "ACK*IB*1*EA", "CTT*1*3")),
        ("860", ("BCH*04*SA*PO-1**2*20261123*****20261124", "POC*1*QD*2*1*EA*9.25**UP*036000291452", "CTT*1*2")),
        ("865", ("BCA*00*AC*PO-1**2*20261123", "POC*1*QD*2*1*EA", "ACK*IA*2*EA", "CTT*1")),
        ("856", NOTICE),
        ("846", ("BIA*00*SI*REF1*20261123", "N1*SU*LOCKSTEP", "LIN*1*UP*036000291452", "QTY*33*17*EA",
                 "SCH*5*EA***018*20261201", "CTT*1*17")),
        ("997", ("AK1*PO*55", "AK2*850*0001", "AK3*PO1*4**8", "AK4*2*330*6*X", "AK5*R*5", "AK9*R*1*1*0")),
        ("999", ("AK1*PO*55*005010", "AK2*850*0001", "IK3*PO1*4**8", "CTX*SITUATIONAL TRIGGER", "IK4*2*330*6*X",
                 "IK5*R*5", "AK9*R*1*1*0")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["004010", "005010", "004010VICS"])
def test_a_good_set_has_no_findings(set_id: str, body: tuple[str, ...], version: str) -> None:
    longer = {"999": {"004010", "004010VICS"}}  # AK103 came with 005010, and so did the 999
    findings = said(*body, set_id=set_id, version=version)

    expected = ["TOO-MANY AK103"] if version in longer.get(set_id, ()) else []
    assert [each for each in findings if not each.startswith("GS-VERSION")] == expected


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ((BEG,), "SEGMENT-MISSING ST"),
        ((BEG, LINE, "XYZ*1", CTT), "NOT-IN-SET XYZ"),
        ((BEG, "DTM*002*20261201", "REF*DP*1", LINE, CTT), "OUT-OF-ORDER REF"),
        ((BEG, LINE, CTT, "N1*ST*SHOP"), "OUT-OF-ORDER N1"),
        ((BEG, "MSG*HELLO", LINE, CTT), "UNEXPECTED MSG"),
        ((BEG, BEG, LINE, CTT), "SEGMENT-REPEATED BEG"),
        ((BEG, *(f"PER*BD*{n}" for n in range(4)), LINE, CTT), "SEGMENT-REPEATED PER"),
        (("BEG*00*SA***20261123", LINE, CTT), "ELEMENT-MISSING BEG03"),
        (("BEG*00*SA*PO-1**20261323", LINE, CTT), "BAD-DATE BEG05"),
        (("BEG*00*SA*PO-1**261123", LINE, CTT), "BAD-DATE BEG05"),
        (("BEG*99*SA*PO-1**20261123", LINE, CTT), "BAD-CODE BEG01"),
        ((f"BEG*00*SA*{'9' * 23}**20261123", LINE, CTT), "TOO-LONG BEG03"),
        (("BEG*00*S*PO-1**20261123", LINE, CTT), "TOO-SHORT BEG02"),
        ((BEG, "PO1*1*three*EA", CTT.replace("*3", "")), "BAD-CHARACTER PO102"),
        ((BEG, "PO1*1*3*ea", CTT), "BAD-CHARACTER PO103"),
        ((BEG, "PO1*1**EA", "CTT*1"), "CONDITION PO102"),
        ((BEG, "PO1*1*3*EA***UP", CTT), "CONDITION PO107"),
        ((BEG, "DTM*002", LINE, CTT), "CONDITION DTM02"),
        ((BEG, "DTM*002*20261201*2460", LINE, CTT), "BAD-TIME DTM03"),
        ((BEG, "REF*DP* 1", LINE, CTT), "PADDED REF02"),
        ((BEG, "REF*DP*1*2**3", LINE, CTT), "TOO-MANY REF05"),
        ((BEG, "REF*DP*A>B", LINE, CTT), "COMPOSITE REF02"),
        ((BEG, "REF*DP*A\x07B", LINE, CTT), "CONTROL-CHARACTER REF02"),
        ((BEG, "REF*DP*\xe9t\xe9", LINE, CTT), "NOT-ASCII REF02"),
        ((BEG, LINE, "CTT*2*3"), "LINE-COUNT CTT01"),
        ((BEG, LINE, "CTT*1*4"), "HASH-TOTAL CTT02"),
        ((BEG, LINE, LINE, "CTT*2*6"), "LINE-DUPLICATE PO101"),
        ((BEG, LINE, "SDQ*EA*92*0042*1*0043*1", CTT), "STORES-SUM SDQ"),
        ((BEG, LINE.replace("452", "453"), CTT), "GTIN PO107"),
        ((BEG, "N1*ST**UL*1234567890123", LINE, CTT), "GTIN N104"),
    ],
)
def test_one_fault_in_an_order_is_one_finding(body: tuple[str, ...], finding: str) -> None:
    assert said(*body) == [finding]


def test_a_longer_reference_is_allowed_from_5010_on() -> None:
    body = (BEG, f"REF*DP*{'9' * 40}", LINE, CTT)

    assert said(*body, version="005010") == ["GS-VERSION GS08"]
    assert said(*body) == ["TOO-LONG REF02"]


def test_six_digit_dates_are_right_before_4010() -> None:
    body = ("BEG*00*SA*PO-1**261123", LINE, CTT)

    assert said(*body, version="003060") == ["GS-VERSION GS08", "VERSION-UNKNOWN GS08"]


@pytest.mark.parametrize(
    ("answers", "findings"),
    [
        (("ACK*IA*3*EA",), []),
        (("ACK*IA*1*EA", "ACK*IR*2*EA"), []),
        (("ACK*IA*2*EA",), ["ANSWERS-SUM ACK"]),
        (("ACK*R2",), []),
        (("ACK*XX*3*EA",), ["BAD-CODE ACK01"]),
    ],
)
def test_the_answers_of_a_line_add_up_to_it(answers: tuple[str, ...], findings: list[str]) -> None:
    assert said(*ANSWER, *answers, "CTT*1", set_id="855") == findings


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ((BSN, S, "HL*3*1*O*1", "PRF*PO-1", "HL*4*3*I*0", *ITEM, "CTT*3"), "HL-SEQUENCE HL01"),
        ((BSN, S, "HL*2*9*O*1", "PRF*PO-1", I, *ITEM, "CTT*3"), "HL-PARENT HL02"),
        ((BSN, S, "HL*2**O*1", "PRF*PO-1", I, *ITEM, "CTT*3"), "HL-PARENT-MISSING HL02"),
        ((BSN, S, O, "PRF*PO-1", "HL*3*1*P*1", "HL*4*2*O*0", "CTT*4"), "HL-CHAIN HL03"),
        ((BSN, S, O, "PRF*PO-1", "HL*3*2*I*1", *ITEM, "CTT*3"), "HL-CHILD HL04"),
        ((BSN, "HL*1**O*1", "PRF*PO-1", "HL*2*1*I*0", *ITEM, "CTT*2"), "HL-NO-SHIPMENT HL03"),
        ((*NOTICE[:-1], "CTT*5*3"), "LINE-COUNT CTT01"),
        (
            (
                BSN,
                S,
                O,
                "PRF*PO-1",
                "HL*3*2*P*1",
                "MAN*GM*00106141411234567890",
                "HL*4*3*I",
                *ITEM,
                "CTT*4",
            ),
            "SSCC MAN02",
        ),
    ],
)
def test_one_fault_in_a_ship_notice_is_told(body: tuple[str, ...], finding: str) -> None:
    assert finding in said(*body, set_id="856")


def test_a_ship_notice_may_count_its_items_instead_of_its_levels() -> None:
    assert said(*NOTICE[:-1], "CTT*1*3", set_id="856") == []


def test_a_right_sscc_is_nothing() -> None:
    packed = ("HL*3*2*P*1", "MAN*GM*00106141411234567897", "HL*4*3*I*0", *ITEM, "CTT*4*3")

    assert said(BSN, S, O, "PRF*PO-1", *packed, set_id="856") == []


@pytest.mark.parametrize(
    ("body", "digit"),
    [
        ("03600029145", "2"),
        ("400638133393", "1"),
        ("10614141123456789", "7"),
        ("00614141000000001", "2"),
    ],
)
def test_check_digits_are_those_of_gs1(body: str, digit: str) -> None:
    wrong = str((int(digit) + 1) % 10)

    assert check_digit(body) == digit
    assert is_valid(body + digit, (len(body) + 1,))
    assert not is_valid(body + wrong, (len(body) + 1,))
    assert not is_valid(body + digit, (len(body),))


def test_an_sscc_is_made_of_seventeen_digits() -> None:
    assert sscc("1", "0614141123456789") == "106141411234567897"
    with pytest.raises(ValueError, match="17 digits"):
        sscc("1", "06141411")


def test_segments_stand_in_the_loops_of_their_set() -> None:
    document = parsed(
        BEG,
        "N1*ST*SHOP",
        "N4*OSLO",
        "N1*BY*HEAD OFFICE",
        LINE,
        "PID*F****CUP",
        "N1*ST*DOOR",
        "PO1*2*1*EA",
        "CTT*2",
    )
    ((_, _, order),) = document.transactions

    root, findings = arrange(order)

    assert findings == []
    assert [[segment.id for segment in loop.walk()] for loop in root.loops("N1")] == [
        ["N1", "N4"],
        ["N1"],
    ]
    first, second = root.loops("PO1")
    assert [segment.id for segment in first.walk()] == ["PO1", "PID", "N1"]
    assert second.parts == ()
    assert [segment.id for segment in root.walk()] == [
        segment.id for segment in order.segments[:-1]
    ]


def test_every_set_we_know_has_a_group_and_mandatory_beginnings() -> None:
    for set_id, layout in LAYOUTS.items():
        assert GROUP_OF[set_id]
        assert layout.slots[0].is_mandatory
        assert layout.slots[0].segment in tables_of("004010").segments


def test_the_segments_that_business_is_read_from_all_have_a_table() -> None:
    read = (
        "BEG BAK BCH BCA BSN BIA CUR REF DTM N1 N2 N3 N4 PO1 POC PID SDQ SCH ACK HL PRF MAN LIN SN1 TD1 TD5 QTY"
        " UIT CTT"
    )

    assert not set(read.split()) - set(tables_of("004010").segments)
