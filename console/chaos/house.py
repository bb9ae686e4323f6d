"""The house of a schedule: the real flows' connections, with everything around them in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

import orjson
from sqlalchemy import Engine, text

from allocation import backlog, store
from allocation.document import read
from channels import bindings
from channels.base import Channel
from channels.edi.mailbox import Exchange
from channels.http import answered_by
from channels.lane import Account as Named
from channels.lane import Lane as Vendor
from channels.limits import Allowance, Bucket, Limiter
from channels.packs import Packed
from channels.registry import LANES
from channels.simulators.clock import Clock
from console.chaos.account import Account
from console.chaos.broker import Broker
from console.chaos.casts import PLACES, Cast
from console.chaos.partner import Box
from console.chaos.stage import Stage
from console.chaos.types import CALM, Weather
from console.chaos.vendors import accounts
from console.chaos.wire import Later, Watch, Wire
from console.chaos.wired import InProcess
from ledger import catalogue, inbox
from ledger.context import Catalogue
from ledger.db import transaction
from ledger.inbox import Delivery
from workers.flows import ingest
from workers.flows.receive import receive
from workers.flows.reconcile_terms import Terms
from workers.settings import Settings

#: What the rules may say; a schedule begins with the first.
_TWISTS: Final = (
    "",
    'buffer = 1\nwhy = "a buffer"\n',
    'cap = 3\nwhy = "a cap"\n',
    'percent = 30\nwhy = "shared"\n',
    'weight = 2\nwhy = "weighed"\n',
)

_SEASON: Final = """
[[overrides]]
sku = "{sku}"
from = {begins}
cap = 1
why = "a season begins"
"""
_HALTED: Final = "SELECT sku FROM halt WHERE channel = :channel AND state = 'set'"


def rules(accounts: Mapping[str, Account], which: int, cast: Cast) -> str:
    """A rule file; `which` says how the units are divided."""
    parts = [f'timezone = "{cast.zone}"\n', "".join(f"[locations.{place}]\n" for place in PLACES)]
    if which == 0:
        parts.append('[exposure]\nper_day = 2000\nwhy = "a busy day"\n')
    for account in accounts.values():
        places = "".join(f'"{theirs}" = "{ours}"\n' for ours, theirs in account.places.items())
        options = "".join(f'{name} = "{value}"\n' for name, value in account.options.items())
        parts.append(
            f'[channels.{account.name}]\nkind = "{account.kind}"\nbase_url = "{account.base_url}"\n'
            f'account = "{account.name}"\nlocations = {list(account.places)!r}\nshow = "per_location"\n'
            f"{_TWISTS[which]}[channels.{account.name}.vendor_locations]\n{places}"
            f"[channels.{account.name}.options]\n{options}"
        )
    if cast.season:
        parts.append(_SEASON.format(sku=cast.skus[0], begins=cast.season))
    return "\n".join(parts)


@dataclass
class House:
    """Everything of one schedule.

    clock     what it is, as vendors and the warehouse see it;  ahead_s: seconds that the house's own is ahead
    dice      what all chance comes from
    cast      who plays
    weather   what goes wrong now; calm once the storm is over
    accepted  (channel, delivery id) of what the relay said yes to, how often;  letters: as they came
    later     deeds of the way and of vendors that are done at their moment: (moment, number, name, deed)
    overtaken   what a call changed at a vendor although a younger one had changed it before
    sold_halted   what a call of ours put on sale although its halt was confirmed when it was sent
    untold    channels of which a notification was lost on its way
    doubled   vendor -> when a call arrived twice, of which it counted both

    What a planted mistake takes the place of (`plants.py`): the drain's lanes, `keep` (a delivery into the inbox),
    `limit` (the bucket of an account), `met` (our client of one), `without` (tasks that are not done), `twisted` (the
    terms of windows), `taken` (a partner's file as it is taken),
    `afterwards` (is called after each task).
    """

    engine: Engine
    clock: Clock
    stage: Stage
    dice: Random
    cast: Cast
    weather: Weather = CALM
    ahead_s: float = 0.0
    clock_was_set: bool = False
    settings: Settings = field(default_factory=Settings.model_construct)
    accounts: dict[str, Account] = field(default_factory=dict)
    clients: dict[str, Channel] = field(default_factory=dict)
    boxes: dict[str, Exchange] = field(default_factory=dict)
    accepted: dict[tuple[str, str], int] = field(default_factory=dict)
    letters: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    later: list[tuple[datetime, int, str, Any]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    sold_halted: list[str] = field(default_factory=list)
    untold: set[str] = field(default_factory=set)
    doubled: defaultdict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    keep: Callable[..., object] = receive
    limit: Callable[[House, str, str, Allowance], Limiter] = field(default=lambda *of: bucket(*of))
    met: Callable[[Channel], Channel] = field(default=lambda client: client)
    without: frozenset[str] = frozenset()
    twisted: Callable[[Terms], Terms] = field(default=lambda terms: terms)
    taken: Callable[[bytes], bytes] = field(default=lambda body: body)
    afterwards: Callable[[House, str], None] = field(default=lambda house, task: None)

    def __post_init__(self) -> None:
        self.broker = Broker(
            self.clock.now, self.dice, lambda: self.weather, sweep_s=self.settings.sweep_s
        )
        self.drain = ingest.House(self.engine, LANES, Catalogue(), self.dice.randbytes)
        keys = Random(self.dice.getrandbits(64))
        self.wiring = InProcess(self, keys.random, lambda: keys.getrandbits(128))

    def now(self) -> datetime:
        """The house's clock as whoever asks sees it: somebody may have set it, and machines differ by seconds."""
        worker = self.stage.on
        skew_s = worker.ahead_s if worker is not None else 0.0
        return self.clock.now() + timedelta(seconds=self.ahead_s + skew_s)

    def note(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{(self.clock.now() - self.cast.begins).total_seconds():9.3f} {line}")

    def lane_of(self, channel: str) -> Vendor:
        """What the registry says of a channel's vendor."""
        return LANES[self.accounts[channel].kind]

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """The relay: a vendor's notification is kept, or refused, or lost on the way there or back."""
        channel = url.rpartition("/")[2]
        if self.dice.random() < self.weather.hook_lost:
            self.untold.add(channel)
            return 0, "lost"
        lower = {name.lower(): value for name, value in headers.items()}
        lane, account = self.lane_of(channel), self.accounts[channel]
        signed = lane.signed(lower)
        if not lane.verify(body, signed.signature, [account.webhook_secret], url):
            return 401, "forged"
        said = lane.routing(lower, body)
        self.keep(self.engine, channel, said.topic, said.delivery_id, lower, body, now=self.now())
        self.broker.ring("drain")
        self.letters.append((channel, lower, body))
        if self.dice.random() < self.weather.answer_of_hook_lost:
            return 0, "the answer is lost"
        key = (channel, said.delivery_id)
        self.accepted[key] = self.accepted.get(key, 0) + 1
        return 200, "OK"

    def tell(self, fact: Mapping[str, Any]) -> None:
        """A fact of the warehouse comes into the inbox."""
        said = {"source": "wms", "occurred_at": self.clock.now().isoformat()} | dict(fact)
        delivery = Delivery("wms", str(said["id"]), inbox.FACT_TOPIC, orjson.dumps(said))
        with transaction(self.engine) as connection:
            inbox.keep(connection, [delivery], now=self.now())
        self.accepted["wms", str(said["id"])] = 1
        self.broker.ring("drain")

    def rows(self, statement: str, **values: object) -> list[Any]:
        """What the database says."""
        with transaction(self.engine) as connection:
            return list(connection.execute(text(statement), values))

    def halted(self, channel: str) -> frozenset[str]:
        """SKUs whose halt at a channel is confirmed and stands."""
        with self.stage.aside():
            return frozenset(row.sku for row in self.rows(_HALTED, channel=channel))


def people(house: House, shown: Mapping[tuple[str, str, str], int], later: Later) -> ExitStack:
    """Set up the accounts and our clients of them; what is returned gives them back.

    shown    (channel, SKU, location) -> units the vendors show from the beginning
    """
    stack = ExitStack()
    house.accounts = accounts(house.cast, house.clock, house.post, shown)
    wires = {
        account.base_url: Wire(
            name,
            account.app,
            house.stage,
            house.clock,
            house.dice,
            later,
            lambda: house.weather,
            Watch(
                account.levels,
                # A till is set without being asked what it shows: there the read-back alone finds an older number.
                compares=account.kind == "shopify",
                halted=partial(house.halted, name),
                overtaken=house.overtaken.append,
                sold=house.sold_halted.append,
                asks=account.asks,
                doubled=house.doubled[name].append,
            ),
        )
        for name, account in house.accounts.items()
    }
    stack.enter_context(answered_by(wires))
    for name, account in house.accounts.items():
        named = Named(
            name,
            account.kind,
            account.base_url,
            account.secrets,
            account.options,
            memory=house.engine,
        )
        limits = partial(house.limit, house, name)
        if account.shelves is not None:
            house.boxes[name] = Box(
                name,
                account.shelves,
                house.stage,
                house.clock,
                house.dice,
                lambda: house.weather,
                house.taken,
            )
        client = account.made(LANES[account.kind].connect(named, limits, house.now))
        house.clients[name] = house.met(Packed(client))
    return stack


def bucket(house: House, name: str, what: str, allowance: Allowance) -> Limiter:
    """The bucket of an account, on the one clock."""
    maximum, rate = (
        house.cast.plan
        if house.accounts[name].kind == "shopify"
        else (
            allowance.maximum,
            allowance.restore_per_s,
        )
    )
    return Bucket(
        None,
        f"{name}:{what}",
        maximum=maximum,
        restore_rate=rate,
        alone_share=1.0,
        monotonic=lambda: house.clock.now().timestamp(),
    )


def found(house: House) -> None:
    """Put SKUs, rules, listings and stock into an empty database, and mark everything due."""
    at = house.now()
    document = rules(house.accounts, 0, house.cast)
    listed = [
        binding
        for name, account in house.accounts.items()
        for binding in account.listed
        or house.clients[name].bindings({theirs: ours for ours, theirs in account.places.items()})
    ]
    with transaction(house.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(house.cast.skus, ""))
        store.apply_rules(connection, document, read(document), "chaos", "a schedule", at)
        for name in house.accounts:
            backlog.allow_writes(connection, name)
        bindings.bind(connection, listed, now=at)
    for (sku, place), units in house.cast.opened.items():
        house.tell(
            {
                "kind": "opening",
                "id": f"{sku}@{place}",
                "sku": sku,
                "location": place,
                "units": units,
            }
        )


def subscribe(house: House) -> None:
    """Have every vendor call us."""
    for name, account in house.accounts.items():
        account.listen(house.lane_of(name).topics, account.hook)
