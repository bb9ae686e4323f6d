"""Business in: orders, changes and availability read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from channels.edi import envelope, reading
from channels.edi.documents import (
    Availability,
    ChangeLine,
    Dated,
    Document,
    Expected,
    OrderChange,
    OrderLine,
    Party,
    ProductId,
    PurchaseOrder,
    Reference,
    StoreShare,
)
from channels.edi.segments import Unreadable
from tests.channels.edi.shelf import DOCUMENTS, parsed

DAY = date(2026, 11, 23)
CUP = ProductId("UP", "036000291452")
BEG = "BEG*00*SA*PO-1**20261123"


def read_one(*body: str, set_id: str, group: str) -> Document:
    ((_, _, transaction),) = parsed(*body, set_id=set_id, group=group).transactions
    return reading.read(transaction)


def test_an_order_is_read_with_its_lines_parties_and_stores() -> None:
    order = read_one(
        BEG, "CUR*BY*USD", "REF*DP*038*TOYS", "DTM*002*20261201",
        "N1*ST*SHOP*92*0042", "N2*BACK DOOR", "N3*1 MAIN ST*FLOOR 2", "N4*OSLO**0150*NO", "REF*IA*77",
        "PO1*1*3*EA*9.25*WE*UP*036000291452*VN*CUP-3", "PID*F****BLUE CUP", "SDQ*EA*92*0042*1*0043*2",
        "DTM*010*20261130", "REF*LI*9", "SCH*3*EA***002*20261201", "CTT*1*3",
        set_id="850", group="PO",
    )  # fmt: skip

    assert order == PurchaseOrder(
        number="PO-1",
        day=DAY,
        purpose="00",
        kind="SA",
        currency="USD",
        dates=(Dated("002", date(2026, 12, 1)),),
        references=(Reference("DP", "038", "TOYS"),),
        parties=(
            Party(
                "ST", "SHOP", "92", "0042", ("BACK DOOR",), ("1 MAIN ST", "FLOOR 2"),
                city="OSLO", postal_code="0150", country="NO", references=(Reference("IA", "77"),),
            ),
        ),
        lines=(
            OrderLine(
                "1", Decimal(3), "EA", Decimal("9.25"), "WE", (CUP, ProductId("VN", "CUP-3")), "BLUE CUP",
                dates=(Dated("010", date(2026, 11, 30)),),
                references=(Reference("LI", "9"),),
                stores=(StoreShare("0042", Decimal(1), "EA", "92"), StoreShare("0043", Decimal(2), "EA", "92")),
                schedule=(Expected(Decimal(3), "EA", "002", date(2026, 12, 1)),),
            ),
        ),
    )  # fmt: skip


def test_a_line_without_a_quantity_takes_what_its_stores_get() -> None:
    order = read_one(BEG, "PO1*1", "SDQ*EA*92*0042*1*0043*2", set_id="850", group="PO")

    assert isinstance(order, PurchaseOrder)
    assert (order.lines[0].quantity, order.lines[0].measure) == (Decimal(3), "EA")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (("PO1*1*3*EA",), "no BEG"),
        (("BEG*00*SA***20261123",), "BEG03 is missing; segment 4"),
        (("BEG*00*SA*PO-1**20261399",), "BEG05 '20261399' is no date"),
        ((BEG, "PO1*1**EA"), "PO102 '' is no number; segment 5"),
        ((BEG, "PO1*1*many*EA"), "PO102 'many' is no number"),
    ],
)
def test_an_order_without_what_it_needs_is_unreadable_and_says_where(
    body: tuple[str, ...], message: str
) -> None:
    with pytest.raises(Unreadable, match=message):
        read_one(*body, set_id="850", group="PO")


def test_a_change_is_read_with_both_quantities() -> None:
    change = read_one(
        "BCH*04*SA*PO-1**2*20261120*****20261123", "POC*1*QD*2*1*EA*9.25**UP*036000291452", "POC*2*DI",
        set_id="860", group="PC",
    )  # fmt: skip

    assert isinstance(change, OrderChange)
    assert (change.number, change.sequence, change.day, change.changed) == (
        "PO-1",
        "2",
        date(2026, 11, 20),
        DAY,
    )
    assert change.lines == (
        ChangeLine(
            OrderLine("1", Decimal(2), "EA", Decimal("9.25"), products=(CUP,)), "QD", Decimal(1)
        ),
        ChangeLine(OrderLine("2", None, ""), "DI"),
    )


def test_a_real_wholesale_order_is_read() -> None:
    data = (DOCUMENTS / "850__node-x12__850_2.edi").read_bytes()
    ((_, _, transaction),) = envelope.parse(data).transactions

    order = reading.read(transaction)

    assert isinstance(order, PurchaseOrder)
    assert order.number == "08292233294"
    assert [line.number for line in order.lines] == list("123456")
    assert [line.quantity for line in order.lines] == [
        Decimal(n) for n in (120, 220, 126, 76, 72, 696)
    ]
    assert sum(
        line.quantity * line.price for line in order.lines if line.quantity and line.price
    ) == Decimal("13045.94")
    assert order.parties[0].city == "SOLON"


def test_a_real_availability_is_read_per_warehouse() -> None:
    data = (DOCUMENTS / "846__phpedi__846-sample.edi").read_bytes()
    ((_, _, transaction),) = envelope.parse(data).transactions

    shown = reading.read(transaction)

    assert isinstance(shown, Availability)
    lion = next(line for line in shown.lines if line.products[0].value == "DIS BR106671")
    (count,) = lion.counts
    assert (count.qualifier, count.quantity) == ("33", Decimal(233))
    assert {each.place: each.quantity for each in count.expected}["CHICAGO"] == 194
    assert sum(each.quantity for each in count.expected) == 233
