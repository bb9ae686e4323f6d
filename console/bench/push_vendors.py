"""The vendors of the push measurement: simulators on their real clocks, what they document, how their logs are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from channels.edi import envelope, reading
from channels.edi.documents import Availability
from channels.listings import Assortment
from channels.names import Part
from channels.simulators.amazon.control import Control as AmazonControl
from channels.simulators.amazon.models import operations
from channels.simulators.amazon.serving import start_amazon
from channels.simulators.clock import Clock
from channels.simulators.edi.control import Control as EdiControl
from channels.simulators.edi.serving import start_edi
from channels.simulators.events import Entry, EventLog
from channels.simulators.serve import start
from channels.simulators.shopify.control import Control as ShopifyControl
from channels.simulators.square.control import Control as SquareControl
from channels.simulators.square.serving import start_square
from channels.square.lane import ASSUMED
from console.bench.push_rates import Plan, Spent

PLACE = "WH-MAIN"
#: Rows of one call as the vendors document it: inventorySetQuantities, BatchChangeInventory; and from how many rows on
#: a feed is the fewest calls for Amazon.
_SHOPIFY_ROWS, _SQUARE_ROWS, _PATCHES = 250, 100, 300
#: Shopify's Standard plan, in points: https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
_STANDARD = Plan(2000, 100)
#: Amazon takes minutes over a feed and seconds over a patch; here each step takes this long.
_PACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call in a simulator's log.

    does       write: it carries numbers to be shown; part: a step of such a write; read: everything else
    refused    the vendor's limit did not let it in
    spent      what it took of a limit; None where nothing is limited
    """

    does: Literal["write", "part", "read"]
    refused: bool
    spent: Spent | None


@dataclass(frozen=True, slots=True)
class Vendor:
    """A simulated account with its listings.

    rules        of the channel, named like its kind
    secrets      by name, as LOCKSTEP_CHANNEL_SECRETS has them
    plans        what is documented, by the name of what is limited; empty where nothing is
    fewest       rows -> the fewest write calls that can carry them
    call         a line of the log as a call, None when it is none
    wrote        what a line of the log says was written: (SKU, units)
    shown        SKU -> units the account holds now
    assortment   the mapping file, for a vendor that has no catalogue to ask
    """

    kind: str
    rules: str
    secrets: Mapping[str, str] = field(repr=False)
    clock: Clock
    log: EventLog
    plans: Mapping[str, Plan]
    fewest: Callable[[int], int]
    call: Callable[[Entry], Call | None]
    wrote: Callable[[Entry], Sequence[tuple[str, int]]]
    shown: Callable[[], Mapping[str, int]]
    stop: Callable[[], None]
    assortment: Assortment | None = None


def shopify(skus: Sequence[str], seed: int, clock: Clock) -> Vendor:
    """A shop on the Standard plan."""
    running = start("shopify", seed=seed, clock=clock)
    simulator = running.simulator
    control = ShopifyControl(simulator)
    place = _id(control.location({"name": PLACE}))
    control.products({"products": [{"variants": [{"sku": sku}]} for sku in skus]})

    def call(entry: Entry) -> Call | None:
        if entry.kind != "api":
            return None
        said = entry.facts
        held = _number(said.get("requested", 0))
        cost = _number(said.get("actual", 0))
        refused = said.get("outcome") == "throttled"
        does = _does(said, "inventorySetQuantities")
        return Call(does, refused, Spent("", entry.at, held, cost))

    def wrote(entry: Entry) -> Sequence[tuple[str, int]]:
        if entry.kind != "stock" or "available" not in entry.facts:
            return ()
        return [(str(entry.facts["sku"]), int(_number(entry.facts["available"])))]

    def shown() -> Mapping[str, int]:
        with simulator.shop.lock:
            return {sku: simulator.shop.level(sku, PLACE).units["available"] for sku in skus}

    return Vendor(
        "shopify",
        _rules("shopify", running.facts.base_url, place),
        {"token": running.facts.token},
        clock,
        simulator.log,
        {"": _STANDARD},
        lambda rows: math.ceil(rows / _SHOPIFY_ROWS),
        call,
        wrote,
        shown,
        running.stop,
    )


def amazon(skus: Sequence[str], seed: int, clock: Clock) -> Vendor:
    """A seller who ships himself, every operation under the usage plan of its model; only waits are shortened."""
    running = start_amazon(seed=seed, clock=clock)
    simulator, facts = running.simulator, running.facts
    control = AmazonControl(simulator)
    control.pace({"apply_s": _PACE_S, "queue_s": _PACE_S, "work_s": _PACE_S})
    control.listings({"listings": [{"sku": sku, "units": 0} for sku in skus]})

    def call(entry: Entry) -> Call | None:
        if entry.kind != "api":
            return None
        said = entry.facts
        refused = said["status"] == 429
        cost = 0 if refused else 1
        spent = Spent(f"{said['api']}.{said['operation']}", entry.at, cost, cost)
        # Making a feed's document and making the feed are one write; asking what became of it is a read.
        if said["operation"] == "createFeedDocument":
            return Call("part", refused, spent)
        return Call(_does(said, "createFeed", "patchListingsItem"), refused, spent)

    def wrote(entry: Entry) -> Sequence[tuple[str, int]]:
        if entry.kind != "stock" or "merchant_units" not in entry.facts:
            return ()
        return [(str(entry.facts["sku"]), int(_number(entry.facts["merchant_units"])))]

    def shown() -> Mapping[str, int]:
        simulator.account.catch_up()
        with simulator.account.lock:
            return {sku: simulator.account.listing(sku).merchant_units or 0 for sku in skus}

    options = {
        "seller_id": facts.seller_id,
        "marketplace_id": facts.marketplace_id,
        "lwa_url": facts.lwa_url,
        "settle_s": str(2 * _PACE_S),
    }
    return Vendor(
        "amazon",
        _rules("amazon", facts.base_url, "DEFAULT", options),
        {
            "client_id": facts.client_id,
            "client_secret": facts.client_secret,
            "refresh_token": facts.refresh_token,
        },
        clock,
        simulator.log,
        {one.key: Plan(one.burst, one.rate_per_s) for one in operations()},
        lambda rows: rows if rows <= _PATCHES else 1,
        call,
        wrote,
        shown,
        running.stop,
    )


