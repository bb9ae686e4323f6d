"""Mistakes on purpose: what this battery must find. Each spoils one house of one schedule, and nothing that is shipped.

A mistake is put where the flows take what they need as an argument (lanes, clients, limits, terms, what keeps a
delivery, which tasks are done), so that the code that runs is the product's own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from channels.around import Around
from channels.base import Binding, Channel, ChannelOrder, Level, Outcome, Reading, Subscription
from channels.lane import Booker, Message
from channels.lane import Lane as Vendor
from channels.names import Names
from channels.registry import LANES
from console.chaos.house import House, bucket
from ledger.db import transaction
from ledger.events import AnyFact, OrderCancel
from workers.flows.receive import receive
from workers.flows.reconcile_terms import Terms


@dataclass(frozen=True, slots=True)
class Plant:
    """A mistake: what is wrong, and what puts it into a house before its doors open.

    seed      of a schedule that shows it, and that passes without it
    breaks    the promise that breaks then, of `checks`
    """

    says: str
    spoil: Callable[[House], None]
    seed: int
    breaks: str


# ---- the way in ----


def _lose_every_third(house: House) -> None:
    turns = itertools.count(1)

    def keep(*of: Any, **more: Any) -> object:
        return None if next(turns) % 3 == 0 else receive(*of, **more)

    house.keep = keep


def _book_with(house: House, change: Callable[[AnyFact], AnyFact]) -> None:
    """Every vendor's facts are changed before they are booked."""

    def spoiled(vendor: Vendor) -> Vendor:
        def read(topic: str, body: bytes) -> Message:
            message = vendor.read(topic, body)
            return replace(message, facts=_changed(message.facts, change))

        return replace(vendor, read=read)

    lanes: Mapping[str, Vendor] = {kind: spoiled(vendor) for kind, vendor in LANES.items()}
    house.drain = replace(house.drain, lanes=lanes)


def _changed(book: Booker, change: Callable[[AnyFact], AnyFact]) -> Booker:
    def facts(*, source: str, channel: str, names: Names) -> list[AnyFact]:
        return [change(fact) for fact in book(source=source, channel=channel, names=names)]

    return facts


def _twice(house: House) -> None:
    turns = itertools.count(1)
    _book_with(house, lambda fact: fact.model_copy(update={"id": f"{fact.id}/{next(turns)}"}))


def _restocks(house: House) -> None:
    def change(fact: AnyFact) -> AnyFact:
        if isinstance(fact, OrderCancel):
            return fact.model_copy(update={"disposition": "restock"})
        return fact

    _book_with(house, change)


# ---- the way out ----


class _Passing:
    """A client that passes everything on."""

    def __init__(self, client: Channel) -> None:
        self._client = client
        self.name = client.name
        self.push_rows, self.direct_rows = client.push_rows, client.direct_rows
        self.settle_s = client.settle_s

    @property
    def vendor_time(self) -> datetime | None:
        return self._client.vendor_time

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        return self._client.push(levels, key=key)

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        return self._client.answers(receipt, levels)

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        return self._client.snapshot(bindings)

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        return self._client.sale_state(binding)

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        return self._client.stop_sale(binding)

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        self._client.resume_sale(binding, undo)

    def orders_since(self, mark: datetime, *more: Any) -> Iterator[ChannelOrder]:
        return self._client.orders_since(mark, *more)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        return self._client.bindings(locations)

    def subscriptions(self) -> list[Subscription]:
        return self._client.subscriptions()

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        return self._client.subscribe(topics, uri)


class _Blind(_Passing):
    """Sets numbers without saying what it expects to find."""

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        return self._client.push([replace(level, expected=None) for level in levels], key=key)


class _Deaf(_Passing):
    """Says that a sale is stopped, and does not stop it."""

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        return self._client.sale_state(binding)


class _Stubborn(_Passing):
    """Puts what was taken off sale on sale again, with the next numbers it sets."""

    def __init__(self, client: Channel) -> None:
        super().__init__(client)
        self._stopped: list[Binding] = []

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        self._stopped.append(binding)
        return self._client.stop_sale(binding)

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        bound = {(level.binding.sku, level.binding.location) for level in levels}
        again = {(each.sku, each.location): Level(each, 1, 0) for each in self._stopped}
        more = [level for place, level in again.items() if place not in bound]
        return self._client.push([*levels, *more], key=key)[: len(levels)]


