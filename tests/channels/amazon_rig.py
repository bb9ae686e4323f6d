"""Amazon's simulator over HTTP, our client of it, and the hands of the merchant and the buyers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import requests

from channels.amazon.client import Amazon
from channels.amazon.lane import connect
from channels.base import Binding, Level, Outcome
from channels.lane import Account
from channels.limits import Allowance, Bucket, Limiter
from channels.patient import Patient
from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from channels.simulators.clock import Clock

CHANNEL = "amazon-us"
LOCATIONS = {"DEFAULT": "OSLO", "FBA": "FBA-US"}
QUEUE = "arn:aws:sqs:us-east-1:444455556666:lockstep"
BUS = "us-east-1:444455556666"


class AmazonRig:
    """One seller's account, listings SKU-A to SKU-C shipped by the seller; see `contract.Rig`."""

    def __init__(self, running: AmazonRunning, *, apply_s: float = 0.0) -> None:
        self.running = running
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {running.facts.control_token}"
        self._monotonic_s = 0.0
        self.buckets: dict[str, Bucket] = {}
        self.do("reset")
        self.do("pipe", url=None)
        self.do("pace", apply_s=apply_s, queue_s=20, work_s=40, orders_s=120)
        self.listed({"SKU-A": 10, "SKU-B": 10, "SKU-C": 10})
        self.channel = self.client()

    def listed(self, units: Mapping[str, int]) -> None:
        """Listings that the seller ships, two days' handling time each."""
        self.do(
            "listings",
            listings=[{"sku": s, "units": n, "handling_days": 2} for s, n in units.items()],
        )

    def bucket(self, operation: str, allowed: Allowance) -> Limiter:
        """The operation's bucket; where a person waits for it, the rig's clock is moved."""
        bucket = self.unwaited(operation, allowed)
        waited_for = operation.endswith(("Subscription", "Destination", "Destinations"))
        return Patient(bucket, self.advance) if waited_for else bucket

    def unwaited(self, operation: str, allowed: Allowance) -> Limiter:
        """The operation's bucket, on the clock that this rig holds."""
        return self.buckets.setdefault(
            operation,
            Bucket(
                None,
                operation,
                maximum=allowed.maximum,
                restore_rate=allowed.restore_per_s,
                alone_share=1,
                monotonic=lambda: self._monotonic_s,
            ),
        )

    def account(self, **changed: str) -> Account:
        """The account as the table and the secrets have it, some of its secrets or options changed."""
        facts = self.running.facts
        secrets = {
            "client_id": facts.client_id,
            "client_secret": facts.client_secret,
            "refresh_token": facts.refresh_token,
        }
        options = {
            "seller_id": facts.seller_id,
            "marketplace_id": facts.marketplace_id,
            "lwa_url": facts.lwa_url,
            "sqs_arn": QUEUE,
            "event_bridge": BUS,
            "notification_url": "",
        }
        return Account(
            CHANNEL,
            "amazon",
            facts.base_url,
            {name: changed.get(name, value) for name, value in secrets.items()},
            {name: changed.get(name, value) for name, value in options.items()},
        )

    def client(self, **changed: str) -> Amazon:
        """A client of ours with its own tokens and the rig's buckets."""
        return connect(self.account(**changed), self.bucket, self.now, read_s=1.0)

    def close(self) -> None:
        """Give the connections back."""
        self.channel.close()
        self._session.close()

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane."""
        answer = self._session.post(
            f"{self.running.facts.control_url}/{verb}", json=facts, timeout=10
        )
        assert answer.ok, answer.text
        return answer.json()

    def called(self, operation: str) -> list[dict[str, Any]]:
        """The calls of an operation so far, as Amazon's log has them."""
        events = self.do("events", kind="api", limit=100_000)["events"]
        return [event for event in events if event["operation"] == operation]

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers with which the merchant's pipe posts a body."""
        secret = self.running.facts.hook_secret.encode()
        digest = hmac.new(secret, body, hashlib.sha256).digest()
        return {"X-Pipe-Signature": base64.b64encode(digest).decode(), "X-Pipe-Source": "sqs"}

    # ---- contract.Rig ----

    def stranger(self) -> Amazon:
        return self.client(refresh_token="Atzr|nobody")

    def bindings(self) -> dict[str, Binding]:
        return {binding.sku: binding for binding in self.channel.bindings(LOCATIONS)}

    def unknown(self, binding: Binding) -> Binding:
        return replace(binding, item_id="NO-SUCH-SKU", variant_id="NO-SUCH-SKU")

    def listing(self, sku: str) -> dict[str, Any]:
        """A listing as Amazon truly holds it."""
        (found,) = self.do("state", sku=sku)["listings"]
        listing: dict[str, Any] = found
        return listing

    def shown(self, sku: str) -> int:
        return int(self.listing(sku)["units"])

    def sellable(self, sku: str) -> bool:
        placed = self.do("orders", orders=[{"lines": [{"sku": sku, "units": 1}]}])["orders"]
        return "refused" not in placed[0]

    def changes(self, sku: str) -> int:
        events = self.do("events", kind="stock", limit=100_000)["events"]
        shown = [e["merchant_units"] for e in events if e["sku"] == sku and "merchant_units" in e]
        return sum(before != after for before, after in zip([10, *shown], shown, strict=False))

    def drift(self, sku: str, units: int) -> None:
        self.do("drift", sku=sku, units=units)

    def fault(self, kind: str, **how: object) -> None:
        if kind != "swallow":
            how = {"operation": "patchListingsItem", **how}
        self.do("fault", kind=kind, **how)

    def clear_faults(self) -> None:
        self.do("clear_faults")

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self.do("advance", seconds=seconds)

    def order(self, sku: str, units: int) -> str:
        placed = self.do("order", lines=[{"sku": sku, "units": units}])
        # The order API does not tell the last two minutes.
        self.advance(121)
        return str(placed["orderId"])

    def now(self) -> datetime:
        return datetime.fromisoformat(self.do("state", sku="-")["now"])


@contextmanager
def an_account(start: datetime | None = None) -> Iterator[AmazonRunning]:
    """The simulator on a free port, its clock held, from now on or from `start`."""
    running = start_amazon(clock=Clock.held(start))
    try:
        yield running
    finally:
        running.stop()


def document(order: Mapping[str, object]) -> bytes:
    """An order of the order API as a delivery's body."""
    return json.dumps(order).encode()


def skus(count: int) -> Sequence[str]:
    """Names for many listings."""
    return [f"MANY-{number:05d}" for number in range(count)]


def bound(sku: str, vendor_location: str = "DEFAULT") -> Binding:
    return Binding(CHANNEL, sku, "OSLO", sku, vendor_location, sku)


def level(sku: str, units: int, vendor_location: str = "DEFAULT") -> Level:
    return Level(bound(sku, vendor_location), units, 1)


def words(outcomes: Sequence[Outcome]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


def read(rig: AmazonRig, *bindings: Binding) -> list[int | None]:
    return [reading.units for reading in rig.channel.snapshot(bindings)]
