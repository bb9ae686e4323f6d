"""What came long ago is emptied, later forgotten; what is open, young or a contract stays; nothing counts twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from ledger.inbox import INTERCHANGE_TOPIC
from ledger.verify import verify
from tests.builders import NOON, a_fact, a_house, balance, book, deliver, stock_the_house
from tests.reconcile.house import rows
from tests.servers import Database
from workers.flows.ingest import drain
from workers.flows.retention import empty, forget

AFTER = NOON + timedelta(days=1)
#: Each of these is old; (name, state, topic, whether its failure is open).
DELIVERIES = (
    ("booked", "applied", "orders/create", False),
    ("refused, looked at", "rejected", "orders/create", False),
    ("refused, open", "rejected", "orders/create", True),
    ("parked", "parked", "orders/create", True),
    ("waits", "waiting", "orders/create", False),
    ("contract", "applied", INTERCHANGE_TOPIC, False),
)
#: What the application may ask for, too much of it.
QUESTIONS = (
    "SELECT gone FROM empty_deliveries(0, now() + interval '1 year', 5000)",
    "SELECT gone FROM forget_deliveries(0, now() + interval '1 year', 5000)",
)


@pytest.fixture
def old(database: Database) -> Database:
    """A house with a delivery of each kind."""
    with database.superuser.begin() as connection:
        for name, state, topic, is_open in DELIVERIES:
            row_id = connection.execute(
                text(
                    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, error, wait_for) VALUES"
                    " ('web', :name, :topic, 'Ann', :at, :state, 'why', CASE :state WHEN 'waiting' THEN 'x' END)"
                    " RETURNING id"
                ),
                {"name": name, "topic": topic, "at": NOON, "state": state},
            ).scalar_one()
            connection.execute(
                text(
                    "INSERT INTO failure (origin, object, class, error, first_seen, last_seen, state, settled_at)"
                    " SELECT 'inbox', :id, 'validation', 'why', :at, :at, CASE WHEN :open THEN 'open' ELSE 'resolved'"
                    " END, CASE WHEN :open THEN NULL ELSE CAST(:at AS timestamptz) END"
                ),
                {"id": str(row_id), "at": NOON, "open": is_open},
            )
    return database


def emptied(database: Database) -> set[object]:
    found = rows(database.engine, "SELECT delivery_id FROM inbox WHERE body = ''")
    return {name for (name,) in found}


def kept(database: Database) -> set[object]:
    return {name for (name,) in rows(database.engine, "SELECT delivery_id FROM inbox")}


@pytest.mark.parametrize("page", [1, 5000])
def test_what_is_over_is_emptied_and_what_is_open_or_a_contract_is_not(
    old: Database, page: int
) -> None:
    done = empty(old.engine, before=AFTER, rows=page)

    assert done.rows == {"bodies": 2}
    assert emptied(old) == {"booked", "refused, looked at"}
    assert empty(old.engine, before=AFTER, rows=page).rows == {"bodies": 0}


@pytest.mark.parametrize("page", [1, 5000])
def test_after_longer_it_is_forgotten_that_it_came(old: Database, page: int) -> None:
    done = forget(old.engine, before=AFTER, rows=page)

    assert done.rows["inbox"] == 2
    assert kept(old) == {"refused, open", "parked", "waits", "contract"}


def test_what_is_young_stays_as_it_came(old: Database) -> None:
    assert empty(old.engine, before=NOON).rows == {"bodies": 0}
    assert forget(old.engine, before=NOON).rows["inbox"] == 0


@pytest.mark.parametrize("question", QUESTIONS)
def test_nobody_can_ask_for_what_came_this_week(old: Database, question: str) -> None:
    with old.superuser.begin() as connection:
        connection.execute(text("UPDATE inbox SET received_at = now() - interval '6 days'"))
    with old.engine.begin() as connection:
        found = connection.execute(text(question))
        assert found.scalar_one() == 0


@pytest.mark.parametrize("change", ["UPDATE inbox SET body = ''", "DELETE FROM inbox"])
def test_the_application_itself_changes_and_deletes_no_delivery(old: Database, change: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), old.engine.begin() as mine:
        mine.execute(text(change))


@pytest.mark.parametrize("forgets", [empty, forget])
def test_a_delivery_that_comes_again_after_it_was_forgotten_counts_once(
    database: Database, forgets: object
) -> None:
    stock_the_house(database.engine)
    facts = [a_fact("receipt", units=10), a_fact("order", units=3)]
    book(database.engine, *facts)
    assert callable(forgets)
    assert sum(forgets(database.engine, before=AFTER).rows.values()) == 2

    again = deliver(database.engine, *facts)
    drain(a_house(database.engine), now=NOON)

    assert not again.differing
    assert balance(database.engine) == {"available": 7, "committed": 3}
    assert verify(database.engine).clean
