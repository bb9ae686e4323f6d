"""Simulated overselling against the formulas (exposure of a sale = rate x lag), and the flash sale of the vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from statistics import fmean, stdev

import pytest

from allocation.document import read
from allocation.risk import buffer_of_sizes, expected_oversold
from allocation.simulate import made
from allocation.simulate.naive import PointToPoint
from allocation.simulate.replay import simulate
from allocation.simulate.score import Tally
from allocation.simulate.types import Delays
from allocation.simulate.world import World, layout_of, listed_places

FAR_S = 1e9
CHANNEL = """\
[channels.{name}]
kind = "shopify"
base_url = "https://{name}.example"
locations = ["WH"]
vendor_locations = {{ "gid://1" = "WH" }}
"""


class Buffered(PointToPoint):
    """A channel's own number is exact, the others hear of a sale after a fixed time; each begins `buffer` lower."""

    def __init__(self, lag_s: float, buffer: int) -> None:
        super().__init__(Random(1), polling_s=lag_s, loss=0.0, nightly_s=FAR_S)
        self._buffer = buffer

    def begins(self, world: World) -> None:
        for place in world.shown:
            world.show(place, world.pool(place) - self._buffer, 0.0)


def oversold(
    shares: Sequence[float], per_s: float, lag_s: float, *, stock: int, runs: int, buffer: int = 0
) -> list[int]:
    """Units oversold at each of many stock-outs; demand goes on for three lags after it."""
    names = [f"c{number}" for number in range(len(shares))]
    rules = read("[locations.WH]\n" + "".join(CHANNEL.format(name=name) for name in names)).rules()
    layout = layout_of(rules)
    orders = stock + buffer * len(shares) + math.ceil(3 * per_s * lag_s) + 10
    found = []
    for run in range(runs):
        history = made.flash(
            sku=f"S{run}",
            start=datetime(2026, 3, 2, tzinfo=UTC),
            location="WH",
            stock=stock,
            shares=dict(zip(names, shares, strict=True)),
            orders=orders,
            within_s=orders / per_s,
            price=None,
            seed=run,
        )
        (stream,) = history.streams
        tally = Tally()
        world = World(stream, layout, tally, listed_places(stream, layout), history.ends)
        world.run(Buffered(lag_s, buffer))
        found.append(tally.oversold_units)
    return found


@pytest.mark.parametrize(
    ("shares", "per_day", "lag_s", "stock", "runs", "formula"),
    [
        ((0.5, 0.5), 17.142857 * 1440, 10, 80, 500, 1.428571),
        ((0.5, 0.5), 17.142857 * 1440, 60, 150, 200, 8.571429),
        ((0.6, 0.25, 0.15), 20, 900, 10, 3000, 0.115625),
        ((1.0,), 17.142857 * 1440, 60, 80, 50, 0.0),
    ],
)
def test_without_buffers_a_stock_out_oversells_rate_times_lag_times_the_chance_that_it_was_another(
    shares: tuple[float, ...], per_day: float, lag_s: float, stock: int, runs: int, formula: float
) -> None:
    per_s = per_day / 86_400

    found = oversold(shares, per_s, lag_s, stock=stock, runs=runs)

    error = stdev(found) / math.sqrt(runs)
    assert expected_oversold(per_s, lag_s, shares) == pytest.approx(formula, rel=1e-4)
    assert fmean(found) == pytest.approx(formula, abs=max(4 * error, 1e-9))


@pytest.mark.parametrize(("lag_s", "buffer", "stock"), [(10, 5, 80), (60, 16, 150)])
def test_with_the_buffer_of_one_percent_hardly_any_stock_out_oversells(
    lag_s: float, buffer: int, stock: int
) -> None:
    per_s = 17.142857 / 60

    found = oversold((0.5, 0.5), per_s, lag_s, stock=stock, runs=200, buffer=buffer)

    assert buffer_of_sizes(per_s * lag_s / 2, {1: 1.0}, 0.01) == buffer
    assert sum(units > 0 for units in found) <= 200 * 0.01


@pytest.mark.parametrize("seed", range(20))
def test_a_flash_sale_between_two_rounds_oversells_only_where_nobody_is_told(seed: int) -> None:
    rules = read(
        "[locations.WH]\n" + CHANNEL.format(name="shop") + CHANNEL.format(name="second")
    ).rules()
    history = made.black_friday(rules, seed)

    found = simulate(history, {"lockstep": rules}, Delays(), seed)

    assert found["lockstep"].oversold_units == 0
    assert found["lockstep"].sold_units >= 190
    # Demand less stock: 240 - 200.
    assert found["hub_15min"].oversold_units == 40
    assert found["spreadsheet"].oversold_units == 40
    assert found["point_to_point"].oversold_units >= 30
