"""The shop: everything that is known, the one lock around it, and the acts that change it and tell the world."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial

from channels.simulators.clock import Clock
from channels.simulators.shopify import bodies
from channels.simulators.shopify.ids import Ids
from channels.simulators.shopify.state import (
    AdjustmentGroup,
    Bulk,
    Item,
    Level,
    Location,
    Order,
    Product,
    Publication,
    Subscription,
    Variant,
)


class Refused(Exception):
    """The shop does not do that; the message says what and why. The control plane answers it with 409."""


class Unknown(Refused):
    """Nothing by that id or SKU. The control plane answers it with 404."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event as told to subscribers: `body` is the vendor's REST-shaped JSON, `skus` those it is about."""

    topic: str
    body: dict[str, object]
    event_id: str
    at: datetime
    skus: frozenset[str]


@dataclass(slots=True)
class Act:
    """One merchant's, buyer's or app's action; everything it causes shares one event id and one moment."""

    at: datetime
    event_id: str
    silent: bool = False
    touched: dict[str, Level] = field(default_factory=dict)
    announcements: list[Announcement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NewVariant:
    """A variant to create. `stock` maps a location's name or gid to available units there."""

    sku: str
    stock: dict[str, int] = field(default_factory=dict)
    tracked: bool = True
    policy: str = "DENY"
    price: Decimal = Decimal("10.00")
    title: str = "Default Title"
    barcode: str | None = None
    bundle: bool = False


class Shop:
    """State of one shop. Change it only inside `act`; read it under `lock`.

    tell       called after each act with what subscribers of its topics must hear
    note       writes to the event log
    schedule   runs something at a moment of the clock
    run_bulk   executes a bulk query: lines of the file and how many are roots
    file_url   where a bulk operation's file can be fetched
    """

    def __init__(
        self,
        clock: Clock,
        *,
        domain: str = "lockstep-sim.myshopify.com",
        seed: int = 0,
        huge_ids_every: int = 4,
        utc_offset_h: int = -5,
    ) -> None:
        self.clock = clock
        self.domain = domain
        self.zone = timezone(timedelta(hours=utc_offset_h))
        self.lock = threading.RLock()
        self.tell: Callable[[list[Announcement]], None] = lambda _: None
        self.note: Callable[[str, dict[str, object]], None] = lambda _, __: None
        self.schedule: Callable[[datetime, Callable[[], None]], None] = lambda _, __: None
        self.run_bulk: Callable[[str], tuple[list[dict[str, object]], int]] = lambda _: ([], 0)
        self.file_url: Callable[[Bulk], str] = lambda bulk: f"bulk/{bulk.number}.jsonl"
        self._seed = seed
        self._huge_ids_every = huge_ids_every
        self.reset()

    def reset(self) -> None:
        """An empty shop with two publications and no location."""
        with self.lock:
            self.dice = random.Random(self._seed)
            self.ids = Ids(self._huge_ids_every)
            self.locations: dict[int, Location] = {}
            self.locations_by_level_number: dict[int, Location] = {}
            self.products: dict[int, Product] = {}
            self.variants: dict[int, Variant] = {}
            self.items: dict[int, Item] = {}
            self.by_sku: dict[str, Variant] = {}
            self.orders: dict[int, Order] = {}
            self.subscriptions: dict[int, Subscription] = {}
            self.groups: dict[int, AdjustmentGroup] = {}
            self.bulks: dict[int, Bulk] = {}
            self.publications: dict[int, Publication] = {}
            self.order_sequence = 1000
            self.bulk_ends: dict[str, object] | None = None
            for name in ("Online Store", "Point of Sale"):
                number = self.ids.next("Publication")
                self.publications[number] = Publication(number, name)

    def now(self) -> datetime:
        """The vendor stamps whole seconds."""
        return self.clock.now().replace(microsecond=0)

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    @contextmanager
    def act(self, *, silent: bool = False) -> Iterator[Act]:
        """Do one thing under the lock; when it ends well, levels it changed and what it announced are told."""
        with self.lock:
            act = Act(self.now(), self.new_uuid(), silent)
            yield act
            if silent:
                return
            for level in act.touched.values():
                body = partial(bodies.level, level, self.zone)
                self.announce(act, "inventory_levels/update", body, [level.item.sku])
        if act.announcements:
            self.tell(act.announcements)

    def announce(
        self, act: Act, topic: str, body: Callable[[], dict[str, object]], skus: Iterable[str]
    ) -> None:
        """Keep an event for the subscribers of `topic`; the body is made now, and only if someone listens."""
        if not act.silent and any(s.topic == topic for s in self.subscriptions.values()):
            act.announcements.append(
                Announcement(topic, body(), act.event_id, act.at, frozenset(skus))
            )

    def shift(self, act: Act, level: Level | None, **deltas: int) -> None:
        """Change states of a level; nothing when there is no level or the item is not tracked."""
        if level is None or not level.item.tracked:
            return
        for name, delta in deltas.items():
            level.shift(name, delta, act.at)
        if deltas.get("available"):
            act.touched[level.gid] = level

    # -- creating -------------------------------------------------------------------------------------------------

    def add_location(
        self, act: Act, name: str, *, online: bool = True, fulfillment_service: bool = False
    ) -> Location:
        if any(place.name == name for place in self.locations.values()):
            raise Refused(f"there is a location named {name!r} already")
        number = self.ids.next("Location")
        place = Location(number, self.ids.next("InventoryLevel"), name, act.at, act.at)
        place.fulfills_online_orders = online
        place.fulfillment_service = fulfillment_service
        self.locations[number] = place
        self.locations_by_level_number[place.level_number] = place
        self.announce(act, "locations/create", lambda: bodies.location(place, self.zone), ())
        return place

    def add_product(
        self, act: Act, title: str, variants: list[NewVariant], *, status: str = "ACTIVE"
    ) -> Product:
        """A product with its variants and stock; stocked at the first location when no stock is given."""
        for new in variants:
            if new.sku in self.by_sku:
                raise Refused(f"SKU {new.sku!r} exists already")
        product = Product(self.ids.next("Product"), title, status, act.at, act.at)
        product.published_on = set(self.publications)
        for new in variants:
            self._add_variant(act, product, new)
        self.products[product.number] = product
        skus = [variant.sku for variant in product.variants]
        self.announce(act, "products/create", lambda: bodies.product(product, self.zone), skus)
        return product

    def _add_variant(self, act: Act, product: Product, new: NewVariant) -> None:
        item = Item(self.ids.next("InventoryItem"), new.tracked, act.at, act.at)
        variant = Variant(
            number=self.ids.next("ProductVariant"),
            product=product,
            item=item,
            sku=new.sku,
            title=new.title,
            policy=new.policy,
            price=new.price,
            created_at=act.at,
            updated_at=act.at,
            barcode=new.barcode,
            bundle=new.bundle,
        )
        item.variant = variant
        stock = {self.location(ref).number: units for ref, units in new.stock.items()}
        if not stock and self.locations:
            stock = {next(iter(self.locations)): 0}
        for number, units in stock.items():
            level = self.stock_at(act, item, self.locations[number])
            level.units["available"] = units
        self.items[item.number] = item
        self.variants[variant.number] = variant
        self.by_sku[new.sku] = variant
        product.variants.append(variant)

    def stock_at(self, act: Act, item: Item, place: Location) -> Level:
        """The item's level at a location, made (zero, active) when there is none."""
        if place.number not in item.levels:
            level = Level(item, place, act.at, act.at)
            level.stamped["available"] = act.at
            item.levels[place.number] = level
        return item.levels[place.number]

    # -- finding --------------------------------------------------------------------------------------------------

    def location(self, ref: str) -> Location:
        """By gid, number or name. Raises Unknown."""
        for place in self.locations.values():
            if ref in (place.gid, str(place.number), place.name):
                return place
        raise Unknown(f"no location {ref!r}")

    def variant(self, sku: str) -> Variant:
        """By SKU. Raises Unknown."""
        if sku not in self.by_sku:
            raise Unknown(f"no SKU {sku!r}")
        return self.by_sku[sku]

    def level(self, sku: str, ref: str) -> Level:
        """By SKU and location. Raises Unknown."""
        level = self.variant(sku).item.levels.get(self.location(ref).number)
        if level is None:
            raise Unknown(f"{sku!r} is not stocked at {ref!r}")
        return level

    def order(self, ref: str) -> Order:
        """By gid, number or name (`#1001`). Raises Unknown."""
        tail = ref.rsplit("/", 1)[-1]
        if tail.isdigit() and int(tail) in self.orders:
            return self.orders[int(tail)]
        for order in self.orders.values():
            if order.name == ref:
                return order
        raise Unknown(f"no order {ref!r}")
