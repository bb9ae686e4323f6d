"""A halt is one row until it is lifted; every turn of it is in the trail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconcile import halt_store, halting
from reconcile.halts import RULE
from tests.reconcile.house import furnish, rows
from tests.servers import Clock, Database
from tests.waits import channels_of


def _set(database: Database, clock: Clock, by: str = "ann", reason: str = "recall") -> int:
    with database.engine.begin() as connection:
        halt_id, _ = halt_store.set_halt(connection, "shopify", "TEA-1", reason, by, clock.now)
        return halt_id


def _trail(database: Database) -> list[tuple[object, ...]]:
    return rows(database.engine, "SELECT actor, action, object, reason FROM audit ORDER BY id")


def test_a_second_halt_of_the_same_sku_changes_nothing(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    first = _set(database, clock)

    with database.engine.begin() as connection:
        again = halt_store.set_halt(connection, "shopify", "TEA-1", "other", "bob", clock.now)

    assert again == (first, False)
    assert _trail(database) == [("ann", "halt.set", "halt:shopify/TEA-1", "recall")]


def test_a_sku_that_is_not_on_the_channel_cannot_be_halted(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    with (
        pytest.raises(halt_store.NothingToHalt, match="TEA-9 is not bound on shopify"),
        database.engine.begin() as connection,
    ):
        halt_store.set_halt(connection, "shopify", "TEA-9", "recall", "ann", clock.now)


def test_what_stands_on_sale_cannot_be_lifted(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    with (
        pytest.raises(halt_store.NothingToLift, match="TEA-1 is not halted on shopify"),
        database.engine.begin() as connection,
    ):
        halt_store.lift_halt(connection, "shopify", "TEA-1", "ann", "mended", clock.now)


def test_the_first_undo_of_a_location_stands(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    halt_id = _set(database, clock)
    with database.engine.begin() as connection:
        halt_store.keep_undo(connection, halt_id, "OSLO", {"policy": "CONTINUE"})
        halt_store.keep_undo(connection, halt_id, "OSLO", {"policy": "DENY"})
        halt_store.keep_undo(connection, halt_id, "BERGEN", {"policy": "DENY"})

        (halt,) = halt_store.open_halts(connection)

    assert halt.undo == {"OSLO": {"policy": "CONTINUE"}, "BERGEN": {"policy": "DENY"}}


def test_a_halt_set_while_it_is_lifted_stands_again_with_its_undo(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    halt_id = _set(database, clock)
    with database.engine.begin() as connection:
        halt_store.keep_undo(connection, halt_id, "OSLO", {"policy": "CONTINUE"})
        halt_store.mark_set(connection, halt_id, clock.now)
        halt_store.lift_halt(connection, "shopify", "TEA-1", "ann", "mended", clock.now)

    assert _set(database, clock, by="bob", reason="not mended") == halt_id

    with database.engine.begin() as connection:
        (halt,) = halt_store.open_halts(connection)
        assert not halt_store.mark_lifted(connection, halt_id, clock.now)
    assert (halt.state, halt.undo, halt.set_by) == (
        "setting",
        {"OSLO": {"policy": "CONTINUE"}},
        "bob",
    )
    assert [action for _, action, _, _ in _trail(database)] == [
        "halt.set",
        "halt.confirmed",
        "halt.lift",
        "halt.set",
    ]


def test_lifting_twice_is_lifting_once(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    halt_id = _set(database, clock)
    with database.engine.begin() as connection:
        first = halt_store.lift_halt(connection, "shopify", "TEA-1", "ann", "mended", clock.now)
        again = halt_store.lift_halt(connection, "shopify", "TEA-1", "bob", "me too", clock.now)

    assert (first, again) == ((halt_id, True), (halt_id, False))


def test_a_halt_is_held_by_one_worker_until_its_lease_ends(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    halt_id = _set(database, clock)

    with database.engine.begin() as connection:
        taken = halt_store.take_halts(connection, "shopify", clock.now, 60)
        other = halt_store.take_halts(connection, "shopify", clock.advance(59), 60)
        waiting_early = channels_of(connection, "halts", clock.now)
        waiting = channels_of(connection, "halts", clock.advance(1))
        after_death = halt_store.take_halts(connection, "shopify", clock.now, 60)

    assert [halt.halt_id for halt in taken] == [halt_id]
    assert other == []
    assert (waiting_early, waiting) == ([], ["shopify"])
    assert [(halt.halt_id, halt.attempts) for halt in after_death] == [(halt_id, 2)]


def test_lifting_makes_the_targets_due_and_frees_the_sku_for_a_new_halt(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, ("TEA-1", "BERGEN"): 4, "TEA-2": 9}, clock=clock)
    halt_id = _set(database, clock)
    with database.engine.begin() as connection:
        halt_store.lift_halt(connection, "shopify", "TEA-1", "ann", "mended", clock.now)
        assert halt_store.mark_lifted(connection, halt_id, clock.now)

    assert rows(
        database.engine, "SELECT sku, location, priority FROM push_due ORDER BY location"
    ) == [("TEA-1", "BERGEN", 2), ("TEA-1", "OSLO", 2)]
    assert _set(database, clock) != halt_id


def test_a_halt_is_worked_at_once_when_a_person_turned_it_while_it_was_held(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    _set(database, clock)
    with database.engine.begin() as connection:
        (held,) = halt_store.take_halts(connection, "shopify", clock.now, 60)
        halt_store.lift_halt(connection, "shopify", "TEA-1", "ann", "mistake", clock.now)
        assert channels_of(connection, "halts", clock.now) == []
        halt_store.work_later(
            connection, held, error="503", now=clock.now, run_at=clock.now + timedelta(minutes=5)
        )

        assert channels_of(connection, "halts", clock.now) == ["shopify"]


def test_the_rule_sees_how_often_it_has_lifted_a_sku_today(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    halt_id = _set(database, clock, by=RULE)
    with database.engine.begin() as connection:
        halt_store.lift_halt(connection, "shopify", "TEA-1", RULE, "calm", clock.now)
        halt_store.mark_lifted(connection, halt_id, clock.now)
    second = _set(database, clock, by=RULE)
    with database.engine.begin() as connection:
        halt_store.mark_set(connection, second, clock.now)

        (today,) = halt_store.standing_halts(connection, "shopify", clock.advance(3600))
        (tomorrow,) = halt_store.standing_halts(connection, "shopify", clock.advance(86400))

    assert (today.lifted_before, tomorrow.lifted_before) == (1, 0)


def test_many_are_halted_at_once_and_what_stands_or_is_not_bound_is_left(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 5, "TEA-2": 5, "TEA-3": 5}, clock=clock)
    with database.engine.begin() as connection:
        halt_store.set_halt(connection, "shopify", "TEA-2", "recall", "ann", clock.now)
        wishes = [halting.Wish(sku, f"{sku} shows 9", None) for sku in ("TEA-1", "TEA-2", "GONE")]
        standing = halting.set_by_rule(connection, "shopify", wishes, clock.now, call_at=clock.now)

    assert standing == {"TEA-1", "TEA-2"}
    assert rows(database.engine, "SELECT sku, reason, set_by FROM halt ORDER BY sku") == [
        ("TEA-1", "TEA-1 shows 9", RULE),
        ("TEA-2", "recall", "ann"),
    ]
    assert _trail(database)[1:] == [(RULE, "halt.set", "halt:shopify/TEA-1", "TEA-1 shows 9")]
