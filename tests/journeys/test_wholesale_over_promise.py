"""A partner is promised a part of the stock and orders faster than agreed.

Promised as a percent of a base that moves, the partner would take from everybody who sells meanwhile. Here the percent
is units once it is agreed: orders use those first and nobody else notices, an alarm says early where the pace leads, a
cap holds, and what is left at the end is shown by every channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from allocation import alarms, store
from allocation.document import read
from allocation.programs import Policy
from ledger import verify
from ledger.db import transaction
from tests.builders import a_fact, book, may_write
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer
from tests.workers.program_rig import held, standing
from tests.workers.test_edi_with_a_partner import Trade
from workers.flows import program_watch, programs
from workers.flows.allocate import allocate
from workers.flows.programs import Agreement, Asked

RULES = """\
[locations.WH]
[channels.grocer]
kind = "edi"
base_url = "file://{path}"
locations = ["WH"]
vendor_locations = {{ "DC1" = "WH" }}
percent = 10
why = "small orders beside its program"
[channels.grocer.options]
our_id = "ZZ:LOCKSTEP"
partner_id = "12:GROCER"
promise = "available"
backorder = "no"
"""
SHOP = """\
[channels.{name}]
kind = "shopify"
base_url = "https://{name}.example"
locations = ["WH"]
vendor_locations = {{ "gid://{name}" = "WH" }}
percent = {percent}
why = "its part of what we sell"
"""


@pytest.fixture
def trade(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Trade]:
    """The partner beside two shops of our own, 1000 mugs, and a week of sales in one of them."""
    grocer = a_grocer(database.engine, clock, tmp_path)
    rules = RULES.format(path=tmp_path)
    rules += SHOP.format(name="web", percent=60) + SHOP.format(name="market", percent=30)
    with grocer.engine.begin() as connection:
        store.apply_rules(connection, rules, read(rules), "ann", "two shops more", clock.now)
        may_write(connection)
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
                VALUES ('web', 'MUG', 'WH', 'w1', 'gid://web'), ('market', 'MUG', 'WH', 'm1', 'gid://market')
            """)
        )
    grocer.stock(MUG=1070)
    for day in range(7):
        sale = a_fact("order", id=f"web:{day}", channel="web", order=f"w{day}", sku="MUG")
        at = (clock.now + timedelta(days=day)).isoformat()
        book(
            grocer.engine,
            sale | {"location": "WH", "units": 10, "occurred_at": at},
            now=clock.now + timedelta(days=day),
        )
    clock.advance(7 * 86_400)
    trade = Trade(grocer)
    yield trade
    trade.partner.stop()


def promised(trade: Trade, policy: Policy = Policy.CAP) -> None:
    """The partner gets two fifths of what is there, for ninety days."""
    grocer = trade.grocer
    agreed = Agreement(
        name="SPRING",
        partner=PARTNER,
        policy=policy,
        since=grocer.clock.now,
        until=grocer.clock.now + timedelta(days=90),
        by="ann",
        why="40% of the launch",
    )
    asked = [Asked("MUG", "WH", percent=Decimal(40))]
    programs.reserve(grocer.house, agreed, asked, now=grocer.clock.now)


def targets(grocer: Grocer) -> dict[str, int]:
    """What each channel should show of MUG, computed anew."""
    allocate(grocer.engine, now=lambda: grocer.clock.now, rise_wait_s=0)
    return dict(grocer.rows("SELECT channel, units FROM target WHERE sku = 'MUG'"))


def looks(grocer: Grocer) -> list[program_watch.Raised]:
    """What the task of the sweep does."""
    programs.expire(grocer.house, now=grocer.clock.now)
    return program_watch.watch(grocer.engine, now=grocer.clock.now)


def pass_days(trade: Trade, days: float) -> None:
    """Time goes by for both sides."""
    trade.grocer.clock.advance(days * 86_400)
    trade.clock.advance(days * 86_400)


def test_a_partner_that_orders_too_fast_is_seen_before_it_hurts_anybody(trade: Trade) -> None:
    grocer = trade.grocer
    promised(trade)
    assert held(grocer) == (600, 70, 400)
    before = targets(grocer)
    assert min(before.values()) > 0

    # 220 of 400 in 30 of 90 days.
    opened: list[tuple[int, int]] = []
    for number in range(10):
        trade.order(lines=[{"sku": "MUG", "units": 22}])
        trade.turn()
        pass_days(trade, 3)
        opened += [(3 * (number + 1), standing(grocer)[2]) for _ in looks(grocer)]
        assert targets(grocer) == before

    ((day, left),) = opened
    assert (day, left) == (9, 334)
    with transaction(grocer.engine) as connection:
        (alarm,) = alarms.open_alarms(connection)
    assert alarm.object == "program:SPRING/MUG@WH"
    assert alarm.detail["projected"] == pytest.approx(660, abs=2)
    assert alarm.detail["overrun"] == pytest.approx(260, abs=2)
    assert alarm.detail["cover_weeks"] == alarm.detail["cover_weeks_after"]
    assert held(grocer) == (600, 290, 180)
    assert trade.complaints() == []


def test_a_cap_holds_and_what_is_left_at_the_end_is_shown_by_every_channel(trade: Trade) -> None:
    grocer = trade.grocer
    promised(trade)
    before = targets(grocer)
    first = trade.order(lines=[{"sku": "MUG", "units": 220}])
    trade.turn()
    pass_days(trade, 30)
    second = trade.order(lines=[{"sku": "MUG", "units": 200}])
    trade.turn()

    assert [trade.promised(number) for number in (first, second)] == [
        [{"IA": 220}],
        [{"IA": 180, "IR": 20}],
    ]
    assert (targets(grocer), standing(grocer)) == (before, (400, 0, 0))
    trade.do("change_order", order=second, lines=[{"sku": "MUG", "units": 140}])
    trade.turn()
    assert (targets(grocer), standing(grocer)) == (before, (360, 0, 40))

    pass_days(trade, 61)
    looks(grocer)

    after = targets(grocer)
    assert all(after[channel] > units for channel, units in before.items())
    assert (held(grocer), standing(grocer)) == ((640, 430, 0), (360, 40, 0))
    assert grocer.rows("SELECT count(*) FROM alarm WHERE resolved_at IS NULL") == [(0,)]
    assert grocer.rows("SELECT actor FROM audit WHERE action = 'program.end'") == [("lockstep",)]
    assert verify.verify(grocer.engine).clean
    assert trade.complaints() == []


def test_stock_that_comes_later_is_not_promised_with_it(trade: Trade) -> None:
    """The failure itself: two fifths of a base that moved would be 800 by now."""
    grocer = trade.grocer
    promised(trade)
    grocer.stock(MUG=1000)

    order = trade.order(lines=[{"sku": "MUG", "units": 800}])
    trade.turn()

    assert trade.promised(order) == [{"IA": 400, "IR": 400}]
    assert held(grocer) == (1600, 470, 0)


def test_without_a_cap_the_alarm_says_what_the_overrun_costs_the_others(trade: Trade) -> None:
    grocer = trade.grocer
    promised(trade, Policy.OVERFLOW)
    trade.order(lines=[{"sku": "MUG", "units": 220}])
    trade.turn()
    pass_days(trade, 30)

    (raised,) = looks(grocer)

    assert raised.detail["policy"] == "overflow"
    now, then = raised.detail["cover_weeks"], raised.detail["cover_weeks_after"]
    assert isinstance(now, float)
    assert isinstance(then, float)
    assert then == pytest.approx(now * 340 / 600, abs=0.2)
