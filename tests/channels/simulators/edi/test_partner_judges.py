"""What the partner finds wrong with the merchant's documents, and how it answers them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from channels.edi.documents import OrderChange
from tests.channels.simulators.edi.market import (
    Market,
    answer_to,
    answer_to_change,
    carton,
    notice_of,
    promised,
    shown,
    state_of,
)

# -- all is well ----------------------------------------------------------------------------------------------------


def test_good_documents_are_accepted_kept_and_not_complained_about(market: Market) -> None:
    order = market.ordered(10)
    products = order.lines[0].products
    market.post(answer_to(order, [{"IA": 6, "IB": 3, "IR": 1}], kind="AC"))
    market.post(notice_of(order, carton(1, 4, products), carton(2, 2, products)))
    market.post(shown("R-1", products, 7))

    assert market.complaints() == []
    assert market.verdicts() == [("PR", "A"), ("SH", "A"), ("IB", "A")]
    (line,) = state_of(market, order)["lines"]
    assert line["promised"] == {"IA": 6, "IB": 3, "IR": 1}
    assert line["shipped"] == 6
    assert market.do("state")["shown"]["S-1"][""]["33"] == 7


def test_what_is_acknowledged_is_known_to_be(market: Market) -> None:
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 10}])
    assert market.do("state")["unacknowledged"] == [1]
    market.acknowledge()

    assert market.do("state")["unacknowledged"] == []
    assert market.do("state")["sent"][0]["acked"] == "A"
    assert market.inbox() == [], "a 997 is never answered"
    assert market.complaints() == []


def test_a_change_that_was_answered_is_what_is_promised(market: Market) -> None:
    order = promised(market)
    market.do("change_order", order=order.number, lines=[{"sku": "S-1", "units": 12}])
    (change,) = market.documents()
    assert isinstance(change, OrderChange)
    market.post(answer_to_change(change, [{"IA": 12}]))

    assert market.complaints() == []
    told = state_of(market, order)
    assert told["lines"][0]["promised"] == {"IA": 12}
    assert told["changes"] == [{"sequence": 1, "purpose": "04", "answered": True}]


# -- answers to orders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "complaint"),
    [
        ({"IA": 9}, "AD", "adds up to 9, ordered are 10"),
        ({"IA": 10, "IB": 1}, "AC", "adds up to 11, ordered are 10"),
        ({}, "AD", "line 1 has no ACK"),
        ({"IA": 4, "IR": 6}, "AD", "AD says that nothing changed"),
        ({"IA": 10}, "AC", "AC says that something changed"),
        ({"IA": 10}, "RD", "RD rejects the order"),
    ],
)
def test_an_answer_that_does_not_fit_is_complained_about(
    market: Market, said: dict[str, int], kind: str, complaint: str
) -> None:
    order = market.ordered(10)
    market.post(answer_to(order, [said], kind))

    assert any(complaint in text for text in market.complaints("business"))
    assert market.verdicts() == [("PR", "A")], "its syntax is right"


def test_a_line_that_is_not_answered_is_missed(market: Market) -> None:
    lines = [{"sku": "S-1", "units": 1}, {"sku": "S-2", "units": 2}]
    order = market.ordered(lines=lines)
    first = replace(order, lines=order.lines[:1])
    market.post(answer_to(first, [{"IA": 1}]))

    assert market.complaints() == [f"line 2 of order {order.number} is not answered"]


def test_an_answer_without_detail_accepts_every_line(market: Market) -> None:
    order = market.ordered(10)
    market.post(answer_to(replace(order, lines=()), [], "AK"))

    assert market.complaints() == []
    assert state_of(market, order)["lines"][0]["promised"] == {"IA": 10}


def test_an_unknown_order_a_wrong_day_and_a_second_answer_are_told(market: Market) -> None:
    order = market.ordered(10)
    good = answer_to(order, [{"IA": 10}])
    market.post(replace(good, number="4711"))
    market.post(replace(good, day=order.day.replace(day=1)))
    market.post(good)

    assert market.complaints() == [
        "we have no order '4711'",
        "'20260801' is not the order's date 20260820",
        f"order {order.number} was answered before; this would have to be a 06 or a 05",
    ]


def test_an_answer_that_comes_late_is_told(market: Market) -> None:
    market.do("guide", ack_due_hours=2)
    order = market.ordered(10)
    market.do("advance", seconds=3 * 3600)
    assert market.do("complaints")["overdue"] == [
        f"no 855 for order {order.number}, sent 2026-08-20 14:00"
    ]
    market.post(answer_to(order, [{"IA": 10}]))

    assert "was due 2026-08-20 16:00 and came 2026-08-20 17:00" in market.complaints()[0]
    assert market.do("complaints")["overdue"] == []


def test_an_answer_to_a_change_adds_up_to_the_new_number(market: Market) -> None:
    order = promised(market)
    market.do("change_order", order=order.number, lines=[{"sku": "S-1", "units": 12}])
    (change,) = market.documents()
    assert isinstance(change, OrderChange)
    market.post(answer_to_change(change, [{"IA": 10}]))
    market.post(replace(answer_to_change(change, [{"IA": 12}]), sequence="9"))

    assert "adds up to 10, ordered are 12" in market.complaints()[0]
    assert "no change 9" in market.complaints()[1]


# -- syntax ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("put", "complaint"),
    [
        ({"SE*6": "SE*7"}, "SE01 '7' is not the number of segments"),
        ({"GE*1": "GE*2"}, "GE01 '2' is not the number of sets"),
        ({"IEA*1": "IEA*2"}, "IEA01 '2' is not the number of groups"),
        ({"*ZZ*NORTHMART": "*01*NORTHMART"}, "ISA07 is '01', not 'ZZ'"),
        ({"GS*PR": "GS*PO"}, "a 855 stands in a group PO"),
        ({"BAK*00*AD": "BAK*00*XX"}, "BAK02 'XX' is none of"),
        ({"BAK*00*AD": "BAK**AD"}, "BAK01 is missing"),
        ({"ACK*IA*10": "ACK*IA*ten"}, "ACK02 'ten' is no number"),
        ({"CTT*1*10": "FOO*1*10"}, "FOO does not belong into an 855"),
        ({"BAK*": "BIG*"}, "BAK is missing"),
    ],
)
def test_broken_syntax_is_rejected_and_not_kept(
    market: Market, put: dict[str, str], complaint: str
) -> None:
    order = market.ordered(10)
    market.post(answer_to(order, [{"IA": 10}]), put=put)

    assert any(complaint in text for text in market.complaints("syntax"))
    ((_, status),) = market.verdicts()
    assert status == "R"
    assert state_of(market, order)["answered"] == []


def test_what_is_no_x12_is_complained_about_and_not_answered(market: Market) -> None:
    for number, data in enumerate((b"", b"hello", b"ISA*00*", b"\x00\xff" * 500)):
        market.post_bytes(data, f"{number}.edi")

    assert len(market.complaints("syntax")) == 4
    assert market.inbox() == []


def test_an_interchange_that_comes_twice_is_ignored(market: Market) -> None:
    order = market.ordered(10)
    market.post(answer_to(order, [{"IA": 10}]))
    (kept,) = market.simulator.partner.books.received
    market.post_bytes(kept.data)
    assert market.complaints("notice") == ["it came before, byte for byte; ignored"]
    market.post_bytes(kept.data.replace(b"ACK*IA", b"ACK*IR"))

    assert "was used before for something else" in market.complaints("syntax")[0]
    assert state_of(market, order)["lines"][0]["promised"] == {"IA": 10}
    assert market.verdicts() == [("PR", "A")]


def test_an_acknowledgement_of_what_was_never_sent_is_told(market: Market) -> None:
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 1}])
    (data,) = market.files()
    made_up = data.replace(b"*1*X*", b"*77*X*").replace(b"GE*1*1", b"GE*1*77")
    market.do("put", name="made-up.edi", text=made_up.decode())
    market.acknowledge()

    assert market.complaints() == ["we sent no group 77 of kind PO"]


def test_no_damage_to_a_document_stops_the_partner(market: Market) -> None:
    dice = random.Random(3)
    order = promised(market)
    products = order.lines[0].products
    market.post(notice_of(order, carton(1, 2, products)))
    market.post(shown("R-1", products, 7))
    market.do("functional_ack", policy="A")
    good = [one.data for one in market.simulator.partner.books.received]
    for number in range(400):
        data = bytearray(dice.choice(good))
        for _ in range(dice.randrange(1, 5)):
            place = dice.randrange(106, len(data))
            match dice.randrange(3):
                case 0:
                    data[place] = dice.choice(b"*~>\n 0A\xff")
                case 1:
                    del data[place : place + dice.randrange(1, 20)]
                case _:
                    data[place:place] = dice.choice((b"~", b"*", b"~HL*1**S~", b"~ST*856*1~"))
        data[90:99] = b"%09d" % (number + 1000)  # ISA13
        market.post_bytes(bytes(data), f"damaged-{number}.edi")

    texts = market.complaints()
    assert not [text for text in texts if "wide instead" in text], "the ISA was left whole"
    assert len(texts) > 400


# -- how it answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "status"), [("A", "A"), ("E", "E"), ("R", "R")])
def test_a_policy_decides_about_a_good_document(market: Market, policy: str, status: str) -> None:
    market.do("functional_ack", policy=policy)
    order = market.ordered(10)
    market.post(answer_to(order, [{"IA": 10}]))

    assert market.verdicts() == [("PR", status)]
    assert state_of(market, order)["answered"] == ([] if policy == "R" else ["855"])


def test_a_policy_may_be_for_some_groups_and_some_times(market: Market) -> None:
    market.do("functional_ack", policy="R", group="IB", count=1)
    order = market.ordered(10)
    products = order.lines[0].products
    market.post(answer_to(order, [{"IA": 10}]))
    for number in (1, 2):
        market.post(shown(f"R-{number}", products, number))

    assert market.verdicts() == [("PR", "A"), ("IB", "R"), ("IB", "A")]


def test_a_997_may_never_come_or_late(market: Market) -> None:
    order = market.ordered(10)
    products = order.lines[0].products
    market.do("functional_ack", policy="never", count=1)
    market.post(shown("R-1", products, 1))
    assert market.verdicts() == []
    market.do("functional_ack", policy="late", seconds=7200, count=1)
    market.post(shown("R-2", products, 2))
    assert market.verdicts() == []
    market.do("advance", seconds=7200)
    assert market.simulator.agenda.settle()

    assert market.verdicts() == [("IB", "A")]


def test_a_document_may_be_lost_on_its_side(market: Market) -> None:
    market.do("fault", kind="swallow", topic="846")
    order = market.ordered(10)
    market.post(shown("R-1", order.lines[0].products, 1))

    assert market.do("state")["shown"] == {}
    assert market.verdicts() == []


def test_it_looks_into_its_mailbox_by_itself(market: Market) -> None:
    (market.root / "outbound" / "odd.edi").write_bytes(b"hello")
    market.do("advance", seconds=1)
    assert market.simulator.agenda.settle()

    assert [one["name"] for one in market.do("state")["received"]] == ["odd.edi"]


def test_a_997_that_does_not_come_is_overdue_and_one_that_comes_late_is_told(
    market: Market,
) -> None:
    market.do("guide", ack_due_hours=1000)
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 10}])
    market.do("advance", seconds=25 * 3600)
    assert market.do("complaints")["overdue"] == ["no 997 for group 1 (850), sent 2026-08-20 14:00"]
    market.acknowledge()

    assert "the 997 for group 1 was due" in market.complaints()[0]
    assert market.do("complaints")["overdue"] == []
