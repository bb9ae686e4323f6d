"""Addresses that are slow, away, gone or refuse: every message is told once in the end, or seen as failed."""

from __future__ import annotations

from sqlalchemy import Engine

from ledger.db import transaction
from tests.builders import a_house
from tests.feed.hook_rig import OUTSIDE, halt, lift, send, stands, subscribe
from tests.feed.receiver import Receiver
from tests.servers import Clock, Database
from tests.workers.failed_rig import mend, retry, the_one
from workers.feed import hook_store, hooks
from workers.feed.hook_words import GIVEN_UP_S, WAITS_S
from workers.feed.hooks import Sent


def test_a_message_keeps_its_id_over_all_tries_on_the_schedule(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    receiver.answers = [(400, {})] * 3

    tries = []
    for wait_s in WAITS_S[:4]:
        tries.append((send(engine, clock), send(engine, clock)))
        clock.advance(wait_s)

    assert tries == [(Sent(0, 1), Sent(0, 0))] * 3 + [(Sent(1, 0), Sent(0, 0))]
    assert len({id_ for id_, _ in receiver.came}) == 1
    assert len(receiver.came) == 4


def test_an_address_that_asks_to_be_left_alone_is(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    lift(engine, clock)
    receiver.answers = [(429, {"Retry-After": "900"})]

    first = send(engine, clock)
    clock.advance(899)
    early = send(engine, clock)
    clock.advance(1)
    later = send(engine, clock)

    assert (first, early, later) == (Sent(0, 1), Sent(0, 0), Sent(2, 0))


def test_an_address_that_is_away_is_asked_once_not_for_each_message(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    lift(engine, clock)
    receiver.answers = [(503, {}), (500, {})]

    first = send(engine, clock)
    away = stands(engine)
    clock.advance(5)
    second = send(engine, clock)
    clock.advance(10)
    third = send(engine, clock)

    assert (first, second, third) == (Sent(0, 1), Sent(0, 1), Sent(2, 0))
    assert (away["failing"], away["due"]) == (1, 2)
    assert "503" in away["error"]
    assert stands(engine)["failing"] == 0


def test_what_cannot_be_told_for_days_is_failed_work_and_can_be_told_again(
    database: Database, engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    receiver.answers = [(400, {})] * (len(WAITS_S) + 1)
    for wait_s in (*WAITS_S, 0.0):
        send(engine, clock)
        clock.advance(wait_s)

    failure = the_one(engine, origin="hook")
    assert (failure.kind, failure.state, failure.attempts) == ("rejected", "open", 10)
    assert failure.payload["hook"] == "erp"
    assert stands(engine)["failed"] == 1

    retry(a_house(engine), clock.now, ids=(failure.id,))
    again = send(engine, clock)
    mend(engine, clock.now)

    assert again == Sent(1, 0)
    assert the_one(engine, origin="hook").state == "resolved"


def test_an_address_that_was_away_for_days_is_not_overrun(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    lift(engine, clock)
    clock.advance(GIVEN_UP_S + 1)
    halt(engine, clock)
    receiver.answers = [(503, {})]

    send(engine, clock)

    found = stands(engine)
    assert (found["failed"], found["due"]) == (2, 1)


def test_an_address_that_is_gone_is_stopped_until_a_test_succeeds(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    receiver.answers = [(410, {}), (410, {})]

    send(engine, clock)
    clock.advance(WAITS_S[0])
    stopped = send(engine, clock)
    why = stands(engine)["stopped_why"]
    still = hooks.test(engine, OUTSIDE, "erp", by="ann", now=lambda: clock.now)
    well = hooks.test(engine, OUTSIDE, "erp", by="ann", now=lambda: clock.now)
    went_on = send(engine, clock)

    assert stopped == Sent(0, 0)
    assert "410" in why
    assert "410" in still.error
    assert well.error == ""
    assert went_on == Sent(1, 0)
    assert stands(engine)["stopped_why"] == ""


def test_a_worker_that_dies_leaves_its_message_to_the_next(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    with transaction(engine) as connection:
        dead = hook_store.claim(connection, clock.now)
    assert dead is not None

    held = send(engine, clock)
    clock.advance(hook_store.LEASE_S)
    gone_on = send(engine, clock)
    with transaction(engine) as connection:
        hook_store.put_off(connection, dead, "what a dead worker says", clock.now, tries=1)

    assert (held, gone_on) == (Sent(0, 0), Sent(1, 0))
    assert stands(engine)["due"] == 0
