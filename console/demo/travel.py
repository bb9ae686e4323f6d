"""One order of a played account, from the buyer's click to the last display: what each stage wrote down of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from console.demo.shop import ControlPlane, ShopSays
from console.local.layout import Played
from console.pages import links
from ledger.db import transaction

#: The stage after which nothing of the order waits.
ARRIVED: Final = "done"
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Bought:
    """An order that an account took.

    name    as people there call it;  order   as our book does
    at      just before it was asked for
    """

    account: str
    name: str
    order: str
    sku: str
    units: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What was written down of it, and how long after it was bought.

    stage    relay, ledger, rules, push, read back, done
    """

    after_s: float
    stage: str
    said: str


def buy(played: Played, sku: str, units: int, location: str | None = None) -> Bought:
    """Have a buyer take units of a SKU.

    location    which till of a Square merchant sells; the first when None
    raises      ShopSays: unknown there, or sold out
    """
    desk = ControlPlane(played)
    lines = [{"sku": sku, "units": units}]
    at = datetime.now(UTC)
    try:
        match played.kind:
            case "shopify":
                told = desk.ask("order", lines=lines)
                name, order = str(told["name"]), str(told["id"]).rsplit("/", 1)[-1]
            case "amazon":
                name = order = str(desk.ask("order", lines=lines)["orderId"])
            case "square":
                till = location or _first_till(desk, sku)
                name = order = str(desk.ask("sale", location=till, lines=lines)["id"])
            case _:
                name = order = str(desk.ask("purchase_order", lines=lines)["order"])
    finally:
        desk.close()
    return Bought(played.name, name, order, sku, units, at)


def follow(
    engine: Engine,
    bought: Bought,
    *,
    limit_s: float,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Step]:
    """The steps of its journey as they are seen; the last is ARRIVED, unless `limit_s` was over before."""
    ends_s = time.monotonic() + limit_s
    told: set[tuple[str, object]] = set()
    while time.monotonic() < ends_s:
        # Whether anything waits is asked first: what is found afterwards was written before the answer.
        with transaction(engine) as connection:
            booked = _booked(connection, bought)
            rest = bool(booked) and not connection.execute(_WAITS, {"sku": bought.sku}).scalar_one()
            found = _found(connection, bought, booked) if booked else []
        for key, at, stage, said in found:
            if (stage, key) not in told:
                told.add((stage, key))
                yield Step(_since(bought, at), stage, said)
        if rest:
            yield Step(_since(bought, datetime.now(UTC)), ARRIVED, _END)
            return
        pause(_POLL_S)


def pages(bought: Bought, dashboard: str) -> dict[str, str]:
    """Where to look at it, by what is to be seen there."""
    return {
        "watch it": f"{dashboard}{links.sku(bought.sku)}",
        "the order": f"{dashboard}{links.order(bought.order, bought.account)}",
    }


_END: Final = "every channel shows what it should"

_BOOKED: Final = text("""
    SELECT e.id::text AS event, e.kind, e.recorded_at, i.id AS delivery, i.topic, i.received_at,
           p.line, p.from_location, p.from_state, p.from_before, p.from_after, p.to_state, p.to_before, p.to_after
    FROM event AS e
    JOIN posting AS p ON p.event_id = e.id
    LEFT JOIN inbox AS i ON i.id = e.inbox_id
    WHERE e.channel = :account AND e.order_id = :order AND p.sku = :sku
    ORDER BY e.seq, p.line
""")
_TARGETS: Final = text("""
    SELECT channel, location, number, units, before, set_at FROM (
        SELECT channel, location, number, units, set_at,
               lag(units) OVER (PARTITION BY channel, location ORDER BY number) AS before
        FROM target_history WHERE sku = :sku
    ) AS was WHERE set_at >= :since ORDER BY set_at, channel, location
""")
_PUSHES: Final = text("""
    SELECT p.id, p.channel, p.location, p.units, p.outcome, p.detail, p.answered_at
    FROM target AS t JOIN push AS p USING (channel, sku, location)
    WHERE t.sku = :sku AND p.sent_at >= :since AND p.answered_at IS NOT NULL ORDER BY p.id
""")
_READ: Final = text("""
    SELECT s.channel, s.location, s.read_units, s.read_at
    FROM shown AS s JOIN target AS t USING (channel, sku, location)
    WHERE t.sku = :sku AND t.set_at >= :since AND s.read_at >= t.set_at AND s.read_units = t.units
    ORDER BY s.read_at, s.channel, s.location
""")
_WAITS: Final = text("""
    SELECT EXISTS (SELECT FROM due WHERE sku = :sku)
        OR EXISTS (SELECT FROM target AS t JOIN push_due AS d USING (channel, sku, location)
                   WHERE t.sku = :sku AND NOT d.parked)
        OR EXISTS (SELECT FROM target AS t JOIN shown AS s USING (channel, sku, location)
                   WHERE t.sku = :sku AND s.verify_at IS NOT NULL)
""")

#: What tells it from others of its stage, when, stage, words.
_Found = tuple[object, datetime, str, str]


def _booked(connection: Connection, bought: Bought) -> list[Any]:
    given = {"account": bought.account, "order": bought.order, "sku": bought.sku}
    return list(connection.execute(_BOOKED, given))


def _found(connection: Connection, bought: Bought, booked: list[Any]) -> list[_Found]:
    """Everything that is known of it by now, in the order of the stages."""
    first = booked[0]
    found: list[_Found] = []
    if first.received_at is not None:
        found.append(
            (first.delivery, first.received_at, "relay", f"kept {first.topic} (inbox {first.delivery})")
        )  # fmt: skip
    found += [((row.event, row.line), row.recorded_at, "ledger", _entry(row)) for row in booked]
    given = {"sku": bought.sku, "since": first.recorded_at}
    for row in connection.execute(_TARGETS, given):
        was = "" if row.before is None else f"{row.before} -> "
        said = f"{row.channel} at {row.location} should show {was}{row.units}"
        found.append(((row.channel, row.location, row.number), row.set_at, "rules", said))
    for row in connection.execute(_PUSHES, given):
        answer = " ".join(filter(None, (row.outcome, row.detail)))
        said = f"{row.channel} at {row.location} told {row.units}: {answer}"
        found.append((row.id, row.answered_at, "push", said))
    for row in connection.execute(_READ, given):
        said = f"{row.channel} at {row.location} shows {row.read_units}"
        found.append(((row.channel, row.location, row.read_units), row.read_at, "read back", said))
    return found


def _entry(row: Any) -> str:
    """One posting, as a person reads it: where units left and where they went."""
    left = f"{row.from_state} {row.from_before} -> {row.from_after}"
    came = f"{row.to_state} {row.to_before} -> {row.to_after}"
    return f"{row.kind} at {row.from_location}: {left}, {came} (event {row.event})"


def _since(bought: Bought, at: datetime) -> float:
    return round((at - bought.at).total_seconds(), 2)


def _first_till(desk: ControlPlane, sku: str) -> str:
    levels = desk.ask("state", sku=sku)["levels"]
    if not levels:
        raise ShopSays("sale", 404, f"unknown SKU {sku!r}")
    return str(levels[0]["location_id"])
