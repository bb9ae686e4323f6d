"""The world of a simulation: what is sold, oversold and lost, whoever decides what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation import engine
from allocation.document import read
from allocation.simulate import made
from allocation.simulate.naive import (
    Spectator,
    connector_60min,
    hub_15min,
    point_to_point,
    spreadsheet,
)
from allocation.simulate.plan import Plan
from allocation.simulate.replay import simulate
from allocation.simulate.score import Score, Tally, score
from allocation.simulate.seasons import Seasons
from allocation.simulate.types import Delays, Event, History, Line, Movement, Stream, Unusable, Way
from allocation.simulate.world import Strategy, World, layout_of, listed_places
from allocation.types import Outlook, Pace, Rules

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY_S = 86_400.0

TWO = """\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
[channels.market]
kind = "amazon"
base_url = "https://market.example"
locations = ["WH"]
vendor_locations = { DEFAULT = "WH" }
"""
STORES = """\
[locations.WH]
[locations.STORE]
kind = "store"
[locations.FBA]
kind = "mirror"
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH", "STORE"]
show_at = "WH"
vendor_locations = { "gid://1" = "WH" }
[channels.till]
kind = "square"
base_url = "https://till.example"
locations = ["STORE"]
show = "per_location"
vendor_locations = { L1 = "STORE" }
[channels.fba]
kind = "amazon"
base_url = "https://market.example"
locations = ["FBA"]
show = "per_location"
vendor_locations = { FBA = "FBA" }
"""


def rules_of(text: str) -> Rules:
    return read(text).rules()


def wanted(at: float, channel: str, units: int = 1, location: str = "WH", key: str = "") -> Line:
    return Line(at, key, channel, location, units, Decimal(2))


def played(
    text: str,
    opening: Mapping[str, int],
    events: Sequence[Event],
    strategy: Strategy,
    ends: float = DAY_S,
) -> Tally:
    """What a strategy comes to on one SKU."""
    layout, tally = layout_of(rules_of(text)), Tally()
    stream = Stream("MUG", opening, events)
    World(stream, layout, tally, listed_places(stream, layout), ends).run(strategy)
    return tally


def scores(
    text: str, opening: Mapping[str, int], *events: Event, seed: int = 1
) -> dict[str, Score]:
    history = History(START, events[-1].at + 3600, [Stream("MUG", opening, events)])
    return simulate(history, {"lockstep": rules_of(text)}, Delays(), seed)


def test_a_channel_takes_what_it_shows_and_the_rest_is_lost() -> None:
    tally = played(TWO, {"WH": 5}, [wanted(10, "shop", 8)], hub_15min())

    assert (tally.demanded_units, tally.accepted_units, tally.sold_units) == (8, 5, 5)
    assert (tally.oversold_units, tally.refused_lines, tally.stranded_units) == (0, 1, 0)


def test_what_is_taken_and_not_there_is_oversold_at_that_moment_and_burdens_nobody_later() -> None:
    events: list[Event] = [
        wanted(10, "shop", 4),
        wanted(20, "market", 4),
        Movement(30, "WH", 10),
        wanted(1000, "shop", 10),
    ]

    tally = played(TWO, {"WH": 5}, events, hub_15min())

    assert (tally.oversold_lines, tally.oversold_units) == (1, 3)
    assert (tally.accepted_units, tally.sold_units) == (18, 15)
    assert tally.revenue == Decimal(30)
    of = score("hub_15min", tally, tally, priced=True)
    assert of.lost_units == 3
    assert of.oversold_rate == pytest.approx(1 / 3, abs=1e-6)


def test_between_two_rounds_a_channel_lowers_only_its_own_number() -> None:
    orders = [wanted(899, "shop", 3), wanted(900.5, "market", 3)]

    before = played(TWO, {"WH": 3}, [orders[0], wanted(899.5, "market", 3)], hub_15min())
    after = played(TWO, {"WH": 3}, orders, hub_15min())

    assert before.oversold_units == 3
    assert after.oversold_units == 0


def test_messages_tell_the_others_five_minutes_later() -> None:
    calm = point_to_point(_NothingLost(), nightly_s=7200)
    late = [wanted(0, "shop", 3), wanted(299, "market", 3)]
    told = [wanted(0, "shop", 3), wanted(301, "market", 3)]

    assert played(TWO, {"WH": 3}, late, calm).oversold_units == 3
    calm = point_to_point(_NothingLost(), nightly_s=7200)
    assert played(TWO, {"WH": 3}, told, calm).oversold_units == 0


def test_a_lost_message_is_made_good_at_night() -> None:
    def nothing_arrives() -> Strategy:
        return point_to_point(_AllLost(), nightly_s=7200)

    evening = [wanted(0, "shop", 3), wanted(7199, "market", 3)]
    morning = [wanted(0, "shop", 3), wanted(7201, "market", 3)]

    assert played(TWO, {"WH": 3}, evening, nothing_arrives()).oversold_units == 3
    assert played(TWO, {"WH": 3}, morning, nothing_arrives()).oversold_units == 0


def test_a_sheet_holds_for_a_week() -> None:
    day = [wanted(0, "shop", 3), wanted(6 * DAY_S, "market", 3)]
    week = [wanted(0, "shop", 3), wanted(7.5 * DAY_S, "market", 3)]

    assert played(TWO, {"WH": 3}, day, spreadsheet(7 * DAY_S)).oversold_units == 3
    assert played(TWO, {"WH": 3}, week, spreadsheet(7 * DAY_S)).oversold_units == 0


def test_a_transfer_brings_no_more_than_was_there_to_send() -> None:
    events: list[Event] = [
        Movement(10, "WH", -8, Way.SHIP, "T1"),
        Movement(20, "STORE", 8, Way.RECEIVE, "T1"),
        Movement(30, "STORE", 2, Way.RECEIVE, "sent before"),
        wanted(1000, "till", 9, "STORE"),
    ]

    tally = played(STORES, {"WH": 5}, events, hub_15min())

    assert tally.sold_units == 7


def test_a_cancel_brings_back_what_its_line_sold_and_no_more() -> None:
    events: list[Event] = [
        wanted(10, "shop", 8, key="A:1"),
        Movement(20, "WH", 8, Way.CANCEL, "A:1"),
        Movement(30, "WH", 8, Way.CANCEL, "A:1"),
        wanted(1000, "market", 8),
    ]

    tally = played(TWO, {"WH": 5}, events, hub_15min())

    assert tally.sold_units == 10


def test_a_mirror_shows_what_is_there_whoever_decides() -> None:
    orders: list[Event] = [
        Movement(5, "FBA", 3),
        wanted(10, "fba", 2, "FBA"),
        wanted(11, "fba", 2, "FBA"),
    ]

    tally = played(STORES, {"FBA": 0}, orders, spreadsheet(7 * DAY_S))

    assert (tally.sold_units, tally.oversold_units) == (3, 0)


def test_a_pool_serves_first_from_where_it_was_wanted() -> None:
    orders = [wanted(10, "shop", 2, "STORE"), wanted(1000, "till", 3, "STORE")]

    tally = played(STORES, {"WH": 5, "STORE": 3}, orders, hub_15min())

    assert (tally.sold_units, tally.oversold_units) == (3, 0)


def test_what_is_wanted_where_nothing_is_shown_is_lost() -> None:
    tally = played(STORES, {"WH": 5}, [wanted(10, "till", 2, "WH")], hub_15min())

    assert (tally.unserved_units, tally.sold_units, tally.stranded_units) == (2, 0, 0)


def test_a_channel_starves_while_it_shows_nothing_of_what_its_pool_has() -> None:
    events: list[Event] = [wanted(0, "shop", 3), Movement(100, "WH", 2)]

    tally = played(TWO, {"WH": 3}, events, hub_15min(), ends=1000)

    # The shop shows 0 from the receipt until the next round, the market still 3.
    assert tally.starvation_s == pytest.approx(800)


def test_units_refused_though_there_are_stranded() -> None:
    tally = played(TWO, {"WH": 3}, [Movement(5, "WH", 4), wanted(10, "shop", 5)], hub_15min())

    assert (tally.sold_units, tally.stranded_units) == (3, 2)


def test_no_strategy_sells_more_than_first_come_first_served_with_true_numbers() -> None:
    events = [wanted(i * 400.0, ("shop", "market")[i % 2], 2) for i in range(20)]

    found = scores(TWO, {"WH": 30}, *events)

    assert found["omniscient"].sold_units == 30
    assert all(each.sold_units <= 30 for each in found.values())
    assert found["lockstep"].best_units == 30


def test_a_partners_order_is_promised_out_of_the_ledger_not_out_of_what_is_shown() -> None:
    edi = (
        TWO
        + """\
