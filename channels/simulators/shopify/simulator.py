"""A Shopify shop with its Admin API, webhooks, faults and control plane, drivable in-process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.courier import Courier, Parcel, Patience, Post
from channels.simulators.dispatch import Dispatch
from channels.simulators.events import EventLog
from channels.simulators.faults import Faults
from channels.simulators.shopify import bodies
from channels.simulators.shopify.engine import SERVED, VERSIONS, Engine, Reply, Ticket
from channels.simulators.shopify.shop import Announcement, Shop
from channels.simulators.shopify.state import Bulk, Subscription

PATIENCE: Final = Patience((56, 113, 226, 452, 904, 1807, 3614, 7228))
"""Eight retries whose waits double and fill four hours."""


class ShopifySimulator:
    """One shop.

    token, secret, control_token   what the API, the webhook signature and the control plane are kept with
    bucket_size, restore_rate      the plan's cost bucket: points, and points per second of the clock
    agenda   of the same clock, where somebody else does the jobs;  post: carries webhooks, over HTTP when None
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        domain: str = "lockstep-sim.myshopify.com",
        token: str = "shpat_simulated",
        secret: str = "shpss_simulated",
        control_token: str = "control",
        seed: int = 0,
        huge_ids_every: int = 4,
        bucket_size: float = 2000,
        restore_rate: float = 100,
        agenda: Agenda | None = None,
        post: Post | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.token, self.secret, self.control_token = token, secret, control_token
        self.base_url = f"https://{domain}"
        self.log = EventLog()
        self.faults = Faults()
        self.agenda = agenda or Agenda(self.clock)
        self.shop = Shop(self.clock, domain=domain, seed=seed, huge_ids_every=huge_ids_every)
        self.engine = Engine(self.shop, self.faults, bucket_size, restore_rate)
        self._courier = Courier(self.agenda, self.clock, self.log, PATIENCE, self._ended, post=post)
        self._dispatch = Dispatch(self._courier, self.agenda, self.clock, self.faults, self._note)
        self.shop.tell = self._tell
        self.shop.note = lambda kind, facts: self._note(kind, facts)
        self.shop.schedule = self.agenda.call_at
        self.shop.file_url = self._file_url

    def reset(self) -> None:
        """Everything forgotten: shop, keys, bucket, faults, log, pending deliveries. Tokens stay."""
        with self.shop.lock:
            self.agenda.clear()
            self._dispatch.clear()
            self.shop.reset()
            self.engine.reset()
            self.faults.clear()
            self.log.clear()

    def stop(self) -> None:
        """No more deliveries; threads and connections are given back."""
        self.agenda.stop()
        self._courier.close()

    # -- the API --------------------------------------------------------------------------------------------------

    def admit(self, version: str, headers: Mapping[str, str], raw: bytes) -> Ticket | Reply:
        """First half of a call: refuse it, or let it in. Header names are lower case."""
        served = {"x-shopify-api-version": SERVED, "x-request-id": self.shop.new_uuid()}
        answer = self._admit(version, headers, raw)
        if isinstance(answer, Reply):
            answer.headers |= served
        return answer

    def _admit(self, version: str, headers: Mapping[str, str], raw: bytes) -> Ticket | Reply:
        json_type = {"content-type": "application/json; charset=utf-8"}
        if version not in VERSIONS and version != "unstable":
            return Reply(404, b'{"errors":"Not Found"}', json_type)
        if not hmac.compare_digest(headers.get("x-shopify-access-token", ""), self.token):
            text = b'{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}'
            return Reply(401, text, json_type)
        try:
            request = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return Reply(400, b'{"errors":"Bad Request"}', json_type)
        if not isinstance(request, dict):
            return Reply(400, b'{"errors":"Bad Request"}', json_type)
        return self.engine.admit(request, debug=headers.get("shopify-graphql-cost-debug") == "1")

    def finish(self, ticket: Ticket) -> Reply:
        """Second half of a call."""
        reply = self.engine.finish(ticket)
        reply.headers |= {"x-shopify-api-version": SERVED, "x-request-id": self.shop.new_uuid()}
        return reply

    def call(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> dict[str, Any]:
        """A whole GraphQL call in-process, as its decoded JSON body. `wait` serves latency faults."""
        raw = orjson.dumps({"query": query, "variables": dict(variables or {})})
        answer = self.admit(SERVED, {"x-shopify-access-token": self.token}, raw)
        if isinstance(answer, Ticket):
            if answer.delay_s:
                wait(answer.delay_s)
            answer = self.finish(answer)
        body: dict[str, Any] = orjson.loads(answer.body)
        return body

    def file(self, number: int) -> bytes | None:
        """A finished bulk operation's JSONL, for seven days."""
        with self.shop.lock:
            bulk = self.shop.bulks.get(number)
            if bulk is None or bulk.jsonl is None:
                return None
            expired = self.clock.now() - bulk.ends_at > timedelta(days=7)
            return None if expired else bulk.jsonl

    def _file_url(self, bulk: Bulk) -> str:
        return f"{self.base_url}/bulk/{bulk.number}.jsonl"

    # -- webhooks -------------------------------------------------------------------------------------------------

    def _tell(self, announcements: list[Announcement]) -> None:
        for told in announcements:
            with self.shop.lock:
                subscribed = [s for s in self.shop.subscriptions.values() if s.topic == told.topic]
            for subscription in subscribed:
                self._post(told, subscription)

    def _post(self, told: Announcement, to: Subscription) -> None:
        body = told.body
        if to.include_fields:
            body = {name: value for name, value in body.items() if name in to.include_fields}
        raw = bodies.encode(body)
        now = self.clock.now()

        forged = self.faults.draw("webhook_bad_hmac", now, skus=told.skus, topic=told.topic)
        secret = f"not {self.secret}" if forged else self.secret
        parcel = Parcel(
            delivery_id=self.shop.new_uuid(),
            subscription_id=to.number,
            topic=told.topic,
            url=to.uri,
            headers={},
            body=raw,
        )
        parcel.headers = self._headers(told, to, parcel, sign(raw, secret))
        self._dispatch.send(parcel, told.skus)

    def _headers(
        self, told: Announcement, to: Subscription, parcel: Parcel, signature: str
    ) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "Accept": "*/*",
            "X-Shopify-Topic": told.topic,
            "X-Shopify-Hmac-Sha256": signature,
            "X-Shopify-Shop-Domain": self.shop.domain,
            "X-Shopify-API-Version": SERVED,
            "X-Shopify-Webhook-Id": parcel.delivery_id,
            "X-Shopify-Event-Id": told.event_id,
            "X-Shopify-Triggered-At": _nanoseconds(
                self.clock.now(), self.shop.dice.randrange(1000)
            ),
        }
        if to.name:
            headers["X-Shopify-Name"] = to.name
        return headers

    def _ended(self, parcel: Parcel, delivered: bool) -> None:
        """A subscription whose delivery failed eight retries, with no success since, is removed."""
        with self.shop.lock:
            subscription = self.shop.subscriptions.get(parcel.subscription_id)
            if subscription is None:
                return
            if delivered:
                subscription.last_success_at = self.clock.now()
                return
            since = subscription.last_success_at
            if since is None or (parcel.first_at is not None and since <= parcel.first_at):
                del self.shop.subscriptions[subscription.number]
                facts = {"topic": parcel.topic, "url": parcel.url, "removed": subscription.gid}
                self._note("webhook", facts)

    def _note(self, kind: str, facts: Mapping[str, object]) -> None:
        self.log.append(kind, self.clock.now(), facts)


def sign(raw: bytes, secret: str) -> str:
    """base64(HMAC-SHA256(secret, raw body))."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def _nanoseconds(at: datetime, rest: int) -> str:
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f')}{rest:03d}Z"
