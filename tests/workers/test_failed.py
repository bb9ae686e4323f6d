"""Failed work: written down with the state that says so, done again through its door, resolved by what it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from channels.base import Unavailable
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from ledger.types import Failure, FailureClass, Origin
from reconcile import runs
from reconcile.types import Counts
from tests.builders import NOON, a_fact, balance, book, minutes, stock_the_house
from tests.builders import a_house as an_ingest
from tests.servers import Clock, Database
from tests.workers.failed_rig import failed, mend, note, retry, the_one
from tests.workers.shelf import a_house
from workers.failures import store
from workers.failures.types import Cursor, Filter, Refused
from workers.flows import operations
from workers.flows.ingest import drain, sweep_inbox
from workers.flows.push import push


def an_order(units: int = 3, **said: Any) -> dict[str, Any]:
    return a_fact("order", units=units, sku="NEW-SKU", **said)


def test_a_delivery_that_is_parked_is_a_failure_with_what_it_is_about(database: Database) -> None:
    stock_the_house(database.engine)

    book(database.engine, an_order())

    row = the_one(database.engine)
    assert (row.origin, row.kind, row.state, row.count) == ("inbox", "mapping", "open", 1)
    assert (row.channel, row.sku, row.location, row.order_id) == (
        "shopify", "NEW-SKU", "OSLO", "1001",
    )  # fmt: skip
    assert "unknown SKU" in row.error
    assert row.payload["delivery_id"] == "order:1"


@pytest.mark.parametrize("body", [b"{}", b'{"kind": "order", "units": "x"}'])
def test_a_delivery_that_can_never_be_taken_is_of_class_validation(
    database: Database, body: bytes
) -> None:
    with transaction(database.engine) as connection:
        inbox.keep(connection, [Delivery("wms", "d1", FACT_TOPIC, body)], now=NOON)

    drain(an_ingest(database.engine), now=NOON)

    assert the_one(database.engine).kind == "validation"


def test_a_delivery_of_a_channel_that_is_not_set_up_lacks_a_mapping(database: Database) -> None:
    with transaction(database.engine) as connection:
        inbox.keep(connection, [Delivery("nobody", "d1", "orders/create", b'{"id": 7}')], now=NOON)

    drain(an_ingest(database.engine), now=NOON)

    row = the_one(database.engine)
    assert (row.kind, row.order_id, row.channel) == ("mapping", "7", "")


def test_what_waited_too_long_is_a_failure(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("order_cancel", units=1))

    sweep_inbox(database.engine, now=NOON + timedelta(days=8))

    assert "never came" in the_one(database.engine).error


def test_a_mended_delivery_goes_through_the_real_door_and_is_booked_once(
    database: Database,
) -> None:
    house = an_ingest(database.engine)
    stock_the_house(database.engine)
    book(database.engine, an_order())
    stock_the_house(database.engine, skus=("NEW-SKU",), locations=())

    done = retry(house, NOON, kind="mapping")
    again = operations.ask(
        database.engine, "retry", Filter(kind="mapping"), by="ann", reason="twice", now=NOON
    )
    drain(house, now=NOON)
    drain(house, now=NOON)

    assert (done.state, done.done, done.refused) == ("done", 1, 0)
    assert again is None
    assert balance(database.engine, sku="NEW-SKU") == {"available": -3, "committed": 3}
    assert mend(database.engine, NOON) == 1
    row = the_one(database.engine)
    assert (row.state, row.settled_by, row.operation) == ("resolved", "lockstep", done.id)


def test_what_fails_again_is_open_again_and_its_count_goes_on(database: Database) -> None:
    house = an_ingest(database.engine)
    stock_the_house(database.engine)
    book(database.engine, an_order())

    retry(house, NOON, channel="shopify")
    assert the_one(database.engine).state == "retrying"
    drain(house, now=NOON + minutes(1))

    row = the_one(database.engine)
    assert (row.state, row.count, row.retried_at) == ("open", 2, None)
    assert (row.first_seen, row.last_seen) == (NOON, NOON + minutes(1))


def test_a_number_that_is_refused_is_a_failure_and_is_computed_anew(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B")
    house.shelf.refuse = {"A"}
    house.set(A=7, B=7)
    push(house.lane)

    row = the_one(database.engine)
    assert (row.origin, row.object, row.kind) == ("push", "shop/A/WH", "rejected")
    assert row.payload["units"] == 7

    house.shelf.refuse = set()
    house.stock(A=4)
    retry(an_ingest(database.engine), clock.now, channel="shop", kind="rejected")
    house.allocate()
    push(house.lane)

    assert house.shelf.numbers["A"] == 4
    assert mend(database.engine, clock.now) == 1
    assert the_one(database.engine).state == "resolved"


def test_a_newer_number_that_comes_through_resolves_the_failure_without_anybody(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.shelf.refuse = {"A"}
    house.set(A=7)
    push(house.lane)
    house.shelf.refuse = set()

    house.set(A=5)
    push(house.lane)
    mend(database.engine, clock.now)

    assert the_one(database.engine).state == "resolved"


def test_a_row_nobody_could_tell_of_is_a_failure_of_its_class(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B")
    house.shelf.poison = {"A": Unavailable("500")}
    house.set(A=7)
    for _ in range(24):
        house.shelf.numbers["B"] = 0
        house.set(B=len(house.shelf.calls) + 1)
        push(house.lane)
        clock.advance(1800)
    assert [row.object for row in failed(database.engine, kind="unavailable")] == ["shop/A/WH"]


def test_missed_windows_are_one_failure_a_job_and_channel(database: Database) -> None:
    with database.engine.begin() as connection:
        runs.open_windows(connection, "orders", ["shop"], NOON, 900)
        runs.open_windows(connection, "orders", ["shop"], NOON + minutes(60), 900)

    row = the_one(database.engine)
    assert (row.origin, row.object, row.kind) == ("job", "orders/shop", "unavailable")
    # Three that nobody opened, and the one nobody came for.
    assert row.count == 4


def test_a_job_is_asked_for_anew_and_resolved_when_it_has_run(database: Database) -> None:
    with database.engine.begin() as connection:
        runs.open_windows(connection, "orders", ["shop"], NOON, 900)
        run = runs.claim_run(connection, "orders", "shop", NOON, NOON, 60.0)
        assert run is not None
        runs.fail_run(connection, run, "refused NO: no such scope", NOON)
    assert the_one(database.engine).kind == "rejected"

    retry(an_ingest(database.engine), NOON, origin="job")
    with database.engine.begin() as connection:
        assert runs.open_runs(connection, NOON) == [("orders", "shop", NOON)]
        again = runs.claim_run(connection, "orders", "shop", NOON, NOON, 60.0)
        assert again is not None
        assert again.attempt == 2
        runs.finish_run(connection, again, Counts(), NOON + minutes(1))

    assert mend(database.engine, NOON + minutes(1)) == 1


def test_one_object_that_fails_twice_in_a_batch_is_counted_twice(database: Database) -> None:
    twice = [Failure(Origin.TASK, "t", FailureClass.BUG, f"error {n}\0") for n in (1, 2)]

    note(database.engine, *twice, now=NOON)

    row = the_one(database.engine)
    assert (row.count, row.error) == (2, "error 2")


def some(engine: Any, count: int, **said: Any) -> None:
    rows = [
        Failure(
            Origin.TASK, f"t{n}", FailureClass.BUG, "oops", task="workers.tasks.push", channel="shop",
            payload={"kwargs": {"channel": "shop"}},
        )
        for n in range(count)
    ]  # fmt: skip
    note(engine, *rows, now=NOON)


def test_nothing_is_touched_without_a_filter_a_reason_or_the_right_number(
    database: Database,
) -> None:
    some(database.engine, 3)

    def ask(wanted: Filter, reason: str = "r", expect: int | None = None) -> None:
        operations.ask(
            database.engine, "retry", wanted, by="ann", reason=reason, now=NOON, expect=expect
        )

    with pytest.raises(Refused, match="name the failures"):
        ask(Filter(since=NOON, states=("open",)))
    with pytest.raises(Refused, match="say why"):
        ask(Filter(channel="shop"), reason=" ")
    with pytest.raises(Refused, match="3 failures are meant now, not 2"):
        ask(Filter(channel="shop"), expect=2)
    assert {row.state for row in failed(database.engine)} == {"open"}


def test_more_than_a_thousand_are_touched_only_when_their_number_is_said(
    database: Database,
) -> None:
    some(database.engine, 1001)
    wanted = Filter(channel="shop")

    with pytest.raises(Refused, match="--expect 1001"):
        operations.ask(database.engine, "retry", wanted, by="ann", reason="r", now=NOON)
    made = operations.ask(
        database.engine, "retry", wanted, by="ann", reason="r", now=NOON, expect=1001
    )

    assert made is not None
    assert made.total == 1001


def test_a_preview_counts_what_would_be_refused_and_changes_nothing(database: Database) -> None:
    some(database.engine, 2)
    carried = Failure(
        Origin.TASK, "r", FailureClass.BUG, "e", task="workers.tasks.receive", channel="shop"
    )
    note(database.engine, carried, now=NOON)

    seen = operations.preview(database.engine, "retry", Filter(channel="shop"))

    assert (seen.total, seen.eligible, sum(seen.refused.values())) == (3, 2, 1)
    assert {row.state for row in failed(database.engine)} == {"open"}


def test_bulk_work_goes_on_where_a_worker_died_and_counts_nothing_twice(
    database: Database,
) -> None:
    house = an_ingest(database.engine)
    some(database.engine, 5)
    asked = operations.ask(
        database.engine, "retry", Filter(channel="shop"), by="ann", reason="r", now=NOON
    )
    assert asked is not None

    class Killed(BaseException):
        pass

    def dies(operation: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        operations.work(house, now=lambda: NOON, batch=2, tell=dies)
    assert operations.work(house, now=lambda: NOON) is None
    done = operations.work(house, now=lambda: NOON + minutes(1))

    assert done is not None
    assert (done.state, done.done, done.attempts) == ("done", 5, 2)


def test_bulk_work_is_cancelled_by_a_word_and_keeps_what_it_did(database: Database) -> None:
    house = an_ingest(database.engine)
    some(database.engine, 6)
    asked = operations.ask(
        database.engine, "retry", Filter(channel="shop"), by="ann", reason="r", now=NOON
    )
    assert asked is not None

    def stop(operation: object) -> None:
        operations.cancel(database.engine, asked.id, by="bob", reason="wrong", now=NOON)

    done = operations.work(house, now=lambda: NOON, batch=2, tell=stop)

    assert done is not None
    assert (done.state, done.done) == ("cancelled", 2)
    states = [row.state for row in failed(database.engine)]
    assert (states.count("retrying"), states.count("open")) == (2, 4)
    with pytest.raises(Refused, match="it is cancelled"):
        operations.cancel(database.engine, asked.id, by="bob", reason="again", now=NOON)


def test_what_fails_after_bulk_work_was_asked_for_is_no_part_of_it(database: Database) -> None:
    house = an_ingest(database.engine)
    some(database.engine, 1)
    operations.ask(database.engine, "retry", Filter(channel="shop"), by="ann", reason="r", now=NOON)
    late = Failure(Origin.TASK, "late", FailureClass.BUG, "e", task="x", channel="shop")
    note(database.engine, late, now=NOON)

    operations.work(house, now=lambda: NOON)

    assert [row.object for row in failed(database.engine, states=("open",))] == ["late"]


def test_discarding_needs_a_reason_and_a_new_failure_opens_it_again(database: Database) -> None:
    house = an_ingest(database.engine)
    some(database.engine, 1)
    operations.ask(
        database.engine, "discard", Filter(channel="shop"), by="ann", reason="known", now=NOON
    )
    operations.work(house, now=lambda: NOON)
    row = the_one(database.engine)
    assert (row.state, row.settled_by, row.reason) == ("discarded", "ann", "known")

    some(database.engine, 1)

    assert the_one(database.engine).state == "open"


def test_a_failure_is_assigned_and_stays_open(database: Database) -> None:
    house = an_ingest(database.engine)
    some(database.engine, 1)
    operations.ask(
        database.engine, "assign", Filter(channel="shop"), by="ann", reason="hers", now=NOON,
        assignee="eve",
    )  # fmt: skip
    operations.work(house, now=lambda: NOON)

    row = the_one(database.engine)
    assert (row.state, row.assigned_to) == ("open", "eve")


def test_a_task_that_was_rung_in_vain_is_open_again_after_a_while(database: Database) -> None:
    some(database.engine, 1)
    retry(an_ingest(database.engine), NOON, channel="shop")

    mend(database.engine, NOON + minutes(14))
    assert the_one(database.engine).state == "retrying"
    mend(database.engine, NOON + minutes(16))

    assert the_one(database.engine).state == "open"


def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    for n in range(7):
        each = Failure(Origin.TASK, f"t{n}", FailureClass.BUG, "e", task="x")
        note(database.engine, each, now=NOON + minutes(n // 2))
    seen: list[str] = []
    before = None
    with database.engine.connect() as connection:
        while rows := store.page(connection, Filter(), most=3, before=before):
            seen += [row.object for row in rows]
            before = Cursor(rows[-1].last_seen, rows[-1].id)

    assert sorted(seen) == [f"t{n}" for n in range(7)]
    assert seen[0] == "t6"


def test_one_failure_shows_the_delivery_as_it_came(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, an_order())
    number = the_one(database.engine).id

    with database.engine.connect() as connection:
        found = store.one(connection, number)
        assert found is not None
        (kept,) = store.kept(connection, found[0])

    assert orjson.loads(kept["body"])["sku"] == "NEW-SKU"


def test_counts_are_by_class_channel_and_state(database: Database) -> None:
    some(database.engine, 2)

    with database.engine.connect() as connection:
        (found,) = store.counts(connection)

    assert (found["kind"], found["channel"], found["state"], found["rows"]) == (
        "bug", "shop", "open", 2,
    )  # fmt: skip
