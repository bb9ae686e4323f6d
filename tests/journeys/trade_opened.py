"""Opening the house of `trade`: four simulated vendors, their listings, rules, bindings, stock and notifications."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from channels import bindings
from channels.base import Binding
from channels.edi.exchange import FolderExchange
from channels.lane import Account
from channels.limits import Allowance, Bucket, Limiter, Limits
from channels.patient import Patient
from channels.registry import LANES
from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from channels.simulators.clock import Clock
from channels.simulators.edi.serving import start_edi
from channels.simulators.serve import Running, start
from channels.simulators.square.serving import SquareRunning, start_square
from channels.sparing import Sparing
from ledger.db import connect, transaction
from tests.builders import may_write
from tests.console.door import a_door
from tests.journeys.trade import AMAZON, GROCER, NEVER_S, SHOP, TILL, Trade, Vendor
from tests.servers import Database
from tests.workers.shelf import apply, list_skus
from workers.flows import reconcile
from workers.settings import Settings

RULES = """\
[locations.OSLO]
[exposure]
on = false
why = "numbers easy to follow: everybody shows what is there"
[channels.shop]
kind = "shopify"
base_url = "{shop}"
account = "{domain}"
locations = ["OSLO"]
show = "per_location"
vendor_locations = {{ "{oslo}" = "OSLO" }}
[channels.amazon]
kind = "amazon"
base_url = "{amazon}"
locations = ["OSLO"]
vendor_locations = {{ DEFAULT = "OSLO" }}
[channels.till]
kind = "square"
base_url = "{till}"
locations = ["OSLO"]
show = "per_location"
options = {{ notification_url = "{hook}" }}
vendor_locations = {{ "{counter}" = "OSLO" }}
[channels.grocer]
kind = "edi"
base_url = "{grocer}"
locations = ["OSLO"]
vendor_locations = {{ "0100" = "OSLO" }}
[channels.grocer.options]
our_id = "{ours}"
partner_id = "{theirs}"
version = "{version}"
promise = "available"
"""


@contextmanager
def a_trade(database: Database, units: Mapping[str, int]) -> Iterator[Trade]:
    """All SKUs at all four vendors, so many units of each, everything shown and acknowledged, notifications on.

    units    SKU -> units in stock
    """
    begin = datetime.now(UTC) - timedelta(hours=6)
    # A minute after a window began.
    begin = begin.replace(minute=1, second=0, microsecond=0)
    clock = Clock.held(begin)
    with ExitStack() as ending:
        shop = start("shopify", clock=clock, shop="four.example")
        amazon = start_amazon(clock=clock)
        till = start_square(clock=clock)
        grocer = start_edi(clock=clock, poll_s=NEVER_S)
        running = (shop, amazon, till, grocer)
        for one in running:
            ending.callback(one.stop)
        vendors = {
            SHOP: Vendor(SHOP, shop.facts.control_url, shop.facts.control_token),
            AMAZON: Vendor(AMAZON, amazon.facts.control_url, amazon.facts.control_token),
            TILL: Vendor(TILL, till.facts.control_url, till.facts.control_token),
            GROCER: Vendor(GROCER, grocer.facts.control_url, grocer.facts.control_token),
        }
        for vendor in vendors.values():
            ending.callback(vendor.session.close)
        engine = connect(database.app_url)
        ending.callback(engine.dispose)
        secrets = _secrets(shop, amazon, till)
        settings = Settings.model_validate({"channel_secrets": json.dumps(secrets)})
        door = ending.enter_context(a_door(settings, engine, database, channels_s=0))
        oslo, counter = _listed(vendors, units)
        made = Trade(
            database,
            clock,
            vendors,
            FolderExchange(grocer.simulator.root, quiet_s=0),
            running,
            reconcile.Terms.of(settings),
        )
        rules = _rules(made, oslo, counter, f"{door.url}/hooks/square")
        with transaction(database.engine) as connection:
            list_skus(connection, list(units))
            apply(connection, rules, clock.now())
        _connect(made, secrets)
        for vendor in vendors.values():
            for client in (vendor.client, vendor.reader):
                if close := getattr(client, "close", None):
                    ending.callback(close)
        _bind(made, units, oslo, counter)
        for sku, count in units.items():
            made.tell("opening", sku, count)
        made.pass_time(60, 15)
        for name, path in ((SHOP, "shopify"), (TILL, "square"), (AMAZON, "amazon")):
            url = f"{door.url}/hooks/{path}"
            lane = LANES[made.kind(name)]
            made.client(name).subscribe(sorted(lane.topics), url)
        vendors[AMAZON].do("pipe", url=f"{door.url}/hooks/amazon", wrapped=True)
        made.pass_time(60, 15)
        yield made


def _secrets(
    shop: Running, amazon: AmazonRunning, till: SquareRunning
) -> dict[str, dict[str, Any]]:
    return {
        SHOP: {"token": shop.facts.token, "webhook_secrets": [shop.facts.webhook_secret]},
        TILL: {"token": till.facts.token, "webhook_secrets": [till.facts.signature_key]},
        AMAZON: {
            "client_id": amazon.facts.client_id,
            "client_secret": amazon.facts.client_secret,
            "refresh_token": amazon.facts.refresh_token,
            "webhook_secrets": [amazon.facts.hook_secret],
        },
    }


def _rules(made: Trade, oslo: str, counter: str, hook: str) -> str:
    shop, amazon, till, grocer = made.running
    return RULES.format(
        shop=shop.facts.base_url,
        domain=shop.facts.shop,
        oslo=oslo,
        amazon=amazon.facts.base_url,
        till=till.facts.base_url,
        counter=counter,
        hook=hook,
        grocer=grocer.facts.base_url,
        ours=f"{grocer.facts.our_qualifier}:{grocer.facts.our_id}",
        theirs=f"{grocer.facts.partner_qualifier}:{grocer.facts.partner_id}",
        version=grocer.facts.version,
    )


def _listed(vendors: Mapping[str, Vendor], units: Mapping[str, int]) -> tuple[str, str]:
    """Everything on sale everywhere, nothing in stock; the shop's and the tills' ids of their place."""
    oslo = vendors[SHOP].do("location", name="Oslo")["id"]
    counter = vendors[TILL].do("location", name="Oslo")["id"]
    stock = [{"sku": sku, "stock": {"Oslo": 0}} for sku in units]
    vendors[SHOP].do("products", products=[{"variants": [one]} for one in stock])
    vendors[TILL].do("items", items=[{"variations": [one]} for one in stock])
    vendors[AMAZON].do("pace", apply_s=5, queue_s=20, work_s=40, orders_s=120)
    vendors[AMAZON].do("listings", listings=[{"sku": sku, "units": 0} for sku in units])
    vendors[GROCER].do("store", code="0100")
    vendors[GROCER].do("items", items=[{"sku": sku, "ids": {"SK": f"9-{sku}"}} for sku in units])
    return str(oslo), str(counter)


def _connect(made: Trade, secrets: Mapping[str, Mapping[str, Any]]) -> None:
    """Clients as the wiring makes them, with the buckets on the held clock."""
    begin = made.now()
    buckets: dict[tuple[str, str], Bucket] = {}

    def wait(seconds: float) -> None:
        made.clock.advance(seconds)

    def limits(name: str, around: Callable[[Limiter], Limiter]) -> Limits:
        def limit(what: str, allowed: Allowance) -> Limiter:
            bucket = buckets.setdefault(
                (name, what),
                Bucket(
                    None,
                    f"{name}:{what}",
                    maximum=allowed.maximum,
                    restore_rate=allowed.restore_per_s,
                    alone_share=1,
                    monotonic=lambda: (made.now() - begin).total_seconds(),
                ),
            )
            # Where a person waits for a vendor, the clock is moved.
            waited_for = what.endswith(("Subscription", "Destination", "Destinations"))
            return Patient(bucket, wait) if waited_for else around(bucket)

        return limit

    amazon = made.running[1]
    options = {
        AMAZON: {
            "seller_id": amazon.facts.seller_id,
            "marketplace_id": amazon.facts.marketplace_id,
            "lwa_url": amazon.facts.lwa_url,
            "sqs_arn": "arn:aws:sqs:us-east-1:444455556666:lockstep",
            "event_bridge": "us-east-1:444455556666",
        },
    }
    for name, vendor in made.vendors.items():
        ((address, said_in_rules),) = made.rows(
            "SELECT base_url, options FROM channel WHERE channel = :c", c=name
        )
        said = {k: v for k, v in secrets.get(name, {}).items() if isinstance(v, str)}
        account = Account(
            name,
            made.kind(name),
            address,
            said,
            said_in_rules | options.get(name, {}),
            memory=made.database.engine,
        )
        connect_to = LANES[made.kind(name)].connect
        vendor.client = connect_to(account, limits(name, _as_it_is), made.now)
        vendor.reader = connect_to(account, limits(name, Sparing), made.now)


def _as_it_is(limiter: Limiter) -> Limiter:
    return limiter


def _bind(made: Trade, units: Mapping[str, int], oslo: str, counter: str) -> None:
    """Every SKU at every vendor by its own name of it, and each channel certified."""
    found: list[Binding] = []
    for name, place in ((SHOP, oslo), (TILL, counter)):
        found += made.client(name).bindings({place: "OSLO"})
    for sku in units:
        found.append(Binding(AMAZON, sku, "OSLO", sku, "DEFAULT", sku))
        found.append(Binding(GROCER, sku, "OSLO", f"9-{sku}", "0100", f"9-{sku}"))
    with transaction(made.database.engine) as connection:
        bindings.bind(connection, found, now=made.now())
        may_write(connection)
