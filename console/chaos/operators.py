"""What operators do in a schedule, and what happens to the machinery: nothing of it moves a unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import text

from allocation import store
from allocation.document import read
from console.chaos.house import House, rules
from ledger import inbox
from ledger.db import transaction
from reconcile.halt_store import NothingToHalt, NothingToLift
from workers.flows import halts
from workers.flows.receive import receive

#: Seconds after which an operator who put a clock right looks for what was parked for it.
_LOOKS_AFTER_S: Final = 30.0

_PARKED_FOR_CLOCK = text(
    "SELECT id FROM inbox WHERE state = 'parked' AND error LIKE '%our clock%' ORDER BY id"
)


def change_rules(house: House, which: int) -> None:
    """Another rule file comes into force."""
    source = rules(house.accounts, which, house.cast)
    with transaction(house.engine) as connection:
        store.apply_rules(connection, source, read(source), "ann", "another day", house.now())
    house.broker.ring("allocate")


def halt(house: House, shop: str, sku: str) -> None:
    """A person takes a SKU off sale."""
    _by_a_person(house, halts.halt, shop, sku, "looks wrong")


def lift(house: House, shop: str, sku: str) -> None:
    """A person puts a SKU back on sale."""
    _by_a_person(house, halts.lift, shop, sku, "looked right")


def _by_a_person(
    house: House, verb: Callable[..., object], shop: str, sku: str, reason: str
) -> None:
    try:
        verb(house.engine, channel=shop, sku=sku, reason=reason, by="ann", now=house.now())
    except (NothingToHalt, NothingToLift) as error:
        house.note(f"refused: {error}")
    house.broker.ring("work_halts", shop)


def repeat(house: House, nth: int) -> None:
    """A notification that was kept comes once more."""
    if house.letters:
        channel, headers, body = house.letters[nth % len(house.letters)]
        said = house.lane_of(channel).routing(headers, body)
        receive(
            house.engine,
            channel,
            said.topic,
            said.delivery_id,
            headers,
            body,
            now=house.now(),
        )
        house.broker.ring("drain")


def ring(house: House, task: str, shop: str) -> None:
    """A bell without cause."""
    house.broker.ring(task, "" if task in ("drain", "allocate") else shop)


def set_clock(house: House, by_s: float) -> None:
    """Somebody sets the clock of the database's machine, which counts for all workers."""
    house.ahead_s += by_s
    house.clock_was_set = True


def put_right(house: House) -> None:
    """An operator: a clock that is behind is put right, and a little later what was parked for it is replayed.

    At once would be too soon: whoever read the clock before still parks by it.
    """
    if house.clock_was_set:
        house.ahead_s = max(0.0, house.ahead_s)
        at = house.clock.now() + timedelta(seconds=_LOOKS_AFTER_S)
        house.later.append((at, 0, "what the clock parked is replayed", partial(_replay, house)))


def _replay(house: House) -> None:
    with transaction(house.engine) as connection:
        ids = list(connection.execute(_PARKED_FOR_CLOCK).scalars())
        inbox.replay(connection, ids)
    house.broker.ring("drain")


def broker_emptied(house: House) -> None:
    """Redis loses everything."""
    house.broker.emptied()


def forget(house: House) -> None:
    """Old rows are forgotten."""
    house.broker.ring("forget")


#: Verb of a step -> what is done.
OPERATORS: Final[Mapping[str, Callable[..., None]]] = {
    "rules": change_rules,
    "halt": halt,
    "lift": lift,
    "repeat": repeat,
    "ring": ring,
    "set_clock": set_clock,
    "broker_emptied": broker_emptied,
    "forget": forget,
}
