"""Writing the book: running balances, order of locks, versions, and what the database itself refuses."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import store
from ledger.db import transaction
from ledger.decide import TRIES, Held, decide
from ledger.digest import Entry
from ledger.store import VersionMoved
from ledger.types import Move, Place
from ledger.verify import verify
from tests.builders import NOON, a_fact, balance, book, count, stock_the_house
from tests.servers import Database

SHELF = Place("MUG-RED", "OSLO", "available")


def a_move(units: int, *, sku: str = "MUG-RED", to: str = "committed") -> Move:
    return Move(sku, "OSLO", "available", "OSLO", to, units)


def an_entry(name: str, *moves: Move) -> Entry:
    return Entry("order", "till", name, NOON, moves)


def append(
    database: Database, *entries: Entry, decided_on: Mapping[Place, int] | None = None
) -> None:
    with transaction(database.engine) as connection:
        store.append(connection, entries, now=NOON, entropy=os.urandom, decided_on=decided_on)


def test_each_posting_says_the_balance_before_and_after_it(database: Database) -> None:
    stock_the_house(database.engine)

    append(
        database,
        an_entry("a", a_move(3)),
        an_entry("b", a_move(2)),
        an_entry("c", a_move(1, to="reserved")),
    )

    with database.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT from_before, from_after, from_version, to_before, to_after, to_version FROM posting"
                " JOIN event ON event.id = posting.event_id ORDER BY event.seq"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        (0, -3, 1, 0, 3, 1),
        (-3, -5, 2, 3, 5, 2),
        (-5, -6, 3, 0, 1, 1),
    ]


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), max_size=8), max_size=4
    )
)
def test_however_a_batch_is_cut_the_proof_holds(
    database: Database, batches: list[list[tuple[str, int]]]
) -> None:
    stock_the_house(database.engine, skus=["A", "B", "C"])

    for batch in batches:
        append(
            database,
            *[an_entry(os.urandom(8).hex(), a_move(units, sku=sku)) for sku, units in batch],
        )

    assert verify(database.engine).findings == []


def test_a_writer_that_decided_on_a_moved_balance_fails(database: Database) -> None:
    stock_the_house(database.engine)
    append(database, an_entry("a", a_move(3)))

    with pytest.raises(VersionMoved, match="version 0 and is at 1"):
        append(database, an_entry("b", a_move(1)), decided_on={SHELF: 0})

    assert balance(database.engine)["committed"] == 3


def test_twenty_writers_on_one_sku_lose_no_update(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=1000))
    gate = threading.Barrier(20)

    def sell_ten(writer: int) -> list[int]:
        gate.wait()
        return [
            decide(
                database.engine, [SHELF], sell_one(f"{writer}-{n}"), now=NOON, entropy=os.urandom
            ).races
            for n in range(10)
        ]

    with ThreadPoolExecutor(20) as pool:
        races = [lost for of_writer in pool.map(sell_ten, range(20)) for lost in of_writer]

    assert balance(database.engine) == {"available": 800, "committed": 200}
    assert len(races) == 200
    assert max(races) <= TRIES
    assert verify(database.engine).clean


def sell_one(name: str):  # type: ignore[no-untyped-def]  # a decision, see ledger.decide.Decision
    def decision(held: Mapping[Place, Held]) -> Sequence[Entry]:
        if held[SHELF].units < 1:
            raise SoldOut
        return [an_entry(name, a_move(1))]

    return decision


class SoldOut(Exception):
    """The till refuses."""


def test_twenty_writers_cannot_sell_more_than_there_is(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=7))
    gate = threading.Barrier(20)

    def sell(writer: int) -> bool:
        gate.wait()
        try:
            decide(database.engine, [SHELF], sell_one(str(writer)), now=NOON, entropy=os.urandom)
        except SoldOut:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        sold = sum(pool.map(sell, range(20)))

    assert sold == 7
    assert balance(database.engine) == {"committed": 7}


def test_batches_on_the_same_skus_in_any_order_do_not_deadlock(database: Database) -> None:
    skus = [f"S{n}" for n in range(30)]
    stock_the_house(database.engine, skus=skus)

    def write(writer: int) -> None:
        ordered = skus if writer % 2 else skus[::-1]
        for n in range(10):
            append(
                database, *[an_entry(f"{writer}-{n}-{sku}", a_move(1, sku=sku)) for sku in ordered]
            )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))

    assert balance(database.engine, "S7")["committed"] == 60


def test_the_same_fact_twice_is_refused_by_the_database(database: Database) -> None:
    stock_the_house(database.engine)
    append(database, an_entry("a", a_move(3)))

    with pytest.raises(IntegrityError, match="event_source_source_id_key"):
        append(database, an_entry("a", a_move(3)))


def test_an_unknown_sku_is_refused_by_the_database(database: Database) -> None:
    stock_the_house(database.engine)

    with pytest.raises(IntegrityError, match="balance_sku_fkey"):
        append(database, an_entry("a", a_move(3, sku="NOBODY-KNOWS")))


ATTEMPTS = [
    "UPDATE event SET reason = 'x'",
    "DELETE FROM event",
    "TRUNCATE event CASCADE",
    "UPDATE posting SET units = units",
    "DELETE FROM posting",
    "TRUNCATE posting",
    "DELETE FROM seal",
    "INSERT INTO event (seq, kind, source, source_id, occurred_at, recorded_at) OVERRIDING SYSTEM VALUE"
    " VALUES (1, 'order', 's', 'i', now(), now())",
    "DROP TABLE posting",
    "ALTER TABLE posting DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "DELETE FROM inbox",
    "UPDATE inbox SET body = ''",
    "DELETE FROM audit",
    "UPDATE rule_set SET author = 'x'",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_application_cannot_change_what_is_written(database: Database, attempt: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner|cannot insert"),
        database.engine.begin() as c,
    ):
        c.execute(text(attempt))


@pytest.mark.parametrize("attempt", [a for a in ATTEMPTS[:7] if "seal" not in a])
@pytest.mark.parametrize("who", ["owner", "superuser"])
def test_not_even_owner_and_superuser_change_the_book_by_accident(
    database: Database, who: str, attempt: str
) -> None:
    stock_the_house(database.engine)
    append(database, an_entry("a", a_move(3)))

    with (
        pytest.raises(DBAPIError, match="append-only"),
        getattr(database, who).begin() as connection,
    ):
        connection.execute(text(attempt))


def test_bundles_are_due_with_the_parts_that_moved(database: Database) -> None:
    stock_the_house(database.engine, skus=["GIFT", "MUG-BLUE", "MUG-RED", "TEA"])
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO bundle VALUES ('GIFT', 'MUG-RED', 2), ('GIFT', 'TEA', 1)")
        )

    append(database, an_entry("a", a_move(3)))

    with database.engine.connect() as connection:
        due = connection.execute(text("SELECT sku FROM due ORDER BY sku")).scalars().all()
    assert due == ["GIFT", "MUG-RED"]


def test_skus_that_moved_are_due(database: Database) -> None:
    stock_the_house(database.engine)

    append(database, an_entry("a", a_move(3)), an_entry("b", a_move(1)))

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT sku FROM due")).scalars().all() == ["MUG-RED"]
        assert count(connection, "posting") == 2
