"""A whole house with a shop in front of it: real servers, real processes, the vendor's simulator over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from sqlalchemy import Engine, create_engine, text

from allocation import document, store
from channels.simulators.serve import Running, start
from console.local import layout, ports
from console.local.layout import LAPTOP, Worker
from console.local.stack import Stack, forget
from ledger import verify
from ledger.db import transaction
from tests.builders import may_write
from workers.flows import mapping
from workers.settings import Settings
from workers.wiring import Wiring

TOKEN = "journey"
WAREHOUSE = "WH"


@dataclass
class Shop:
    """A simulated shop that is a channel of the house.

    name    the channel's name
    """

    name: str
    running: Running
    session: requests.Session = field(default_factory=requests.Session)

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the shop's control plane."""
        answer = self.session.post(
            f"{self.running.facts.control_url}/{verb}",
            json=facts,
            headers={"Authorization": f"Bearer {self.running.facts.control_token}"},
            timeout=30,
        )
        assert answer.ok, (verb, answer.status_code, answer.text[:300])
        return answer.json()

    def shown(self) -> dict[str, int]:
        """Units on sale by SKU."""
        return {level["sku"]: int(level["available"]) for level in self.do("state")["levels"]}

    def order(self, sku: str, units: int) -> None:
        """A customer buys."""
        self.do("order", lines=[{"sku": sku, "units": units}])


