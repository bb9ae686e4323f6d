"""From delivery to book: each once, whatever the order, and a bad one never holds up the others."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from channels.lane import Message, nothing
from channels.registry import LANES
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from ledger.verify import verify
from tests.builders import (
    NOON,
    a_fact,
    a_house,
    balance,
    book,
    count,
    deliver,
    inbox_states,
    minutes,
    stock_the_house,
    why,
)
from tests.servers import Database
from tests.workers.shelf import RULES, apply
from workers.flows.ingest import drain, sweep_inbox


def hand_over(
    database: Database,
    body: bytes,
    *,
    delivery_id: str = "d1",
    source: str = "wms",
    topic: str = FACT_TOPIC,
) -> None:
    with transaction(database.engine) as connection:
        inbox.keep(connection, [Delivery(source, delivery_id, topic, body)], now=NOON)


def test_an_order_commits_and_its_skus_are_due(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10))

    done = book(database.engine, a_fact("order", units=3))

    assert (done.applied, done.entries) == (1, 1)
    assert balance(database.engine) == {"available": 7, "committed": 3}


def test_a_repeated_delivery_changes_nothing(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10))

    kept = deliver(database.engine, a_fact("receipt", units=10))

    assert (len(kept.fresh), len(kept.repeated)) == (0, 1)
    assert drain(a_house(database.engine), now=NOON).claimed == 0


def test_a_reused_delivery_id_with_another_body_is_told_apart(database: Database) -> None:
    deliver(database.engine, a_fact("receipt", units=10))

    kept = deliver(database.engine, a_fact("receipt", units=11))

    assert kept.differing == (0,)


def test_the_same_fact_under_another_delivery_id_changes_nothing(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10))

    hand_over(database, orjson.dumps(a_fact("receipt", units=10)), delivery_id="again")
    done = drain(a_house(database.engine), now=NOON)

    assert (done.applied, done.repeats, done.entries) == (1, 1, 0)
    assert balance(database.engine) == {"available": 10}


def test_a_cancel_before_its_order_waits_and_then_applies(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10))

    book(database.engine, a_fact("order_cancel", units=2))
    assert inbox_states(database.engine)["order_cancel:1"] == "waiting"
    book(database.engine, a_fact("order", units=3))

    assert balance(database.engine) == {"available": 9, "committed": 1}
    assert inbox_states(database.engine)["order_cancel:1"] == "applied"


def test_a_cancel_before_its_order_in_one_batch_applies(database: Database) -> None:
    stock_the_house(database.engine)

    book(database.engine, a_fact("order_cancel", units=2), a_fact("order", units=3))

    assert balance(database.engine) == {"available": -1, "committed": 1}


def test_a_reversal_handed_over_twice_at_once_undoes_its_event_once(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=10))
    undo = a_fact(
        "reversal", reverses_source="wms", reverses_id="receipt:1", reason="counted twice"
    )

    hand_over(database, orjson.dumps(undo), delivery_id="first")
    hand_over(database, orjson.dumps(undo), delivery_id="again")
    done = drain(a_house(database.engine), now=NOON)

    assert (done.applied, done.entries, done.repeats) == (2, 1, 1)
    assert balance(database.engine) == {}


def test_a_reversal_before_its_event_waits_and_then_undoes_it_once(database: Database) -> None:
    stock_the_house(database.engine)
    undo = a_fact(
        "reversal", reverses_source="wms", reverses_id="receipt:1", reason="counted twice"
    )

    book(database.engine, undo)
    book(database.engine, a_fact("receipt", units=10))
    book(database.engine, undo | {"id": "reversal:2"})

    assert balance(database.engine) == {}
    assert inbox_states(database.engine) == {
        "reversal:1": "applied",
        "receipt:1": "applied",
        "reversal:2": "parked",
    }
    assert "reversed already" in why(database.engine, "reversal:2")


def test_a_waiting_delivery_is_parked_when_its_cause_never_comes(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("order_cancel", units=2))

    sweep_inbox(database.engine, now=NOON + timedelta(days=8))

    assert inbox_states(database.engine) == {"order_cancel:1": "parked"}
    assert "never came" in why(database.engine, "order_cancel:1")


@pytest.mark.parametrize(("order", "line"), [("1001", "1"), ("10/01", "1"), ("1/0", "0/1#A/B")])
def test_the_sweep_wakes_what_nobody_woke(database: Database, order: str, line: str) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("order_cancel", units=2, order=order, line=line))
    book(
        database.engine, a_fact("order_cancel", id="other", units=2, order=order, line="elsewhere")
    )
    with database.superuser.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO order_line (channel, order_id, line_id, sku, location, revision, ordered_units)"
                " VALUES ('shopify', :order, :line, 'MUG-RED', 'OSLO', now(), 3)"
            ),
            {"order": order, "line": line},
        )

    assert sweep_inbox(database.engine, now=NOON) == 1

    assert drain(a_house(database.engine), now=NOON).applied == 1


def test_what_came_while_our_clock_was_behind_is_booked_when_it_is_replayed(
    database: Database,
) -> None:
    stock_the_house(database.engine)
    hour = timedelta(hours=1)
    fact = a_fact("receipt", id="later", units=5, occurred_at=NOON + hour)
    hand_over(database, orjson.dumps(fact, default=str))
    assert drain(a_house(database.engine), now=NOON).parked == 1

    with transaction(database.engine) as connection:
        (row,) = connection.execute(text("SELECT id, error FROM inbox WHERE state = 'parked'"))
        inbox.replay(connection, [row.id])

    assert "our clock" in row.error
    assert drain(a_house(database.engine), now=NOON + hour).applied == 1


BAD = [
    (a_fact("receipt", id="bad", units=1, sku="NOBODY"), "unknown SKU 'NOBODY'", "parked"),
    (a_fact("receipt", id="bad", units=1, location="MOON"), "unknown location 'MOON'", "parked"),
    (
        a_fact("receipt", id="bad", units=1, occurred_at=NOON + timedelta(days=2)),
        "in the future",
        "parked",
    ),
    (
        a_fact("receipt", id="bad", units=1, occurred_at="1999-01-01T00:00:00Z"),
        "history import",
        "parked",
    ),
    (a_fact("receipt", id="bad", units=-1), "greater than or equal to 1", "rejected"),
    (a_fact("receipt", id="bad", units=1.5), "valid integer", "rejected"),
    ({"source": "wms", "id": "bad"}, "Unable to extract tag", "rejected"),
]


@pytest.mark.parametrize(("bad", "reason", "state"), BAD)
def test_a_bad_delivery_is_kept_with_its_reason_and_blocks_nobody(
    database: Database, bad: dict[str, Any], reason: str, state: str
) -> None:
    stock_the_house(database.engine)

    book(
        database.engine, a_fact("receipt", id="a", units=1), bad, a_fact("receipt", id="b", units=2)
    )

    assert balance(database.engine) == {"available": 3}
    assert inbox_states(database.engine) == {"a": "applied", "bad": state, "b": "applied"}
    assert reason in why(database.engine, "bad")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"1e400",
        b'{"kind": "receipt"}',
        b"\x00" * 50,
        b"[" * 5000,
    ],
)
def test_a_body_that_is_no_event_is_rejected_and_kept(database: Database, body: bytes) -> None:
    hand_over(database, body)

    done = drain(a_house(database.engine), now=NOON)

    assert done.parked == 1
    assert why(database.engine, "d1").startswith("not a stock event")


def test_a_parked_delivery_applies_after_its_cause_is_mended(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=4, sku="NEW-SKU"))
    stock_the_house(database.engine, skus=["NEW-SKU"])

    with transaction(database.engine) as connection:
        ids = list(connection.execute(text("SELECT id FROM inbox")).scalars())
        assert inbox.replay(connection, ids) == ids
    drain(a_house(database.engine), now=NOON)

    assert balance(database.engine, "NEW-SKU") == {"available": 4}


def test_a_delivery_for_a_channel_that_is_not_set_up_says_so(database: Database) -> None:
    hand_over(database, b"{}", source="shopify", topic="orders/create")

    drain(a_house(database.engine), now=NOON)

    assert "no channel 'shopify' is set up" in why(database.engine, "d1")


def test_what_the_database_refuses_is_found_by_halving_and_parked_alone(database: Database) -> None:
    skus = ["MUG-RED", "CURSED"]
    stock_the_house(database.engine, skus=skus)
    with database.superuser.begin() as connection:
        connection.execute(
            text("ALTER TABLE balance ADD CONSTRAINT no_curse CHECK (sku <> 'CURSED')")
        )
    facts = [a_fact("receipt", id=f"r{n}", units=1, sku=skus[n == 13]) for n in range(40)]

    done = book(database.engine, *facts)

    assert (done.applied, done.parked) == (39, 1)
    assert balance(database.engine) == {"available": 39}
    assert "no_curse" in why(database.engine, "r13")
    assert verify(database.engine).clean


@pytest.mark.parametrize("error", [TypeError("None has no units"), RecursionError(), KeyError("x")])
def test_what_nobody_thought_of_is_parked_alone_and_blocks_nobody(
    database: Database, error: Exception
) -> None:
    def read(topic: str, body: bytes) -> Message:
        if body == b"strange":
            raise error
        return Message(topic, frozenset(), "it moves no stock", nothing)

    house = a_house(database.engine)
    lane = replace(LANES["shopify"], read=read)
    with transaction(database.engine) as connection:
        apply(connection, RULES, NOON)
        bodies = [b"plain", b"strange", b"plain too"]
        told = [
            Delivery("shop", f"d{place}", "orders/create", body)
            for place, body in enumerate(bodies)
        ]
        inbox.keep(connection, told, now=NOON)

    done = drain(replace(house, lanes={"shopify": lane}), now=NOON)

    assert (done.applied, done.parked) == (2, 1)
    assert inbox_states(database.engine)["d1"] == "parked"
    assert type(error).__name__ in why(database.engine, "d1")
    assert drain(house, now=NOON).claimed == 0


def test_four_drains_at_once_apply_each_delivery_once(database: Database) -> None:
    stock_the_house(database.engine)
    deliver(database.engine, *[a_fact("receipt", id=f"r{n}", units=1) for n in range(400)])

    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda _: drain(a_house(database.engine, rows=20), now=NOON), range(4))
        )

    assert sum(d.applied for d in done) == 400
    assert balance(database.engine) == {"available": 400}
    with database.engine.connect() as connection:
        assert count(connection, "event") == 400


LIFE = [
    a_fact("receipt", id="receipt", units=50),
    a_fact("order", id="o:r0", units=10, revision=NOON),
    a_fact("order", id="o:r1", units=12, revision=NOON + minutes(1)),
    a_fact("order_cancel", id="cancel", units=2),
    a_fact("ship", id="ship", units=4, channel="shopify", order="1001", line="1"),
    a_fact("reservation", id="hold", units=5),
    a_fact("release", id="free", units=3),
    a_fact("return", id="back", units=1),
    a_fact("reversal", id="undo", reverses_source="wms", reverses_id="cancel", reason="typo"),
    a_fact("transfer_ship", id="t:s", units=6),
    a_fact("transfer_receive", id="t:r", units=6, location="BERGEN"),
    a_fact("write_off", id="gone", units=2),
    a_fact("count", id="count", counted=30, occurred_at=NOON - minutes(1)),
]


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(seed=st.integers(0, 2**32), chunk=st.integers(1, 6), twice=st.booleans())
def test_a_life_of_stock_comes_to_the_same_in_any_order_and_doubled(
    database: Database, seed: int, chunk: int, twice: bool
) -> None:
    sku = f"SKU-{seed}-{chunk}-{twice}"
    stock_the_house(database.engine, skus=[sku])
    chance = random.Random(seed)
    facts = [
        fact
        | {"source": sku}
        | ({"order": sku} if "order" in fact else {})
        | ({"sku": sku} if fact.get("sku") else {})
        | ({"reverses_source": sku} if fact["kind"] == "reversal" else {})
        for fact in LIFE
    ]
    facts = facts * 2 if twice else facts
    chance.shuffle(facts)

    for begin in range(0, len(facts), chunk):
        book(database.engine, *facts[begin : begin + chunk])
    sweep_inbox(database.engine, now=NOON)
    drain(a_house(database.engine), now=NOON)

    # The count saw 30 a minute before everything else: on hand = 30 + 50 - 4 + 1 - 6 - 2 = 69
    # committed = 12 - 4 (the cancel was undone) = 8; reserved = 5 - 3 = 2; available = 69 - 8 - 2 = 59
    assert balance(database.engine, sku) == {"available": 59, "committed": 8, "reserved": 2}
    assert balance(database.engine, sku, "BERGEN") == {"available": 6}
