"""The dashboard, the command line and the ledger say the same, while orders flow.

A simulated shop sells, the real flows book, compute, push, read back and halt, one step after the other, in a thread of
their own. Between two steps all three doors are asked of the same state; then the flow goes on.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from console.pages.words import percent
from reconcile.counting.types import Terms
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.console.api_door import Api, open_api
from tests.console.command import lockstep, surroundings
from tests.journeys.readings import Page, maybe, number, page
from tests.servers import Clock, Database
from tests.workers.shopify_house import SKUS, ShopHouse, a_shop_house
from workers.flows import counts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LEDGER = """
    SELECT location, state, sum(units)::bigint AS units FROM (
        SELECT to_location AS location, to_state AS state, units FROM posting WHERE sku = :sku
        UNION ALL SELECT from_location, from_state, -units FROM posting WHERE sku = :sku
    ) AS leg WHERE location <> 'OUTSIDE' GROUP BY 1, 2
"""


@dataclass
class Doors:
    """The three doors to one house, and who lets the flow go on.

    gate      held by a step of the flow, and by whoever compares
    steps     made so far
    allowed   how many there may be before somebody has compared again
    """

    house: ShopHouse
    api: Api
    gate: threading.Condition = field(default_factory=threading.Condition)
    steps: int = 0
    allowed: int = 4
    over: bool = False
    wrong: list[BaseException] = field(default_factory=list)

    def command(self, *words: str) -> Any:
        """What the command line says in JSON."""
        said = lockstep(*words, "--json", environment=surroundings(self.house.database))
        # 3: there is something that somebody should look at.
        assert said.code in (0, 3), said.err
        return said.read

    def page(self, address: str) -> Page:
        """A page of the dashboard."""
        return page(self.api, address)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return self.house.rows(statement, **values)

    def one(self, statement: str, **values: object) -> Any:
        """A single value."""
        return self.sql(statement, **values)[0][0]

    @contextmanager
    def standing(self, after: int) -> Iterator[None]:
        """Hold the flow once it has made so many steps."""
        with self.gate:
            assert self.gate.wait_for(lambda: self.steps >= after or self.over, 60)
            assert self.wrong == []
            self.api.clock.now = self.house.rig.now()
            yield
            self.allowed = self.steps + 6
            self.gate.notify_all()


def flow(doors: Doors, steps: int) -> None:
    """Sell, count, break and mend, a step at a time, in an order that chance chose once."""
    house, dice = doors.house, random.Random(11)
    turns: Iterator[Callable[[int], object]] = cycle(
        (sells(house, dice), lambda n: house.show(), counts_a_shelf(house), changes_it_behind(house, dice),
         lambda n: house.reconcile(), sends_rubbish(house), sells(house, dice), lambda n: house.show())
    )  # fmt: skip
    try:
        for at in range(steps):
            with doors.gate:
                assert doors.gate.wait_for(lambda: doors.steps < doors.allowed, 60)
                next(turns)(at)
                house.rig.advance(61)
                doors.steps += 1
                doors.gate.notify_all()
    except BaseException as error:
        doors.wrong.append(error)
    finally:
        with doors.gate:
            doors.over = True
            doors.gate.notify_all()


def sells(house: ShopHouse, dice: random.Random) -> Callable[[int], object]:
    def sell(at: int) -> None:
        for _ in range(2):
            line = {"sku": dice.choice(SKUS), "units": dice.randint(1, 3)}
            # What is sold out or off sale is refused, as to any buyer.
            house.rig.do("orders", orders=[{"lines": [line], "location": "Oslo"}])
        house.poll()
        house.drain()

    return sell


def counts_a_shelf(house: ShopHouse) -> Callable[[int], object]:
    def count(at: int) -> None:
        at_minute = house.rig.now().isoformat()
        house.fact(
            kind="count",
            id=f"count-{at}",
            sku=SKUS[at % len(SKUS)],
            location="BERGEN",
            counted=19 if at // 8 % 2 else 21,
            occurred_at=at_minute,
        )
        counts.look(house.database.engine, Terms(), now=house.rig.now())

    return count


def changes_it_behind(house: ShopHouse, dice: random.Random) -> Callable[[int], object]:
    def change(at: int) -> None:
        sku = dice.choice(SKUS)
        house.rig.drift(sku, house.rig.shown(sku) + 2 + 9 * (at // 8 % 2))

    return change


def sends_rubbish(house: ShopHouse) -> Callable[[int], object]:
    def send(at: int) -> None:
        body = {"kind": "receipt", "id": f"bad-{at}", "source": "wms", "units": "many"}
        house.deliver("fact", json.dumps(body).encode(), source="wms", name=f"bad-{at}")

    return send


@pytest.fixture
def doors(rig: ShopifyRig, database: Database, tmp_path: Path) -> Iterator[Doors]:
    house = a_shop_house(rig, database)
    with open_api(database, Clock(rig.now()), tmp_path) as api:
        yield Doors(house, api)


def stock_agrees(doors: Doors, sku: str) -> None:
    """On hand and available of every location: page, command and the sum of all postings."""
    told = doors.command("sku", "show", sku)
    summed: dict[str, dict[str, int]] = {}
    for location, state, units in doors.sql(LEDGER, sku=sku):
        summed.setdefault(location, {})[state] = units
    seen = {row["Location"]: row for row in doors.page(f"/sku/{sku}").table("On hand", "Available")}
    for position in told["positions"]:
        row, sums = seen[position["location"]], summed[position["location"]]
        for name in ("available", "committed", "reserved"):
            assert number(row[name.capitalize()]) == position[name] == sums.get(name, 0), (
                sku,
                name,
            )
        held = sum(sums.get(s, 0) for s in ("available", "unavailable", "committed", "reserved"))
        assert number(row["On hand"]) == position["on_hand"] == held
    assert (
        {at for at in seen if at != "All"}
        == {p["location"] for p in told["positions"]}
        == set(summed)
    )


def places_agree(doors: Doors, sku: str) -> None:
    """What each place should show, was told and shows; and the sum of what a number is explained by."""
    told = {each["location"]: each for each in doors.command("sku", "show", sku)["channels"]}
    kept = {
        location: numbers
        for location, *numbers in doors.sql(
            "SELECT t.location, t.units, s.units, s.read_units FROM target AS t LEFT JOIN shown AS s"
            " USING (channel, sku, location) WHERE t.sku = :sku",
            sku=sku,
        )
    }
    rows = doors.page(f"/sku/{sku}").table("Should", "Pushed", "Shows")
    assert len(rows) == len(told) == len(kept) > 0
    for row in rows:
        one = told[row["Location"]]
        read = [maybe(row[head]) for head in ("Should", "Pushed", "Shows")]
        assert read == [one["should"], one["confirmed"], one["read"]] == kept[row["Location"]]
        explained = doors.command(
            "sku", "explain", sku, "--channel", CHANNEL, "--location", row["Location"]
        )
        address = f"/explain?sku={sku}&channel={CHANNEL}&location={row['Location']}"
        terms = doors.page(address).table("Units", "Sum", "Term")
        assert number(terms[-1]["Sum"]) == explained["target"]["units"] == one["should"]
        assert explained["adds_up"]


def now_agrees(doors: Doors) -> None:
    """The first page: what waits, what is wrong, how much of what was read is as it should be."""
    front = doors.page("/")
    halts = doors.command("halt", "list", "--all")
    stuck = [
        row
        for state in ("parked", "rejected")
        for row in doors.command("inbox", "list", "--state", state)
    ]
    assert (
        front.before("SKU")
        == len({row["sku"] for row in halts})
        == doors.one("SELECT count(DISTINCT sku) FROM halt WHERE state <> 'lifted'")
    )
    assert front.after("Inbox") == doors.one("SELECT count(*) FROM inbox WHERE state = 'pending'")
    assert len(stuck) == doors.one(
        "SELECT count(*) FROM inbox WHERE state IN ('parked', 'rejected')"
    )
    assert ("parked" in front.plain.partition("Last event")[0]) is bool(stuck)
    assert not stuck or front.before("parked") == len(stuck)
    assert front.after("Computing") == doors.one("SELECT count(*) FROM due")
    drifts = doors.command("recon", "drift")
    run = [row for row in doors.command("recon", "status") if row["state"] == "done"]
    if run:
        read = run[0]["read"] - run[0]["unknown"]
        share = 100 * (read - len(drifts)) / read
        said = percent(share).replace("\u202f", "")
        assert f"in sync {said}" in front.plain
        assert front.after("Read back") >= 0
    if drifts:
        assert front.before("units too much") == sum(max(0, row["delta"]) for row in drifts)


def queues_agree(doors: Doors) -> None:
    """What waits to be pushed and what was pushed."""
    (row,) = doors.page("/pushes").table("Waits", "Falls", "Parked")
    waits = doors.command("push", "list", "--due")
    asked = "SELECT count(*) FROM push_due WHERE parked = :parked"
    assert (
        number(row["Waits"])
        == len([w for w in waits if not w["parked"]])
        == doors.one(asked, parked=False)
    )
    assert (
        number(row["Parked"])
        == len([w for w in waits if w["parked"]])
        == doors.one(asked, parked=True)
    )
    seen = [
        (number(r["Push"]), number(r["Units"]))
        for r in doors.page("/pushes/sent").table("Push", "Outcome")
    ]
    told = [(r["id"], r["units"]) for r in doors.command("push", "list")]
    assert seen == told == doors.sql("SELECT id, units FROM push ORDER BY id DESC LIMIT 50")


def drift_agrees(doors: Doors) -> None:
    """Open drifts, one by one and by cause; halts; windows."""
    drift = doors.page("/drift")
    seen = sorted(
        (number(r["Drift"]), number(r["Should"]), maybe(r["Showed"]), number(r["Δ"]))
        for r in drift.table("Drift", "Should")
    )
    told = sorted(
        (r["id"], r["expected"], r["actual"], r["delta"]) for r in doors.command("recon", "drift")
    )
    kept = doors.sql(
        "SELECT id, expected, actual, delta FROM drift WHERE resolved_at IS NULL ORDER BY id"
    )
    assert seen == told == kept
    causes = {
        r["Cause"]: (number(r["Places"]), number(r["Units"]))
        for r in drift.table("Places", "Units")
    }
    summed = doors.sql(
        "SELECT cause, count(*), sum(abs(delta))::bigint FROM drift WHERE resolved_at IS NULL GROUP BY 1"
    )
    assert causes == {cause: (rows, units) for cause, rows, units in summed}
    halted = doors.page("/halts?each=1").table("SKU", "Units off sale")
    assert sorted(r["SKU"] for r in halted) == sorted(
        r["sku"] for r in doors.command("halt", "list", "--all")
    )
    for row in halted:
        units = doors.one("SELECT sum(units)::bigint FROM target WHERE sku = :sku", sku=row["SKU"])
        assert number(row["Units off sale"]) == units
    windows = doors.page("/runs").table("Window", "Found", "Fixed", "Halted")
    heads = ("Found", "Fixed", "Halted", "Unknown")
    names = ("found", "fixed", "halted", "unknown")
    status = doors.command("recon", "status")
    assert [tuple(number(r[h]) for h in heads) for r in windows] == [
        tuple(r[n] for n in names) for r in status
    ]


def failed_agrees(doors: Doors) -> None:
    """Failed work, by state."""
    seen = [number(r["Failure"]) for r in doors.page("/failed").table("Failure", "Class")]
    told = [
        row["id"]
        for row in doors.command("failed", "list", "--since", "2000-01-01T00:00:00Z")["failures"]
    ]
    kept = doors.sql("SELECT id FROM failure WHERE state = 'open' ORDER BY last_seen DESC, id DESC")
    assert seen == told == [row[0] for row in kept]
    assert doors.page("/").after("Failed") == len(kept)


def stores_agree(doors: Doors) -> None:
    """What was lost and found: as the page last added it up, from the command line, and from the postings."""
    at = doors.house.rig.now()
    counts.add_up_quarter(doors.house.database.engine, at, every=timedelta(0))
    quarter = f"{at.year}Q{(at.month - 1) // 3 + 1}"
    seen = [
        (r["Location"], r["Reason"], number(r["Lost"]), number(r["Found"]), number(r["Net units"]))
        for r in doors.page("/stores").table("Lost", "Found", "Net units")
    ]
    told = [
        (r["location"], r["reason"], r["lost"], r["found"], r["units"])
        for r in doors.command("count", "shrinkage", "--quarter", quarter)
    ]
    (lost, found) = doors.sql(
        "SELECT coalesce(sum(units) FILTER (WHERE to_state = 'loss'), 0)::bigint,"
        " coalesce(sum(units) FILTER (WHERE from_state = 'found'), 0)::bigint FROM posting"
    )[0]
    assert seen == told
    if seen:
        assert seen[-1][2:4] == (lost, found)


def test_every_door_says_the_same_while_orders_flow(doors: Doors) -> None:
    flowing = threading.Thread(target=flow, args=(doors, 40), daemon=True)
    flowing.start()
    sold = []
    while not doors.over:
        with doors.standing(doors.allowed):
            for sku in SKUS:
                stock_agrees(doors, sku)
            places_agree(doors, SKUS[doors.steps % len(SKUS)])
            for agrees in (now_agrees, queues_agree, drift_agrees, failed_agrees, stores_agree):
                agrees(doors)
            sold.append(doors.one("SELECT count(*) FROM event WHERE kind = 'order'"))
    flowing.join(60)

    assert doors.wrong == []
    assert len(set(sold)) > 5, "orders flowed between the comparisons"
    assert doors.one("SELECT count(*) FROM posting WHERE 'loss' IN (from_state, to_state)") > 0
    assert doors.one("SELECT count(*) FROM drift") > 0
    assert doors.one("SELECT count(*) FROM halt") > 0
    assert doors.one("SELECT count(*) FROM failure") > 0
