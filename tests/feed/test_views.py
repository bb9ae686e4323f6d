"""What readers outside see: balances by day as the book knew them, the pace in use, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from allocation import pace_store
from allocation.pace import rates
from ledger import queries
from tests.builders import NOON, a_fact, book, minutes, stock_the_house
from tests.servers import Database

DAY = timedelta(days=1)
VIEWS = (
    "balance_day_v1",
    "drift_v1",
    "event_v1",
    "forecast_v1",
    "oversell_v1",
    "reorder_v1",
    "shown_v1",
    "velocity_v1",
)


def four_days(engine: Engine) -> None:
    """Ten red mugs come, five are sold the day after, of one of them we are told two days late."""
    stock_the_house(engine)
    book(engine, a_fact("receipt", units=10), now=NOON)
    book(engine, a_fact("order", units=2, occurred_at=NOON + DAY), now=NOON + DAY)
    book(engine, a_fact("ship", id="s", units=2, occurred_at=NOON + DAY), now=NOON + DAY)
    late = a_fact("order", id="o2", order="1002", units=1, occurred_at=NOON + DAY)
    book(engine, late, now=NOON + 3 * DAY)


def closings(connection: Connection, asked: str) -> list[tuple[date, str, int]]:
    rows = connection.execute(text(f"{asked} AND location = 'OSLO' ORDER BY day, state"))
    return [(row.day, row.state, row.units) for row in rows]


def test_a_day_closes_with_what_was_booked_that_day(database: Database) -> None:
    four_days(database.engine)

    with database.engine.connect() as connection:
        whole = closings(connection, "SELECT * FROM feed.balance_day_v1 WHERE sku = 'MUG-RED'")
        of_days = closings(
            connection,
            "SELECT * FROM feed.balance_days_v1('2026-03-03', '2026-03-05') WHERE sku = 'MUG-RED'",
        )

    first, second, fourth = (NOON.date() + n * DAY for n in (0, 1, 3))
    assert whole == [
        (first, "available", 10),
        (second, "available", 6),
        (second, "committed", 2),
        (fourth, "available", 5),
        (fourth, "committed", 3),
    ]
    assert of_days == whole[1:]


@pytest.mark.parametrize("days", range(4))
def test_balances_of_a_past_day_are_what_the_book_knew_when_it_ended(
    database: Database, days: int
) -> None:
    four_days(database.engine)
    day = NOON.date() + days * DAY
    end = datetime.combine(day + DAY, datetime.min.time(), NOON.tzinfo) - timedelta(microseconds=1)

    with database.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT state, units FROM feed.balances_at_v1(:day)"
                " WHERE sku = 'MUG-RED' AND location = 'OSLO'"
            ),
            {"day": day},
        )
        found = {row.state: row.units for row in rows}
        known = queries.position_at(
            connection, "MUG-RED", at=NOON + timedelta(days=99), known_at=end
        )

    (position,) = [each for each in known if each.location == "OSLO"]
    assert found.get("available", 0) == position.available
    assert found.get("committed", 0) == position.committed


def test_velocity_is_the_pace_that_the_allocator_uses(database: Database) -> None:
    stock_the_house(database.engine)
    with database.engine.connect() as connection:
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    for number, (ago, units) in enumerate([(minutes(3), 4), (minutes(9), 1), (20 * DAY, 30)]):
        said = {"id": f"o{number}", "order": str(number), "occurred_at": now - ago}
        book(database.engine, a_fact("order", units=units, **said), now=now)

    with database.engine.connect() as connection:
        at: datetime = connection.execute(text("SELECT now()")).scalar_one()
        (row,) = connection.execute(text("SELECT * FROM feed.velocity_v1")).all()
        (sums,) = pace_store.sums_of(connection, ["MUG-RED"])["MUG-RED"]

    found = rates(sums, at)
    assert found is not None
    assert (row.sku, row.channel, row.location) == ("MUG-RED", "shopify", "OSLO")
    assert row.slow_per_day == pytest.approx(found.slow.units_per_day)
    assert row.fast_per_day == pytest.approx(found.fast.units_per_day)


def test_an_event_that_moves_nothing_has_a_row_of_its_own(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10), a_fact("pull_forward", units=3))

    with database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, line, sku, units FROM feed.event_v1 ORDER BY seq, line")
        ).all()

    assert [tuple(row) for row in rows] == [
        ("receipt", 1, "MUG-RED", 10),
        ("pull_forward", 0, None, None),
    ]


@pytest.fixture
def reader(database: Database) -> Iterator[Engine]:
    """A login that was given the role of readers, and nothing else."""
    name = f"bi_{database.name}"
    with database.superuser.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'reads' IN ROLE lockstep_feed"))
    engine = create_engine(database.superuser.url.set(username=name, password="reads"))
    yield engine
    engine.dispose()
    with database.superuser.begin() as connection:
        connection.execute(text(f"DROP ROLE {name}"))


def test_a_reader_sees_the_feed_and_nothing_else(database: Database, reader: Engine) -> None:
    four_days(database.engine)

    with reader.connect() as connection:
        listed = connection.execute(
            text("SELECT viewname FROM pg_views WHERE schemaname = 'feed' ORDER BY viewname")
        ).scalars()
        assert tuple(listed) == VIEWS
        for view in VIEWS:
            connection.execute(text(f"SELECT count(*) FROM feed.{view}")).scalar_one()  # noqa: S608 -- a constant of this file
        units = connection.execute(
            text("SELECT sum(units) FROM feed.balances_at_v1('2026-03-09') WHERE sku = 'MUG-RED'")
        ).scalar_one()
        assert units == 0
    refused = [
        "SELECT count(*) FROM event",
        "SELECT count(*) FROM token",
        "DELETE FROM feed.drift_v1",
        "INSERT INTO feed.drift_v1 (sku) VALUES ('A')",
    ]
    for statement in refused:
        with reader.connect() as connection, pytest.raises(ProgrammingError, match="denied"):
            connection.execute(text(statement))
