"""A whole running house with two shops: one is sold in, the other must show it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import SecretStr
from sqlalchemy import text

from allocation import backlog, store
from allocation.document import read
from console.bench.hooks import Listing
from console.demo.shop import Shop
from console.local.errors import NotReady
from console.local.stack import Stack
from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows import mapping
from workers.settings import Settings
from workers.wiring import Wiring

#: Sold in by the measurement, and never written to; shows what is left.
SOLD, SHOWS = "web", "outlet"
PLACE: Final = "WH-MAIN"
#: So much that no number is divided and nothing sells out: what is measured is the way, not the rules.
_UNITS: Final = 10_000_000
_READY_S: Final = 120.0

_LISTED = text("""
    SELECT sku, split_part(variant_id, '/', 5)::bigint AS variant, split_part(product_id, '/', 5)::bigint AS product
    FROM binding WHERE channel = :channel ORDER BY sku
""")

_WAITS = text("""
    SELECT (SELECT count(*) FROM inbox WHERE state = 'pending') + (SELECT count(*) FROM due)
         + (SELECT count(*) FROM push_due d JOIN channel c USING (channel) WHERE c.writes)
""")

_TEMPLATE = text(
    "SELECT body FROM inbox WHERE source = :source AND topic = 'orders/create' LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class House:
    """A running stack, opened.

    template    a webhook of the shop that is sold in, as it came
    """

    stack: Stack
    wiring: Wiring
    shops: Mapping[str, Shop]
    listings: Sequence[Listing]
    template: dict[str, Any] = field(repr=False)

    def waits(self) -> int:
        """Rows that are still to be worked: deliveries, SKUs, numbers."""
        with transaction(self.wiring.engine) as connection:
            return int(connection.execute(_WAITS).scalar_one())

    def settle(self, limit_s: float, poll_s: float = 0.05) -> float | None:
        """Seconds until nothing waits; None when that does not happen in time."""
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < limit_s:
            if self.waits() == 0:
                return time.monotonic() - begun_s
            time.sleep(poll_s)
        return None


@contextmanager
def opened(settings: Settings, home: Path, *, skus: int, durable: bool) -> Iterator[House]:
    """Servers, relay, workers, beat and both shops, until every number is shown.

    home      of its own, empty
    raises    LocalError when something does not start
    """
    wished = settings.model_copy(
        update={
            "home": home,
            "database_url": "",
            "database_admin_url": "",
            "redis_url": "",
            "env": "bench-sync",
            "channels": (SOLD, SHOWS),
            "channel_secrets": SecretStr("{}"),
            "channel_secrets_file": None,
            "log_level": "INFO",
        }
    )
    with ExitStack() as ending:
        stack = ending.enter_context(Stack(wished, ephemeral=not durable))
        stack.up(simulators=(SOLD, SHOWS))
        wiring = ending.enter_context(closing(Wiring(stack.settings, pause=time.sleep)))
        shops = {
            name: ending.enter_context(closing(Shop(stack.simulators[name])))
            for name in (SOLD, SHOWS)
        }
        names = [f"SKU-{number:04}" for number in range(skus)]
        _open(stack, wiring, shops, names)
        with transaction(wiring.engine) as connection:
            found = connection.execute(_LISTED, {"channel": SOLD})
            listings = [Listing(row.sku, row.variant, row.product) for row in found]
            body = connection.execute(_TEMPLATE, {"source": SOLD}).scalar_one()
        yield House(stack, wiring, shops, listings, orjson.loads(bytes(body)))


def _open(stack: Stack, wiring: Wiring, shops: Mapping[str, Shop], names: Sequence[str]) -> None:
    now = datetime.now(UTC)
    rules = f"[locations.{PLACE}]\n"
    for name, shop in shops.items():
        shop.ask("limit", maximum=20_000, restore_rate=1_000)
        place = shop.ask("location", name=PLACE)["id"]
        stock = {PLACE: 1_000_000}
        shop.ask("products", products=[{"variants": [{"sku": s, "stock": stock}]} for s in names])
        rules += (
            f'[channels.{name}]\nkind = "shopify"\nbase_url = "{shop.played.base_url}"\n'
            f'account = "{shop.played.account}"\nlocations = ["{PLACE}"]\n'
            f'[channels.{name}.vendor_locations]\n"{place}" = "{PLACE}"\n'
        )
    with transaction(wiring.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(names, ""))
        store.apply_rules(connection, rules, read(rules), "bench", "measurement", now)
        backlog.allow_writes(connection, SHOWS)
        facts = [
            {
                "kind": "opening", "source": "wms", "id": f"opening:{sku}", "occurred_at": now.isoformat(),
                "sku": sku, "location": PLACE, "units": _UNITS,
            }
            for sku in names
        ]  # fmt: skip
        deliveries = [
            Delivery("wms", str(f["id"]), FACT_TOPIC, json.dumps(f).encode()) for f in facts
        ]
        inbox.keep(connection, deliveries, now=now)
    for name in shops:
        client = wiring.client(name)
        mapped = mapping.map_channel(
            wiring.engine, client, channel=name, now=now, dry_run=False, add_skus=False
        )
        if mapped.bound != len(names):
            raise AssertionError(
                f"{name}: {mapped.bound} of {len(names)} bound; {mapped.problems[:1]}"
            )
    uri = f"{stack.relay_url}/hooks/shopify"
    mapping.subscribe(wiring.engine, wiring.client(SOLD), channel=SOLD, uri=uri)
    shops[SOLD].order([(names[0], 1)])
    _until_template(wiring)


def _until_template(wiring: Wiring) -> None:
    """Wait until the shop has told of its order, and everything has settled."""
    ends_s = time.monotonic() + _READY_S
    while time.monotonic() < ends_s:
        with transaction(wiring.engine) as connection:
            told = connection.execute(_TEMPLATE, {"source": SOLD}).scalar_one_or_none()
            waits = connection.execute(_WAITS).scalar_one()
        if told is not None and not waits:
            return
        time.sleep(0.1)
    raise NotReady(f"not within {_READY_S:g} s: the first order is told and everything is shown")
