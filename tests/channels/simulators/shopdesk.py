"""A simulated shop with a held clock, and the few moves every test of it makes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from channels.simulators.clock import Clock
from channels.simulators.shopify import ShopifySimulator
from channels.simulators.shopify.control import Control
from channels.simulators.shopify.shop import NewVariant

HERE = Path(__file__).parent
START = datetime(2026, 7, 1, 14, 0, tzinfo=UTC)


def document(name: str) -> str:
    """A canonical document of `documents/`."""
    return (HERE / "documents" / f"{name}.graphql").read_text()


class Desk:
    """A shop with the locations Main and Second and SKU-1 .. SKU-3, ten of each at Main, SKU-3 untracked."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock.held(START)
        self.simulator = ShopifySimulator(self.clock, **options)
        self.shop = self.simulator.shop
        self.control = Control(self.simulator)
        self._keys = itertools.count(1)
        self.do("location", name="Main")
        self.do("location", name="Second")
        for number in (1, 2, 3):
            self.stock(f"SKU-{number}", tracked=number != 3, Main=10)

    def stock(
        self,
        sku: str,
        at: dict[str, int] | None = None,
        *,
        tracked: bool = True,
        policy: str = "DENY",
        bundle: bool = False,
        **places: int,
    ) -> None:
        """A new SKU with available units at the named locations, as a dict or by keyword."""
        with self.shop.act() as act:
            new = NewVariant(sku, {**(at or {}), **places}, tracked, policy, bundle=bundle)
            self.shop.add_product(act, f"Product {sku}", [new])

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane, in-process."""
        return self.control.verbs()[verb](facts)

    def call(self, name: str, **variables: Any) -> dict[str, Any]:
        """A canonical document by name, or any document that has a brace in it."""
        text = name if "{" in name else document(name)
        return self.simulator.call(text, variables, wait=lambda seconds: None)

    def item(self, sku: str) -> str:
        return self.shop.variant(sku).item.gid

    def place(self, name: str = "Main") -> str:
        return self.shop.location(name).gid

    def level(self, sku: str, name: str = "Main") -> str:
        return self.shop.level(sku, name).gid

    def row(
        self, sku: str, units: int, expected: int | None = None, place: str = "Main"
    ) -> dict[str, Any]:
        """A row of inventorySetQuantities."""
        return {
            "inventoryItemId": self.item(sku),
            "locationId": self.place(place),
            "quantity": units,
            "changeFromQuantity": expected,
        }

    def set(self, *rows: dict[str, Any], key: str | None = None, **input: Any) -> dict[str, Any]:
        """inventorySetQuantities of available, with a fresh key unless one is given."""
        chosen = {"name": "available", "reason": "correction", "quantities": list(rows), **input}
        return self.call("set", input=chosen, key=key or f"key-{next(self._keys)}")

    def adjust(self, *changes: dict[str, Any], **input: Any) -> dict[str, Any]:
        chosen = {"name": "available", "reason": "correction", "changes": list(changes), **input}
        return self.call("adjust", input=chosen, key=f"key-{next(self._keys)}")

    def move(self, *changes: dict[str, Any]) -> dict[str, Any]:
        chosen = {
            "reason": "correction",
            "referenceDocumentUri": "doc://move/1",
            "changes": list(changes),
        }
        return self.call("move", input=chosen, key=f"key-{next(self._keys)}")

    def units(self, sku: str, place: str = "Main") -> tuple[int, int, int]:
        """Available, committed, on hand, as the API reads them."""
        answer = self.call("readback_nodes", ids=[self.level(sku, place)])
        named = {q["name"]: q["quantity"] for q in answer["data"]["nodes"][0]["quantities"]}
        return named["available"], named["committed"], named["on_hand"]

    def close(self) -> None:
        self.simulator.stop()


def user_errors(answer: dict[str, Any]) -> list[tuple[str | None, list[str] | None]]:
    """(code, field) of each user error of the one mutation in an answer."""
    (payload,) = answer["data"].values()
    return [(e.get("code"), e["field"]) for e in payload["userErrors"]]


@dataclass
class Mailbox:
    """An HTTP endpoint that keeps what it is sent and answers `status` (the next of `statuses` first)."""

    status: int = 200
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def topics(self) -> list[str]:
        return [headers["x-shopify-topic"] for headers, _ in self.received]

    def wait_for(self, count: int, timeout_s: float = 5.0) -> None:
        """Until `count` deliveries came; fails the test when they do not."""
        with self.arrived:
            came = self.arrived.wait_for(lambda: len(self.received) >= count, timeout_s)
        assert came, f"{len(self.received)} of {count} deliveries came: {self.topics()}"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox on a free port of this machine."""
    box = Mailbox()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with box.arrived:
                box.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = box.statuses.pop(0) if box.statuses else box.status
                box.arrived.notify_all()
            self.send_response(status)
            self.send_header("content-length", "0")
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    box.url = f"http://127.0.0.1:{server.server_port}/webhooks"
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
