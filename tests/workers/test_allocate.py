"""From stock to targets: what is due, what changes, and that a change made meanwhile is never lost."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from allocation import store
from allocation.document import read
from tests.servers import Clock, Database
from tests.workers.shelf import RULES, a_house, apply, write_stock
from workers.flows.allocate import allocate

BUFFER = 'buffer = 2\nwhy = "two stay back"\n'
TARGETS = "SELECT channel, sku, units, number FROM target ORDER BY 1, 2"


def test_a_due_sku_gets_its_target_and_its_place_in_the_queue(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B")
    house.stock(A=5, B=0)

    touched = house.allocate()

    assert touched == {"shop"}
    assert house.rows(TARGETS) == [("shop", "A", 5, 1), ("shop", "B", 0, 1)]
    assert house.queue() == {"A": (2, False, 0), "B": (0, False, 0)}
    assert house.rows("SELECT sku FROM due") == []


def test_a_target_that_stays_the_same_keeps_its_number(database: Database, clock: Clock) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)

    house.stock(A=5)

    assert house.allocate() == set()
    assert house.rows(TARGETS) == [("shop", "A", 5, 1)]


def test_nothing_is_computed_before_there_are_rules(database: Database, clock: Clock) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('A')"))
        connection.execute(text("INSERT INTO due (sku, since) VALUES ('A', now())"))

    assert allocate(database.engine, now=lambda: clock.now, rise_wait_s=1.0) == set()
    with database.engine.begin() as connection:
        assert connection.execute(text("SELECT sku FROM due")).scalars().all() == ["A"]


def test_new_rules_make_every_sku_due_and_carry_their_version(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)
    with database.engine.begin() as connection:
        second = apply(connection, RULES + BUFFER, clock.now)

    house.allocate()

    assert house.rows("SELECT units, number, rule_version FROM target") == [(3, 2, second)]


def test_rules_for_a_catalogue_that_takes_long_are_waited_for(
    database: Database, clock: Clock
) -> None:
    a_house(database.engine, clock, "A")
    with database.owner.begin() as connection:
        connection.execute(
            text("""
                CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$;
                CREATE TRIGGER linger BEFORE INSERT ON due FOR EACH ROW EXECUTE FUNCTION linger();
            """)
        )

    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = '200ms'"))
        version = apply(connection, RULES + BUFFER, clock.now)

    assert version == 2


def test_an_older_version_can_be_applied_again(database: Database, clock: Clock) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)
    with database.engine.begin() as connection:
        apply(connection, RULES + BUFFER, clock.now)
        source = store.source_of(connection, 1)

        version = store.apply_rules(connection, source, read(source), "bob", "back", clock.now)

        assert store.current_rules(connection) == (version, read(RULES).rules())
        assert [(v.version, v.author) for v in store.history(connection)] == [
            (3, "bob"),
            (2, "ann"),
            (1, "ann"),
        ]
        with pytest.raises(store.NoSuchVersion, match="version 9"):
            store.source_of(connection, 9)


def test_the_channels_of_the_file_are_written_with_their_locations(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock)
    with database.engine.begin() as connection:
        apply(connection, RULES.replace("gid://1", "gid://9") + "hide_at_zero = true\n", clock.now)

    assert house.rows(
        "SELECT channel, kind, base_url, options ->> 'hide_at_zero' FROM channel"
    ) == [("shop", "shopify", "https://shop.example", "true")]
    assert house.rows("SELECT vendor_location_id, location FROM channel_location") == [
        ("gid://9", "WH")
    ]


def test_a_channel_that_left_the_file_falls_to_zero(database: Database, clock: Clock) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)
    with database.engine.begin() as connection:
        apply(connection, "[locations.WH]\n", clock.now)

    house.allocate()

    assert house.rows(TARGETS) == [("shop", "A", 0, 2)]
    assert house.queue() == {"A": (0, False, 0)}


def test_a_sku_that_lost_its_listing_falls_to_zero_and_out_of_the_queue(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)
    house.run("DELETE FROM binding")

    house.set(A=4)

    assert house.rows(TARGETS) == [("shop", "A", 0, 2)]
    assert house.queue() == {}


def test_many_changes_keep_the_time_of_the_oldest_and_take_a_parked_row_up_again(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    queue = "SELECT parked, error, attempts, since, run_at FROM push_due"
    house.set(A=5)
    first = clock.now
    clock.advance(60)
    house.set(A=4)
    assert house.rows(queue) == [(False, None, 0, first, clock.now)]
    house.run("UPDATE push_due SET parked = true, error = 'x', attempts = 7")
    clock.advance(60)

    house.set(A=3)

    # How long it was parked says nothing of how long numbers wait to go out.
    assert house.rows(queue) == [(False, None, 0, clock.now, clock.now)]


def test_five_hundred_skus_are_computed_in_one_go(database: Database, clock: Clock) -> None:
    skus = [f"S{number:04}" for number in range(500)]
    house = a_house(database.engine, clock, *skus)
    house.stock(**dict.fromkeys(skus, 7))

    house.allocate()

    assert house.rows("SELECT count(*) FROM push_due") == [(500,)]


def test_an_allocation_that_races_a_writer_never_leaves_a_stale_target(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B", "C")
    last = {"A": 0, "B": 0, "C": 0}
    done = threading.Event()

    def write() -> None:
        for number in range(1, 150):
            last.update(A=number, B=2 * number, C=number % 3)
            with database.engine.begin() as connection:
                write_stock(connection, clock.now, last)
        done.set()

    def compute() -> None:
        while not done.is_set():
            house.allocate()

    threads = [threading.Thread(target=work) for work in (write, compute, compute)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.allocate()

    assert {sku: units for _, sku, units, _ in house.rows(TARGETS)} == last


def test_a_sku_whose_change_is_not_committed_yet_is_left_for_later(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.stock(A=5)
    with database.engine.begin() as writer:
        write_stock(writer, clock.now, {"A": 3})
        assert house.allocate() == set()

    house.allocate()

    assert [units for _, _, units, _ in house.rows(TARGETS)] == [3]


def test_rules_applied_while_a_batch_computes_make_it_compute_again(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.stock(A=5)
    applied = threading.Event()

    def apply_later() -> None:
        with database.engine.begin() as connection:
            apply(connection, RULES + BUFFER, clock.now)
        applied.set()

    with database.engine.begin() as connection:
        assert store.claim_due(connection, 10) == ["A"]
        thread = threading.Thread(target=apply_later)
        thread.start()
        assert not applied.wait(0.3)
    thread.join()

    house.allocate()

    assert [units for _, _, units, _ in house.rows(TARGETS)] == [3]
