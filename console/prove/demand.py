"""What customers want: a real month of a gift-ware seller, and a made week of Black Friday."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import console
from allocation.document import read
from allocation.simulate.types import Event, History, Line, Movement, Stream, Way
from allocation.types import Rules
from workers.flows import simulate as flow

DAY_S: Final = 86_400.0
HOME: Final = "WH-MAIN"
#: The real channel whose stock is another's: nobody else sells it, so it can be oversold by nobody here.
_BY_AMAZON: Final = "amazon_fba"
_MONTH: Final = Path(console.__file__).parent / "scenarios" / "may-2011"
#: A Monday.
WEEK_BEGINS: Final = datetime(2026, 11, 23, tzinfo=UTC)

#: Monday to Sunday of the made week: Friday carries most of it.
_DAYS: Final = (1.0, 1.0, 1.0, 1.5, 8.0, 4.0, 3.0)
#: Hours of a day, from 0: few at night, a peak in the evening.
_HOURS: Final = (1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 7, 7, 8, 9, 10, 10, 8, 5, 2)
_SHARES: Final = {"shopify": 0.55, "amazon_fbm": 0.45}
_UNITS: Final = ((1, 2, 3), (85, 12, 3))
#: Offers that sell out: so many units, so many wanted, within so many seconds.
OFFER_STOCK, OFFER_WANTED, OFFER_S = 200, 240, 14 * 60.0


def month_rules() -> Rules:
    """The rules that name every channel and location of the month."""
    return read(_MONTH.with_suffix(".toml").read_text()).rules()


def month(*, seed: int, days: int, skus: int | None, stock_percent: int) -> History:
    """The first days of May 2011, as they were but for what lay there.

    seed             spreads what is written down to the minute over its minute
    skus             of the most wanted; None: all
    stock_percent    of the opening stock and of every receipt; with 100 nothing would ever sell out
    """
    history = flow.from_files(
        _MONTH.with_suffix(".events.csv.gz"),
        _MONTH.with_suffix(".balances.csv.gz"),
        month_rules(),
        seed,
    )
    ends = min(days * DAY_S, history.ends)
    streams = [_of_the_month(stream, ends, stock_percent) for stream in history.streams]
    wanted = {stream.sku: sum(isinstance(e, Line) for e in stream.events) for stream in streams}
    streams = sorted((s for s in streams if wanted[s.sku]), key=lambda s: (-wanted[s.sku], s.sku))
    return replace(history, ends=ends, streams=sorted(streams[:skus], key=lambda s: s.sku))


def _of_the_month(stream: Stream, ends: float, percent: int) -> Stream:
    events: list[Event] = []
    for event in stream.events:
        if event.at > ends or (isinstance(event, Line) and event.channel == _BY_AMAZON):
            continue
        if isinstance(event, Movement) and event.way is Way.PLAIN and event.units > 0:
            event = replace(event, units=event.units * percent // 100)
        events.append(event)
    opening = {at: max(0, units) * percent // 100 for at, units in stream.opening.items()}
    return Stream(stream.sku, opening, tuple(events))


def black_friday_week(*, seed: int, skus: int, offers: int, stock_percent: int) -> History:
    """A made week in which two shops sell the same shelf.

    skus             that sell all week, Friday most of all
    offers           beside them: each 200 units that 240 orders want within 14 minutes of its own on Friday
    stock_percent    of what is wanted of each of the others in that week
    """
    chance = Random(f"{seed}:black friday week")
    streams = [_all_week(f"BF-{n:04}", chance, stock_percent) for n in range(skus)]
    streams += [_offer(f"OFFER-{n:02}", n, chance) for n in range(offers)]
    return History(WEEK_BEGINS, 7 * DAY_S, streams)


def _all_week(sku: str, chance: Random, percent: int) -> Stream:
    orders = max(4, round(chance.lognormvariate(2.9, 0.8)))
    lines = []
    for number in range(orders):
        day = chance.choices(range(7), _DAYS)[0]
        hour = chance.choices(range(24), _HOURS)[0]
        at = day * DAY_S + hour * 3600 + 3600 * chance.random()
        units = chance.choices(*_UNITS)[0]
        lines.append(Line(at, f"{sku}.{number}:1", _channel(chance), HOME, units))
    stock = sum(line.units for line in lines) * percent // 100
    return Stream(sku, {HOME: stock}, tuple(sorted(lines, key=lambda line: line.at)))


def _offer(sku: str, number: int, chance: Random) -> Stream:
    begins = 4 * DAY_S + (8 + number) * 3600
    moments = sorted(begins + OFFER_S * chance.random() for _ in range(OFFER_WANTED))
    lines = [Line(at, f"{sku}.{n}:1", _channel(chance), HOME, 1) for n, at in enumerate(moments)]
    return Stream(sku, {HOME: OFFER_STOCK}, tuple(lines))


def _channel(chance: Random) -> str:
    return chance.choices(list(_SHARES), list(_SHARES.values()))[0]