class _Mute(_Passing):
    """Tells no orders."""

    def orders_since(self, mark: datetime, *more: Any) -> Iterator[ChannelOrder]:
        return iter(())


class _Credulous(_Passing):
    """Takes what was lately set for what is shown."""

    def __init__(self, client: Channel) -> None:
        super().__init__(client)
        self._set: dict[tuple[str, str], int] = {}

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        self._set |= {(level.binding.sku, level.binding.location): level.units for level in levels}
        return self._client.push(levels, key=key)

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        for reading in self._client.snapshot(bindings):
            units = self._set.get((reading.binding.sku, reading.binding.location), reading.units)
            yield replace(reading, units=units)


def _with_client(made: Callable[[Channel], Channel]) -> Callable[[House], None]:
    def spoil(house: House) -> None:
        house.met = made

    return spoil


class _Endless(Around):
    """A limit that is told all, and lets every call go at once."""

    def take(self, cost: float) -> str:
        return ""

    def afford(self, cost: float) -> None:
        return


def _hurries(house: House) -> None:
    house.limit = lambda *of: _Endless(bucket(*of))


# ---- what is looked for ----


def _without(*tasks: str) -> Callable[[House], None]:
    def spoil(house: House) -> None:
        house.without = frozenset(tasks)

    return spoil


_FORGET_WINDOWS = text("DELETE FROM run WHERE job = 'reconcile' AND state = 'done'")


def _forgets_windows(house: House) -> None:
    def afterwards(house: House, task: str) -> None:
        if task == "reconcile":
            with transaction(house.engine) as connection:
                connection.execute(_FORGET_WINDOWS)

    house.afterwards = afterwards


def _orders_anew(house: House) -> None:
    """A file that comes again is taken for another one, with an order of its own."""
    seen: Counter[bytes] = Counter()

    def taken(body: bytes) -> bytes:
        seen[body] += 1
        if seen[body] == 1 or b"*850*" not in body:
            return body
        control = body.split(b"*", 14)[13]
        other = b"%09d" % (900_000_000 + int(control))
        return body.replace(control, other).replace(b"*45000", b"*99000")

    house.taken = taken


def _judges_in_flight(house: House) -> None:
    def twisted(terms: Terms) -> Terms:
        at_once = timedelta(0)
        limits = replace(
            terms.limits, push_limit=at_once, settle=at_once, grace=at_once, hears_first=False
        )
        return replace(terms, limits=limits)

    house.twisted = twisted


PLANTS: Final[Mapping[str, Plant]] = {
    "lost-inbox-row": Plant(
        "every third delivery is answered with 200 and not kept",
        _lose_every_third,
        1,
        "each delivery once",
    ),
    "double-posting": Plant(
        "a fact that is told again is booked again", _twice, 11, "units are conserved"
    ),
    "restock-on-cancel": Plant(
        "whatever is cancelled is on sale again", _restocks, 23, "units are conserved"
    ),
    "stale-push-wins": Plant(
        "numbers are set without compare-and-set",
        _with_client(_Blind),
        32479,
        "no older call wins",
    ),
    "deaf-stop": Plant(
        "a halt is confirmed and the sale goes on",
        _with_client(_Deaf),
        3,
        "every channel shows its target",
    ),
    "sells-halted": Plant(
        "what was taken off sale is set again with the next push",
        _with_client(_Stubborn),
        283,
        "no halted SKU is sold",
    ),
    "believes-its-writes": Plant(
        "a read-back tells what was sent",
        _with_client(_Credulous),
        296,
        "every channel shows its target",
    ),
    "no-limit": Plant("the vendor's limit is not kept", _hurries, 3343, "limits are kept"),
    "in-flight-is-drift": Plant(
        "what is on its way counts as drift", _judges_in_flight, 1163, "no drift without cause"
    ),
    "no-sweep": Plant(
        "nobody looks for work whose bell was lost", _without("sweep"), 1, "nothing waits"
    ),
    "no-poll": Plant(
        "orders are heard of by notifications only",
        _with_client(_Mute),
        19,
        "units are conserved",
    ),
    "no-window": Plant(
        "nobody compares what is shown",
        _without("reconcile", "read_early"),
        8,
        "every channel shows its target",
    ),
    "no-slot-row": Plant(
        "nobody keeps that a window was compared", _forgets_windows, 6, "each window once"
    ),
    "doubled-850": Plant(
        "an order's file that comes again is taken for another order",
        _orders_anew,
        121,
        "units are conserved",
    ),
}
