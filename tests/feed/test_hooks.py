"""Addresses outside are told once, signed, in spite of everything; what cannot be told is seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from channels.outbound import Unsafe, networks
from ledger.db import NetworkInTransaction, transaction
from reconcile import halt_store
from tests.builders import a_house, stock_the_house
from tests.feed.receiver import Receiver, listening
from tests.servers import Clock, Database
from tests.workers.failed_rig import mend, retry, the_one
from tests.workers.shelf import RULES, apply
from workers.feed import hook_store, hook_words, hooks
from workers.feed.hook_words import GIVEN_UP_S, KINDS, WAITS_S
from workers.feed.hooks import NoHook, Outside, Sent
from workers.flows.retention import forget

#: Waits are exactly what the schedule says.
OUTSIDE = Outside(b"the key of the house", networks(["127.0.0.0/8"]), lambda: 0.5)
RANDOM = bytes(range(32))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def engine(database: Database, clock: Clock) -> Engine:
    stock_the_house(database.engine, skus=("MUG",), locations=("WH",))
    with database.engine.begin() as connection:
        apply(connection, RULES, clock.now)
        connection.execute(
            text(
                "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
                " VALUES ('shop', 'MUG', 'WH', 'i', 'gid://1')"
            )
        )
    return database.engine


def subscribe(engine: Engine, receiver: Receiver, clock: Clock, *kinds: str) -> None:
    receiver.secret = hooks.add(
        engine, OUTSIDE, "erp", receiver.url, kinds or list(KINDS), by="ann", now=clock.now, random=RANDOM
    )  # fmt: skip


def halt(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as connection:
        halt_store.set_halt(connection, "shop", "MUG", "shows too much", "rule", clock.now)


def lift(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as connection:
        halt_store.lift_halt(connection, "shop", "MUG", "bea", "counted", clock.now)
        number = connection.execute(text("SELECT max(id) FROM halt")).scalar_one()
        halt_store.mark_lifted(connection, number, clock.now)


def send(engine: Engine, clock: Clock) -> Sent:
    return hooks.send(engine, OUTSIDE, now=lambda: clock.now)


def stands(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        (row,) = hook_store.listed(connection)
    return row


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


def level(engine: Engine, *, low_since: Any, available: int = 6) -> None:
    """Three mugs a day, fourteen days until more could come."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO balance (sku, location, state, units) VALUES ('MUG', 'WH', 'available', :units)"
                " ON CONFLICT (sku, location, state) DO UPDATE SET units = excluded.units"
            ),
            {"units": available},
        )
        connection.execute(
            text("""
                INSERT INTO reorder_level (sku, location, run_id, pack, minimum, service, review_days, lead_days,
                    lead_sd_days, lead_receipts, per_day, wanted_units, wanted_sd, shape, model, folds, reorder_point,
                    order_up_to, lot_units, tier, look_at, low_since)
                VALUES ('MUG', 'WH', 1, 1, 0, 0.95, 7, 14, 0, 0, 3, 42, 4, 'normal', 'mean', 5, 40, 90, 0, 'A', now(),
                        :low_since)
                ON CONFLICT (sku, location) DO UPDATE SET low_since = excluded.low_since
            """),
            {"low_since": low_since},
        )


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
