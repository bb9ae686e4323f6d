"""A Square account with its API, webhooks, faults and control plane, drivable in-process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.courier import Courier, Parcel, Patience, Post
from channels.simulators.dispatch import Dispatch
from channels.simulators.events import EventLog
from channels.simulators.faults import Faults
from channels.simulators.square import bodies, subscriptions
from channels.simulators.square.engine import Engine, Ticket
from channels.simulators.square.errors import Reply
from channels.simulators.square.merchant import Announcement, Merchant
from channels.simulators.square.schema import NEWEST
from channels.simulators.square.state import Subscription, stamp

_MIN_S: Final = 60
_HOUR_S: Final = 3600
PATIENCE: Final = Patience(
    (
        *(minutes * _MIN_S for minutes in (1, 2, 4, 8, 16, 32, 60)),
        *(hours * _HOUR_S for hours in (2, 4, 8, 8)),
    ),
    total_s=10.0,
)
"""Eleven retries within 24 hours; an endpoint has ten seconds (developer.squareup.com/docs/webhooks/overview)."""


class SquareSimulator:
    """One seller's account and one application's token for it.

    token, signature_key, control_token   what the API, the webhook signature and the control plane are kept with
    notification_url   subscribed to every event from the start, when given; also after a reset
    default_version    `Square-Version` of calls that send none, and of that subscription
    agenda   of the same clock, where somebody else does the jobs;  post: carries webhooks, over HTTP when None
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        token: str = "EAAA_simulated",
        signature_key: str = "simulated-signature-key",
        control_token: str = "control",
        notification_url: str = "",
        default_version: str = NEWEST,
        seed: int = 0,
        agenda: Agenda | None = None,
        post: Post | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.token, self.control_token = token, control_token
        self.signature_key, self.notification_url = signature_key, notification_url
        self.default_version = default_version
        self.log = EventLog()
        self.faults = Faults()
        self.agenda = agenda or Agenda(self.clock)
        self.merchant = Merchant(self.clock, signature_key=signature_key, seed=seed)
        self.engine = Engine(self.merchant, self.faults, token, default_version)
        self._courier = Courier(
            self.agenda, self.clock, self.log, PATIENCE, lambda *_: None, _headers_of_attempt, post
        )
        self._dispatch = Dispatch(self._courier, self.agenda, self.clock, self.faults, self._note)
        self.merchant.tell = self._tell
        self.merchant.note = self._note
        self._subscribe()

    def reset(self) -> None:
        """Everything forgotten: account, keys, faults, log, pending deliveries. Tokens and the first key stay."""
        with self.merchant.lock:
            self.agenda.clear()
            self._dispatch.clear()
            self.merchant.reset()
            self.engine.reset()
            self.faults.clear()
            self.log.clear()
            self._subscribe()

    def stop(self) -> None:
        """No more deliveries; threads and connections are given back."""
        self.agenda.stop()
        self._courier.close()

    def _subscribe(self) -> None:
        if not self.notification_url:
            return
        with self.merchant.act(silent=True) as act:
            subscriptions.subscribe(
                self.merchant,
                act,
                self.notification_url,
                list(subscriptions.EVENT_TYPES),
                self.default_version,
                signature_key=self.signature_key,
            )

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        version: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> Reply:
        """A whole call in-process, with the right token. `wait` serves latency faults."""
        headers = {"authorization": f"Bearer {self.token}"}
        if version is not None:
            headers["square-version"] = version
        raw = orjson.dumps(body) if body is not None else b""
        answer = self.engine.admit(method, path, query or {}, headers, raw)
        if isinstance(answer, Ticket):
            if answer.delay_s:
                wait(answer.delay_s)
            answer = self.engine.finish(answer)
        return answer

    # -- webhooks -------------------------------------------------------------------------------------------------

    def _tell(self, announcements: list[Announcement]) -> None:
        for told in announcements:
            with self.merchant.lock:
                to = [s for s in self.merchant.subscriptions.values() if s.enabled]
            for subscription in to:
                if told.type in subscription.event_types:
                    self._post(told, subscription)

    def _post(self, told: Announcement, to: Subscription) -> None:
        raw = orjson.dumps(
            bodies.event(self.merchant.id, told.type, told.event_id, told.at, told.data)
        )
        forged = self.faults.draw(
            "webhook_bad_hmac", self.clock.now(), skus=told.skus, topic=told.type
        )
        key = f"not {to.signature_key}" if forged else to.signature_key
        headers = {
            "content-type": "application/json",
            "user-agent": "Square Connect v2",
            "x-square-hmacsha256-signature": sign(to.notification_url, raw, key),
            "square-environment": "Production",
            "square-initial-delivery-timestamp": stamp(self.clock.now()),
        }
        parcel = Parcel(told.event_id, to.number, told.type, to.notification_url, headers, raw)
        self._dispatch.send(parcel, told.skus)

    def _note(self, kind: str, facts: Mapping[str, object]) -> None:
        self.log.append(kind, self.clock.now(), facts)


def sign(notification_url: str, raw: bytes, key: str) -> str:
    """base64(HMAC-SHA256(key, notification URL + raw body))."""
    digest = hmac.new(key.encode(), notification_url.encode() + raw, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _headers_of_attempt(parcel: Parcel) -> dict[str, str]:
    """Which retry it is and why; nothing at the first attempt."""
    if parcel.attempts <= 1:
        return {}
    return {
        "square-retry-number": str(parcel.attempts - 1),
        "square-retry-reason": _reason(parcel),
    }


def _reason(parcel: Parcel) -> str:
    if parcel.status:
        return "http_error"
    text = parcel.reason.lower()
    if "timeout" in text or "timed out" in text:
        return "http_timeout"
    return "ssl_error" if "ssl" in text else "other_error"
