"""On-call drills of stock: a SKU that runs out, a rise that another channel holds back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.drill import Drill, a_drill
from tests.servers import Database
from tests.workers.shelf import House, a_house, write_stock
from workers.wiring import now


@pytest.fixture
def drill(database: Database) -> Iterator[Drill]:
    with a_drill(database) as drill:
        yield drill


@pytest.fixture
def house(drill: Drill) -> House:
    house = a_house(drill.house.engine, drill.desk.clock, "A", "B")
    drill.words |= {"SKU": "A", "LOCATION": "WH", "CHANNEL": "shop", "UNITS": "500"}
    return house


def test_drill_stock_low(drill: Drill, house: House) -> None:
    drill.desk.run(
        "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
        " VALUES ('A', 'shop', 'WH', 280, 280, 280, :at, CAST(:at AS timestamptz) - interval '400 days')",
        at=now(),
    )
    house.stock(A=5)

    drill.drill("stock.low")

    assert "A  5 left · 10.0 a day · 0.5 days · best seller" in drill.told("stock.low")


def test_drill_rise_held(drill: Drill, house: House) -> None:
    house.set(A=10)
    drill.desk.run(
        "INSERT INTO exposure (sku, held, since) VALUES ('A', true, CAST(:at AS timestamptz) - interval '901 s')",
        at=now(),
    )

    def let_go() -> None:
        drill.desk.run("DELETE FROM exposure")

    drill.drill("rise.held", mend=let_go)


def test_a_page_is_told_once_though_the_fault_comes_and_goes(drill: Drill, house: House) -> None:
    with drill.house.engine.begin() as connection:
        write_stock(connection, now(), {"A": 1})
    drill.desk.run(
        "INSERT INTO heartbeat VALUES ('ingest', CAST(:at AS timestamptz) - interval '130 s', 'w')",
        at=now(),
    )
    drill.look()
    for _ in range(3):
        drill.desk.run("UPDATE heartbeat SET seen_at = :at", at=drill.desk.now)
        drill.look(15)
        drill.desk.run(
            "UPDATE heartbeat SET seen_at = CAST(:at AS timestamptz) - interval '130 s'",
            at=drill.desk.now,
        )
        drill.look(5)

    assert len(drill.desk.slack.roots) == 1
    assert drill.desk.pagerduty.calls.count("resolve") == 0
