"""A seller on Amazon with the Selling Partner API, notifications, faults and control plane, drivable in-process."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from channels.simulators.agenda import Agenda
from channels.simulators.amazon import notices, pipe
from channels.simulators.amazon.account import Account, Notice
from channels.simulators.amazon.engine import Engine, Reply, Ticket
from channels.simulators.amazon.pipe import Pipe
from channels.simulators.amazon.service import Files, PageTokens, Service
from channels.simulators.amazon.state import Subscription
from channels.simulators.amazon.tokens import Lwa
from channels.simulators.amazon.usage import UsagePlans
from channels.simulators.clock import Clock
from channels.simulators.courier import Courier, Parcel, Post
from channels.simulators.dispatch import Dispatch
from channels.simulators.events import EventLog
from channels.simulators.faults import Faults

APPLICATION: Final = "amzn1.sellerapps.app.lockstep-simulator"


class AmazonSimulator:
    """One seller's account.

    client_id, client_secret, refresh_token   what Login with Amazon gives access tokens for
    hook_secret                               what the pipe signs with;  control_token: keeps the control plane
    agenda   of the same clock, where somebody else does the jobs;  post: carries webhooks, over HTTP when None
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        seller_id: str = "A3LOCKSTEPSIM1",
        marketplace_id: str = "ATVPDKIKX0DER",
        client_id: str = "amzn1.application-oa2-client.simulated",
        client_secret: str = "amzn1.oa2-cs.v1.simulated",
        refresh_token: str = "Atzr|simulated",
        hook_secret: str = "pipe_simulated",
        control_token: str = "control",
        seed: int = 0,
        agenda: Agenda | None = None,
        post: Post | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.hook_secret, self.control_token = hook_secret, control_token
        self.base_url = "https://sellingpartnerapi-na.example.com"
        self.log = EventLog()
        self.faults = Faults()
        self.agenda = agenda or Agenda(self.clock)
        self.pipe = Pipe()
        self.lwa = Lwa(client_id, client_secret, refresh_token, seed)
        self.plans = UsagePlans()
        self.account = Account(
            self.clock, seller_id=seller_id, marketplace_id=marketplace_id, seed=seed
        )
        files_secret = f"{random.Random(f'files {seed}').getrandbits(128):032x}"
        self.service = Service(
            self.account,
            self.faults,
            Files(self.account, lambda: self.base_url, files_secret),
            PageTokens(self.account),
        )
        self.engine = Engine(self.service, self.lwa, self.plans)
        self._courier = Courier(
            self.agenda, self.clock, self.log, pipe.PATIENCE, self._ended, post=post
        )
        self._dispatch = Dispatch(self._courier, self.agenda, self.clock, self.faults, self._note)
        self.account.tell = self._tell
        self.account.changes = notices.stock_changed
        self.account.note = self._note
        self.account.schedule = self.agenda.call_at

    def reset(self) -> None:
        """Everything forgotten but tokens and the pipe: account, quotas, faults, log, pending deliveries."""
        with self.account.lock:
            self.agenda.clear()
            self._dispatch.clear()
            self.account.reset()
            self.service.pages.reset()
            self.plans.reset()
            self.faults.clear()
            self.log.clear()

    def stop(self) -> None:
        """No more deliveries; threads and connections are given back."""
        self.agenda.stop()
        self._courier.close()

    # -- the API --------------------------------------------------------------------------------------------------

    def token(self, scope: str | None = None) -> str:
        """A fresh access token: for the seller, or for the client itself with a scope."""
        form = {"client_id": self.lwa.client_id, "client_secret": self.lwa.client_secret}
        if scope is None:
            form |= {"grant_type": "refresh_token", "refresh_token": self.lwa.refresh_token}
        else:
            form |= {"grant_type": "client_credentials", "scope": scope}
        return str(self.lwa.token(form, self.clock.now())["access_token"])

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: object = None,
        *,
        token: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> Reply:
        """A whole call in-process with a fresh seller's token, or the given one. `path` is escaped already."""
        given = {
            name: [value] if isinstance(value, str) else list(value)
            for name, value in (query or {}).items()
        }
        headers = {"x-amz-access-token": self.token() if token is None else token}
        raw = b"" if body is None else orjson.dumps(body)
        answer = self.engine.admit(method, path, given, headers, raw)
        if isinstance(answer, Ticket):
            if answer.delay_s:
                wait(answer.delay_s)
            answer = self.engine.finish(answer)
        return answer

    def item_path(self, sku: str) -> str:
        """The escaped path of a listing."""
        return f"/listings/2021-08-01/items/{self.account.seller_id}/{quote(sku, safe='')}"

    # -- notifications --------------------------------------------------------------------------------------------

    def _tell(self, told: list[Notice]) -> None:
        for notice in told:
            with self.account.lock:
                kept = self.account.subscriptions.values()
                subscribed = [one for one in kept if one.notification_type == notice.kind]
            for subscription in subscribed:
                self._post(notice, subscription)

    def _post(self, notice: Notice, to: Subscription) -> None:
        if self.pipe.url is None:
            return
        now = self.clock.now()
        message_id = self.account.new_uuid()
        body: Mapping[str, Any] = notices.envelope(
            notice,
            application_id=APPLICATION,
            subscription_id=to.subscription_id,
            notification_id=message_id,
            sent=now,
        )
        source = "eventBridge" if notice.kind in notices.EVENT_BRIDGE_ONLY else "sqs"
        if self.pipe.wrapped and source == "eventBridge":
            body = pipe.event(
                body,
                notice.kind,
                event_id=self.account.new_uuid(),
                at=notices.stamp(now),
                account_id="444455556666",
            )
        raw = orjson.dumps(body)
        forged = self.faults.draw("webhook_bad_hmac", now, skus=notice.skus, topic=notice.kind)
        secret = f"not {self.hook_secret}" if forged else self.hook_secret
        parcel = Parcel(
            message_id,
            to.number,
            notice.kind,
            self.pipe.url,
            pipe.headers(raw, secret, source=source, message_id=message_id),
            raw,
        )
        self._dispatch.send(parcel, notice.skus)

    def _ended(self, parcel: Parcel, delivered: bool) -> None:
        if not delivered:
            facts = {"topic": parcel.topic, "delivery_id": parcel.delivery_id, "dead_letter": True}
            self._note("webhook", facts)

    def _note(self, kind: str, facts: Mapping[str, object]) -> None:
        self.log.append(kind, self.clock.now(), facts)
