"""The seller's account: all that is known, the one lock around it, and the acts that change it and tell subscribers."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from channels.simulators.clock import Clock
from channels.simulators.square import bodies
from channels.simulators.square.state import (
    CatalogObject,
    Ids,
    Location,
    Order,
    Refund,
    Subscription,
)
from channels.simulators.square.stock import Change, Key, Kind, Level, source

COUNTS_A_NOTIFICATION: Final = 100
TILL: Final = source("SQUARE_POS", "Square Point of Sale 6.60")
DASHBOARD: Final = source("DASHBOARD", "Square Dashboard")
ONLINE: Final = source("ONLINE_STORE", "Square Online")


class Refused(Exception):
    """The account does not do that; the message says what and why. The control plane answers it with 409."""


class Unknown(Refused):
    """Nothing by that id, name or SKU. The control plane answers it with 404."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event as told to subscribers; `data` is what the body has under `data`, `skus` those it is about."""

    type: str
    data: dict[str, Any]
    event_id: str
    at: datetime
    skus: frozenset[str]


@dataclass(slots=True)
class Act:
    """One person's or app's action at one moment; `touched` are the levels it changed."""

    at: datetime
    silent: bool = False
    touched: dict[Key, Level] = field(default_factory=dict)
    announcements: list[Announcement] = field(default_factory=list)


class Merchant:
    """State of one account. Change it only inside `act`; read it under `lock`.

    signature_key   of the account's first webhook subscription
    tell            called after each act with what subscribers of its events must hear
    note            writes to the event log
    """

    def __init__(self, clock: Clock, *, signature_key: str, seed: int = 0) -> None:
        self.clock = clock
        self.signature_key = signature_key
        self.lock = threading.RLock()
        self.tell: Callable[[list[Announcement]], None] = lambda _: None
        self.note: Callable[[str, dict[str, object]], None] = lambda _, __: None
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """An account without locations, items and orders."""
        with self.lock:
            self.dice = random.Random(self._seed)
            self.ids = Ids(self.dice)
            self.id = self.ids.upper(13)
            self.application_id = f"sq0idp-{self.ids.mixed(22)}"
            self.locations: dict[str, Location] = {}
            self.objects: dict[str, CatalogObject] = {}
            self.by_item: dict[str, list[CatalogObject]] = {}
            self.levels: dict[Key, Level] = {}
            self.changes: dict[str, Change] = {}
            self.orders: dict[str, Order] = {}
            self.refunds: dict[str, Refund] = {}
            self.subscriptions: dict[str, Subscription] = {}
            self._seq = 0

    def now(self) -> datetime:
        """The vendor stamps milliseconds."""
        at = self.clock.now()
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    @contextmanager
    def act(self, *, silent: bool = False) -> Iterator[Act]:
        """Do one thing under the lock; when it ends well, the counts it changed and what it announced are told."""
        with self.lock:
            act = Act(self.now(), silent)
            yield act
            if silent:
                return
            self._announce_counts(act)
        if act.announcements:
            self.tell(act.announcements)

    def announce(
        self, act: Act, type: str, data: Callable[[], dict[str, Any]], skus: Iterable[str]
    ) -> None:
        """Keep an event for the subscribers of `type`; the body is made now, and only if someone listens."""
        listening = any(s.enabled and type in s.event_types for s in self.subscriptions.values())
        if listening and not act.silent:
            told = Announcement(type, data(), self.new_uuid(), act.at, frozenset(skus))
            act.announcements.append(told)

    def _announce_counts(self, act: Act) -> None:
        levels = list(act.touched.values())
        for start in range(0, len(levels), COUNTS_A_NOTIFICATION):
            some = levels[start : start + COUNTS_A_NOTIFICATION]
            skus = {self.objects[level.key[0]].sku for level in some}
            body = partial(bodies.counts_event, some, self.new_uuid())
            self.announce(act, "inventory.count.updated", body, skus)

    # -- stock ----------------------------------------------------------------------------------------------------

    def change(
        self,
        act: Act,
        kind: Kind,
        variation_id: str,
        quantity: Decimal,
        before: tuple[str, str],
        after: tuple[str, str],
        source: dict[str, str],
        **more: Any,
    ) -> Change:
        """A change not yet booked. `before` and `after` are (location id, state); `more` as in `Change`."""
        self._seq += 1
        return Change(
            id=self.ids.upper(),
            kind=kind,
            seq=self._seq,
            variation_id=variation_id,
            quantity=quantity,
            from_location=before[0],
            from_state=before[1],
            to_location=after[0],
            to_state=after[1],
            occurred_at=more.pop("occurred_at", None) or act.at,
            created_at=act.at,
            source=source,
            **more,
        )

    def book(self, act: Act, change: Change) -> None:
        """Let a change count. Levels it touches come into being; their counts are told when the act ends."""
        for key in change.touches():
            level = self.levels.setdefault(key, Level(key))
            level.add(change)
            act.touched[key] = level
        if change.shown:
            self.changes[change.id] = change
        self.note("stock", self._noted(change))

    def _noted(self, change: Change) -> dict[str, object]:
        return {
            "change": change.kind if change.shown else "drift",
            "sku": self.objects[change.variation_id].sku,
            "from": f"{change.from_location} {change.from_state}",
            "to": f"{change.to_location} {change.to_state}",
            "quantity": str(change.quantity),
            "occurred_at": change.occurred_at.isoformat(),
            "reference_id": change.reference_id,
        }

    def level(self, variation_id: str, location_id: str, state: str = "IN_STOCK") -> Level | None:
        return self.levels.get((variation_id, location_id, state))

    def quantity(self, variation_id: str, location_id: str) -> Decimal:
        """Units in stock; zero where nothing was ever counted."""
        level = self.level(variation_id, location_id)
        return level.quantity if level else Decimal(0)

    # -- catalogue ------------------------------------------------------------------------------------------------

    def add_object(self, found: CatalogObject) -> None:
        """Keep a new object; a variation is found under its item from then on."""
        self.objects[found.id] = found
        if found.type == "ITEM_VARIATION":
            self.by_item.setdefault(str(found.data["item_id"]), []).append(found)

    def drop_object(self, id: str) -> None:
        """Undo `add_object`."""
        found = self.objects.pop(id)
        if found.type == "ITEM_VARIATION":
            self.by_item[str(found.data["item_id"])].remove(found)

    # -- finding --------------------------------------------------------------------------------------------------

    def add_location(self, act: Act, name: str) -> Location:
        if any(place.name == name for place in self.locations.values()):
            raise Refused(f"there is a location named {name!r} already")
        place = Location(f"L{self.ids.upper(12)}", name, act.at.replace(microsecond=0))
        self.locations[place.id] = place
        return place

    def location(self, ref: str) -> Location:
        """By id or name. Raises Unknown."""
        for place in self.locations.values():
            if ref in (place.id, place.name):
                return place
        raise Unknown(f"no location {ref!r}")

    def variation(self, ref: str) -> CatalogObject:
        """By SKU or id; the oldest of several with one SKU. Raises Unknown."""
        for found in self.objects.values():
            if (
                found.type == "ITEM_VARIATION"
                and not found.deleted
                and ref in (found.sku, found.id)
            ):
                return found
        raise Unknown(f"no SKU {ref!r}")

    def order(self, ref: str) -> Order:
        """By id. Raises Unknown."""
        if ref not in self.orders:
            raise Unknown(f"no order {ref!r}")
        return self.orders[ref]
