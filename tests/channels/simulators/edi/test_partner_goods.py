"""What the partner finds wrong with ship notices and with availability."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from channels.edi.documents import StoreShare
from tests.channels.simulators.edi.market import (
    Market,
    answer_to,
    carton,
    notice_of,
    promised,
    shown,
    state_of,
)

# -- ship notices ---------------------------------------------------------------------------------------------------


def notices(market: Market, *, put: dict[str, str] | None = None, **facts: Any) -> list[str]:
    order = promised(market)
    products = order.lines[0].products
    cartons = facts.pop("cartons", [carton(1, 10, products)])
    market.post(notice_of(order, *cartons, **facts), put=put or {})
    return market.complaints("business")


@pytest.mark.parametrize(
    ("put", "complaint"),
    [
        ({"HL*3*2*P": "HL*4*2*P"}, "levels are counted from 1"),
        ({"HL*3*2*P": "HL*3*9*P"}, "hangs on '9', which does not stand before it"),
        ({"HL*2*1*O": "HL*2*1*P"}, "a level P may not hang on a level S"),
        ({"HL*4*3*I*0": "HL*4*3*I*1"}, "says 1 about levels below it"),
        ({"DTM*011": "DTM*017"}, "no day of shipping"),
        ({"N1*ST": "N1*SF"}, "no ship-to"),
        ({"MAN*GM*00106141410000000019": "MAN*GM*106141410000000019"}, "is no SSCC of 20 digits"),
        ({"MAN*GM*00106141410000000019": "MAN*GM*00106141410000000018"}, "the check digit is 9"),
        ({"MAN*GM*": "MAN*CP*"}, "0 SSCCs (MAN GM) instead of one"),
        ({"PRF*4500000001": "PRF*4500000099"}, "belongs to no order of ours: '4500000099'"),
        ({"*SK*S-1": "*SK*S-7", "*UP*666048764757*IN*100001": ""}, "no item of order"),
        ({"SN1**10*EA": "SN1**11*EA"}, "11 units shipped, 10 ordered"),
        ({"SN1**10*EA": "SN1**10*CA"}, "'CA' is not the order's EA"),
        ({"CTT*4*": "CTT*7*"}, "the number of levels (4)"),
    ],
)
def test_one_fault_in_a_ship_notice_is_told(
    market: Market, put: dict[str, str], complaint: str
) -> None:
    found = notices(market, put=put)

    assert any(complaint in text for text in found), found


def test_a_carton_is_not_numbered_like_another_within_a_year(market: Market) -> None:
    order = promised(market)
    products = order.lines[0].products
    market.post(notice_of(order, carton(1, 2, products), carton(1, 2, products)))
    market.post(notice_of(order, carton(1, 2, products), id="SH-2"))
    market.do("advance", seconds=366 * 86_400)
    market.post(notice_of(order, carton(1, 2, products), id="SH-3"))

    assert market.complaints() == [
        "SSCC 106141410000000019 stands twice in shipment SH-1",
        "SSCC 106141410000000019 was used for shipment SH-1 on 2026-08-20",
    ]


def test_a_shipment_is_announced_once_replaced_and_cancelled_by_its_id(market: Market) -> None:
    order = promised(market)
    products = order.lines[0].products
    market.post(notice_of(order, carton(1, 9, products)))
    market.post(notice_of(order, carton(2, 1, products)))
    assert market.complaints() == ["shipment SH-1 was announced before; a shipment id is used once"]
    market.post(replace(notice_of(order, carton(1, 5, products)), purpose="05"))
    assert state_of(market, order)["lines"][0]["shipped"] == 5
    market.post(replace(notice_of(order, carton(1, 5, products)), purpose="01"))
    assert state_of(market, order)["lines"][0]["shipped"] == 0
    market.post(replace(notice_of(order, carton(1, 5, products), id="SH-9"), purpose="01"))

    assert "never announced" in market.complaints()[-1]


def test_more_than_was_promised_or_before_it_was_promised_is_told(market: Market) -> None:
    order = market.ordered(10)
    products = order.lines[0].products
    market.post(notice_of(order, carton(1, 2, products)))
    market.post(answer_to(order, [{"IA": 6, "IR": 4}], kind="AC"))
    market.post(notice_of(order, carton(2, 5, products), id="SH-2"))

    assert market.complaints() == [
        f"order {order.number} is shipped before it was answered",
        f"line 1 of order {order.number}: 7 units shipped, 6 promised",
    ]


def test_stores_get_what_is_for_them(market: Market) -> None:
    order = promised(market, lines=[{"sku": "S-1", "stores": {"0201": 4, "0202": 6}}])
    products = order.lines[0].products
    market.post(notice_of(order, carton(1, 4, products), store="0201"))
    assert market.complaints() == []
    market.post(notice_of(order, carton(2, 1, products), id="SH-2", store="0201"))
    market.post(notice_of(order, carton(3, 1, products), id="SH-3"))

    assert "store 0201 gets 5 units, 4 are for it" in market.complaints()[0]
    assert "names none (N1 Z7 or BY)" in market.complaints()[1]


# -- availability ---------------------------------------------------------------------------------------------------


def test_availability_is_kept_per_place_and_forgotten_by_a_full_one(market: Market) -> None:
    one, two = (market.ordered(1, lines=[{"sku": sku, "units": 1}]) for sku in ("S-1", "S-2"))
    ids = one.lines[0].products
    market.post(shown("R-1", two.lines[0].products, 5))
    full = shown("R-2", ids, 7)
    stores = tuple(StoreShare(code, Decimal(n), "EA") for code, n in (("0201", 3), ("0202", 4)))
    (line,) = full.lines
    market.post(replace(full, lines=(replace(line, stores=stores),)))
    market.post(shown("R-3", two.lines[0].products, 0, purpose="25"))

    told = market.do("state")["shown"]
    assert {place: each["33"] for place, each in told["S-1"].items()} == {"0201": 3, "0202": 4}
    assert told["S-2"][""]["33"] == 0
    assert market.complaints() == []


@pytest.mark.parametrize(
    ("put", "complaint"),
    [
        ({"QTY*33*7": "QTY*33*-7"}, "is no number of units"),
        ({"QTY*33*7": "QTY*17*7"}, "nobody knows what may be ordered"),
        ({"*SK*S-1": "*SK*S-7", "*UP*666048764757*IN*100001": ""}, "is no item of ours"),
        ({"CTT*1": "CTT*2"}, "is not the number of items, 1"),
    ],
)
def test_one_fault_in_an_availability_is_told(
    market: Market, put: dict[str, str], complaint: str
) -> None:
    order = market.ordered(1)
    market.post(shown("R-1", order.lines[0].products, 7), put=put)

    assert any(complaint in text for text in market.complaints("business"))