[channels.grocer]
kind = "edi"
base_url = "sftp://edi.example/x"
locations = ["WH"]
buffer = 20
why = "the last box is not for wholesale"
vendor_locations = { "1" = "WH" }
options = { our_id = "ZZ:US", partner_id = "ZZ:THEM", version = "4010" }
"""
    )

    found = scores(edi, {"WH": 10}, wanted(10, "grocer", 8))

    assert found["lockstep"].sold_units == 8
    assert found["lockstep"].starvation_minutes > 0


def test_rules_that_begin_within_the_history_hold_from_then_on() -> None:
    closing = (
        TWO
        + """\
[[overrides]]
sku = "MUG"
channel = "shop"
exclude = true
from = 2026-03-02T12:00:00Z
why = "ends at noon"
"""
    )

    found = scores(closing, {"WH": 10}, wanted(3600, "shop"), wanted(13 * 3600.0, "shop"))

    assert found["lockstep"].sold_units == 1
    assert found["lockstep"].stranded_units == 1


def test_what_a_quota_allows_is_used_up_by_sales() -> None:
    quota = (
        TWO
        + """\
[[overrides]]
sku = "MUG"
channel = "shop"
quota = { units = 3, since = 2026-03-02 }
why = "three for the newsletter"
"""
    )

    found = scores(quota, {"WH": 10}, *(wanted(600.0 * i, "shop") for i in range(1, 6)))

    assert found["lockstep"].sold_units == 3


def test_the_same_seed_gives_the_same_scores() -> None:
    history = made.black_friday(rules_of(TWO), 4)

    one, again = (simulate(history, {"lockstep": rules_of(TWO)}, Delays(), 4) for _ in range(2))

    assert one == again


def test_rules_in_force_stand_beside_those_tried() -> None:
    tried = rules_of(TWO + '[[overrides]]\nsku = "MUG"\nbuffer = 4\nwhy = "try"\n')
    history = History(START, 3600, [Stream("MUG", {"WH": 5}, [wanted(10, "shop", 5)])])

    found = simulate(history, {"lockstep": tried, "today": rules_of(TWO)}, Delays(), 1)

    assert list(found)[:2] == ["lockstep", "today"]
    assert (found["lockstep"].sold_units, found["today"].sold_units) == (1, 5)


def test_rules_that_show_nothing_anywhere_are_refused() -> None:
    history = History(START, 60, [Stream("MUG", {"WH": 5}, [wanted(10, "shop")])])

    with pytest.raises(Unusable, match="no channel that shows a number"):
        simulate(history, {"lockstep": Rules()}, Delays(), 1)


@given(
    st.tuples(*(st.integers(-3, 60) for _ in range(3))),
    st.dictionaries(
        st.sampled_from([("shop", "WH"), ("shop", "STORE"), ("till", "STORE"), ("fba", "FBA")]),
        st.floats(1e-5, 0.5).map(Pace),
    ),
    st.floats(0.1, 500.0),
)
def test_a_part_of_the_rules_gives_its_places_the_numbers_that_the_whole_gives(
    units: tuple[int, int, int], paces: Mapping[tuple[str, str], Pace], lag_s: float
) -> None:
    rules = rules_of(STORES)
    layout = layout_of(rules)
    delays = Delays().with_p99("shop", lag_s)
    plan = Plan(Seasons(rules, START), layout, delays)
    stock = dict(zip(("WH", "STORE", "FBA"), units, strict=True))
    outlook = Outlook(paces=paces, lags=plan.lags)

    whole = engine.compute("MUG", stock, rules, list(layout.draws), outlook)

    by_place = {(t.channel, t.location): t for t in whole.targets}
    for part in plan.parts:
        alone = engine.compute("MUG", stock, part.rules(0.0), part.places, outlook)
        assert [by_place[place] for place in part.places] == list(alone.targets)


def test_times_of_the_naive_rounds_are_hours_of_the_day() -> None:
    # Sold on Sunday after nine; the sheet of Monday, nine o'clock, tells the market.
    sunday = START - timedelta(days=1)
    before = [wanted(10 * 3600.0, "shop", 3), wanted(32 * 3600.0, "market", 3)]
    after = [wanted(10 * 3600.0, "shop", 3), wanted(34 * 3600.0, "market", 3)]

    def oversold(events: list[Line]) -> int:
        history = History(sunday, 3 * DAY_S, [Stream("MUG", {"WH": 3}, events)])
        rules = {"lockstep": rules_of(TWO)}
        return simulate(history, rules, Delays(), 1)["spreadsheet"].oversold_units

    assert oversold(before) == 3
    assert oversold(after) == 0


def test_who_watches_only_changes_nothing() -> None:
    assert played(TWO, {"WH": 3}, [wanted(10, "shop")], Spectator()).sold_units == 0


class _NothingLost(Random):
    def random(self) -> float:
        return 1.0


class _AllLost(Random):
    def random(self) -> float:
        return 0.0


def test_a_connector_tells_at_the_full_hour_what_is_left() -> None:
    before = played(
        TWO, {"WH": 3}, [wanted(10, "shop", 3), wanted(3599, "market", 1)], connector_60min()
    )
    after = played(
        TWO, {"WH": 3}, [wanted(10, "shop", 3), wanted(3601, "market", 1)], connector_60min()
    )

    assert (before.oversold_lines, before.sold_units) == (1, 3)
    assert (after.oversold_lines, after.accepted_lines) == (0, 1)
