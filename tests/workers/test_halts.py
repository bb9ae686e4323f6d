"""Halts at the vendor: stopped, proven by reading back, and undone exactly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import text

from allocation import pushes
from channels.base import Binding, ChannelError, Refused, Throttled, Unavailable
from ledger.db import transaction
from reconcile.halt_store import NothingToHalt, NothingToLift
from tests.reconcile.house import CHANNEL, OSLO, MemoryChannel, furnish, rows
from tests.servers import Clock, Database
from workers.flows.halts import HaltsReport, halt, lift, work_halts

BERGEN = "BERGEN"


def _halt(database: Database, clock: Clock, sku: str = "TEA-1") -> tuple[int, bool]:
    return halt(database.engine, channel=CHANNEL, sku=sku, reason="recall", by="ann", now=clock.now)


def _lift(database: Database, clock: Clock) -> tuple[int, bool]:
    return lift(
        database.engine, channel=CHANNEL, sku="TEA-1", reason="mended", by="bob", now=clock.now
    )


def _work(database: Database, client: MemoryChannel, clock: Clock) -> HaltsReport:
    return work_halts(database.engine, client, channel=CHANNEL, now=lambda: clock.now)


def _states(database: Database) -> list[tuple[object, ...]]:
    return rows(database.engine, "SELECT sku, state FROM halt ORDER BY sku, id")


def _two_places(clock: Clock) -> MemoryChannel:
    return MemoryChannel(
        clock,
        shows={("TEA-1", OSLO): 30, ("TEA-1", BERGEN): 4},
        policy={("TEA-1", OSLO): "CONTINUE", ("TEA-1", BERGEN): "DENY"},
    )


def _furnish_two_places(database: Database, clock: Clock) -> None:
    furnish(database.engine, {("TEA-1", OSLO): 30, ("TEA-1", BERGEN): 4}, clock=clock)


def test_a_halt_stops_every_place_is_confirmed_and_is_lifted_with_its_exact_undo(
    database: Database, clock: Clock
) -> None:
    _furnish_two_places(database, clock)
    client = _two_places(clock)
    _halt(database, clock)

    stopped = _work(database, client, clock)

    assert stopped == HaltsReport(CHANNEL, set=("TEA-1",))
    assert set(client.policy.values()) == {"DENY"}
    assert rows(database.engine, "SELECT state, confirmed_at FROM halt") == [("set", clock.now)]
    assert rows(database.engine, "SELECT DISTINCT read_units FROM shown") == [(0,)]

    clock.advance(60)
    _lift(database, clock)
    lifted = _work(database, client, clock)

    assert lifted == HaltsReport(CHANNEL, lifted=("TEA-1",))
    assert lifted.ring_push
    assert client.policy == {("TEA-1", OSLO): "CONTINUE", ("TEA-1", BERGEN): "DENY"}
    assert rows(
        database.engine, "SELECT location, priority, run_at FROM push_due ORDER BY location"
    ) == [(BERGEN, 2, clock.now), (OSLO, 2, clock.now)]
    assert rows(database.engine, "SELECT actor, action FROM audit ORDER BY id") == [
        ("ann", "halt.set"),
        ("rule:reconcile", "halt.confirmed"),
        ("bob", "halt.lift"),
        ("bob", "halt.lifted"),
    ]


def test_a_number_that_was_claimed_before_the_halt_and_comes_after_its_stop_is_stopped_again(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30})
    with transaction(database.engine) as connection:
        connection.execute(
            text(
                "INSERT INTO push_due (channel, sku, location, since, run_at) VALUES (:c, 'TEA-1', :l, :now, :now)"
            ),
            {"c": CHANNEL, "l": OSLO, "now": clock.now},
        )
        (claimed,) = pushes.claim_pushes(connection, CHANNEL, 10, clock.now, 120.0, "k")
    _halt(database, clock)

    first = _work(database, client, clock)
    client.shows["TEA-1", OSLO] = 30
    with transaction(database.engine) as connection:
        pushes.give_back(connection, [claimed], clock.now, "answered late")
    clock.advance(5)
    second = _work(database, client, clock)

    assert first.later == (("TEA-1", "stopped, while a number of ours is on its way"),)
    assert second.set == ("TEA-1",)
    assert client.shows["TEA-1", OSLO] == 0


def test_a_stop_that_the_channel_ignores_is_not_believed(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30}, ignores_stop=True)
    _halt(database, clock)

    report = _work(database, client, clock)

    assert report.later == (("TEA-1", "not stopped yet: OSLO shows 30"),)
    assert rows(database.engine, "SELECT state, run_at, error FROM halt") == [
        ("setting", clock.now + timedelta(seconds=5), "not stopped yet: OSLO shows 30")
    ]
    client.ignores_stop = False
    clock.advance(5)
    assert _work(database, client, clock).set == ("TEA-1",)


def test_a_place_that_cannot_be_read_is_not_proven_stopped(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = AbsentChannel(clock, {("TEA-1", OSLO): 30})
    _halt(database, clock)

    report = _work(database, client, clock)

    assert report.later == (("TEA-1", "not stopped yet: OSLO is unknown"),)


class AbsentChannel(MemoryChannel):
    """Its listing disappears when it is stopped."""

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        undo = super().stop_sale(binding)
        del self.shows[binding.sku, binding.location]
        return undo


def test_a_throttled_halt_waits_as_told_and_costs_no_attempt(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30, ("TEA-2", OSLO): 30})
    client.faults = [Throttled("429", retry_after_s=17)]
    _halt(database, clock)
    _halt(database, clock, "TEA-2")

    report = _work(database, client, clock)

    assert report.later == (("TEA-1", "Throttled: 429"),)
    assert client.calls == ["sale state TEA-1 OSLO"]
    assert rows(database.engine, "SELECT sku, run_at, attempts FROM halt ORDER BY sku") == [
        ("TEA-1", clock.now + timedelta(seconds=17), 0),
        ("TEA-2", clock.now, 0),
    ]


def test_a_channel_that_is_away_makes_the_halt_back_off(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30})
    client.faults = [Unavailable("503") for _ in range(3)]
    _halt(database, clock)

    waits = []
    for _ in range(3):
        _work(database, client, clock)
        (row,) = rows(database.engine, "SELECT run_at FROM halt")
        again_at = row[0]
        waits.append((again_at - clock.now).total_seconds())  # type: ignore[operator]  # a time
        clock.now = again_at  # type: ignore[assignment]  # a time

    assert waits == [5, 10, 20]
    assert _work(database, client, clock).set == ("TEA-1",)


def test_one_refused_sku_does_not_hold_up_the_others(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30, ("TEA-2", OSLO): 30})
    client.faults = [Refused("variant is gone", code="NOT_FOUND")]
    _halt(database, clock)
    _halt(database, clock, "TEA-2")

    report = _work(database, client, clock)

    assert report.set == ("TEA-2",)
    assert report.later == (("TEA-1", "Refused: variant is gone"),)


def test_a_lift_that_fails_is_tried_again_and_nothing_is_pushed_before(
    database: Database, clock: Clock
) -> None:
    _furnish_two_places(database, clock)
    client = _two_places(clock)
    _halt(database, clock)
    _work(database, client, clock)
    _lift(database, clock)
    client.faults = [Unavailable("503")]

    _work(database, client, clock)

    assert _states(database) == [("TEA-1", "lifting")]
    assert rows(database.engine, "SELECT count(*) FROM push_due") == [(0,)]
    clock.advance(5)
    assert _work(database, client, clock).lifted == ("TEA-1",)
    assert client.policy["TEA-1", OSLO] == "CONTINUE"


class Killed(BaseException):
    """The worker process ends here."""


class DyingChannel(MemoryChannel):
    """The worker is killed after the vendor has stopped the sale and before it says so."""

    alive = False

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        undo = super().stop_sale(binding)
        if not self.alive:
            self.alive = True
            raise Killed
        return undo


def test_a_worker_killed_after_the_stop_loses_nothing_of_the_undo(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = DyingChannel(clock, {("TEA-1", OSLO): 30})
    _halt(database, clock)

    with pytest.raises(Killed):
        _work(database, client, clock)
    assert _work(database, client, clock) == HaltsReport(CHANNEL)
    clock.advance(120)
    assert _work(database, client, clock).set == ("TEA-1",)
    _lift(database, clock)
    _work(database, client, clock)

    assert client.policy["TEA-1", OSLO] == "CONTINUE"


class ChangedMindChannel(MemoryChannel):
    """A person lifts the halt while the worker is stopping the sale."""

    database: Database

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        undo = super().stop_sale(binding)
        _lift(self.database, self.clock)
        return undo


def test_a_halt_lifted_while_it_is_being_set_ends_on_sale(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = ChangedMindChannel(clock, {("TEA-1", OSLO): 30})
    client.database = database
    _halt(database, clock)

    report = _work(database, client, clock)

    assert (report.set, report.lifted) == ((), ("TEA-1",))
    assert client.policy["TEA-1", OSLO] == "CONTINUE"


def test_a_halted_sku_can_be_lifted_at_once(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30})
    _halt(database, clock)
    _work(database, client, clock)

    _lift(database, clock)

    assert _work(database, client, clock).lifted == ("TEA-1",)


def test_halting_and_lifting_twice_is_doing_it_once(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    first, again = _halt(database, clock), _halt(database, clock)
    lifted, lifted_again = _lift(database, clock), _lift(database, clock)

    assert (first[1], again[1], lifted[1], lifted_again[1]) == (True, False, True, False)


def test_there_is_nothing_to_halt_or_lift(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    with pytest.raises(NothingToHalt):
        _halt(database, clock, "TEA-9")
    with pytest.raises(NothingToLift):
        _lift(database, clock)


@pytest.mark.parametrize("fault", [Unavailable("503"), Throttled("429", retry_after_s=1)], ids=str)
def test_a_channel_that_fails_never_ends_the_round_with_an_error(
    database: Database, clock: Clock, fault: ChannelError
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)
    client = MemoryChannel(clock, {("TEA-1", OSLO): 30}, faults=[fault])
    _halt(database, clock)

    assert len(_work(database, client, clock).later) == 1
