"""The house of the demo, from outside and from behind: its doors as others use them, its book as a clerk reads it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from celery import Celery
from sqlalchemy import text

from console.demo import goods
from console.demo.shop import Shop
from console.demo.vendors import Amazon, Grocer, Till
from console.local.errors import NotReady
from console.local.stack import Stack
from ledger.db import transaction
from workers.wiring import Wiring

_TIMEOUT_S = 20.0
_POLL_S = 0.1
_T = TypeVar("_T")


class House:
    """A running stack with its shops.

    celery   a client that hands tasks over, as a till would
    diary    units that should be in the house by SKU, from what the demo has done itself
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.wiring = Wiring(stack.settings, pause=time.sleep)
        played = stack.simulators
        self.shops = {name: Shop(played[name]) for name in goods.SHOPS}
        self.amazon = Amazon(played[goods.AMAZON])
        self.till = Till(played[goods.TILL_LANE])
        self.grocer = Grocer(played[goods.GROCER])
        self.diary: Counter[str] = Counter()
        self._session = requests.Session()
        self._session.trust_env = False
        self._facts = 0
        # As in anybody's program: the broker's address and the prefix of the keys, and nothing of our code.
        self.celery = Celery("till", broker=stack.settings.redis_url, set_as_current=False)
        prefix = f"lockstep:{stack.settings.env}:"
        self.celery.conf.update(
            broker_transport_options={"global_keyprefix": prefix}, task_ignore_result=True
        )

    def close(self) -> None:
        """Give all connections back."""
        self._session.close()
        self.celery.close()
        for desk in (*self.shops.values(), self.amazon, self.till, self.grocer):
            desk.close()
        self.wiring.engine.dispose()
        self.wiring.redis.close()

    def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """Rows of the database, as the application role sees them."""
        with transaction(self.wiring.engine) as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]

    def one(self, sql: str, **values: object) -> Any:
        """The first value of the first row."""
        return next(iter(self.rows(sql, **values)[0].values()))

    def fact(self, kind: str, sku: str, location: str, **more: object) -> dict[str, object]:
        """A canonical fact of the demo's warehouse, happening now."""
        self._facts += 1
        fact = {
            "kind": kind,
            "source": "wms",
            "id": f"{kind}:{self._facts}",
            "occurred_at": now().isoformat(),
            "sku": sku,
            "location": location,
        }
        return fact | more

    def tell(self, *facts: Mapping[str, object]) -> requests.Response:
        """POST /events; raises NotReady unless everything was kept."""
        answer = self.post(
            "/events",
            json=list(facts),
            headers={
                "Authorization": f"Bearer {self.stack.settings.relay_token.get_secret_value()}"
            },
        )
        if answer.status_code != 200:
            raise NotReady(f"POST /events: {answer.status_code} {answer.text[:300]}")
        return answer

    def post(self, path: str, **how: Any) -> requests.Response:
        """POST to the relay."""
        return self._session.post(f"{self.stack.relay_url}{path}", timeout=_TIMEOUT_S, **how)

    def until(
        self,
        what: str,
        look: Callable[[], _T | None],
        *,
        limit_s: float,
        poll_s: float = _POLL_S,
        standing: Callable[[], str] = str,
    ) -> _T:
        """What `look` says once it is neither None nor False.

        standing    how things stand, said when the time is over
        raises      NotReady naming `what` after `limit_s`
        """
        ends_s = time.monotonic() + limit_s
        while True:
            seen = look()
            if seen is not None and seen is not False:
                return seen
            if time.monotonic() > ends_s:
                raise NotReady(
                    ": ".join(filter(None, (f"not within {limit_s:g} s", what, standing())))
                )
            time.sleep(poll_s)

    def state_of(self, source: str, delivery_id: str) -> tuple[str, str]:
        """(state, error) of a delivery in the inbox; ("", "") when it is not there."""
        found = self.rows(
            "SELECT state, coalesce(error, '') AS error FROM inbox WHERE source = :source AND delivery_id = :id",
            source=source,
            id=delivery_id,
        )
        return (found[0]["state"], found[0]["error"]) if found else ("", "")

    def targets(self, sku: str) -> dict[str, int]:
        """What each channel should show of a SKU in all, by channel."""
        found = self.rows(
            "SELECT channel, sum(units)::int AS units FROM target WHERE sku = :sku GROUP BY 1",
            sku=sku,
        )
        return {row["channel"]: row["units"] for row in found}

    def shows(self, shop: str, sku: str, location: str) -> int:
        """What a shop shows of a SKU at one of its locations."""
        return int(self.shops[shop].level(sku, location)["available"])

    def shown_as_should(self, skus: Sequence[str], location: str) -> bool:
        """Whether every shop shows its target of these SKUs at a location."""
        return all(
            self.shows(shop, sku, location) == units
            for sku in skus
            for shop, units in self.targets(sku).items()
            if shop in self.shops
        )


def now() -> datetime:
    """The clock of the demo."""
    return datetime.now(UTC)
