"""Business out: answers, notices and availability written, and read back as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.edi import envelope, reading, writing
from channels.edi.acknowledgements import FunctionalAck, SetAnswer
from channels.edi.checkdigits import sscc
from channels.edi.documents import (
    AnswerLine,
    Availability,
    AvailabilityLine,
    ChangeAnswer,
    ChangeLine,
    Dated,
    Document,
    Expected,
    Freight,
    LineAnswer,
    OrderAnswer,
    OrderLine,
    Pack,
    Party,
    ProductId,
    Reference,
    ShipNotice,
    ShippedItem,
    ShippedOrder,
    Stocked,
    StoreShare,
)
from channels.edi.segments import Unwritable
from channels.edi.validate import validate
from tests.channels.edi.shelf import enclosed

DAY = date(2026, 11, 23)
CUP = ProductId("UP", "036000291452")
BEG = "BEG*00*SA*PO-1**20261123"


def there_and_back(document: writing.Writable) -> Document:
    """Written, judged, read."""
    data = enclosed(*writing.write(document))
    read = envelope.parse(data)
    assert [str(finding) for finding in validate(read) if finding.is_error] == []
    ((_, _, transaction),) = read.transactions
    return reading.read(transaction)


TEXT = st.text("AZ09 .,/&-", max_size=18).map(lambda text: f"A{text}9")
SHORT = st.text("AZ09", min_size=2, max_size=8)
MAYBE = st.one_of(st.just(""), SHORT)
DAYS = st.dates(date(2000, 1, 1), date(2049, 12, 31))
MAYBE_DAY = st.one_of(st.none(), DAYS)
UNITS = st.decimals(0, 99_999, places=2)
MEASURE = st.sampled_from(["EA", "CA", "DZ"])
PRODUCTS = st.lists(
    st.builds(ProductId, st.sampled_from(["UP", "VN", "SK"]), TEXT), min_size=1, max_size=10
).map(tuple)
DATED = st.lists(st.builds(Dated, st.sampled_from(["002", "010", "011"]), DAYS), max_size=3).map(
    tuple
)
REFERENCES = st.lists(
    st.builds(Reference, st.sampled_from(["DP", "IA", "BM"]), TEXT, st.one_of(st.just(""), TEXT)),
    max_size=3,
).map(tuple)
PARTIES = st.lists(
    st.builds(
        Party,
        role=st.sampled_from(["ST", "BY", "SF"]),
        name=TEXT,
        code_qualifier=st.just("92"),
        code=SHORT,
        more_names=st.lists(TEXT, max_size=3).map(tuple),
        address=st.lists(TEXT, max_size=3).map(tuple),
        city=MAYBE,
        postal_code=st.one_of(st.just(""), st.sampled_from(["10115", "00501"])),
        references=REFERENCES,
    ),
    max_size=2,
).map(tuple)
STORES = st.lists(
    st.builds(StoreShare, SHORT, UNITS, MEASURE, st.sampled_from(["", "92"])), max_size=25
).map(tuple)
SCHEDULE = st.lists(st.builds(Expected, UNITS, MEASURE, st.just("018"), DAYS), max_size=2).map(
    tuple
)
PLACED = st.builds(Expected, UNITS, MEASURE, st.just("018"), DAYS, st.just("WH"), TEXT)
LINES = st.builds(
    OrderLine, SHORT, UNITS, MEASURE, st.one_of(st.none(), UNITS), st.just(""), PRODUCTS,
    st.one_of(st.just(""), TEXT), DATED, REFERENCES, STORES, SCHEDULE, PARTIES,
)  # fmt: skip
ANSWERS = st.lists(
    st.one_of(
        st.builds(LineAnswer, st.sampled_from(["IA", "IR"]), UNITS, MEASURE),
        st.builds(LineAnswer, st.just("IB"), UNITS, MEASURE, st.just("068"), DAYS, PRODUCTS),
    ),
    max_size=3,
).map(tuple)
#: Large documents are slow to draw on a busy machine, which says nothing about the codec.
READ_BACK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
HEADER = {"dates": DATED, "references": REFERENCES, "parties": PARTIES}


def several(of: st.SearchStrategy[AnswerLine]) -> st.SearchStrategy[tuple[AnswerLine, ...]]:
    return st.lists(of, max_size=3).map(tuple)


@READ_BACK
@given(
    st.builds(
        OrderAnswer, number=SHORT, day=DAYS, kind=st.sampled_from(["AC", "AD"]), release=MAYBE, seller_number=MAYBE,
        answered=MAYBE_DAY, lines=several(st.builds(AnswerLine, LINES, ANSWERS)), **HEADER,
    )
)  # fmt: skip
def test_an_answer_to_an_order_is_read_back_as_written(answer: OrderAnswer) -> None:
    assert there_and_back(answer) == answer


CHANGES = st.builds(
    ChangeLine,
    LINES,
    st.sampled_from(["QD", "QI", "CA"]),
    st.one_of(st.none(), UNITS.map(abs)),
    ANSWERS,
)


@READ_BACK
@given(
    st.builds(
        ChangeAnswer, number=SHORT, day=DAYS, kind=st.sampled_from(["AC", "AD"]), release=MAYBE, sequence=MAYBE,
        answered=MAYBE_DAY, lines=st.lists(CHANGES, max_size=3).map(tuple), **HEADER,
    )
)  # fmt: skip
def test_an_answer_to_a_change_is_read_back_as_written(answer: ChangeAnswer) -> None:
    assert there_and_back(answer) == answer


COUNTS = st.lists(
    st.builds(
        Stocked,
        st.sampled_from(["33", "17", "29"]),
        UNITS,
        MEASURE,
        st.lists(PLACED, max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)


@READ_BACK
@given(
    st.builds(
        Availability, reference=SHORT, day=DAYS, kind=st.sampled_from(["SI", "DD"]), time=st.sampled_from(["", "0905"]),
        lines=st.lists(
            st.builds(AvailabilityLine, PRODUCTS, COUNTS, SHORT, st.one_of(st.just(""), TEXT), DATED, STORES),
            min_size=1, max_size=3,
        ).map(tuple),
        **HEADER,
    )
)  # fmt: skip
def test_availability_is_read_back_as_written(shown: Availability) -> None:
    assert there_and_back(shown) == shown


SSCC = st.builds(sscc, st.sampled_from("0123"), st.text("0123456789", min_size=16, max_size=16))
CARTONS = st.lists(st.builds(Pack, st.just("P"), SSCC, MAYBE), max_size=2).map(tuple)
ITEM = {
    "quantity": UNITS,
    "measure": MEASURE,
    "number": SHORT,
    "products": PRODUCTS,
    "ordered": UNITS,
    "ordered_measure": MEASURE,
}
ITEMS = st.builds(ShippedItem, **ITEM)
STANDARD = st.builds(ShippedItem, **ITEM, packs=CARTONS, description=st.one_of(st.just(""), TEXT))
PACKED = st.builds(Pack, st.just("P"), SSCC, MAYBE, st.lists(ITEMS, max_size=2).map(tuple))
PALLETS = st.builds(
    Pack, st.just("T"), SSCC, MAYBE, st.lists(st.one_of(PACKED, ITEMS), max_size=2).map(tuple)
)
ORDERS = st.builds(
    ShippedOrder, number=SHORT, day=MAYBE_DAY, release=MAYBE, references=REFERENCES, parties=PARTIES,
    contents=st.lists(st.one_of(STANDARD, PACKED, PALLETS), max_size=3).map(tuple),
)  # fmt: skip
FREIGHT = st.builds(
    Freight, st.just("CTN25"), st.integers(0, 999), UNITS.map(abs), st.just("LB"), st.sampled_from(["", "UPSN"]), MAYBE,
    st.sampled_from(["", "M"]),
)  # fmt: skip


@READ_BACK
@given(
    st.builds(
        ShipNotice, id=SHORT, day=DAYS, time=st.just("0905"), structure=st.sampled_from(["", "0001", "0002"]),
        contents=st.lists(st.one_of(ORDERS, PACKED, ITEMS), max_size=2).map(tuple),
        freight=st.one_of(st.none(), FREIGHT), **HEADER,
    )
)  # fmt: skip
def test_a_ship_notice_is_read_back_as_written(notice: ShipNotice) -> None:
    assert there_and_back(notice) == notice


def test_a_ship_notice_looks_like_this() -> None:
    item = ShippedItem(Decimal("3.0"), "EA", "1", (CUP,), ordered=Decimal(5), ordered_measure="EA")
    carton = Pack("P", sscc("1", "0614141123456789"), "1Z9", (item,))
    notice = ShipNotice(
        "SH-1", DAY, "0905", (ShippedOrder("PO-1", DAY, contents=(carton,)),), structure="0001",
        freight=Freight("CTN25", 1, Decimal("4.50"), "LB", "UPSN"), dates=(Dated("011", DAY),),
    )  # fmt: skip

    set_id, body = writing.write(notice)

    assert set_id == "856"
    assert [str(segment) for segment in body] == [
        "BSN*00*SH-1*20261123*0905*0001",
        "HL*1**S*1", "TD1*CTN25*1****G*4.5*LB", "TD5**2*UPSN", "DTM*011*20261123",
        "HL*2*1*O*1", "PRF*PO-1***20261123",
        "HL*3*2*P*1", "MAN*GM*00106141411234567897", "MAN*CP*1Z9",
        "HL*4*3*I*0", "LIN*1*UP*036000291452", "SN1**3*EA**5*EA",
        "CTT*4*3",
    ]  # fmt: skip
    assert list(notice.items()) == [("PO-1", item)]


LINE = AnswerLine(
    OrderLine("1", Decimal(3), "EA", products=(CUP,)), (LineAnswer("IA", Decimal(3), "EA"),)
)
ANSWER = OrderAnswer("PO-1", DAY, "AC", (LINE,))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (replace(ANSWER, number="9" * 23), "BAK03"),
        (replace(ANSWER, number=""), "BAK03"),
        (replace(ANSWER, number=" PO-1"), "BAK03"),
        (replace(ANSWER, lines=(replace(LINE, line=replace(LINE.line, measure="each")),)), "PO103"),
        (
            replace(
                ANSWER, lines=(replace(LINE, line=replace(LINE.line, quantity=Decimal("NaN"))),)
            ),
            "NaN",
        ),
        (
            replace(ANSWER, lines=(replace(LINE, line=replace(LINE.line, products=(CUP,) * 11)),)),
            "PO1 has places for 10",
        ),
        (replace(ANSWER, parties=(Party("ST"),)), "N102"),
        (ShipNotice("SH-1", DAY, "0905", (Pack("P", "106141411234567890"),)), "SSCC"),
        (ShipNotice("SH-1", DAY, "0905", (ShippedItem(Decimal(1), "EA", "1"),)), "no product id"),
        (ShipNotice("SH-1", DAY, "905", ()), "BSN04"),
        (Availability("R", DAY, ()), "SEGMENT-MISSING"),
        (FunctionalAck("PO", "55", "A", 1, 1, 1, (SetAnswer("850", "1", "A"),)), "AK202"),
    ],
)
def test_a_faulty_document_is_refused_by_the_name_of_what_is_wrong(
    document: writing.Writable, message: str
) -> None:
    with pytest.raises(Unwritable, match=message):
        writing.write(document)


def test_a_longer_reference_may_leave_by_5010_only() -> None:
    answer = replace(ANSWER, seller_number="9" * 40)

    assert writing.write(answer, "005010")[0] == "855"
    with pytest.raises(Unwritable, match="BAK08"):
        writing.write(answer, "004010")
