"""The doors of the proof's house: vendors' messages and canonical facts, kept until they are taken up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from sqlalchemy import Engine
from starlette.datastructures import Headers

from channels.registry import LANES
from console.prove.accounts import Accounts
from console.prove.clockwork import Clockwork
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows.receive import kept_headers


class Door:
    """Takes in what comes.

    arrived    told of each delivery
    """

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        works: Clockwork,
        arrived: Callable[[], object],
    ) -> None:
        self._engine, self._accounts, self._works, self._tell = engine, accounts, works, arrived
        self._waiting: list[Delivery] = []
        self._serial = 0

    def hook(self, channel: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """A vendor's message at the relay: verified, kept, and the bell rung."""
        lane = LANES[url.rsplit("/", 1)[-1]]
        told = Headers(headers)
        signed = lane.signed(told)
        if not lane.verify(body, signed.signature, [self._accounts.signing()[channel]], url):
            raise AssertionError(f"{channel}: the signature of a message does not hold")
        said = lane.routing(told, body)
        kept = kept_headers(headers)
        self._arrive(Delivery(channel, said.delivery_id, said.topic, body, kept))

    def tell(self, kind: str, sku: str, location: str, units: int, **more: object) -> None:
        """A canonical fact at the door for events."""
        self._serial += 1
        fact = {
            "kind": kind,
            "source": "wms",
            "id": f"{kind}:{self._serial}",
            "occurred_at": self._works.now().isoformat(),
            "sku": sku,
            "location": location,
            "units": units,
            **more,
        }
        self._arrive(Delivery("wms", str(fact["id"]), FACT_TOPIC, orjson.dumps(fact)))

    def _arrive(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._tell()

    def take_up(self) -> None:
        """What arrived since the last time goes into the inbox, in one commit."""
        arrived, self._waiting = self._waiting, []
        if arrived:
            with transaction(self._engine) as connection:
                inbox.keep(connection, arrived, now=self._works.now())