@dataclass
class Estate:
    """The house and its shops.

    skus    all of them stand in every shop
    """

    stack: Stack
    shops: dict[str, Shop]
    skus: list[str]
    engine: Engine
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, facts: Sequence[Mapping[str, Any]]) -> int:
        """Canonical events to the relay; the status it answers with, 0 when it did not answer."""
        try:
            return self.session.post(
                f"{self.stack.relay_url}/events",
                json=facts,
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=30,
            ).status_code
        except requests.RequestException:
            return 0

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def one(self, statement: str, **values: object) -> Any:
        """The single value the database answers."""
        return self.rows(statement, **values)[0][0]

    def states(self) -> dict[str, int]:
        """How many deliveries are in which state."""
        return dict(self.rows("SELECT state, count(*) FROM inbox GROUP BY state"))

    def available(self) -> dict[str, int]:
        """Units free to sell by SKU, by the book."""
        rows = self.rows("SELECT sku, units FROM balance WHERE state = 'available'")
        return {sku: int(units) for sku, units in rows}

    def do(self, statement: str, **values: object) -> None:
        """Change something in the database."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def at_rest(self) -> bool:
        """Nothing waits anywhere."""
        return not self.one("""
            SELECT EXISTS (SELECT FROM inbox WHERE state IN ('pending', 'waiting'))
                OR EXISTS (SELECT FROM due) OR EXISTS (SELECT FROM push_due)
                OR EXISTS (SELECT FROM shown WHERE verify_at IS NOT NULL)
        """)

    def settles(self, limit_s: float = 40.0) -> None:
        """Wait until nothing waits, here or on its way from a shop, and every shop shows what it should."""
        wait_for(lambda: self.at_rest() and not self.wrong(), limit_s, self.trouble)

    def wrong(self) -> list[tuple[str, str, int, int | None]]:
        """(shop, SKU, target, shown) where they differ; also (shop, "", ...) while webhooks are on their way."""
        found: list[tuple[str, str, int, int | None]] = []
        for shop in self.shops.values():
            waiting = int(shop.do("state")["deliveries_waiting"])
            if waiting:
                found.append((shop.name, "", waiting, None))
            shown = shop.shown()
            targets = self.rows("SELECT sku, units FROM target WHERE channel = :c", c=shop.name)
            found += [
                (shop.name, sku, int(units), shown.get(sku))
                for sku, units in targets
                if shown.get(sku) != units
            ]
        return found

    def trouble(self) -> str:
        """Where it hangs, for a test that waited in vain."""
        said = [
            f"wrong: {self.wrong()}",
            f"inbox: {self.states()}",
            str(self.rows("SELECT sku, since FROM due LIMIT 5")),
            str(self.rows("SELECT channel, count(*), max(error) FROM push_due GROUP BY channel")),
            str(self.rows("SELECT channel, paused, next_call_at FROM channel")),
            str([(status.name, status.state) for status in self.stack.supervisor.status()]),
        ]
        for log in sorted((self.stack.home / "logs").glob("worker*.log")):
            said.append(f"== {log.name}\n{log.read_text()[-1500:]}")
        return "\n".join(said)

    def book_is_whole(self) -> bool:
        """Every balance follows from the postings, and nothing was booked twice."""
        proof = verify.verify(self.engine)
        assert proof.clean, proof.findings
        return True


def wait_for(done: Callable[[], bool], limit_s: float, why: Callable[[], str] = str) -> None:
    """Poll until `done`; fails with what `why` says."""
    until = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < until, f"not within {limit_s:g} s\n{why()}"
        time.sleep(0.1)


def receipt(sku: str, units: int, number: int) -> dict[str, Any]:
    """Goods that come in."""
    return _fact("receipt", f"receipt:{number}", sku, units)


def opening(sku: str, units: int) -> dict[str, Any]:
    """Stock to begin with."""
    return _fact("opening", f"opening:{sku}", sku, units)


def _fact(kind: str, name: str, sku: str, units: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "source": "wms",
        "id": name,
        "occurred_at": datetime.now(UTC).isoformat(),
        "sku": sku,
        "location": WAREHOUSE,
        "units": units,
    }


@contextmanager
def an_estate(
    *shop_names: str,
    skus: int = 20,
    units: int = 500,
    workers: Sequence[Worker] = LAPTOP,
    durable: bool = False,
    **wished: Any,
) -> Iterator[Estate]:
    """A house with these shops, every SKU in each of them showing `units`.

    durable    PostgreSQL keeps what it has said to keep through a kill -9 (fsync stays on); wants a `home`
    """
    names = [f"SKU-{number:03}" for number in range(skus)]
    with ExitStack() as ending:
        shops = {
            name: Shop(name, start(seed=n, shop=f"{name}.example"))
            for n, name in enumerate(shop_names)
        }
        for shop in shops.values():
            ending.callback(shop.running.stop)
            ending.callback(shop.session.close)
        secrets = {
            shop.name: {
                "token": shop.running.facts.token,
                "webhook_secrets": [shop.running.facts.webhook_secret],
            }
            for shop in shops.values()
        }
        settings = Settings.model_validate(
            {
                "channels": shop_names or ("none",),
                "channel_secrets": json.dumps(secrets),
                "relay_token": TOKEN,
                "relay_port": ports.free_port(),
                "sweep_s": 1.0,
            }
            | wished
        )
        if durable:
            ending.callback(forget, settings.home)
        stack = ending.enter_context(Stack(settings, ephemeral=not durable, workers=workers))
        stack.start_servers()
        stack.migrate()
        stack.supervisor.up(
            layout.relay(stack.settings),
            *(layout.worker(stack.settings, worker) for worker in workers),
            layout.beat(stack.settings),
        )
        engine = create_engine(stack.settings.database_url, pool_pre_ping=True)
        ending.callback(engine.dispose)
        estate = Estate(stack, shops, names, engine)
        ending.callback(estate.session.close)
        _furnish(estate, units)
        yield estate


def _furnish(estate: Estate, units: int) -> None:
    """Rules, listings, subscriptions, stock: and every shop shows it."""
    stock = {WAREHOUSE: 0}
    rules = [f"[locations.{WAREHOUSE}]"]
    # Both shops show all there is, so that what one sold is what the other lost.
    rules += ["[exposure]", "on = false", 'why = "numbers easy to follow"']
    for shop in estate.shops.values():
        place = shop.do("location", name=WAREHOUSE)["id"]
        shop.do(
            "products",
            products=[{"variants": [{"sku": sku, "stock": stock}]} for sku in estate.skus],
        )
        rules += [
            f"[channels.{shop.name}]",
            'kind = "shopify"',
            f'base_url = "{shop.running.facts.base_url}"',
            f'account = "{shop.running.facts.shop}"',
            f'locations = ["{WAREHOUSE}"]',
            'show = "pooled"',
            f'show_at = "{WAREHOUSE}"',
            f'vendor_locations = {{ "{place}" = "{WAREHOUSE}" }}',
        ]
    source, now = "\n".join(rules), datetime.now(UTC)
    with closing(Wiring(estate.stack.settings)) as wiring:
        with transaction(wiring.engine) as connection:
            store.apply_rules(connection, source, document.read(source), "ann", "journey", now)
            may_write(connection)
        for name in estate.shops:
            client, uri = wiring.client(name), f"{estate.stack.relay_url}/hooks/shopify"
            mapped = mapping.map_channel(
                wiring.engine, client, channel=name, now=now, dry_run=False, add_skus=True
            )
            assert (mapped.bound, mapped.problems) == (len(estate.skus), [])
            mapping.subscribe(wiring.engine, client, channel=name, uri=uri)
    assert estate.post([opening(sku, units) for sku in estate.skus]) == 200
    estate.settles()
