"""What is asked of the house while a fault is on: goods come and go, buyers buy, and a diary knows all of it.

The warehouse posts to the relay and keeps what was not answered with 2xx, as a sender does; it comes again with that
once the fault is over. Buyers buy in the shops, whose notifications go to the relay by themselves.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from typing import Final

import requests

from console.demo.shop import Shop, ShopSays
from console.faults.house import House, fact

#: One post of the warehouse, and one purchase, after so long. Seconds.
EVERY_S: Final = 0.1
_FACTS: Final = 5
_MOST_RELAYS: Final = 4
_numbers: Iterator[int] = itertools.count()


@dataclass
class Diary:
    """What was done in the world, whoever heard of it.

    moved       units by (SKU, state): what should have been added to the book
    accepted    ids of facts that were answered with 2xx the first time
    refused     facts that were not: the sender still has them
    told        all facts, whatever was answered
    since       webhooks that were taken before are not counted: what was known of them is gone
    answers     how often each status was answered, 0 for none
    orders      purchases that a shop took
    """

    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    refused: list[dict[str, object]] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    since: datetime | None = None
    answers: Counter[int] = field(default_factory=Counter)
    orders: int = 0

    def undo(self, kept: Set[str], until: datetime) -> None:
        """The house knows no more than these facts by this moment: the sender comes again with all others."""
        self.refused = [one for one in self.told if str(one["id"]) not in kept]
        self.accepted = [name for name in self.accepted if name in kept]
        self.since = until

    def expects(self, opening: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """What the book should say after it said `opening`."""
        whole = Counter(opening)
        whole.update(self.moved)
        return {place: units for place, units in whole.items() if units}


class Load:
    """Two threads that ask much of a house until they are stopped.

    diary    complete once it was stopped
    """

    def __init__(self, house: House, *, seed: int = 0) -> None:
        self.house = house
        self.diary = Diary()
        self._ports: Sequence[int] = (0,)
        self._dice = Random(seed)
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, name="warehouse"),
            threading.Thread(target=self._buy, args=(Random(seed + 1),), name="buyers"),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def tell_all(self, ports: Sequence[int]) -> None:
        """From now on post each fact to all of these relays at the same time; 0 is the house's own."""
        self._ports = tuple(ports)

    def stop(self) -> Diary:
        """End; what is under way is waited for. May be called twice."""
        self._enough.set()
        for thread in self._threads:
            thread.join()
        return self.diary

    def _send(self) -> None:
        with ThreadPoolExecutor(_MOST_RELAYS) as senders:
            while not self._enough.wait(EVERY_S):
                facts = [self._fact() for _ in range(_FACTS)]
                told = senders.map(partial(self.house.post, facts), self._ports)
                statuses = list(told)
                self.diary.told += facts
                self.diary.answers.update(statuses)
                if any(200 <= status < 300 for status in statuses):
                    self.diary.accepted += [str(one["id"]) for one in facts]
                else:
                    self.diary.refused += facts

    def _fact(self) -> dict[str, object]:
        sku, units = self._dice.choice(self.house.skus), self._dice.randint(1, 3)
        if self._dice.random() < 0.7:
            self.diary.moved[sku, "available"] += units
            return fact("receipt", f"receipt:{next(_numbers)}", sku, units)
        self.diary.moved[sku, "available"] -= units
        return fact("write_off", f"write_off:{next(_numbers)}", sku, units, reason="breakage")

    def _buy(self, dice: Random) -> None:
        shops = [Shop(shop.played) for shop in self.house.shops.values()]
        try:
            while not self._enough.wait(2 * EVERY_S):
                sku, units = dice.choice(self.house.skus), dice.randint(1, 2)
                try:
                    dice.choice(shops).order([(sku, units)])
                except (ShopSays, requests.RequestException):
                    continue
                self.diary.orders += 1
                self.diary.moved[sku, "available"] -= units
                self.diary.moved[sku, "committed"] += units
        finally:
            for shop in shops:
                shop.close()
