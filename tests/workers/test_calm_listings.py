"""Listings of every kind of rule sell, are cancelled and change their rules, and are read back: nothing of it is drift.

A cap, a percent, a floor, quotas and cut-offs, bundles and their parts, reservations, sales elsewhere, seasons, rules
applied meanwhile, a channel that is paused. The shop is the simulator behind HTTP; the flows are the workers'.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from allocation import backlog, store
from allocation.document import read
from console.drill.site import CHANNEL, Site, open_site
from ledger.db import transaction
from tests.builders import a_house
from tests.servers import Database
from workers.flows.reconcile_terms import Terms
from workers.settings import Settings

WINDOW_S = 60
#: What each kind of listing says in the rules.
RULED = {
    "CAP": "cap = 20",
    "PERCENT": "percent = 40",
    "FLOOR": "floor = 3\nbuffer = 30",
    "BUFFER": "buffer = 7",
    "CUTOFF": "cut_off = 80",
    "QUOTA": "quota = { units = 30, since = 2026-01-01 }",
    "BOTH": "percent = 50\ncap = 15",
}
PLAIN = ("PLAIN", "SET", "PART", "OTHER-PART", "LOW", "SWITCH", "SEASON")
SKUS = {sku: 9 if sku == "LOW" else 100 for sku in (*RULED, *PLAIN)}
RULES = """\
[locations.OSLO]
[locations.BERGEN]
[channels.{channel}]
kind = "shopify"
base_url = "{url}"
locations = ["OSLO", "BERGEN"]
show = "per_location"
hide_at_zero = true
[channels.{channel}.vendor_locations]
"{oslo}" = "OSLO"
"{bergen}" = "BERGEN"
[channels.mall]
kind = "shopify"
base_url = "http://127.0.0.1:9"
locations = ["OSLO", "BERGEN"]
show = "per_location"
[channels.mall.vendor_locations]
"gid://x/1" = "OSLO"
"gid://x/2" = "BERGEN"
"""


@dataclass
class Day:
    """A shop of listings with rules; `season` is when one of them begins and ends."""

    site: Site
    dice: random.Random
    season: tuple[datetime, datetime]
    ruled: dict[str, str] = field(default_factory=lambda: dict(RULED))
    open_orders: list[str] = field(default_factory=list)
    facts: int = 0

    def apply(self) -> None:
        """The rules as they are now come into force."""
        site, begins, ends = self.site, *(f"{at:%Y-%m-%dT%H:%M:%S}" for at in self.season)
        document = RULES.format(
            channel=CHANNEL,
            url=site.running.facts.base_url,
            oslo=site.places["Oslo"],
            bergen=site.places["Bergen"],
        )
        seasonal = {"SEASON": f"cap = 25\nfrom = {begins}\nuntil = {ends}"}
        for sku, words in (self.ruled | seasonal).items():
            document += (
                f'[[overrides]]\nsku = "{sku}"\nchannel = "{CHANNEL}"\n{words}\nwhy = "a test"\n'
            )
        with transaction(site.engine) as connection:
            store.apply_rules(connection, document, read(document), "ann", "a test", site.now())

    def bundle(self) -> None:
        with transaction(self.site.engine) as connection:
            connection.execute(
                text(
                    "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'PART', 2), ('SET', 'OTHER-PART', 1)"
                )
            )

    def pause(self) -> None:
        with transaction(self.site.engine) as connection:
            backlog.pause(connection, CHANNEL, "ann", "a test")

    def resume(self) -> None:
        with transaction(self.site.engine) as connection:
            backlog.resume(connection, CHANNEL)

    def moment(self) -> None:
        """Some seconds: buyers, cancels, the warehouse, the other channel, and the workers after them."""
        site, dice = self.site, self.dice
        orders = [
            {
                "lines": [{"sku": dice.choice(list(SKUS)), "units": dice.choice((1, 1, 2, 3, 5))}],
                "location": dice.choice(("Oslo", "Bergen")),
            }
            for _ in range(8)
        ]
        made = site.do("orders", orders=orders)["orders"]
        self.open_orders += [order["id"] for order in made if "refused" not in order]
        for _ in range(2):
            if len(self.open_orders) > 12:
                order = self.open_orders.pop(dice.randrange(len(self.open_orders)))
                site.do("cancel_order", order=order, restock=dice.random() < 0.7)
        site.facts([self._elsewhere() for _ in range(2)])
        with transaction(site.engine) as connection:
            store.turn(connection, site.now())
        site.pass_time(dice.choice((8, 10, 12)))
        site.show()
        site.halts()
        site.look_again()

    def _elsewhere(self) -> dict[str, Any]:
        """A fact of the warehouse, or an order of the other channel."""
        site, dice, self.facts = self.site, self.dice, self.facts + 1
        sku = dice.choice([sku for sku in SKUS if sku != "SET"])
        place = dice.choice(("OSLO", "BERGEN"))
        kind = dice.choice(("write_off", "receipt", "reservation", "order"))
        fact = site.stock(kind, sku, place, dice.randint(1, 5))
        if kind == "reservation":
            return fact | {"reference": f"r{self.facts}"}
        if kind == "order":
            return fact | {"channel": "mall", "order": f"m{self.facts}", "line": "1"}
        return fact


def a_day(site: Site, seed: int) -> Day:
    """Rules in force, and every number shown."""
    now = site.now()
    season = (now + timedelta(seconds=2 * WINDOW_S), now + timedelta(seconds=4 * WINDOW_S))
    day = Day(site, random.Random(seed), season)
    day.bundle()
    day.apply()
    for _ in range(2):
        site.show()
        site.pass_time(5)
    site.hear()
    return day


def sell(day: Day, windows: int) -> None:
    """So many windows; rules change in the second and the third, and the fourth finds the channel paused."""
    for window in range(windows):
        if window == 1:
            day.ruled |= {"SWITCH": "cap = 30", "CAP": "cap = 35"}
            day.apply()
        if window == 2:
            day.ruled |= {"SWITCH": "percent = 30", "CAP": "cap = 12"}
            day.apply()
        if window == 3:
            day.pause()
        for _ in range(4):
            day.moment()
        day.site.window(day.site.next_window())
        if window == 3:
            day.resume()


def assert_calm(day: Day) -> None:
    for _ in range(2):
        day.site.pass_time(10)
        day.site.show()
        day.site.look_again()
    found = day.site.rows("SELECT sku, location, cause, expected, actual, evidence FROM drift")
    assert [tuple(row) for row in found] == []
    assert day.site.rows("SELECT sku, reason FROM halt") == []


def calm(database: Database, *, seed: int, windows: int) -> None:
    terms = replace(Terms.of(Settings()), window_s=WINDOW_S)
    with open_site(a_house(database.engine), SKUS, seed=seed, terms=terms) as site:
        day = a_day(site, seed)
        sell(day, windows)
        assert len(day.open_orders) > windows * 5
        assert_calm(day)


def test_listings_of_every_rule_sell_and_change_without_drift(database: Database) -> None:
    calm(database, seed=1, windows=4)


@pytest.mark.battery
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 8))
def test_listings_of_every_rule_sell_for_half_an_hour_without_drift(
    database: Database, seed: int
) -> None:
    calm(database, seed=seed, windows=30)
