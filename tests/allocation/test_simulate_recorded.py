"""From rows to a history: what is understood, and what is refused with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from allocation.document import read
from allocation.simulate.recorded import (
    Opening,
    Row,
    history_of,
    least_opening,
    opening_of,
    rows_of,
    scarcer,
)
from allocation.simulate.types import History, Line, Movement, Unusable, Way

RULES = read(
    """\
[locations.WH]
[locations.STORE]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
"""
).rules()


def a_row(**said: str) -> dict[str, str]:
    return {
        "event_id": "A:1",
        "occurred_at": "2026-03-02T10:05:00",
        "event_type": "order",
        "channel": "shop",
        "location_id": "WH",
        "sku": "MUG",
        "quantity_delta": "-2",
        "order_id": "A",
        "unit_price": "1.65",
        "ref": "",
    } | said


def history(*rows: Mapping[str, str], opening: Opening | None = None, seed: int = 1) -> History:
    return history_of(list(rows_of(rows, "e.csv")), opening or {}, RULES, seed)


def test_an_order_line_keeps_its_key_units_and_price() -> None:
    ((line,),) = [stream.events for stream in history(a_row()).streams]

    assert isinstance(line, Line)
    assert (line.key, line.channel, line.units, line.price) == ("A:1", "shop", 2, Decimal("1.65"))


def test_what_is_written_down_to_the_minute_is_spread_over_it_order_by_order() -> None:
    rows = [a_row(), a_row(event_id="A:2"), a_row(event_id="B:1", order_id="B")]

    first, second = (sorted(e.at for e in history(*rows, seed=s).streams[0].events) for s in (1, 2))

    minute = 10 * 3600 + 5 * 60
    assert all(minute <= at < minute + 60 for at in (*first, *second))
    assert len(set(first)) == 2
    assert first != second
    assert first == sorted(e.at for e in history(*rows, seed=1).streams[0].events)


def test_what_is_written_down_to_the_second_stays() -> None:
    ((line,),) = [s.events for s in history(a_row(occurred_at="2026-03-02T00:00:07")).streams]

    assert line.at == 7


@pytest.mark.parametrize(
    ("said", "way", "units"),
    [
        ({"event_type": "receipt", "quantity_delta": "5"}, Way.PLAIN, 5),
        ({"event_type": "transfer_ship", "quantity_delta": "-5", "ref": "T"}, Way.SHIP, -5),
        ({"event_type": "transfer_receive", "quantity_delta": "5", "ref": "T"}, Way.RECEIVE, 5),
        ({"event_type": "transfer_ship", "quantity_delta": "-5"}, Way.PLAIN, -5),
        ({"event_type": "order_cancel", "quantity_delta": "2", "ref": "A:1"}, Way.CANCEL, 2),
        ({"event_type": "order_cancel", "quantity_delta": "2", "ref": "last year's"}, Way.PLAIN, 2),
        ({"event_type": "count", "quantity_delta": "-1"}, Way.PLAIN, -1),
    ],
)
def test_what_is_no_order_moves_stock(said: dict[str, str], way: Way, units: int) -> None:
    order = a_row(sku="CUP")
    movement = history(order, a_row(event_id="B:1", **said)).streams[1].events[0]

    assert isinstance(movement, Movement)
    assert (movement.way, movement.units) == (way, units)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"channel": "shpo"}, "e.csv:3: channel 'shpo' is not in the rules; known: shop"),
        ({"location_id": "MOON"}, "e.csv:3: location 'MOON' is not in the rules"),
        ({"event_type": "gift"}, "e.csv:3: event type 'gift' is not known"),
        ({"quantity_delta": "two"}, "e.csv:3: quantity_delta 'two' is no whole number"),
        ({"quantity_delta": "2"}, "e.csv:3: an order of -2 units"),
        ({"occurred_at": "yesterday"}, "e.csv:3: occurred_at 'yesterday' is no time"),
        ({"unit_price": "cheap"}, "e.csv:3: unit_price 'cheap' is no number"),
    ],
)
def test_a_row_that_cannot_be_replayed_is_refused_with_file_and_line(
    said: dict[str, str], message: str
) -> None:
    with pytest.raises(Unusable) as refused:
        history(a_row(), a_row(**said))

    assert message in str(refused.value)


def test_no_rows_are_refused() -> None:
    with pytest.raises(Unusable, match="no events"):
        history()


def test_opening_balances_leave_out_what_is_in_transit_and_refuse_what_is_no_number() -> None:
    def line(location: str, opening: str) -> dict[str, str]:
        return {"sku": "MUG", "location_id": location, "opening": opening}

    assert opening_of([line("WH", "5"), line("IN-TRANSIT", "3")], "b.csv", RULES) == {
        ("MUG", "WH"): 5
    }
    with pytest.raises(Unusable, match=r"b.csv:2: opening '' is no whole number"):
        opening_of([line("WH", "")], "b.csv", RULES)
    with pytest.raises(Unusable, match=r"b.csv:2: location 'MOON'"):
        opening_of([line("MOON", "1")], "b.csv", RULES)


def test_without_balances_each_location_held_the_least_with_which_all_could_happen() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)

    def row(hour: int, units: int) -> Row:
        return Row("e:1", "k", at.replace(hour=hour), "adjustment", "", "WH", "MUG", units)

    assert least_opening([row(9, 7), row(1, -3), row(5, -1), row(12, -2)]) == {("MUG", "WH"): 4}


def test_the_scarcer_variant_lowers_only_the_best_sellers() -> None:
    rows = [a_row(quantity_delta="-9"), a_row(sku="CUP", event_id="B:1")]
    opening = {("MUG", "WH"): 21, ("CUP", "WH"): 21}

    found = scarcer(history(*rows, opening=opening), skus=1, percent=15)

    held = {stream.sku: stream.opening["WH"] for stream in found.streams}
    assert held == {"MUG": 17, "CUP": 21}
