"""What is expected, and the receipts that meet it: incoming is one less the other, in whatever order they come."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Engine, text

from ledger.digest import Known, digest
from ledger.events import Expected
from ledger.migrate import upgrade
from ledger.types import Move
from ledger.verify import verify
from tests.builders import (
    NOON,
    a_fact,
    a_house,
    balance,
    book,
    count,
    inbox_states,
    minutes,
    read,
    stock_the_house,
    why,
)
from tests.servers import Database
from workers.flows.ingest import drain, sweep_inbox

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engine(database: Database) -> Engine:
    stock_the_house(database.engine)
    return database.engine


def expect(units: int, after: float = 0, **said: Any) -> dict[str, Any]:
    return a_fact(
        "expected", id=f"e{after}:{units}", units=units, revision=NOON + minutes(after)
    ) | said  # fmt: skip


def receive(units: int, name: str = "r1", **said: Any) -> dict[str, Any]:
    return a_fact("receipt", id=name, units=units, reference="PO-1") | said


def supplier(engine: Engine) -> int:
    return balance(engine, location="OUTSIDE").get("supplier", 0)


def open_line(engine: Engine) -> tuple[int, int, str]:
    """(expected, received, the day it is due)."""
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT expected_units, received_units, due_at FROM supply_line")
        ).one()
    return row[0], row[1], row[2] and row[2].date().isoformat()


def test_what_is_expected_is_incoming_and_never_on_hand(engine: Engine) -> None:
    book(engine, expect(10))

    assert balance(engine) == {"incoming": 10}
    assert supplier(engine) == -10
    with engine.connect() as connection:
        assert count(connection, "position") == 0
    assert verify(engine).clean


@pytest.mark.parametrize(
    ("facts", "held", "line"),
    [
        ([expect(10), receive(10)], {"available": 10}, (10, 10)),
        # A short receipt leaves the rest incoming, until it is called off.
        ([expect(10), receive(7)], {"available": 7, "incoming": 3}, (10, 7)),
        ([expect(10), receive(7), expect(0, after=1)], {"available": 7}, (0, 7)),
        # 10 expected and 12 come: two from the supplier that nobody expected.
        ([expect(10), receive(12)], {"available": 12}, (10, 12)),
        ([expect(10), receive(12), expect(15, after=1)], {"available": 12, "incoming": 3}, (15, 12)),
        ([receive(4), expect(10)], {"available": 4, "incoming": 6}, (10, 4)),
        ([expect(10), expect(6, after=1)], {"incoming": 6}, (6, 0)),
        ([expect(6, after=1), expect(10)], {"incoming": 6}, (6, 0)),
        # A transfer comes out of transit: what was expected of it is not to come again.
        (
            [expect(5), a_fact("transfer_receive", units=4, reference="PO-1")],
            {"available": 4, "incoming": 1},
            (5, 4),
        ),
    ],
)  # fmt: skip
def test_a_receipt_takes_first_from_what_was_expected(
    engine: Engine, facts: list[dict[str, Any]], held: dict[str, int], line: tuple[int, int]
) -> None:
    for fact in facts:
        book(engine, fact)

    assert balance(engine) == held
    assert open_line(engine)[:2] == line
    assert verify(engine).clean


def test_a_receipt_that_names_nothing_leaves_what_is_expected_alone(engine: Engine) -> None:
    book(engine, expect(10))
    book(engine, receive(4, "other", reference="PO-2"), receive(3, "none", reference=""))
    book(engine, receive(2, "remark", reference="x" * 300))

    assert balance(engine) == {"available": 9, "incoming": 10}


def test_a_new_day_for_the_same_units_is_an_event_without_moves(engine: Engine) -> None:
    book(engine, expect(10))
    done = book(engine, expect(10, after=1, due_at="2026-04-01"))
    again = book(engine, expect(10, after=2, due_at="2026-04-01"))

    assert (done.entries, again.entries) == (1, 0)
    assert open_line(engine) == (10, 0, "2026-04-01")
    with engine.connect() as connection:
        assert (count(connection, "event"), count(connection, "posting")) == (2, 1)
    assert verify(engine).clean


def test_a_reversed_receipt_is_expected_again(engine: Engine) -> None:
    book(engine, expect(10), receive(8), receive(5, "r2"))
    undo = a_fact("reversal", reverses_source="wms", reverses_id="r1", reason="wrong pallet")

    book(engine, undo)

    # 5 of 10 have come; the moves of r1 turned round would have left 8 incoming.
    assert balance(engine) == {"available": 5, "incoming": 5}
    assert supplier(engine) == -10
    assert verify(engine).clean


def test_a_snapshot_is_corrected_by_a_newer_one_and_not_reversed(engine: Engine) -> None:
    book(engine, expect(10))
    book(
        engine,
        a_fact("reversal", reverses_source="wms", reverses_id="e0:10", reason="typed wrong"),
    )

    assert inbox_states(engine)["reversal:1"] == "parked"
    assert "send a newer one" in why(engine, "reversal:1")
    assert balance(engine) == {"incoming": 10}


def test_the_moves_of_a_receipt_name_both_of_its_sources() -> None:
    known = Known({"MUG-RED"}, {"OSLO"}, {}, {})

    made = digest([(1, [read(expect(10))]), (2, [read(receive(12))])], known)

    assert [entry.moves for entry in made.entries] == [
        (Move("MUG-RED", "OUTSIDE", "supplier", "OSLO", "incoming", 10),),
        (
            Move("MUG-RED", "OSLO", "incoming", "OSLO", "available", 10),
            Move("MUG-RED", "OUTSIDE", "supplier", "OSLO", "available", 2),
        ),
    ]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"units": -1}, "greater than or equal to 0"),
        ({"due_at": None}, "due_at"),
        ({"due_at": "2026-03-12T09:00:00"}, "due_at"),
        ({"due_at": "1999-12-31"}, "from 2000 to 2999"),
        ({"due_at": 86400}, "from 2000 to 2999"),
        ({"reference": ""}, "at least 1"),
        ({"reference": "x" * 256}, "at most 255"),
    ],
)
def test_what_is_no_expectation_is_refused_with_the_reason(
    said: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        read(expect(3) | said)


def test_a_day_is_due_from_its_first_minute() -> None:
    by_day, by_hour = read(expect(3)), read(expect(3, due_at="2026-03-12T23:30:00-05:00"))
    assert isinstance(by_day, Expected)
    assert isinstance(by_hour, Expected)

    assert (by_day.due_at, by_day.due) == (date(2026, 3, 12), datetime(2026, 3, 12, tzinfo=UTC))
    assert by_hour.due.astimezone(UTC).date() == date(2026, 3, 13)


LIFE = [
    expect(10),
    expect(14, after=1, due_at="2026-03-20"),
    expect(12, after=2, due_at="2026-03-25"),
    receive(5, "r1"),
    receive(9, "r2"),
    receive(3, "r3"),
    a_fact("reversal", id="undo", reverses_source="wms", reverses_id="r2", reason="wrong pallet"),
    expect(4, reference="PO-2"),
    receive(6, "elsewhere", reference="PO-2", location="BERGEN"),
]


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(seed=st.integers(0, 2**32), chunk=st.integers(1, 6), twice=st.booleans())
def test_a_life_of_supply_comes_to_the_same_in_any_order_and_doubled(
    database: Database, seed: int, chunk: int, twice: bool
) -> None:
    sku = f"SKU-{seed}-{chunk}-{twice}"
    stock_the_house(database.engine, skus=[sku])
    chance = random.Random(seed)
    facts = [
        fact
        | {"source": sku}
        | ({"sku": sku} if fact.get("sku") else {})
        | ({"reverses_source": sku} if fact["kind"] == "reversal" else {})
        | ({"id": f"{fact['id']}:{fact['reference']}"} if fact["kind"] == "expected" else {})
        for fact in LIFE
    ]
    facts = facts * 2 if twice else facts
    chance.shuffle(facts)

    for begin in range(0, len(facts), chunk):
        book(database.engine, *facts[begin : begin + chunk])
    sweep_inbox(database.engine, now=NOON)
    drain(a_house(database.engine), now=NOON)

    # PO-1: 12 expected, 5 + 3 came (9 were undone), 4 to come; PO-2: 4 to come to OSLO, 6 came to BERGEN.
    assert balance(database.engine, sku) == {"available": 8, "incoming": 8}
    assert balance(database.engine, sku, "BERGEN") == {"available": 6}
    assert balance(database.engine, sku, "OUTSIDE") == {"supplier": -22}
    assert verify(database.engine).clean


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("expected"), st.integers(0, 20)),
            st.tuples(st.just("receipt"), st.integers(1, 20)),
        ),
        max_size=10,
    ),
    seed=st.integers(0, 2**32),
)
def test_incoming_is_always_expected_less_received(steps: list[tuple[str, int]], seed: int) -> None:
    facts = [
        read(expect(units, after=at)) if kind == "expected" else read(receive(units, f"r{at}"))
        for at, (kind, units) in enumerate(steps)
    ]
    newest = next((units for kind, units in reversed(steps) if kind == "expected"), 0)
    came = sum(units for kind, units in steps if kind == "receipt")
    random.Random(seed).shuffle(facts)

    made = digest(
        [(n, [fact]) for n, fact in enumerate(facts)], Known({"MUG-RED"}, {"OSLO"}, {}, {})
    )

    net: dict[str, int] = {}
    for entry in made.entries:
        for move in entry.moves:
            net[move.from_state] = net.get(move.from_state, 0) - move.units
            net[move.to_state] = net.get(move.to_state, 0) + move.units
    assert net.get("incoming", 0) == max(0, newest - came)
    assert net.get("available", 0) == came
    assert sum(net.values()) == 0


def ask(units: int, after: float = 0, **said: Any) -> dict[str, Any]:
    return a_fact(
        "pull_forward", id=f"p{after}:{units}", units=units, revision=NOON + minutes(after)
    ) | said  # fmt: skip


def requests(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT source, channel, order_id, units FROM pull_forward ORDER BY 1, 2, 3")
        )
        return [tuple(row) for row in rows]


def test_a_request_is_an_event_that_moves_nothing(engine: Engine) -> None:
    done = book(engine, ask(5, channel="shopify", order="1001", line="1"))

    assert done.entries == 1
    assert requests(engine) == [("wms", "shopify", "1001", 5)]
    with engine.connect() as connection:
        assert (count(connection, "event"), count(connection, "posting")) == (1, 0)
        assert count(connection, "due") == 0
    assert verify(engine).clean


@pytest.mark.parametrize("backwards", [False, True])
def test_the_newest_snapshot_of_a_request_stands(engine: Engine, backwards: bool) -> None:
    said = [ask(5), ask(8, after=1), ask(0, after=2)]

    for fact in reversed(said) if backwards else said:
        book(engine, fact)

    assert requests(engine) == [("wms", "", "", 0)]


def test_each_source_has_requests_of_its_own(engine: Engine) -> None:
    book(engine, ask(5), ask(9, source="planner"))

    assert requests(engine) == [("planner", "", "", 9), ("wms", "", "", 5)]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"channel": "shopify"}, "or none of them"),
        ({"due_at": "soon"}, "due_at"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(
    said: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        read(ask(3) | said)


def test_what_came_before_the_schema_knew_of_supply_counts(bare_database: Database) -> None:
    """A book of the schema before: two receipts name the purchase order, and one of them was undone."""
    command = [str(Path(sys.executable).parent / "alembic"), "-x", f"url={bare_database.admin_url}"]
    subprocess.run([*command, "upgrade", "0008"], cwd=ROOT, check=True, capture_output=True)
    with bare_database.owner.begin() as connection:
        for statement in BEFORE:
            connection.execute(text(statement))

    upgrade(bare_database.admin_url)

    with bare_database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT reference, sku, location, expected_units, received_units FROM supply_line")
        ).all()
    assert [tuple(row) for row in rows] == [("PO-1", "MUG", "OSLO", 0, 7)]


BEFORE = (
    "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, reference)"
    " SELECT 'receipt', 'wms', id, now(), now(), reference"
    " FROM (VALUES ('r1', 'PO-1'), ('r2', 'PO-1'), ('r3', '')) AS given (id, reference)",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, 'MUG', 7, 'OUTSIDE', 'supplier', 0, -7, 1, 'OSLO', 'available', 0, 7, 1, now(), now() FROM event",
    "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, reason, reverses)"
    " SELECT 'reversal', 'wms', 'undo', now(), now(), 'typo', id FROM event WHERE source_id = 'r2'",
)
