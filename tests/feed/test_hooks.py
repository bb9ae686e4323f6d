"""Addresses outside are told once, signed, of what happened; nobody else is, and no secret is kept."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from channels.outbound import Unsafe
from ledger.db import NetworkInTransaction, transaction
from reconcile import halt_store
from tests.feed.hook_rig import OUTSIDE, RANDOM, halt, level, lift, send, stands, subscribe
from tests.feed.receiver import Receiver
from tests.servers import Clock, Database
from workers.feed import hook_store, hook_words, hooks
from workers.feed.hook_words import GIVEN_UP_S, WAITS_S
from workers.feed.hooks import NoHook, Outside, Sent
from workers.flows.retention import forget


def test_a_signature_is_that_of_the_specification() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = hook_words.signature(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_halt_and_its_end_are_told_in_the_words_of_who_set_it(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    clock.advance(60)
    lift(engine, clock)

    sent = send(engine, clock)

    assert sent == Sent(2, 0)
    assert receiver.refused == []
    assert receiver.kinds == ["halt.set", "halt.lifted"]
    (_, first), (_, second) = receiver.came
    about = {"channel": "shop", "sku": "MUG", "reason": "shows too much", "by": "rule"}
    assert about.items() <= first["data"].items()
    assert (second["data"]["reason"], second["data"]["by"]) == ("counted", "bea")
    assert first["timestamp"].startswith("2026-")
    assert send(engine, clock) == Sent(0, 0)


def test_what_nobody_asked_for_is_not_written_down(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    halt(engine, clock)
    subscribe(engine, receiver, clock, "halt.lifted")
    lift(engine, clock)
    halt(engine, clock)

    send(engine, clock)

    assert receiver.kinds == ["halt.lifted"]


def test_a_halt_that_is_taken_back_is_never_told(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    with engine.connect() as connection:
        halt_store.set_halt(connection, "shop", "MUG", "shows too much", "rule", clock.now)
        connection.rollback()

    send(engine, clock)

    assert receiver.came == []


def test_a_place_at_its_reorder_point_is_told_once_for_each_time_it_falls(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    level(engine, low_since=clock.now)
    level(engine, low_since=clock.now)
    send(engine, clock)
    level(engine, low_since=None)
    clock.advance(3600)
    level(engine, low_since=clock.now)

    send(engine, clock)

    assert receiver.kinds == ["reorder.needed", "stockout.forecast"] * 2
    (_, needed), (_, out) = receiver.came[:2]
    assert (needed["data"]["reorder_point"], needed["data"]["order_up_to"]) == (40, 90)
    assert out["data"] | {"runs_out_on": "2026-03-04"} == out["data"] | {
        "available": 6, "coming": 0, "runs_out_on": "2026-03-04",
    }  # fmt: skip


def test_another_key_of_the_house_signs_nothing(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    other = Outside(b"another key", OUTSIDE.inside, OUTSIDE.chance)

    sent = hooks.send(engine, other, now=lambda: clock.now)

    assert sent == Sent(0, 1)
    assert (receiver.came, receiver.refused) == ([], [])
    assert "LOCKSTEP_HOOK_KEY" in stands(engine)["error"]


def test_an_address_inside_is_refused_when_it_is_added_and_when_it_is_called(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    nowhere = Outside(OUTSIDE.key, (), OUTSIDE.chance)

    with pytest.raises(Unsafe, match="use https"):
        hooks.add(
            engine, nowhere, "inside", receiver.url, ["halt.set"], by="ann", now=clock.now, random=RANDOM
        )  # fmt: skip
    hooks.send(engine, nowhere, now=lambda: clock.now)

    assert receiver.came == []
    assert "use https" in stands(engine)["error"]


def test_no_secret_stands_in_the_database_or_in_an_error(
    database: Database, engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    secret = receiver.secret
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    halt(engine, clock)
    receiver.secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    send(engine, clock)

    with engine.connect() as connection:
        rows = [
            connection.execute(text(f"SELECT to_jsonb(t)::text FROM {table} AS t")).scalars().all()  # noqa: S608 -- constants
            for table in ("hook", "hook_event", "hook_post", "audit")
        ]
    kept = " ".join(row for of in rows for row in of)
    assert "401" in stands(engine)["error"]
    assert secret.removeprefix("whsec_") not in kept
    assert raw.hex() not in kept


def test_a_removed_address_is_told_nothing_more_and_its_name_is_free(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    with transaction(engine) as connection:
        assert hook_store.remove(connection, "erp", by="ann", now=clock.now)

    sent = send(engine, clock)
    subscribe(engine, receiver, clock)

    assert sent == Sent(0, 0)
    assert stands(engine)["due"] == 0
    with pytest.raises(hook_store.NameTaken):
        subscribe(engine, receiver, clock)
    with pytest.raises(NoHook):
        hooks.test(engine, OUTSIDE, "shop", by="ann", now=lambda: clock.now)


def test_what_was_told_is_forgotten_and_what_waits_is_not(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)
    send(engine, clock)
    lift(engine, clock)
    clock.advance(86_400)

    first = forget(engine, before=clock.now)

    assert (first.rows["hook_post"], first.rows["hook_event"]) == (1, 1)
    assert send(engine, clock) == Sent(1, 0)
    assert forget(engine, before=clock.now).rows["hook_event"] == 1


def test_nothing_is_called_inside_a_transaction(
    engine: Engine, receiver: Receiver, clock: Clock
) -> None:
    subscribe(engine, receiver, clock)
    halt(engine, clock)

    with transaction(engine), pytest.raises(NetworkInTransaction):
        send(engine, clock)


def test_the_schedule_ends_after_three_days() -> None:
    waits = [hook_words.wait_s(tries, 0.5) for tries in range(1, len(WAITS_S) + 2)]

    assert waits == [*WAITS_S, None]
    assert timedelta(days=3) < timedelta(seconds=GIVEN_UP_S) < timedelta(days=4)