def square(skus: Sequence[str], seed: int, clock: Clock) -> Vendor:
    """A seller with a till, under the limit that we assume: Square publishes none."""
    running = start_square(seed=seed, clock=clock)
    simulator = running.simulator
    control = SquareControl(simulator)
    simulator.engine.limit(ASSUMED.restore_per_s, ASSUMED.maximum)
    place = _id(control.location({"name": PLACE}))
    items = [{"variations": [{"sku": sku, "stock": {PLACE: 0}}]} for sku in skus]
    control.items({"items": items})
    merchant = simulator.merchant

    def call(entry: Entry) -> Call | None:
        if entry.kind != "api":
            return None
        refused = entry.facts["status"] == 429
        cost = 0 if refused else 1
        does = _does(entry.facts, "BatchChangeInventory")
        return Call(does, refused, Spent("", entry.at, cost, cost))

    def wrote(entry: Entry) -> Sequence[tuple[str, int]]:
        if entry.kind != "stock" or not entry.facts.get("reference_id"):
            return ()
        return [(str(entry.facts["sku"]), int(_number(entry.facts["quantity"])))]

    def shown() -> Mapping[str, int]:
        with merchant.lock:
            by_sku = {
                one.sku: one.id for one in merchant.objects.values() if one.type == "ITEM_VARIATION"
            }
            return {sku: int(merchant.quantity(by_sku[sku], place)) for sku in skus}

    return Vendor(
        "square",
        _rules("square", running.facts.base_url, place),
        {"token": running.facts.token},
        clock,
        simulator.log,
        {"": Plan(ASSUMED.maximum, ASSUMED.restore_per_s)},
        lambda rows: math.ceil(rows / _SQUARE_ROWS),
        call,
        wrote,
        shown,
        running.stop,
    )


def edi(skus: Sequence[str], seed: int, clock: Clock) -> Vendor:
    """A wholesale partner that takes one 846 for all its items and limits nothing."""
    running = start_edi(seed=seed, clock=clock)
    facts, books = running.facts, running.simulator.partner.books
    control = EdiControl(running.simulator)
    control.items({"items": [{"sku": sku, "ids": {"SK": sku}} for sku in skus]})
    control.store({"code": "DC1"})

    def call(entry: Entry) -> Call | None:
        if entry.kind != "file" or entry.facts["direction"] != "received":
            return None
        return Call("write" if "846" in _words(entry.facts["sets"]) else "read", False, None)

    def wrote(entry: Entry) -> Sequence[tuple[str, int]]:
        if call(entry) is None:
            return ()
        data = next(one.data for one in books.received if one.name == entry.facts["name"])
        sets = [reading.read(one) for _, _, one in envelope.parse(data).transactions]
        lines = [line for one in sets if isinstance(one, Availability) for line in one.lines]
        return [(line.products[0].value, int(line.counts[0].quantity)) for line in lines]

    def shown() -> Mapping[str, int]:
        with running.simulator.partner.lock:
            return {one.sku: one.counts["33"] for one in books.shown.values()}

    options = {
        "our_id": f"{facts.our_qualifier}:{facts.our_id}",
        "partner_id": f"{facts.partner_qualifier}:{facts.partner_id}",
        "poll_s": "1",
    }
    return Vendor(
        "edi",
        _rules("edi", facts.base_url, "DC1", options),
        {},
        clock,
        running.simulator.log,
        {},
        lambda rows: 1,
        call,
        wrote,
        shown,
        running.stop,
        Assortment({sku: (Part(sku, 1),) for sku in skus}),
    )


#: (SKUs to list, seed, clock) -> a vendor, running.
Player: TypeAlias = Callable[[Sequence[str], int, Clock], Vendor]

#: By the kind of channel.
VENDORS: Final[Mapping[str, Player]] = {
    "shopify": shopify,
    "amazon": amazon,
    "square": square,
    "edi": edi,
}


def _rules(kind: str, url: str, place: str, options: Mapping[str, str] | None = None) -> str:
    said = "\n".join(f'{name} = "{value}"' for name, value in (options or {}).items())
    return f"""\
[locations.{PLACE}]
[channels.{kind}]
kind = "{kind}"
base_url = "{url}"
locations = ["{PLACE}"]
vendor_locations = {{ "{place}" = "{PLACE}" }}
[channels.{kind}.options]
{said}
"""


def _does(said: Mapping[str, object], *writes: str) -> Literal["write", "read"]:
    return "write" if said["operation"] in writes else "read"


def _id(made: object) -> str:
    assert isinstance(made, dict), made
    return str(made["id"])


def _number(said: object) -> float:
    assert isinstance(said, int | float | str), said
    return float(said)


def _words(said: object) -> list[str]:
    assert isinstance(said, list), said
    return [str(word) for word in said]
