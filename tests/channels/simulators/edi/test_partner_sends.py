"""What the partner sends: clean documents that the house's codec finds nothing wrong with, and dirt on wish."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from channels.edi import envelope, reading
from channels.edi.documents import OrderChange, PurchaseOrder
from channels.edi.validate import validate
from channels.simulators.edi.dirt import READABLE, WRONG
from channels.simulators.edi.partner import Refused, Unknown
from tests.channels.simulators.edi.market import DAY, Market


def test_an_order_names_its_items_by_all_their_ids(market: Market) -> None:
    order = market.ordered(12, requested_ship="2026-09-01", cancel_after="2026-09-15")

    (line,) = order.lines
    assert (order.number, order.day, order.purpose) == ("4500000001", DAY, "00")
    assert (line.number, line.quantity, line.measure) == ("1", Decimal(12), "EA")
    assert [each.qualifier for each in line.products] == ["UP", "IN", "SK"]
    assert line.products[2].value == "S-1"
    assert {each.qualifier for each in order.dates} == {"010", "001"}
    assert [(each.role, each.code) for each in order.parties] == [("ST", "0100")]


def test_stores_share_a_line(market: Market) -> None:
    order = market.ordered(lines=[{"sku": "S-1", "stores": {"0201": 4, "0202": 6}}])

    assert order.lines[0].quantity == 10
    assert {each.store: each.quantity for each in order.lines[0].stores} == {"0201": 4, "0202": 6}


def test_many_stores_are_written_ten_a_segment(market: Market) -> None:
    stores = {f"{number:04d}": number for number in range(1, 24)}
    for code in stores:
        market.do("store", code=code)

    order = market.ordered(lines=[{"sku": "S-1", "stores": stores}])

    assert {each.store: int(each.quantity) for each in order.lines[0].stores} == stores


def test_orders_may_travel_together(market: Market) -> None:
    one = {"lines": [{"sku": "S-1", "units": 1}]}
    market.do("purchase_orders", orders=[one, one, one], together=True)

    assert len(market.inbox()) == 1
    assert len(market.documents()) == 3


def changed(market: Market, **facts: Any) -> OrderChange:
    market.do("change_order", **facts)
    (change,) = market.documents()
    assert isinstance(change, OrderChange)
    return change


def test_a_change_tells_the_new_number_of_units(market: Market) -> None:
    order = market.ordered(10)

    change = changed(market, order=order.number, lines=[{"sku": "S-1", "units": 7}])

    (line,) = change.lines
    assert (change.sequence, line.change, line.line.quantity) == ("1", "QD", Decimal(7))


def test_another_guide_tells_the_old_number_first(market: Market) -> None:
    market.do("guide", change_style="before")
    order = market.ordered(10)

    (line,) = changed(market, order=order.number, lines=[{"line": "1", "units": 15}]).lines

    assert (line.change, line.line.quantity, line.left) == ("QI", Decimal(10), Decimal(15))


def test_changes_hold_in_their_order_whatever_order_they_are_sent_in(market: Market) -> None:
    number = market.ordered(10).number
    changed(market, order=number, lines=[{"sku": "S-1", "units": 4}], sequence=2)
    changed(market, order=number, lines=[{"sku": "S-1", "units": 20}], sequence=1)

    order = market.do("state", order=number)["orders"][number]
    assert order["lines"][0]["units"] == 4
    assert [one["sequence"] for one in order["changes"]] == [1, 2]


def test_a_change_may_add_and_delete_lines_and_be_sent_twice(market: Market) -> None:
    number = market.ordered(10).number

    lines = [{"sku": "S-1", "units": 0}, {"sku": "S-2", "units": 3}]
    first = changed(market, order=number, lines=lines)
    again = changed(market, order=number, sequence=1)

    assert [(line.line.number, line.change) for line in first.lines] == [("1", "DI"), ("2", "AI")]
    assert again == first


def test_an_order_is_cancelled_by_a_change_or_by_an_order(market: Market) -> None:
    for by, kind in (("860", OrderChange), ("850", PurchaseOrder)):
        number = market.ordered(10).number
        market.do("cancel_order", order=number, by=by)
        (document,) = market.documents()
        assert isinstance(document, kind)
        assert document.purpose == "01"
        with pytest.raises(Refused):
            market.do("cancel_order", order=number)
    assert market.do("state")["orders"][number]["lines"][0]["units"] == 0


@pytest.mark.parametrize("kind", READABLE)
def test_readable_dirt_says_the_same(market: Market, kind: str) -> None:
    clean = market.ordered(10)
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 10}], dirty=kind)

    (data,) = market.files()
    parsed = envelope.parse(data)
    ((_, _, each),) = parsed.transactions
    document = reading.read(each)
    assert isinstance(document, PurchaseOrder)
    assert document.lines == clean.lines


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_counts_and_numbers_are_errors(market: Market, kind: str) -> None:
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 10}], dirty=[kind])

    (data,) = market.files()
    assert any(finding.is_error for finding in validate(envelope.parse(data)))


def test_a_duplicate_is_the_same_to_the_byte_under_another_name(market: Market) -> None:
    market.ordered(10)
    number = market.do("state")["sent"][0]["order"]
    first, second = (market.do("duplicate", of=number)["name"] for _ in range(2))

    assert first != second
    one, two = market.files()
    assert one == two


def test_the_same_control_number_may_come_with_another_order(market: Market) -> None:
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 10}])
    market.do("duplicate", of=1, other=True)

    one, two = (envelope.parse(data) for data in market.files())
    assert one.interchanges[0].isa.control == two.interchanges[0].isa.control
    assert one.interchanges != two.interchanges


def test_counters_begin_anew_on_wish(market: Market) -> None:
    line = [{"sku": "S-1", "units": 1}]
    controls = [market.do("purchase_order", lines=line)["control"] for _ in range(2)]
    market.do("reset_counters")

    assert [*controls, market.do("purchase_order", lines=line)["control"]] == [1, 2, 1]
    assert len(set(market.inbox())) == 3


def test_a_known_order_sent_as_new_leaves_the_books_alone_and_as_replacement_changes_them(
    market: Market,
) -> None:
    number = market.ordered(10).number

    market.ordered(11, order=number)
    assert market.do("state")["orders"][number]["lines"][0]["units"] == 10
    replaced = market.ordered(12, order=number, purpose="05")

    assert replaced.purpose == "05"
    assert market.do("state")["orders"][number]["lines"][0]["units"] == 12


@pytest.mark.parametrize(
    ("verb", "facts", "error"),
    [
        ("purchase_order", {"lines": [{"sku": "S-9", "units": 1}]}, Unknown),
        ("purchase_order", {"lines": []}, Refused),
        ("purchase_order", {"lines": [{"sku": "S-1", "units": 0}]}, Refused),
        ("purchase_order", {"lines": [{"sku": "S-1", "units": 2, "stores": {"0201": 1}}]}, Refused),
        ("purchase_order", {"lines": [{"sku": "S-1", "stores": {"0999": 1}}]}, Unknown),
        ("change_order", {"order": "1", "lines": []}, Unknown),
        ("item", {"sku": "S-1"}, Refused),
        ("item", {"sku": "S-8", "ids": {"SK": "S-1"}}, Refused),
        ("purchase_order", {"lines": [{"sku": "S-1", "units": 1}], "dirty": "mud"}, ValueError),
        ("functional_ack", {"policy": "maybe"}, ValueError),
        ("put", {"name": "../x", "text": ""}, ValueError),
    ],
)
def test_what_makes_no_sense_is_refused(
    market: Market, verb: str, facts: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        market.do(verb, **facts)
    assert market.inbox() == []


def test_the_same_seed_sends_the_same_bytes(tmp_path: Path) -> None:
    sent = []
    for number in range(2):
        market = Market(tmp_path / str(number), seed=7)
        lines = [{"sku": "S-1", "units": 3}]
        market.do("purchase_order", lines=lines, dirty=True)
        market.do("purchase_order", lines=lines, dirty=True)
        sent.append(market.files())
        market.close()

    assert sent[0] == sent[1]


# -- on the way -----------------------------------------------------------------------------------------------------


def order(market: Market) -> None:
    market.do("purchase_order", lines=[{"sku": "S-1", "units": 1}])


def test_files_are_lost_late_doubled_and_overtaken_on_wish(market: Market) -> None:
    market.do("fault", kind="webhook_drop", count=1, topic="850")
    order(market)
    assert market.inbox() == []

    market.do("fault", kind="webhook_late", count=1, seconds=60)
    order(market)
    assert market.inbox() == []
    market.do("advance", seconds=60)
    assert market.simulator.agenda.settle()
    assert len(market.files()) == 1

    market.do("fault", kind="webhook_duplicate", count=1)
    order(market)
    one, two = market.files()
    assert one == two

    market.do("fault", kind="webhook_reorder", count=1)
    order(market)
    assert market.inbox() == []
    order(market)
    assert len(market.files()) == 2


def test_half_a_file_may_arrive(market: Market) -> None:
    market.do("fault", kind="truncate", count=1)
    order(market)

    (data,) = market.files()
    codes = {finding.code for finding in validate(envelope.parse(data))}
    assert "IEA-MISSING" in codes


def test_a_file_may_grow_under_its_final_name(market: Market) -> None:
    market.do("fault", kind="latency", count=1, seconds=0.3)
    order(market)
    (name,) = market.inbox()
    path = market.root / "inbound" / name
    (sent,) = market.simulator.partner.books.sent

    assert path.read_bytes() == sent.data[: len(sent.data) // 2]
    assert _eventually(path, sent.data)


def _eventually(path: Path, data: bytes) -> bool:
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        if path.read_bytes() == data:
            return True
        time.sleep(0.02)
    return False


def test_any_file_may_be_put(market: Market) -> None:
    market.do("put", name="odd.edi", text="hello")
    market.do("put", name="raw.edi", base64="AP8=")

    assert market.files() == [b"hello", b"\x00\xff"]
