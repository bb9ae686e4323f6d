"""Whoever changes a row of the book is found, and the row is named."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ledger import seals
from ledger.verify import verify
from tests.builders import NOON, a_fact, book, stock_the_house
from tests.servers import Database


def a_book(database: Database, *, sealed: bool) -> str:
    """Ten receipts; returns the id of the fifth event."""
    stock_the_house(database.engine)
    book(database.engine, *[a_fact("receipt", id=f"r{n}", units=10 + n) for n in range(10)])
    if sealed:
        seals.seal(database.engine, now=NOON)
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT id FROM event WHERE source_id = 'r4'")).scalar_one()
    return str(found)


def tamper(database: Database, statement: str, **values: object) -> None:
    """As a superuser who knows how to get past the triggers."""
    with database.superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement), values)


def test_an_honest_book_is_clean_and_sealed(database: Database) -> None:
    a_book(database, sealed=True)

    proof = verify(database.engine)

    assert proof.clean
    assert (proof.events, proof.postings, proof.seals, proof.unsealed_events) == (10, 10, 1, 0)
    assert len(proof.newest_root) == 64


@pytest.mark.parametrize("sealed", [True, False])
def test_a_posting_made_larger_is_named(database: Database, sealed: bool) -> None:
    event = a_book(database, sealed=sealed)

    tamper(
        database,
        "UPDATE posting SET units = units + 1, to_after = to_after + 1, from_after = from_after - 1"
        " WHERE event_id = :event",
        event=event,
    )

    proof = verify(database.engine)
    assert not proof.clean
    assert any(event in finding.row or event in finding.says for finding in proof.findings)
    if sealed:
        assert event in next(f.row for f in proof.findings if f.check == "seal")


def test_a_posting_whose_sum_does_not_add_up_is_the_first_finding(database: Database) -> None:
    event = a_book(database, sealed=False)
    with database.superuser.begin() as connection:
        connection.execute(text("ALTER TABLE posting DROP CONSTRAINT posting_check"))
        connection.execute(text("ALTER TABLE posting DROP CONSTRAINT posting_check1"))

    tamper(database, "UPDATE posting SET units = units + 1 WHERE event_id = :event", event=event)

    first = verify(database.engine).findings[0]
    assert first.check == "arithmetic"
    assert first.row == f"posting {event} line 1"


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE balance SET units = units + 1 WHERE state = 'available'", "balance"),
        ("UPDATE balance SET version = version + 1 WHERE state = 'available'", "balance"),
        ("DELETE FROM posting WHERE event_id = :event", "chain"),
        ("UPDATE event SET reason = 'never mind' WHERE id = :event", "seal"),
        (
            "UPDATE event SET occurred_at = occurred_at - interval '1 day' WHERE id = :event",
            "arithmetic",
        ),
        ("UPDATE seal SET leaves = decode(repeat('00', 320), 'hex')", "seal"),
        ("DELETE FROM seal WHERE true", "unsealed"),
    ],
)
def test_other_ways_to_lie_are_found_too(database: Database, statement: str, check: str) -> None:
    event = a_book(database, sealed=True)

    tamper(database, statement, **({"event": event} if ":event" in statement else {}))

    proof = verify(database.engine)
    if check == "unsealed":
        # Nothing inside the database can tell that a seal was removed: this is why the root is kept outside.
        assert proof.newest_root == ""
        assert proof.unsealed_events == 10
    else:
        assert check in {finding.check for finding in proof.findings}


def test_an_event_slipped_into_a_sealed_range_is_found(database: Database) -> None:
    a_book(database, sealed=True)

    with database.superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text(
                "INSERT INTO event (seq, kind, source, source_id, occurred_at, recorded_at) OVERRIDING SYSTEM VALUE"
                " VALUES (5, 'receipt', 'x', 'y', now(), now())"
            )
        )

    assert any(f.check == "seal" for f in verify(database.engine).findings)


def test_a_second_sealing_goes_on_where_the_first_ended(database: Database) -> None:
    a_book(database, sealed=True)
    book(database.engine, a_fact("receipt", id="later", units=1))

    made = seals.seal(database.engine, now=NOON)

    assert [seal.number for seal in made] == [2]
    assert verify(database.engine).clean
