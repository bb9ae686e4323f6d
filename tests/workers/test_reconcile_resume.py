"""A vendor whose limit gives a hundred SKUs at a time: a run is read in many attempts, and no SKU twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from channels.base import Binding, Reading, Throttled
from ledger.db import transaction
from reconcile import halt_store, halts
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import run_once
from workers.flows.reconcile import Terms


class ScantChannel(MemoryChannel):
    """Gives so many readings an attempt, and says when to come back."""

    most = 3

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        for place, reading in enumerate(super().snapshot(bindings)):
            if place == self.most:
                raise Throttled("429", retry_after_s=2)
            yield reading


def test_each_attempt_goes_on_where_the_one_before_it_ended(
    database: Database, clock: Clock
) -> None:
    skus = [f"TEA-{n}" for n in range(8)]
    furnish(database.engine, dict.fromkeys(skus, 30), clock=clock)
    client = ScantChannel(
        clock, {(sku, OSLO): 32 if sku in ("TEA-1", "TEA-7") else 30 for sku in skus}
    )
    window_at = clock.now

    reports = []
    for _ in range(3):
        reports.append(run_once(database, client, clock, window_at=window_at))
        clock.advance(2)

    assert [report.state for report in reports] == ["later", "later", "done"]
    assert reports[-1].counts.expected == reports[-1].counts.read == 8
    assert reports[-1].counts.drifted == 2
    assert rows(database.engine, "SELECT sku, times FROM drift ORDER BY sku") == [
        ("TEA-1", 1),
        ("TEA-7", 1),
    ]
    assert rows(database.engine, "SELECT state, expected, read, drifted FROM run") == [
        ("done", 8, 8, 2)
    ]


def test_a_sku_of_which_only_a_part_was_read_is_read_again(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = ScantChannel(clock, {("TEA-1", OSLO): 30})
    client.most = 0

    first = run_once(database, client, clock, window_at=clock.now)

    assert (first.state, first.counts.expected) == ("later", 0)
    assert rows(database.engine, "SELECT read_through FROM run") == [("",)]


def test_the_next_window_begins_at_the_first_sku_again(database: Database, clock: Clock) -> None:
    skus = [f"TEA-{n}" for n in range(4)]
    furnish(database.engine, dict.fromkeys(skus, 30), clock=clock)
    client = ScantChannel(clock, {(sku, OSLO): 30 for sku in skus})
    run_once(database, client, clock, window_at=clock.now)
    clock.advance(900)

    again = run_once(database, client, clock, window_at=clock.now)

    assert again.state == "later"
    assert rows(database.engine, "SELECT read FROM run ORDER BY window_at") == [(3,), (3,)]


def test_a_stop_that_has_held_is_lifted_although_its_attempt_was_cut(
    database: Database, clock: Clock
) -> None:
    skus = [f"TEA-{n}" for n in range(5)]
    furnish(database.engine, dict.fromkeys(skus, 30), clock=clock)
    client = ScantChannel(clock, {(sku, OSLO): 0 if sku == "TEA-0" else 30 for sku in skus})
    with transaction(database.engine) as connection:
        halt_store.set_halt(connection, CHANNEL, "TEA-0", "r", halts.RULE, clock.now, None)
        connection.exec_driver_sql("UPDATE halt SET state = 'set', confirmed_at = set_at")
    clock.advance(3600)

    report = run_once(database, client, clock, window_at=clock.now, terms=Terms())

    assert report.state == "later"
    assert rows(database.engine, "SELECT sku, state, lifted_by FROM halt") == [
        ("TEA-0", "lifting", halts.RULE)
    ]
