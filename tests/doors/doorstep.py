"""The real relay with a channel of every vendor behind it, a sender for each vendor, and the drain."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
from sqlalchemy import text

from allocation import document, store
from channels import bindings
from channels.base import Binding, Unreadable
from channels.registry import LANES
from ledger import catalogue
from ledger.db import connect, transaction
from tests.builders import a_house
from tests.console.door import Door, a_door, the_settings
from tests.servers import FIRST_NOW, Database
from workers.flows import edi_work
from workers.flows.ingest import drain

SECRET, URL = "hush-at-the-door", "https://relay.example/hooks/square"
CHANNELS = {"shopify": "shop", "amazon": "market", "square": "till"}
RULES = f"""\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
account = "one.example"
locations = ["WH"]
vendor_locations = {{ "gid://1" = "WH" }}
[channels.market]
kind = "amazon"
base_url = "https://market.example"
account = "A3TH9S8BH6GOGM"
locations = ["WH"]
vendor_locations = {{ "DEFAULT" = "WH" }}
[channels.till]
kind = "square"
base_url = "https://till.example"
account = "6SSW7HV8K2ST5"
locations = ["WH"]
vendor_locations = {{ "L1" = "WH" }}
options = {{ notification_url = "{URL}" }}
"""
STATES = {"applied", "parked", "rejected", "waiting"}


def _signature(body: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()


def headers_of(kind: str, topic: str, body: bytes, delivery_id: str) -> dict[str, str]:
    """What the vendor sends around a body, rightly signed."""
    said = {"Content-Type": "application/json"}
    if kind == "shopify":
        return said | {
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": delivery_id,
            "X-Shopify-Shop-Domain": "one.example",
            "X-Shopify-Hmac-Sha256": _signature(body),
        }
    if kind == "amazon":
        return said | {
            "X-Pipe-Signature": _signature(body),
            "X-Pipe-Source": "sqs",
            "X-Pipe-Message-Id": delivery_id,
        }
    return said | {"x-square-hmacsha256-signature": _signature(URL.encode() + body)}


@dataclass
class Doorstep:
    """The door as the vendors see it, and what became of what they left there."""

    door: Door
    database: Database
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def leave(
        self, kind: str, topic: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Deliver a body, rightly signed; `headers` replace the vendor's own."""
        said = headers_of(kind, topic, body, f"delivery-{next(self._numbers)}")
        said.update(headers or {})
        url = f"{self.door.url}/hooks/{kind}"
        return requests.post(url, data=body, headers=said, timeout=10)

    def know(self, kind: str, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Bind whatever these messages speak of, so that they can be booked."""
        lane, channel, ids = LANES[kind], CHANNELS[kind], set[str]()
        for topic, body in bodies:
            try:
                said = topic or lane.routing({}, body).topic
                ids |= lane.read(said, body).vendor_ids
            except Unreadable:
                continue
        bound = [
            Binding(channel, f"SKU {name}"[:100], "WH", name, f"at {name}", variant_id=name)
            for name in sorted(ids)
        ]
        with transaction(self.database.engine) as connection:
            catalogue.add_skus(connection, {each.sku: "" for each in bound})
            bindings.bind(connection, bound, now=FIRST_NOW)

    def drain(self) -> None:
        """Apply what is in the inbox; whatever calls itself an interchange goes another way."""
        house, now = a_house(self.database.engine), datetime.now(UTC)
        drain(house, now=now)
        edi_work.work(house, now=now)

    def became(self) -> list[tuple[str, str, str]]:
        """(topic, state, reason) of every delivery, and the inbox empty again."""
        with transaction(self.database.owner) as connection:
            rows = connection.execute(
                text("SELECT topic, state, coalesce(error, wait_for, '') FROM inbox ORDER BY id")
            ).all()
            connection.execute(text("DELETE FROM inbox"))
        return [(row[0], row[1], row[2]) for row in rows]


@contextmanager
def a_doorstep(database: Database) -> Iterator[Doorstep]:
    """A relay over this database with a channel of every vendor."""
    secret = {"token": "t", "webhook_secrets": [SECRET]}
    secrets = json.dumps(dict.fromkeys(CHANNELS.values(), secret))
    with transaction(database.engine) as connection:
        store.apply_rules(connection, RULES, document.read(RULES), "ann", "test", FIRST_NOW)
    engine = connect(database.app_url)
    settings = the_settings(channel_secrets=secrets, relay_body_bytes=1_000_000)
    with a_door(settings, engine, database) as door:
        yield Doorstep(door, database)
    engine.dispose()


def has_a_named_end(answer: requests.Response) -> str:
    """What is wrong with the door's answer: it keeps the body, or says in words why it does not."""
    if answer.status_code == 200:
        return "" if answer.json()["kept"] + answer.json()["repeated"] == 1 else answer.text
    if 400 <= answer.status_code < 500 and answer.json().get("error"):
        return ""
    return f"{answer.status_code}: {answer.text[:200]}"
