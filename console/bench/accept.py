"""The relay's door measured: signed webhooks accepted a second, the drain of what was accepted, an import of history.

Producers post as fast as they are answered, each over one connection that it keeps. The floor is the least that a
door for webhooks can be: the same web server, the signature checked, one INSERT committed for each, nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import SecretStr
from sqlalchemy import Engine, text

import console
from allocation import store
from allocation.document import read
from channels import bindings
from channels.base import Binding
from channels.registry import LANES
from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.shopify.control import Control
from channels.simulators.shopify.simulator import ShopifySimulator
from console.bench.hooks import Listing, hooks, post_all
from console.local.layout import relay
from console.local.ports import LOOPBACK, free_port
from console.local.probes import http_answers
from console.local.supervisor import Service, Supervisor
from ledger.context import Catalogue
from ledger.db import connect, transaction
from workers.flows.history import import_history
from workers.flows.ingest import House, drain
from workers.settings import Settings
from workers.wiring import now

PRODUCERS: Final = (1, 4, 16)
SHOP, PLACE = "shop", "WH-MAIN"
#: Ours against the least a door can be, at the most producers.
GOAL_RATIO_TO_DOOR: Final = 0.8
_DOMAIN: Final = "bench.myshopify.com"
_SECRET: Final = "bench-webhook-secret"
_MONTH: Final = Path(console.__file__).parent / "scenarios" / "may-2011"
_RULES: Final = f"""
[locations.{PLACE}]
[channels.{SHOP}]
kind = "shopify"
base_url = "https://{_DOMAIN}"
account = "{_DOMAIN}"
locations = ["{PLACE}"]
[channels.{SHOP}.vendor_locations]
"gid://shopify/Location/1" = "{PLACE}"
"""
_APPLIED = text("SELECT count(*) FROM inbox WHERE source = :shop AND state = 'applied'")


def measure(
    settings: Settings,
    skus: Sequence[str],
    logs: Path,
    *,
    requests: int,
    producers: Sequence[int] = PRODUCERS,
) -> dict[str, Any]:
    """Accepted a second by producers, uniform and one hot SKU; the floor beside it; then the drain of all of it.

    settings    naming an empty house that knows the SKUs, and a Redis
    logs        where the doors write
    requests    of each go
    """
    engine = connect(settings.database_url)
    listings = _open(engine, skus)
    template = _template()
    result: dict[str, Any] = {"requests": requests, "accepted_per_s": {}, "door_floor_per_s": {}}
    first = 1_000_000
    with _doors(settings, logs) as (port, floor_port):
        for count in producers:
            # Side by side, as everywhere: what the machine does to one it does to the next.
            for name, to, of in (
                ("floor", floor_port, listings),
                ("uniform", port, listings),
                ("hot", port, listings[:1]),
            ):
                rate = _go(to, template, of, first, requests, count)
                first += requests
                said = result["door_floor_per_s" if name == "floor" else "accepted_per_s"]
                said[f"{count}" if name == "floor" else f"{count} {name}"] = round(rate)
    result["drained_per_s"] = round(_drained(engine, 2 * requests * len(producers)))
    most = max(producers)
    ours, floor = result["accepted_per_s"][f"{most} uniform"], result["door_floor_per_s"][f"{most}"]
    result["ratio_to_door_floor"] = round(ours / max(1, floor), 2)
    engine.dispose()
    return result


def imported(url: str) -> dict[str, Any]:
    """A month of history through inbox and drain; url: of an empty house."""
    engine = connect(url)
    house = House(engine, LANES, Catalogue(), os.urandom)
    done = import_history(
        house,
        name="may-2011",
        events=_MONTH.with_suffix(".events.csv.gz"),
        opening=_MONTH.with_suffix(".balances.csv.gz"),
        tie_out=_MONTH.with_suffix(".balances.csv.gz"),
        seed=None,
        zone=UTC,
        clock=now,
    )
    engine.dispose()
    if done.differences:
        raise AssertionError(f"{done.differences} balances differ after the import")
    return {"history_events": done.events, "history_per_s": round(done.events_per_s)}


def _open(engine: Engine, skus: Sequence[str]) -> list[Listing]:
    """The channel, and its listings bound."""
    at = now()
    listings = [Listing(sku, 10_000 + n, 900_000 + n) for n, sku in enumerate(skus)]
    with transaction(engine) as connection:
        store.apply_rules(connection, _RULES, read(_RULES), "bench", "measurement", at)
        found = [
            Binding(
                SHOP,
                one.sku,
                PLACE,
                f"gid://shopify/InventoryItem/{one.variant}",
                "gid://shopify/Location/1",
                variant_id=f"gid://shopify/ProductVariant/{one.variant}",
                product_id=f"gid://shopify/Product/{one.product}",
            )
            for one in listings
        ]
        bindings.bind(connection, found, now=at)
    return listings


def _template() -> dict[str, Any]:
    """What a shop tells of an order of one unit, from the simulated vendor."""
    told: list[bytes] = []

    def take(_url: str, _headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        told.append(body)
        return 200, "OK"

    clock = Clock.held(datetime.now(UTC))
    simulator = ShopifySimulator(clock, domain=_DOMAIN, agenda=Agenda(clock, threads=0), post=take)
    control = Control(simulator)
    control.location({"name": PLACE})
    control.product({"variants": [{"sku": "A", "stock": {PLACE: 5}}]})
    simulator.call(
        """mutation { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription:
           {uri: "https://relay.invalid/", format: JSON}) { userErrors { message } } }"""
    )
    control.order({"lines": [{"sku": "A", "units": 1}]})
    while simulator.agenda.do_one():
        pass
    template: dict[str, Any] = orjson.loads(told[0])
    return template


@contextmanager
def _doors(settings: Settings, logs: Path) -> Iterator[tuple[int, int]]:
    """The relay and the least door, each a process of its own: (port, port)."""
    port, floor_port = free_port(), free_port()
    secrets = {SHOP: {"token": "bench", "webhook_secrets": [_SECRET]}}
    told = settings.model_copy(
        update={
            "relay_port": port,
            "channels": (SHOP,),
            "channel_secrets": SecretStr(json.dumps(secrets)),
            "channel_secrets_file": None,
            "log_level": "WARNING",
        }
    )
    ours = relay(told)
    command = (sys.executable, "-m", "console.bench.least_door", str(floor_port), _SECRET)
    floor = Service(
        "least-door",
        command,
        env=ours.env,
        cwd=ours.cwd,
        ready=http_answers(f"http://{LOOPBACK}:{floor_port}/healthz"),
    )
    supervisor = Supervisor(logs)
    try:
        supervisor.up(ours, floor)
        yield port, floor_port
    finally:
        supervisor.close()


def _go(
    port: int,
    template: Mapping[str, Any],
    listings: Sequence[Listing],
    first: int,
    requests: int,
    producers: int,
) -> float:
    """Accepted a second. Raises AssertionError when one was refused: then there is nothing to measure."""
    posts = hooks(template, listings, [0.0] * requests, first=first, secret=_SECRET, shop=_DOMAIN)
    begun = time.time()
    heard = asyncio.run(post_all(port, posts, connections=producers))
    refused = [one.status for one in heard if one.status != 200]
    if refused:
        raise AssertionError(f"{len(refused)} of {requests} webhooks refused, first {refused[0]}")
    return requests / (max(one.at for one in heard) - begun)


def _drained(engine: Engine, expected: int) -> float:
    """Webhooks a second from the inbox into the book."""
    house = House(engine, LANES, Catalogue(), os.urandom)
    begun_s = time.perf_counter()
    drain(house, now=now())
    took_s = time.perf_counter() - begun_s
    with transaction(engine) as connection:
        applied = connection.execute(_APPLIED, {"shop": SHOP}).scalar_one()
    if applied != expected:
        raise AssertionError(f"{applied} of {expected} accepted webhooks are in the book")
    return expected / took_s
