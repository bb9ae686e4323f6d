"""The house that faults are done to: real servers and processes, two played shops, a bad network in between.

Workers and beat reach PostgreSQL, Valkey and both shops through a fault proxy each; the relay and who judges go there
directly. Both shops show all there is of every SKU, so each sale and each receipt must reach both of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from pydantic import SecretStr
from sqlalchemy import text

from allocation import backlog, store
from allocation.document import read
from console.demo.shop import Shop
from console.faults.proxy import Proxy
from console.faults.releases import Ran
from console.local import layout, ports
from console.local.errors import NotReady
from console.local.layout import LAPTOP, Played
from console.local.stack import Stack, forget
from console.local.supervisor import Service
from ledger import catalogue
from ledger.db import transaction
from ledger.migrate import upgrade
from workers.flows import mapping
from workers.settings import Settings
from workers.wiring import Wiring

SHOPS: Final = ("web", "outlet")
PLACE: Final = "WH"
OPENING_UNITS: Final = 50_000
#: Windows come often, so that what only they find is found within the time that is stated.
WINDOW_S: Final = 10
_READY_S: Final = 120.0
_TIMEOUT_S: Final = (3.0, 10.0)

_WAITS: Final = """
    SELECT (SELECT count(*) FROM inbox WHERE state IN ('pending', 'waiting')) + (SELECT count(*) FROM due)
         + (SELECT count(*) FROM push_due)
"""
_TARGETS: Final = "SELECT channel, sku, units FROM target ORDER BY 1, 2"
_BALANCES: Final = "SELECT sku, state, units FROM balance WHERE location = :place"


@dataclass(frozen=True)
class House:
    """A running house, opened.

    told       what workers and beat were told: every address leads through a proxy
    proxies    by what is behind: `postgres`, `valkey` and the shops' names
    skus       stand in both shops
    """

    stack: Stack
    told: Settings
    wiring: Wiring
    proxies: Mapping[str, Proxy]
    shops: Mapping[str, Shop]
    skus: Sequence[str]
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def workers(self) -> tuple[str, ...]:
        """Names of the two workers as services."""
        return tuple(worker.name for worker in LAPTOP)

    def now(self) -> datetime:
        """The clock of this machine."""
        return datetime.now(UTC)

    def rows(self, sql: str, **values: object) -> list[Any]:
        """What the database says, asked directly."""
        with transaction(self.wiring.engine) as connection:
            return list(connection.execute(text(sql), values))

    def one(self, sql: str, **values: object) -> Any:
        """The first value of the first row."""
        return self.rows(sql, **values)[0][0]

    def post(self, facts: Sequence[Mapping[str, object]], port: int = 0) -> int:
        """POST /events at the relay (another one by its port); the status, 0 when nothing was answered."""
        settings = self.stack.settings
        url = f"http://{settings.relay_host}:{port or settings.relay_port}/events"
        token = settings.relay_token.get_secret_value()
        try:
            return self.session.post(
                url,
                json=list(facts),
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT_S,
            ).status_code
        except requests.RequestException:
            return 0

    def book(self) -> dict[tuple[str, str], int]:
        """Units by SKU and state (`available`, `committed`), where there are any."""
        rows = self.rows(_BALANCES, place=PLACE)
        return {(sku, state): int(units) for sku, state, units in rows if units}

    def waits(self) -> int:
        """Rows that are still to be worked: deliveries, SKUs, numbers."""
        return int(self.one(_WAITS))

    def wrong(self) -> list[str]:
        """Every SKU of which a shop shows another number than its target."""
        shown = {
            (name, level["sku"]): int(level["available"])
            for name, shop in self.shops.items()
            for level in shop.ask("state")["levels"]
        }
        return [
            f"{row.channel} {row.sku} shows {shown.get((row.channel, row.sku))}, should {row.units}"
            for row in self.rows(_TARGETS)
            if shown.get((row.channel, row.sku)) != row.units
        ]


@contextmanager
def opened(
    settings: Settings,
    home: Path,
    *,
    skus: int = 8,
    seed: int = 0,
    schema: str = "head",
    ran: Ran = lambda service: service,
) -> Iterator[House]:
    """Servers, relay, workers, beat and both shops, until every number is shown; all of it is gone afterwards.

    home       of its own, empty
    schema     its version
    ran        how relay, workers and beat are run, where that is by another release
    raises     LocalError when something does not start
    """
    with ExitStack() as ending:
        # What stands elsewhere (see `place`) goes too.
        ending.callback(forget, home)
        stack = ending.enter_context(Stack(_wished(settings, home)))
        stack.start_servers(SHOPS)
        upgrade(stack.admin_url, to=schema)
        servers = {
            "postgres": stack.settings.database_url,
            "valkey": stack.settings.redis_url,
            **{name: played.base_url for name, played in stack.simulators.items()},
        }
        proxies = {}
        for number, (name, url) in enumerate(servers.items()):
            parts = urlsplit(url)
            proxies[name] = Proxy(
                parts.hostname or ports.LOOPBACK, parts.port or 0, seed=seed + number
            )
            ending.callback(proxies[name].close)
        told = stack.settings.model_copy(
            update={
                "database_url": through(servers["postgres"], proxies["postgres"]),
                "redis_url": through(servers["valkey"], proxies["valkey"]),
            }
        )
        stack.supervisor.up(
            *map(ran, (layout.relay(stack.settings), *hands(told))),
        )
        wiring = ending.enter_context(closing(Wiring(stack.settings, pause=time.sleep)))
        shops = {
            name: ending.enter_context(closing(Shop(played)))
            for name, played in stack.simulators.items()
        }
        names = [f"SKU-{number:02}" for number in range(skus)]
        house = House(stack, told, wiring, proxies, shops, names)
        ending.callback(house.session.close)
        _furnish(house)
        yield house


def hands(told: Settings) -> list[Service]:
    """Both workers and beat."""
    return [*(layout.worker(told, worker) for worker in LAPTOP), layout.beat(told)]


def through(url: str, proxy: Proxy) -> str:
    """The same address behind a proxy."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{ports.LOOPBACK}:{proxy.port}"))


def _wished(settings: Settings, home: Path) -> Settings:
    return settings.model_copy(
        update={
            "home": home,
            "database_url": "",
            "database_admin_url": "",
            "redis_url": "",
            "broker_url": "",
            "env": "faults",
            "channels": SHOPS,
            "channel_secrets": SecretStr("{}"),
            "channel_secrets_file": None,
            "relay_port": ports.free_port(),
            "relay_token": SecretStr("faults"),
            "log_level": "INFO",
            "sweep_s": 1.0,
            "reconcile_s": WINDOW_S,
            "push_lease_s": 10.0,
        }
    )


def _furnish(house: House) -> None:
    """Rules, listings, subscriptions, stock, until both shops show it."""
    now = datetime.now(UTC)
    # Both shops show all there is: numbers are easy to follow, and every change concerns both.
    rules = f'[locations.{PLACE}]\n[exposure]\non = false\nwhy = "numbers easy to follow"\n'
    for name, shop in house.shops.items():
        shop.ask("limit", maximum=20_000, restore_rate=1_000)
        place = shop.ask("location", name=PLACE)["id"]
        listed = [{"variants": [{"sku": sku, "stock": {PLACE: 0}}]} for sku in house.skus]
        shop.ask("products", products=listed)
        rules += _rules_of(name, shop.played, house.proxies[name], place)
    with transaction(house.wiring.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(house.skus, ""))
        store.apply_rules(connection, rules, read(rules), "faults", "battery", now)
        for name in house.shops:
            backlog.allow_writes(connection, name)
    for name in house.shops:
        client = house.wiring.client(name)
        mapping.map_channel(
            house.wiring.engine, client, channel=name, now=now, dry_run=False, add_skus=False
        )
        uri = f"{house.stack.relay_url}/hooks/shopify"
        mapping.subscribe(house.wiring.engine, client, channel=name, uri=uri)
    facts = [fact("opening", f"opening:{sku}", sku, OPENING_UNITS) for sku in house.skus]
    if house.post(facts) != 200:
        raise NotReady("the relay did not take the opening stock")
    ends_s = time.monotonic() + _READY_S
    while house.waits() or house.wrong():
        if time.monotonic() > ends_s:
            raise NotReady(f"not shown within {_READY_S:g} s: {house.wrong()[:3]}")
        time.sleep(0.2)


def _rules_of(name: str, played: Played, proxy: Proxy, place: str) -> str:
    return (
        f'[channels.{name}]\nkind = "shopify"\nbase_url = "{through(played.base_url, proxy)}"\n'
        f'account = "{played.account}"\nlocations = ["{PLACE}"]\nshow = "pooled"\nshow_at = "{PLACE}"\n'
        f'vendor_locations = {{ "{place}" = "{PLACE}" }}\n'
    )


def fact(kind: str, name: str, sku: str, units: int, **more: object) -> dict[str, object]:
    """A canonical fact of the warehouse, happening now."""
    happened = datetime.now(UTC).isoformat()
    return {
        "kind": kind, "source": "wms", "id": name, "occurred_at": happened, "sku": sku, "location": PLACE,
        "units": units, **more,
    }  # fmt: skip
